"""R2 from spin echoes or a given map, brought to a run, and what is left of R2* without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.facts.contrasts_facts import R2PrimeFacts
from bidsqsm.files.nifti import Affine, load_volume
from bidsqsm.interfaces.anatomy.registration import paired
from bidsqsm.interfaces.anatomy.registration_checks import BRAIN_OVERLAPS
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.grid import Mask, Matrix, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.brain import brain_mask
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.registration.rigid import register_rigid
from bidsqsm.qsm.relaxometry.reversible import reversible
from bidsqsm.qsm.resampling import carry_map, carry_mask, places_of, voxel_step

SKIP_FIRST = 4  # spin echoes from which on the first, without stimulated echoes, is left out
MEDIAN_R2_RANGE = (1.0, 200.0)  # 1/s: where the median R2 of a brain may lie
NEGATIVE_SHARE = 0.2  # share of the brain with R2 above R2* that is worth a warning


class Placing(NamedTuple):
    """Where a map of R2 lies beside a run.

    Attributes
    ----------
    motion
        4 x 4 matrix from world points of the run to those of the map, in mm.
    by
        How it was found.
    overlap
        Of the two brains, where they were registered.
    warnings
        Doubts about it.

    """

    motion: Matrix
    by: str
    overlap: float | None = None
    warnings: tuple[str, ...] = ()


class _FitSpinEchoInputSpec(StepInputSpec):
    in_files = InputMultiObject(File(exists=True), mandatory=True, desc='a file for each echo')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. auto')


class _FitSpinEchoOutputSpec(StepOutputSpec):
    r2 = File(exists=True, desc='R2, in 1/s, 0 outside the brain')
    contrast = File(exists=True, desc='first echo')
    brain = File(exists=True, desc='the brain in it')


class FitSpinEcho(StepInterface):
    """Fit the decay of spin echoes, by any method of relaxometry."""

    input_spec = _FitSpinEchoInputSpec
    output_spec = _FitSpinEchoOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        first, times = self.inputs.in_files[0], self.inputs.echo_times
        magnitude = np.stack([load_volume(path)[0] for path in self.inputs.in_files])
        size = np.linalg.norm(self.affine(first)[:3, :3], axis=0)
        brain = brain_mask(np.sqrt((magnitude**2).mean(axis=0)), (size[0], size[1], size[2]))
        # imperfect pulses make the first echo too small beside those that hold stimulated echoes
        skip = int(len(times) >= SKIP_FIRST)
        with threads(self.inputs.num_threads):
            found = self.choice('relaxometry')(magnitude[skip:], brain, times[skip:])
        self.save(runtime, first, r2=found.r2star, contrast=magnitude[0], brain=brain)
        self._results['facts'] = R2PrimeFacts(
            r2_from='spin echoes', spin_echoes_used=len(times) - skip
        )
        return runtime


class _CarryR2InputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='map of R2 or T2')
    kind = traits.Enum('R2map', 'T2map', usedefault=True, desc='what it is a map of')
    scale = traits.Float(1.0, usedefault=True, desc='a stored 1, in 1/s or s')
    moving = File(exists=True, desc='image on its grid; without, the header is believed')
    moving_brain = File(exists=True, desc='the brain in that')
    magnitude = File(exists=True, mandatory=True, desc='magnitude of the run, echoes last')
    in_mask = File(exists=True, mandatory=True, desc='brain of the run')
    about = traits.Dict(desc='facts of what made the map')


class _CarryR2OutputSpec(StepOutputSpec):
    r2 = File(exists=True, desc='R2 on the grid of the run, in 1/s; left out where it is no R2')


class CarryR2(StepInterface):
    """Bring R2 onto the grid of a run, after a rigid registration where an image leads there."""

    input_spec = _CarryR2InputSpec
    output_spec = _CarryR2OutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        about = R2PrimeFacts.of(self.given('about'))
        values = rates(read_volume(self.inputs.in_file), self.inputs.kind, self.inputs.scale)
        affine, onto = (self.affine(one) for one in (self.inputs.in_file, self.inputs.magnitude))
        mask = read_mask(self.inputs.in_mask)
        with threads(self.inputs.num_threads):
            placing = self._placing(mask, affine, onto)
            r2 = carried(values, affine, placing.motion, mask, onto)
        middle = float(np.median(r2[r2 > 0])) if (r2 > 0).any() else 0.0
        facts = replace(
            about,
            r2_from=about.r2_from or self.inputs.kind,
            r2_placed_by=placing.by,
            overlap=placing.overlap,
            median_r2=round(middle, 2),
            warnings=(*about.warnings, *placing.warnings),
        )
        if MEDIAN_R2_RANGE[0] <= middle <= MEDIAN_R2_RANGE[1]:
            self.save(runtime, self.inputs.magnitude, r2=r2)
        else:
            facts = none_of_r2(facts, self.inputs.in_file, middle)
        self._results['facts'] = facts
        return runtime

    def _placing(self, mask: Mask, affine: Affine, onto: Affine) -> Placing:
        """By the registration of two brains, where an image shows the one of the map."""
        header = Placing(np.eye(4), 'header')
        if self.given('moving') is None:
            return header
        own = HeadImage(read_echoes(self.inputs.magnitude)[0], mask, onto)
        other = HeadImage(
            read_volume(self.inputs.moving), read_mask(self.inputs.moving_brain), affine
        )
        if not (own.mask.any() and other.mask.any()):
            return header
        motion = register_rigid(*paired(own, other))
        to_map = affine_transform(motion)
        found = carry_mask(other.mask, affine, to_map, mask.shape, onto)
        smaller = max(1, min(int(found.sum()), int(mask.sum())))
        overlap = float((found & mask).sum()) / smaller
        if overlap >= BRAIN_OVERLAPS[1]:
            return Placing(motion, 'rigid registration', round(overlap, 3))
        warning = (
            f'After registration the brains of the spin echoes and the run overlap by {overlap:.2f} '
            f"only, expected {BRAIN_OVERLAPS[1]} or more; the spin echoes' headers were believed: check "
            "R2' in the report."
        )
        return header._replace(overlap=round(overlap, 3), warnings=(warning,))


class _SubtractR2InputSpec(StepInputSpec):
    r2star = File(exists=True, mandatory=True, desc='R2*, in 1/s')
    r2 = File(exists=True, desc='R2 on the same grid, in 1/s')
    in_mask = File(exists=True, mandatory=True, desc='brain')
    about = traits.Dict(desc='facts of R2')


class _SubtractR2OutputSpec(StepOutputSpec):
    r2prime = File(exists=True, desc="R2', in 1/s; left out where there is no R2")
    t2prime = File(exists=True, desc="T2', in s")


class SubtractR2(StepInterface):
    """Take R2 from R2*."""

    input_spec = _SubtractR2InputSpec
    output_spec = _SubtractR2OutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        facts = self._results['facts'] = R2PrimeFacts.of(self.given('about'))
        r2 = read_optional_volume(self.given('r2'))
        if r2 is None:
            return runtime
        found = reversible(read_volume(self.inputs.r2star), r2, read_mask(self.inputs.in_mask))
        warning = (
            f"R2 is above R2* in {found.negative:.0%} of the brain, where R2' was set to 0: "
            'check the unit of R2, its place, and the echoes it was made from.'
        )
        doubts = (warning,) if found.negative > NEGATIVE_SHARE else ()
        self._results['facts'] = replace(
            facts,
            negative_r2prime=round(found.negative, 3),
            warnings=(*facts.warnings, *doubts),
        )
        self.save(runtime, self.inputs.r2star, r2prime=found.r2prime, t2prime=found.t2prime)
        return runtime


def rates(values: Volume, kind: str, scale: float) -> Volume:
    """R2 in 1/s from a map of R2 or T2; 0 where it has no positive number."""
    known = np.isfinite(values) & (values > 0)
    scaled = np.where(known, values, 1) * np.float32(scale)
    rate = 1 / scaled if kind == 'T2map' else scaled
    found: Volume = np.where(known, rate, 0).astype(np.float32)
    return found


def carried(r2: Volume, affine: Affine, motion: Matrix, mask: Mask, onto: Affine) -> Volume:
    """R2 within a mask of another grid, as it is where the grids are one."""
    if (
        r2.shape == mask.shape
        and np.allclose(motion, np.eye(4))
        and np.allclose(affine, onto, atol=1e-3)
    ):
        return np.where(mask, r2, np.float32(0))
    known, way = r2 > 0, affine_transform(motion)
    inside = mask & carry_mask(known, affine, way, mask.shape, onto)
    if not inside.any():
        return np.zeros(mask.shape, np.float32)
    places = places_of(inside, onto, way, affine)
    values = carry_map(r2, known, places, inside, voxel_step(affine, onto))
    return np.maximum(values, 0)


def none_of_r2(facts: R2PrimeFacts, path: str, middle: float) -> R2PrimeFacts:
    """Facts of a map that is none of R2."""
    sentence = (
        f"R2' was left out: R2 from {path} has a median of {middle:.3g} 1/s in the brain, expected "
        f'{MEDIAN_R2_RANGE[0]:g} to {MEDIAN_R2_RANGE[1]:g} 1/s: check its unit and that it lies where the run does.'
    )
    return replace(facts, left_out=sentence, warnings=(sentence,))
