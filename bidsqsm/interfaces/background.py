"""Background field removal as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.inversion_facts import BackgroundFacts
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
from bidsqsm.qsm.background.known_local_field import remove_beside
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import threads


class _RemoveBackgroundInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='total field, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='mask of trusted voxels')
    noise = File(exists=True, mandatory=True, desc='noise of the total field, in ppm')
    magnitude = File(exists=True, desc='root of the sum of squares of the echoes')
    chi = File(exists=True, desc='map of the round before, in ppm')
    rounds = traits.Int(1, usedefault=True, desc='times the background was removed, with this')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. vsharp')


class _RemoveBackgroundOutputSpec(StepOutputSpec):
    local_field = File(exists=True, desc='local field, in ppm')
    mask = File(exists=True, desc='mask that remains')


class RemoveBackground(StepInterface):
    """Leave of a total field what comes from inside the mask, by any method of the catalogue.

    The field of the map of an earlier round is set aside first and put back after.
    """

    input_spec = _RemoveBackgroundInputSpec
    output_spec = _RemoveBackgroundOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        remove = self.choice('background')
        field, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        data: dict[str, Any] = weights_for(remove, self.inputs.noise, mask)
        if remove.method.takes('magnitude'):
            data['magnitude'] = read_optional_volume(self.given('magnitude'))
        grid = self.grid(self.inputs.in_file)
        with threads(self.inputs.num_threads), watched() as endings:
            known = read_optional_volume(self.given('chi'))
            local, left = remove_beside(remove, field, mask, grid, known, **data)
        self.save(runtime, self.inputs.in_file, local_field=local, mask=left)
        kept = round(float(left.sum() / mask.sum()), 4)
        self._results['facts'] = BackgroundFacts(
            kept=kept,
            rounds=self.inputs.rounds,
            convergence=convergence(endings),
            warnings=not_converged(endings),
        )
        return runtime
