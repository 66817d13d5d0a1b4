"""Concentrations from susceptibility as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.contrasts_facts import ConcentrationFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_mask,
    read_volume,
)
from bidsqsm.method import Choice
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads


class _EstimateConcentrationInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='voxels that have a susceptibility')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. iron')


class _EstimateConcentrationOutputSpec(StepOutputSpec):
    iron = File(exists=True, desc='iron, in mg/kg wet weight')
    gadolinium = File(exists=True, desc='gadolinium, in mmol/L')


class EstimateConcentration(StepInterface):
    """Turn susceptibility into the concentration of a substance of the catalogue."""

    input_spec = _EstimateConcentrationInputSpec
    output_spec = _EstimateConcentrationOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        estimate = self.choice('concentration')
        chi, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        with threads(self.inputs.num_threads):
            found = estimate(chi, mask)
        (name,) = estimate.method.makes
        self.save(runtime, self.inputs.in_file, **{name: found})
        self._results['facts'] = facts_of(estimate, found, mask)
        return runtime


def facts_of(estimate: Choice, found: Volume, mask: Mask) -> ConcentrationFacts:
    """The line that was undone, and how much of the mask lies below its baseline."""
    below = float((found[mask] < 0).mean()) if mask.any() else 0.0
    settings = estimate.settings()
    return ConcentrationFacts(
        substance=estimate.method.name,
        coefficient=settings.get('coefficient'),
        baseline=settings.get('baseline'),
        below=round(below, 4),
    )
