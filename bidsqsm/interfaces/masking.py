"""Brain and QSM masks as a Nipype interface."""

from __future__ import annotations

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.interfaces.base import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    echoes,
    grid_of,
    mask_of,
    volume,
)
from bidsqsm.io.errors import DatasetError
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.result import Masks


class _MakeMaskInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    quality = File(exists=True, mandatory=True, desc='quality of the phase, 0 to 1')
    residual = File(exists=True, mandatory=True, desc='relative residual of the field fit')
    in_mask = File(exists=True, desc='a mask that is taken as it is')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. quality')


class _MakeMaskOutputSpec(StepOutputSpec):
    brain_mask = File(exists=True, desc='the brain')
    qsm_mask = File(exists=True, desc='voxels of the brain whose field is trusted')


class MakeMask(StepInterface):
    """Find the brain and its trusted part, by any method of the catalogue; or take a given mask."""

    input_spec = _MakeMaskInputSpec
    output_spec = _MakeMaskOutputSpec

    def _run_interface(self, runtime):
        given = mask_of(self.given('in_mask'))
        with threads(self.inputs.num_threads):
            masks = self._make() if given is None else Masks(given, given)
        facts = {'source': 'made' if given is None else self.inputs.in_mask}
        self._results['facts'] = facts | check(masks, grid_of(self.inputs.in_file).voxel_size)
        self.save(runtime, self.inputs.in_file, brain_mask=masks.brain, qsm_mask=masks.qsm)
        return runtime

    def _make(self) -> Masks:
        make = self.choice('mask')
        quality, residual = volume(self.inputs.quality), volume(self.inputs.residual)
        return make(echoes(self.inputs.in_file), quality, residual, grid_of(self.inputs.in_file))


def check(masks: Masks, voxel_size: tuple[float, float, float]) -> dict[str, object]:
    """Volumes of the masks (mL), or why a run cannot go on with them."""
    if not masks.qsm.any():
        raise DatasetError(
            'the mask is empty: no voxel has both signal and a trusted phase; look at the '
            'magnitude, loosen the mask (--mask quality:quality_limit=...) or give one '
            '(--mask FILE)'
        )
    to_ml = float(np.prod(voxel_size)) / 1000
    brain, qsm = float(masks.brain.sum()) * to_ml, float(masks.qsm.sum()) * to_ml
    warnings = [] if qsm > 0.5 * brain else [f'only {qsm / brain:.0%} of the brain could be kept']
    return {'brain_ml': round(brain, 1), 'qsm_ml': round(qsm, 1), 'warnings': warnings}
