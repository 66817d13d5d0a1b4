"""R2* mapping as a Nipype interface."""

from __future__ import annotations

from nipype.interfaces.base import File, traits

from bidsqsm.interfaces.base import StepInputSpec, StepInterface, StepOutputSpec, echoes, mask_of
from bidsqsm.qsm.jit import threads


class _FitRelaxationInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    in_mask = File(exists=True, mandatory=True, desc='voxels to fit')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. arlo')


class _FitRelaxationOutputSpec(StepOutputSpec):
    r2star = File(exists=True, desc='R2*, in 1/s')
    t2star = File(exists=True, desc='T2*, in s')
    s0 = File(exists=True, desc='signal at echo time zero, unit of the magnitude')
    r2star_error = File(exists=True, desc='error of the fit')


class FitRelaxation(StepInterface):
    """Fit the decay of the magnitude over echoes, by any method of the catalogue."""

    input_spec = _FitRelaxationInputSpec
    output_spec = _FitRelaxationOutputSpec

    def _run_interface(self, runtime):
        fit = self.choice('relaxometry')
        magnitude, mask = echoes(self.inputs.in_file), mask_of(self.inputs.in_mask)
        with threads(self.inputs.num_threads):
            found = fit(magnitude, mask, self.inputs.echo_times)
        self.save(
            runtime, self.inputs.in_file,
            r2star=found.r2star, t2star=found.t2star, s0=found.s0, r2star_error=found.error,
        )  # fmt: skip
        self._results['facts'] = {}
        return runtime
