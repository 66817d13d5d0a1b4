"""Borders of atlas regions as a Nipype interface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.errors import DatasetError
from bidsqsm.facts.region_facts import RefinementFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.grid import Labels
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.segmentation.region_box import values_of


class _RefineRoisInputSpec(StepInputSpec):
    labels = File(exists=True, mandatory=True, desc='regions of an atlas, on the grid of the map')
    chi = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='mask of the map')
    r2star = File(exists=True, desc='R2*, in 1/s')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. border')


class _RefineRoisOutputSpec(StepOutputSpec):
    labels = File(exists=True, desc='the regions with their new borders')


class RefineRois(StepInterface):
    """Let the maps of a subject tell the borders of an atlas's regions, by any method of the catalogue."""

    input_spec = _RefineRoisInputSpec
    output_spec = _RefineRoisOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        refine = self.choice('roi_refine')
        chi, mask = read_volume(self.inputs.chi), read_mask(self.inputs.in_mask)
        before, _ = load_labels(self.inputs.labels, none=True)
        for name, other in (('chi', chi), ('in_mask', mask)):
            if other.shape != before.shape:
                raise DatasetError(
                    f'{self.inputs.labels} has shape {before.shape}, expected {other.shape} as in '
                    f'{getattr(self.inputs, name)}: bring the labels onto the grid of the map'
                )
        with threads(self.inputs.num_threads):
            r2star = read_optional_volume(self.given('r2star'))
            after = refine(before, chi, mask, self.grid(self.inputs.chi), r2star=r2star)
        self.save(runtime, self.inputs.chi, labels=after)
        self._results['facts'] = replace(facts_of(before, after), roi_refine=refine.method.name)
        return runtime


def facts_of(before: Labels, after: Labels) -> RefinementFacts:
    """Overlap (Dice) of every region with what it was, with a warning for those that are lost."""
    overlaps, lost = {}, []
    for value in values_of(before):
        old, new = before == value, after == value
        total = int(old.sum() + new.sum())
        overlaps[f'{value}'] = round(2 * int((old & new).sum()) / total, 3)
        if not new.any():
            lost.append(f'{value}')
    warnings = []
    if lost:
        warnings.append(
            f'Refinement left no voxel of the regions {", ".join(lost)}: erode less, '
            'or take their values from the labels of the atlas.'
        )
    return RefinementFacts(overlap_with_atlas=overlaps, warnings=tuple(warnings))
