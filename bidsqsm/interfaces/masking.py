"""Brain and QSM masks as a Nipype interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.errors import DatasetError
from bidsqsm.facts.inversion_facts import MaskFacts
from bidsqsm.inputs.precomputed import load_mask
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_optional_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.body import ADULT, HUMAN_BODIES, Body
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.masking.mask_result import Masks

BRAIN_RANGE_ML = (400.0, 2300.0)  # mL: from a newborn's to more than the largest adult's
WHOLE_HEAD_MM = 120.0  # a volume with a shorter side may hold a part of the brain
AGREEING_DICE = 0.85  # of two masks of one brain: the worst of sound ones still have 0.9
NOISE_QUALITY = 0.025  # median quality below which phase is noise; pure noise has 0.005 to 0.02


class _MakeMaskInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    quality = File(exists=True, desc='quality of the phase, 0 to 1, where there is phase')
    residual = File(exists=True, desc='relative residual of the field fit')
    in_mask = File(exists=True, desc='a mask that is taken as it is')
    template_mask = File(exists=True, desc="brain of a template on the run's grid")
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. combined')


class _MakeMaskOutputSpec(StepOutputSpec):
    brain_mask = File(exists=True, desc='the brain')
    qsm_mask = File(exists=True, desc='voxels of the brain whose field is trusted')
    magnitude_mask = File(exists=True, desc='the brain as the magnitude shows it')
    template_mask = File(exists=True, desc="the template's brain, where the method used it")
    quality_mask = File(exists=True, desc='voxels of the brain whose phase is good')


class MakeMask(StepInterface):
    """Find the brain and its trusted part, by any method of the catalogue; or take a given mask."""

    input_spec = _MakeMaskInputSpec
    output_spec = _MakeMaskOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        path = self.given('in_mask')
        given = None if path is None else load_mask(path)[0]
        with threads(self.inputs.num_threads):
            masks = self._make() if given is None else Masks(given, given)
        phase = self.given('quality') is not None
        self._results['facts'] = facts_of(
            masks, path, self.grid(self.inputs.in_file), self.body, phase=phase
        )
        if phase:
            refuse_noise(read_volume(self.inputs.quality), masks.qsm)
        parts = {f'{name}_mask': part for name, part in masks.parts.items()}
        self.save(
            runtime, self.inputs.in_file, brain_mask=masks.brain, qsm_mask=masks.qsm, **parts
        )
        return runtime

    def _make(self) -> Masks:
        make = self.choice('mask')
        arrays = {
            'magnitude': read_echoes(self.inputs.in_file),
            'quality_map': read_optional_volume(self.given('quality')),
            'residual': read_optional_volume(self.given('residual')),
            'grid': self.grid(self.inputs.in_file),
            'body': self.body,
            'template_mask': read_optional_mask(self.given('template_mask')),
        }
        masks: Masks = make(
            **{name: array for name, array in arrays.items() if make.method.takes(name)}
        )
        return masks


def facts_of(
    masks: Masks, path: str | None, grid: Grid, body: Body = ADULT, *, phase: bool
) -> MaskFacts:
    """What brain and QSM mask come from, and how large they are.

    Where two brains were found, how well they agree; without phase there is no susceptibility to
    have a mask of.
    """
    parts = [*masks.parts]
    brains = [part for part in parts if part != 'quality'] or parts
    sources = {'brain': brains, 'qsm': parts} if phase else {'brain': brains}
    doubts = check(masks, grid, body)
    brain_ml, qsm_ml = volumes(masks, grid)
    overlap = None
    if masks.magnitude is not None and masks.template is not None:
        overlap = round(dice(masks.magnitude, masks.template), 3)
    return MaskFacts(
        source=path or 'made',
        mask_sources={name: path or ', '.join(found) for name, found in sources.items()},
        template_dice=overlap,
        brain_ml=round(brain_ml, 1),
        qsm_ml=round(qsm_ml, 1) if phase else None,
        warnings=(*doubts, *disagreement(overlap)),
    )


def disagreement(overlap: float | None) -> list[str]:
    """A warning where the brain of the magnitude and that of the template are too far apart."""
    if overlap is None or overlap >= AGREEING_DICE:
        return []
    text = (
        'The brain in the magnitude and the brain of the template overlap by a Dice of '
        f'{overlap:.2f}, expected {AGREEING_DICE} or more: look at both outlines in the report for a failed '
        'registration or for scalp in the mask, else give a mask (--mask FILE).'
    )
    return [text]


def volumes(masks: Masks, grid: Grid) -> tuple[float, float]:
    """Volumes of the brain and of its trusted part, in mL."""
    to_ml = float(np.prod(grid.body_voxel_size)) / 1000
    return float(masks.brain.sum()) * to_ml, float(masks.qsm.sum()) * to_ml


def check(masks: Masks, grid: Grid, body: Body = ADULT) -> list[str]:
    """Doubts about masks, or why a run cannot go on with them."""
    if not masks.qsm.any():
        raise DatasetError(
            'the mask is empty: no voxel has signal and, where it was asked for, a trusted phase; '
            'look at the magnitude, loosen the mask (--mask combined:quality_limit=...) or give one '
            '(--mask FILE)'
        )
    brain, qsm = volumes(masks, grid)
    what = 'brain' if body.has_brain else 'object'
    warnings = [] if qsm > 0.5 * brain else [f'only {qsm / brain:.0%} of the {what} could be kept']
    sides = [n * size for n, size in zip(grid.shape, grid.voxel_size, strict=True)]
    # the share that the brain has of the head differs from animal to animal
    low, high = (limit * body.scale**3 for limit in BRAIN_RANGE_ML)
    wrong = brain > high or (brain < low and min(sides) >= WHOLE_HEAD_MM)
    if body.name in HUMAN_BODIES and wrong:
        warnings.append(
            f'The brain mask holds {brain:.0f} mL, expected {low:.0f} to {high:.0f} mL '
            'for a whole head: look at its outline in the report, else give a mask (--mask FILE).'
        )
    return warnings


def refuse_noise(quality: Volume, mask: Mask) -> None:
    """Stop a run whose phase in the mask is noise, from which any map would be fiction."""
    median = float(np.median(quality[mask]))
    if median < NOISE_QUALITY:
        raise DatasetError(
            f'the phase in the mask is noise (median quality {median:.3f} of 1, expected above '
            f'{NOISE_QUALITY}): look at phase and magnitude, and give a mask (--mask FILE) if the brain '
            'was missed'
        )
