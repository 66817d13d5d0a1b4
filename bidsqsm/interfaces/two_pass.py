"""Two passes over one field as Nipype interfaces: the mask with holes, and the map of both."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.inversion_facts import HolesFacts, TwoPassFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_mask,
    read_volume,
)
from bidsqsm.qsm.two_pass import combine, holed_mask

NO_HOLES = (
    'The phase is reliable in the whole mask: --two-pass found no hole to cut and the map is that of '
    'one pass.'
)


class _CutHolesInputSpec(StepInputSpec):
    in_mask = File(exists=True, mandatory=True, desc='mask of trusted voxels, without holes')
    quality = File(exists=True, mandatory=True, desc='quality of the phase, 0 to 1')
    residual = File(exists=True, mandatory=True, desc='relative residual of the field fit')
    limits = traits.Dict(
        traits.Str, traits.Float, desc='quality_limit and residual_limit, if not the default'
    )


class _CutHolesOutputSpec(StepOutputSpec):
    mask = File(exists=True, desc='the mask without the voxels of unreliable phase')


class CutHoles(StepInterface):
    """Cut voxels of unreliable phase out of a mask."""

    input_spec = _CutHolesInputSpec
    output_spec = _CutHolesOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        given = self.inputs
        mask, quality, residual = (
            read_mask(given.in_mask),
            read_volume(given.quality),
            read_volume(given.residual),
        )
        size = self.grid(given.in_mask).voxel_size
        holed = holed_mask(mask, quality, residual, size, **(self.given('limits') or {}))
        self.save(runtime, given.in_mask, mask=holed)
        self._results['facts'] = HolesFacts(holes=int((mask & ~holed).sum()))
        return runtime


class _CombinePassesInputSpec(StepInputSpec):
    chi = File(exists=True, mandatory=True, desc='susceptibility from the whole mask, in ppm')
    mask = File(exists=True, mandatory=True, desc='where it has values')
    holed_chi = File(
        exists=True, mandatory=True, desc='susceptibility from the holed mask, in ppm'
    )
    holed_mask = File(exists=True, mandatory=True, desc='where that has values')


class _CombinePassesOutputSpec(StepOutputSpec):
    chi = File(exists=True, desc='susceptibility of both, in ppm, not yet referenced')
    mask = File(exists=True, desc='voxels that have a susceptibility')
    holed_mask = File(exists=True, desc='voxels whose value is that of the holed mask')


class CombinePasses(StepInterface):
    """Take the map of the mask with holes, and fill its holes from the map of the whole mask."""

    input_spec = _CombinePassesInputSpec
    output_spec = _CombinePassesOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        given = self.inputs
        mask = read_mask(given.mask)
        holed = read_mask(given.holed_mask) & mask
        chi, shift = combine(read_volume(given.chi), read_volume(given.holed_chi), mask, holed)
        self.save(runtime, given.chi, chi=chi, mask=mask, holed_mask=holed)
        filled = int((mask & ~holed).sum())
        self._results['facts'] = TwoPassFacts(
            two_pass=True,
            filled_voxels=filled,
            filled_share=round(filled / max(int(mask.sum()), 1), 5),
            shift_of_filled=round(shift, 5),
            warnings=() if filled else (NO_HOLES,),
        )
        return runtime
