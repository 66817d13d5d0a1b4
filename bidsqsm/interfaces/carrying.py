"""Masks, labels and maps carried between a run and a template, as Nipype interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.interfaces.base import StepInputSpec, StepInterface, StepOutputSpec, affine_of
from bidsqsm.io.atlas_checks import check_template
from bidsqsm.io.nifti import load_volume, save_volume
from bidsqsm.io.segmentation import load_labels
from bidsqsm.qsm.registration.itk import chain, resample


def chained(paths: Sequence[str]) -> Any:
    """One transform of points from files, applied from the first to the last."""
    import SimpleITK

    return chain([SimpleITK.ReadTransform(path) for path in paths])


class _CarryInputSpec(StepInputSpec):
    reference = File(exists=True, mandatory=True, desc='image on the grid of the run')
    transforms = InputMultiObject(
        File(exists=True), desc="from the run's points to the image's, in the order of their use"
    )
    registrations = traits.List(traits.Dict, desc='facts of the registrations that were used')


class _CarryMaskInputSpec(_CarryInputSpec):
    template = File(exists=True, mandatory=True, desc='T1w of the template')
    mask = File(exists=True, desc='its brain, where it has a mask')


class _CarryMaskOutputSpec(StepOutputSpec):
    mask = File(exists=True, desc='brain on the grid of the run; left out where it is not known')


class CarryMask(StepInterface):
    """Bring the brain of a template onto the grid of a run."""

    input_spec = _CarryMaskInputSpec
    output_spec = _CarryMaskOutputSpec

    def _run_interface(self, runtime):
        self._results['facts'] = {}
        if lost(self.given('registrations')):
            return runtime
        path = self.given('mask')
        brain = check_template(Path(self.inputs.template), path and Path(path))
        shape, onto = grid_of_file(self.inputs.reference)
        way = chained(self.inputs.transforms)
        share = resample(brain.inside, brain.affine, way, shape, onto, 'smooth')
        self.save(runtime, self.inputs.reference, mask=share >= 0.5)
        return runtime


class _CarryLabelsInputSpec(_CarryInputSpec):
    in_file = File(exists=True, mandatory=True, desc='label image, NIfTI or FreeSurfer')
    keep = traits.List(traits.Int, mandatory=True, desc='values to carry; others become 0')


class _CarryLabelsOutputSpec(StepOutputSpec):
    labels = File(exists=True, desc='labels on the grid of the run; all 0 where not known')


class CarryLabels(StepInterface):
    """Bring labels onto the grid of a run, in one interpolation."""

    input_spec = _CarryLabelsInputSpec
    output_spec = _CarryLabelsOutputSpec

    def _run_interface(self, runtime):
        shape, onto = grid_of_file(self.inputs.reference)
        carried = np.zeros(shape, np.int32)
        reason = lost(self.given('registrations'))
        if not reason:
            values, affine = load_labels(self.inputs.in_file)
            known = np.where(np.isin(values, self.inputs.keep), values, 0).astype(np.int32)
            way = chained(self.given('transforms') or [])
            carried = resample(known, affine, way, shape, onto, 'labels')
        path = Path(runtime.cwd, 'labels.nii')
        self._results['labels'] = str(save_volume(carried, onto, path))
        self._results['facts'] = {'registration_failed': reason} if reason else {}
        return runtime


class _ToTemplateInputSpec(StepInputSpec):
    maps = traits.Dict(mandatory=True, desc='file of each map or mask by the key of its product')
    masks = traits.List(traits.Str, desc='keys of those that are masks')
    template = File(exists=True, mandatory=True, desc='image on the grid of the template')
    transforms = InputMultiObject(
        File(exists=True), desc="from the template's points to the run's, in the order of use"
    )
    registrations = traits.List(traits.Dict, desc='facts of the registrations that were used')


class _ToTemplateOutputSpec(StepOutputSpec):
    carried = traits.Dict(desc='files on the grid of the template, by the same keys')


class ToTemplate(StepInterface):
    """Bring maps and masks onto the grid of a template: one interpolation, a windowed sinc for maps."""

    input_spec = _ToTemplateInputSpec
    output_spec = _ToTemplateOutputSpec

    def _run_interface(self, runtime):
        self._results['facts'], self._results['carried'] = {}, {}
        if lost(self.given('registrations')):
            return runtime
        shape, onto = grid_of_file(self.inputs.template)
        way = chained(self.inputs.transforms)
        masks = self.given('masks') or []
        for key, path in self.inputs.maps.items():
            values, affine = load_volume(path)
            if key in masks:
                carried = resample(values > 0, affine, way, shape, onto, 'smooth') >= 0.5
            else:
                carried = resample(values, affine, way, shape, onto, 'map')
            place = Path(runtime.cwd, f'{key}.nii')
            self._results['carried'][key] = str(save_volume(carried, onto, place))
        return runtime


def lost(registrations: Sequence[dict[str, Any]] | None) -> str:
    """Why a registration on the way cannot be used; empty where all can."""
    return next((facts['failed'] for facts in registrations or () if 'failed' in facts), '')


def grid_of_file(path: str) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of an image."""
    import nibabel as nb

    nx, ny, nz = nb.load(path).shape[:3]
    return (nx, ny, nz), affine_of(path)
