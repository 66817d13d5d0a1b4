"""Separation of sources as a Nipype interface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.facts.contrasts_facts import SeparationFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    convergence,
    not_converged,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.interfaces.weights import weights_for
from bidsqsm.method import Choice
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.separation.sources import Sources

#: Share of the SD of a map by which the sum of its parts may be off
SUM_LIMIT = 0.5


class _SeparateSourcesInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, referenced, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='voxels that have a susceptibility')
    local_field = File(exists=True, mandatory=True, desc='local field, in ppm')
    noise = File(exists=True, mandatory=True, desc='noise of the field, in ppm')
    r2star = File(exists=True, mandatory=True, desc='R2*, in 1/s')
    r2prime = File(exists=True, desc="R2', in 1/s")
    field_strength = traits.Float(mandatory=True, desc='B0, in T')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. closed:ratio=2')


class _SeparateSourcesOutputSpec(StepOutputSpec):
    paramagnetic = File(exists=True, desc='susceptibility of paramagnetic sources, in ppm')
    diamagnetic = File(exists=True, desc='susceptibility of diamagnetic sources, in ppm')


class SeparateSources(StepInterface):
    """Split susceptibility by the sign of its sources, by any method of the catalogue."""

    input_spec = _SeparateSourcesInputSpec
    output_spec = _SeparateSourcesOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        separate, given = self.choice('separation'), self.inputs
        chi, mask = read_volume(given.in_file), read_mask(given.in_mask)
        r2prime, r2star = read_optional_volume(self.given('r2prime')), read_volume(given.r2star)
        rate = r2star if r2prime is None else r2prime
        if not (rate[mask] > 0).any():
            self._results['facts'] = left_out('R2*' if r2prime is None else "R2'")
            return runtime
        data = weights_for(separate, given.noise, mask)
        if separate.method.takes('local_field'):
            data['local_field'] = read_volume(given.local_field)
        where = (mask, self.grid(given.in_file), given.field_strength)
        with threads(given.num_threads), watched() as endings:
            found = separate(chi, r2prime, *where, r2star=r2star, **data)
        self.save(
            runtime, given.in_file, paramagnetic=found.paramagnetic, diamagnetic=found.diamagnetic
        )
        self._results['facts'] = replace(
            facts_of_rate(separate, given.field_strength, measured=r2prime is not None),
            sum_rms=sum_rms(found, chi, mask),
            one_kind=one_kind(found, mask),
            bad_voxels=int((mask & ~(np.isfinite(rate) & (rate > 0))).sum()),
            convergence=convergence(endings),
            warnings=(*summed(found, chi, mask), *not_converged(endings)),
        )
        return runtime


def facts_of_rate(separate: Choice, field_strength: float, *, measured: bool) -> SeparationFacts:
    """Which rate was used, and the relaxivities (1/s per ppm) at the field strength (T)."""
    settings = separate.settings()
    ratio = f'{settings["ratio"]:g}'
    return SeparationFacts(
        rate="R2', measured" if measured else f"pseudo-R2', that is R2* over {ratio}",
        relaxivities={
            part: round(settings[part] * field_strength / 3, 3)
            for part in ('paramagnetic', 'diamagnetic')
        },
    )


def sum_rms(found: Sources, chi: Volume, mask: Mask) -> float:
    """Root mean square by which the sum of the parts is off the map, in ppm."""
    off = (found.paramagnetic + found.diamagnetic - chi)[mask]
    return float(f'{np.sqrt(np.mean(off**2, dtype=float)):.3g}')


def one_kind(found: Sources, mask: Mask) -> float:
    """Share of voxels that hold sources of one sign only."""
    alone = (found.paramagnetic == 0) | (found.diamagnetic == 0)
    return round(float(alone[mask].mean()), 4)


def summed(found: Sources, chi: Volume, mask: Mask) -> list[str]:
    """A warning where the sum of both parts is far from the map."""
    off = sum_rms(found, chi, mask)
    spread = float(np.std(chi[mask], dtype=float))
    if off <= SUM_LIMIT * spread:
        return []
    sentence = (
        f'The sum of paramagnetic and diamagnetic susceptibility is off the map by {off:.4f} ppm, '
        f'expected {100 * SUM_LIMIT:.0f} % of the SD of {spread:.4f} ppm at most: look at local '
        'field and mask in the report, or take --separation closed.'
    )
    return [sentence]


def left_out(rate: str) -> SeparationFacts:
    """Facts of a separation that the data do not allow."""
    sentence = (
        f'separation was left out: {rate} is zero throughout the mask, expected a decay over the '
        'echoes: look at the magnitude in the report.'
    )
    return SeparationFacts(left_out=sentence, warnings=(sentence,))
