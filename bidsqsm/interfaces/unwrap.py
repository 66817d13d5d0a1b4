"""Phase unwrapping as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.field_facts import UnwrapFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
)
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.head_mask import head_mask


class _UnwrapPhaseInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='prepared phase, in rad, echoes last')
    magnitude = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. romeo:template=1')


class _UnwrapPhaseOutputSpec(StepOutputSpec):
    unwrapped = File(exists=True, desc='unwrapped phase, in rad, echoes last')
    quality = File(exists=True, desc='quality of the phase, 0 to 1')


class UnwrapPhase(StepInterface):
    """Unwrap the phase of every echo, wherever there is signal, by any method of the catalogue."""

    input_spec = _UnwrapPhaseInputSpec
    output_spec = _UnwrapPhaseOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        unwrap = self.choice('unwrap')
        phase, magnitude = read_echoes(self.inputs.in_file), read_echoes(self.inputs.magnitude)
        with threads(self.inputs.num_threads):
            found = unwrap(phase, magnitude, head_mask(magnitude), self.inputs.echo_times)
        self.save(runtime, self.inputs.in_file, unwrapped=found.phase, quality=found.quality)
        self._results['facts'] = UnwrapFacts()
        return runtime
