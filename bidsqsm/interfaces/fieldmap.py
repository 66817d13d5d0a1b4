"""The total field from the echoes as a Nipype interface."""

from __future__ import annotations

from nipype.interfaces.base import File, traits

from bidsqsm.interfaces.base import StepInputSpec, StepInterface, StepOutputSpec, echoes
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.head import head_mask


class _FitFieldInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='unwrapped phase, in rad, echoes last')
    magnitude = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    imaging_frequency = traits.Float(mandatory=True, desc='frequency of the scanner, in MHz')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. nonlinear')


class _FitFieldOutputSpec(StepOutputSpec):
    total_field = File(exists=True, desc='total field, in ppm, with the sign of the phase')
    noise = File(exists=True, desc='standard deviation of the total field, in ppm')
    residual = File(exists=True, desc='relative residual of the fit')


class FitField(StepInterface):
    """Fit one field to the phase of all echoes, by any method of the catalogue."""

    input_spec = _FitFieldInputSpec
    output_spec = _FitFieldOutputSpec

    def _run_interface(self, runtime):
        fit = self.choice('field')
        given = self.inputs
        phase, magnitude = echoes(given.in_file), echoes(given.magnitude)
        mask = head_mask(magnitude)
        with threads(given.num_threads):
            found = fit(phase, magnitude, mask, given.echo_times, given.imaging_frequency)
        self.save(
            runtime, given.in_file,
            total_field=found.total_field, noise=found.noise, residual=found.residual,
        )  # fmt: skip
        self._results['facts'] = {}
        return runtime
