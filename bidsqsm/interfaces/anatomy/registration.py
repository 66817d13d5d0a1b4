"""Registration as Nipype interfaces: run to T1w, either to a template; transforms are files of ITK.

A pair of transforms goes by the images that it resamples: ``forward`` brings images of the moving
space onto the grid of the fixed one, as ``from-<moving>_to-<fixed>_mode-image`` in BIDS; it takes
points of the fixed world to the moving one. ``backward`` is its inverse.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.atlases.atlas_checks import check_template
from bidsqsm.atlases.label_image import load_image
from bidsqsm.facts.registration_facts import ContrastFacts, RegistrationFacts
from bidsqsm.files.nifti import Affine
from bidsqsm.interfaces.anatomy.registration_checks import failed, judged, verdict
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    affine_of,
    read_echoes,
    read_mask,
    read_optional_mask,
    read_volume,
)
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.brain import brain_mask
from bidsqsm.qsm.registration.body_lengths import (
    between_files,
    rescaled,
    scale_of_template,
    scaled_affine,
)
from bidsqsm.qsm.registration.contrast import coarser, normalised, without_bias
from bidsqsm.qsm.registration.head_image import HeadImage, shape_of
from bidsqsm.qsm.registration.inverse import inverted
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.registration.rigid import register_rigid
from bidsqsm.qsm.resampling import carry_mask, regrid

RIGID_VOXEL_MM = 2.0  # mm: voxels of the finest level of a rigid registration
FLATTENING_POWER = 0.7  # by it a T1w gets the contrast of a magnitude
ADULT_BRAIN_MM3 = 8e5  # mm3: the brain of an adult that is not cut off by the field of view


class _PairOutputSpec(StepOutputSpec):
    forward = File(exists=True, desc='resamples images of the moving space onto the fixed one')
    backward = File(exists=True, desc='its inverse')


class _MakeContrastInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    in_mask = File(exists=True, desc='brain, where it was given')


class _MakeContrastOutputSpec(StepOutputSpec):
    contrast = File(exists=True, desc='first echo, bias removed: nearest to a T1w in contrast')
    brain = File(exists=True, desc='the brain in it')


class MakeContrast(StepInterface):
    """Make the magnitude ready for registration."""

    input_spec = _MakeContrastInputSpec
    output_spec = _MakeContrastOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        magnitude = read_echoes(self.inputs.in_file)
        affine = self.affine(self.inputs.in_file)
        brain = read_optional_mask(self.given('in_mask'))
        if brain is None:
            combined = np.sqrt(np.mean(magnitude**2, axis=0))
            size = np.linalg.norm(affine[:3, :3], axis=0)
            brain = brain_mask(combined, (size[0], size[1], size[2]))
        even = without_bias(magnitude[0], brain, affine)
        self.save(runtime, self.inputs.in_file, contrast=even, brain=brain)
        self._results['facts'] = ContrastFacts(contrast='first echo')
        return runtime


class _RegisterT1wInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='even magnitude of the run')
    in_mask = File(exists=True, mandatory=True, desc='the brain in it')
    t1w = File(exists=True, mandatory=True, desc='T1w of the subject')
    t1w_mask = File(exists=True, desc='brain where the T1w lies, where it was given')


class _RegisterT1wOutputSpec(_PairOutputSpec):
    brain = File(exists=True, desc="the brain on the T1w's grid")


class RegisterT1w(StepInterface):
    """Find how the head moved between the run and the T1w (rigid, by mutual information)."""

    input_spec = _RegisterT1wInputSpec
    output_spec = _RegisterT1wOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        what = 'the run and its T1w'
        try:
            self._align(runtime, what)
        except (RuntimeError, ValueError) as error:
            give_up(self._results, runtime, what, error)
        return runtime

    def _align(self, runtime: Any, what: str) -> None:
        own, affine = read_volume(self.inputs.in_file), self.affine(self.inputs.in_file)
        mask = read_mask(self.inputs.in_mask)
        t1w, t1w_affine = read_volume(self.inputs.t1w), self.affine(self.inputs.t1w)
        brain = brain_on(self.given('t1w_mask'), t1w, t1w_affine, self.body.scale)
        if not (mask.any() and brain.any()):
            raise ValueError(f'no brain was found in {"the T1w" if mask.any() else "the run"}')
        with threads(self.inputs.num_threads):
            motion = register_rigid(
                *paired(HeadImage(own, mask, affine), HeadImage(t1w, brain, t1w_affine))
            )
        to_t1w = affine_transform(motion)
        found = carry_mask(brain, t1w_affine, to_t1w, mask.shape, affine)
        # either mask may miss a part or hold more: the smaller one must lie in the other
        overlap = float((found & mask).sum()) / max(1, min(int(found.sum()), int(mask.sum())))
        self._results['facts'] = judged(overlap, what=what)
        if self.given('t1w_mask') is None:
            # a T1w alone shows its brain less well than a magnitude, which may be a slab
            back = affine_transform(np.linalg.inv(motion))
            carried = carry_mask(mask, affine, back, shape_of(brain), t1w_affine)
            brain = (
                carried
                if HeadImage(own, mask, affine).volume > ADULT_BRAIN_MM3
                else brain | carried
            )
        self.save(runtime, self.inputs.t1w, brain=brain)
        # points of the T1w to the run bring the run's images onto the T1w
        motion = rescaled(motion, self.body.scale)
        forward, backward = np.linalg.inv(motion), motion
        keep(
            self._results,
            runtime,
            affine_transform(forward),
            affine_transform(backward),
            '.txt',
        )


def paired(fixed: HeadImage, moving: HeadImage) -> tuple[Any, ...]:
    """What a rigid registration takes, on grids no finer than it goes."""
    heads = []
    for head in (fixed, moving):
        shape, onto = coarser(head.image.shape, head.affine, RIGID_VOXEL_MM)
        image = regrid(normalised(head.image, head.mask), head.affine, shape, onto)
        mask = regrid(head.mask.astype(np.float32), head.affine, shape, onto) > 0.5
        heads.append((image, mask, onto))
    return tuple(one for pair in zip(*heads, strict=True) for one in pair)


class RegisterTemplateInputSpec(StepInputSpec):
    """A head, a template and how they are registered."""

    in_file = File(exists=True, mandatory=True, desc='T1w, or even magnitude of the run')
    in_mask = File(exists=True, desc='the brain in it')
    given_mask = File(
        exists=True, desc='a mask of the brain on any grid, where in_mask is left out'
    )
    template = File(exists=True, mandatory=True, desc='T1w of the template')
    template_mask = File(exists=True, desc='its brain; what is not dark where there is none')
    template_name = traits.Str(mandatory=True, desc='for messages')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. greedy')


class RegisterTemplate(StepInterface):
    """Register a head with a template, by any method of the catalogue."""

    input_spec = RegisterTemplateInputSpec
    output_spec = _PairOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        name = f'the head and the template {self.inputs.template_name}'
        try:
            self._register(runtime, name)
        except (RuntimeError, ValueError) as error:
            give_up(self._results, runtime, name, error)
        return runtime

    def _register(self, runtime: Any, name: str) -> None:
        head, template = self._heads()
        if not head.mask.any():
            raise ValueError(f'no brain was found in {self.inputs.in_file}')
        register, num_threads = self.choice('registration'), self.inputs.num_threads
        with threads(num_threads):
            found = register(head, template, num_threads=num_threads)
        self._results['facts'] = verdict(found, head, template, name)
        scale = self.body.scale
        found = between_files(found, scale, affine_of(self.inputs.template), template.affine)
        keep(self._results, runtime, found.to_head, found.to_template, '.h5')

    def _heads(self) -> tuple[HeadImage, HeadImage]:
        image, affine = read_volume(self.inputs.in_file), self.affine(self.inputs.in_file)
        mask = read_optional_mask(self.given('in_mask'))
        if mask is None:
            mask = brain_on(self.given('given_mask'), image, affine, self.body.scale)
        path, brain = self.inputs.template, self._template_brain()
        template = HeadImage(read_volume(path), brain, affine_of(path))
        scale = scale_of_template(template.volume, self.body.scale)
        template = replace(template, affine=scaled_affine(template.affine, 1 / scale))
        return HeadImage(image, mask, affine), template

    def _template_brain(self) -> Mask:
        path = self.given('template_mask')
        return check_template(Path(self.inputs.template), path and Path(path)).inside


def give_up(results: dict[str, Any], runtime: Any, what: str, error: Exception) -> None:
    """Facts of a registration that broke off; the identity stands where its transforms would."""
    results['facts'] = failed(f'the registration of {what} broke off ({error})')
    # every registration has its files, so that lists of them stay in step with lists of facts
    still = affine_transform(np.eye(4))
    keep(results, runtime, still, still, '.txt')


class _TakeTransformInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='forward transform that was given')
    inverse = File(exists=True, desc='its inverse, where that was given too')
    fixed = File(exists=True, mandatory=True, desc='image on the grid of the fixed space')
    moving = File(exists=True, mandatory=True, desc='image of the moving space')


class TakeTransform(StepInterface):
    """Take a transform that was given; its inverse is computed where it does not come along."""

    input_spec = _TakeTransformInputSpec
    output_spec = _PairOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        import SimpleITK

        forward = SimpleITK.ReadTransform(self.inputs.in_file)
        given = self.given('inverse')
        if given:
            backward = SimpleITK.ReadTransform(given)
        elif forward.IsLinear():
            backward = forward.GetInverse()
        else:
            fixed = self.inputs.fixed
            shape = load_image(fixed)[0].shape
            onto = affine_of(self.inputs.moving)
            backward = inverted(forward, shape, affine_of(fixed), onto)
        ending = '.txt' if forward.IsLinear() else '.h5'
        keep(self._results, runtime, forward, backward, ending)
        self._results['facts'] = RegistrationFacts(given=self.inputs.in_file)
        return runtime


def keep(results: dict[str, Any], runtime: Any, forward: Any, backward: Any, ending: str) -> None:
    """Write a pair of transforms into the folder of a step."""
    import SimpleITK

    for name, transform in (('forward', forward), ('backward', backward)):
        path = Path(runtime.cwd, f'{name}{ending}')
        SimpleITK.WriteTransform(transform, str(path))
        results[name] = str(path)


def brain_on(path: str | None, t1w: Volume, affine: Affine, body_scale: float = 1.0) -> Mask:
    """Brain of a T1w: the given mask, wherever its grid lies, else as the image shows it.

    The affine is that of an adult's lengths.
    """
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if path is None:
        # as it is, gray matter of a T1w would be nearer to the background than to white matter
        return brain_mask(np.maximum(t1w, 0) ** FLATTENING_POWER, (size[0], size[1], size[2]))
    values, own = load_image(path)
    placed = scaled_affine(own, 1 / body_scale)
    return carry_mask(values > 0, placed, affine_transform(np.eye(4)), shape_of(t1w), affine)
