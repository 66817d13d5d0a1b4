"""Phase preparation, and reading where there is no phase, as Nipype interfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.catalog import STEPS
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.phase_preparation import prepare_run, read_magnitude
from bidsqsm.interfaces.step_interface import StepInputSpec, StepInterface, StepOutputSpec
from bidsqsm.qsm.jit import threads


class _ReadMagnitudeInputSpec(StepInputSpec):
    run = traits.Str(mandatory=True, nohash=True, desc='the run, a GreRun as JSON')
    known = traits.Str(desc='what of the run decides the result: all but paths')
    in_files = traits.List(File(exists=True), mandatory=True, desc='its images')


class _ReadMagnitudeOutputSpec(StepOutputSpec):
    magnitude = File(exists=True, desc='magnitude, echoes last')
    magnitude_rss = File(exists=True, desc='root of the sum of squares over echoes')


class ReadMagnitude(StepInterface):
    """Read a run that has no phase."""

    input_spec = _ReadMagnitudeInputSpec
    output_spec = _ReadMagnitudeOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        magnitude, self._results['facts'] = read_magnitude(GreRun.from_json(self.inputs.run))
        rss = np.sqrt(np.sum(magnitude**2, axis=0))
        self.save(runtime, self.inputs.in_files[0], magnitude=magnitude, magnitude_rss=rss)
        return runtime


class _PreparePhaseInputSpec(_ReadMagnitudeInputSpec):
    coil = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. mcpc3ds')
    unwrap = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. romeo')
    corrections = traits.Dict(desc='alternation, bipolar and offset: auto, yes or no')
    force = traits.List(traits.Str, desc='checks that do not stop the run')


class _PreparePhaseOutputSpec(_ReadMagnitudeOutputSpec):
    phase = File(exists=True, desc='phase, in rad, echoes last')


class PreparePhase(StepInterface):
    """Read a run and free its phase of everything that is neither field nor noise."""

    input_spec = _PreparePhaseInputSpec
    output_spec = _PreparePhaseOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        run = GreRun.from_json(self.inputs.run)
        coil = STEPS['coil'].choose(self.inputs.coil)
        unwrap = STEPS['unwrap'].choose(self.inputs.unwrap)
        corrections, force = self.given('corrections') or {}, self.given('force') or []
        with threads(self.inputs.num_threads):
            found = prepare_run(
                run, coil=coil, unwrap=unwrap, corrections=corrections, force=force
            )
        rss = np.sqrt(np.sum(found.magnitude**2, axis=0))
        like = self.inputs.in_files[0]
        self.save(runtime, like, phase=found.phase, magnitude=found.magnitude, magnitude_rss=rss)
        self._results['facts'] = found.facts
        return runtime
