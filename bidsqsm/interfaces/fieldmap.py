"""The total field from the echoes as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.field_facts import FieldFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    convergence,
    not_converged,
    read_echoes,
)
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.head_mask import head_mask


class _FitFieldInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='unwrapped phase, in rad, echoes last')
    magnitude = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    imaging_frequency = traits.Float(mandatory=True, desc='frequency of the scanner, in MHz')
    phase_sign = traits.Enum('auto', '+1', '-1', usedefault=True, desc='what the user forces')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. nonlinear')


class _FitFieldOutputSpec(StepOutputSpec):
    total_field = File(exists=True, desc='total field, in ppm, with the sign of the phase')
    noise = File(exists=True, desc='standard deviation of the total field, in ppm')
    residual = File(exists=True, desc='relative residual of the fit')
    water = File(exists=True, desc='signal of water, by methods that part it from fat')
    fat = File(exists=True, desc='signal of fat')
    fat_fraction = File(exists=True, desc='share of fat in the signal, 0 to 1')
    waterfat_r2star = File(exists=True, desc='R2* of water and fat, in 1/s')


class FitField(StepInterface):
    """Fit one field to the phase of all echoes, by any method of the catalogue."""

    input_spec = _FitFieldInputSpec
    output_spec = _FitFieldOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        fit = self.choice('field')
        given = self.inputs
        phase, magnitude = read_echoes(given.in_file), read_echoes(given.magnitude)
        mask = head_mask(magnitude)
        known = {
            'grid': self.grid(given.in_file),
            'phase_sign': 0 if given.phase_sign == 'auto' else int(given.phase_sign),
        }
        wanted = {name: value for name, value in known.items() if fit.method.takes(name)}
        with threads(given.num_threads), watched() as endings:
            found = fit(
                phase, magnitude, mask, given.echo_times, given.imaging_frequency, **wanted
            )
        self.save(
            runtime,
            given.in_file,
            total_field=found.total_field,
            noise=found.noise,
            residual=found.residual,
            water=found.water,
            fat=found.fat,
            fat_fraction=found.fat_fraction,
            waterfat_r2star=found.r2star,
        )
        self._results['facts'] = FieldFacts(
            phase_sign_of_fat=found.phase_sign,
            convergence=convergence(endings),
            warnings=not_converged(endings),
        )
        return runtime
