"""R2* mapping as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.catalog import STEPS
from bidsqsm.facts.contrasts_facts import RelaxometryFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_optional_volume,
)
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.relaxometry.decay import saturated
from bidsqsm.qsm.relaxometry.relaxation import Relaxation

UNFITTED_RATE_SHARE = 0.02  # share of the brain without a rate that is worth a warning


class _FitRelaxationInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    in_mask = File(exists=True, mandatory=True, desc='voxels to fit')
    in_field = File(exists=True, desc='total field, in ppm, of either sign')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    imaging_frequency = traits.Float(desc='frequency of the scanner, in MHz')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. arlo')
    gradient_correction = traits.Str('none', usedefault=True, desc='choice from the catalogue')


class _FitRelaxationOutputSpec(StepOutputSpec):
    r2star = File(exists=True, desc='R2*, in 1/s')
    t2star = File(exists=True, desc='T2*, in s')
    s0 = File(exists=True, desc='signal at echo time zero, unit of the magnitude')
    r2star_error = File(exists=True, desc='error of the fit')
    n_echoes = File(exists=True, desc='number of echoes used')


class FitRelaxation(StepInterface):
    """Fit the decay of the magnitude over echoes, by any method of the catalogue."""

    input_spec = _FitRelaxationInputSpec
    output_spec = _FitRelaxationOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        fit = self.choice('relaxometry')
        magnitude, mask = read_echoes(self.inputs.in_file), read_mask(self.inputs.in_mask)
        with threads(self.inputs.num_threads):
            found = fit(magnitude, mask, self.inputs.echo_times, dephasing=self._dephasing(mask))
        self.save(
            runtime,
            self.inputs.in_file,
            r2star=found.r2star,
            t2star=found.t2star,
            s0=found.s0,
            r2star_error=found.error,
            n_echoes=found.n_echoes,
        )
        self._results['facts'] = facts_of(found, magnitude, mask)
        return runtime

    def _dephasing(self, mask: Mask) -> Volume | None:
        field = read_optional_volume(self.given('in_field'))
        if field is None:
            return None
        correct = STEPS['gradient_correction'].choose(self.inputs.gradient_correction)
        grid, frequency = self.grid(self.inputs.in_field), self.inputs.imaging_frequency
        left: Volume = correct(field, mask, grid, self.inputs.echo_times, frequency)
        return left


def facts_of(found: Relaxation, magnitude: Volume, mask: Mask) -> RelaxometryFacts:
    """Facts of a fit: the noise, the echoes used and the voxels that have no rate."""
    unfitted = mask & (found.n_echoes == 0)
    cut = unfitted & saturated(magnitude) & (magnitude[0] > 0)
    used = found.n_echoes[mask & ~unfitted]
    share = unfitted.sum() / max(int(mask.sum()), 1)
    warning = (
        f'{share:.0%} of the voxels of the brain have no R2* ({int(cut.sum())} saturated, the '
        'others without a positive magnitude in enough echoes): check magnitude and mask.'
    )
    return RelaxometryFacts(
        magnitude_noise=float(f'{found.noise:.4g}'),
        mean_echoes_used=round(float(used.mean()), 2) if used.size else 0.0,
        unfitted_voxels=int(unfitted.sum()),
        saturated_voxels=int(cut.sum()),
        warnings=(warning,) if share > UNFITTED_RATE_SHARE else (),
    )
