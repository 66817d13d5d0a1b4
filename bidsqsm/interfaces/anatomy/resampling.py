"""Masks, labels and maps resampled between a run and a template, as Nipype interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.atlases.atlas_checks import check_template
from bidsqsm.atlases.label_image import load_labels
from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.facts.record import StepFacts
from bidsqsm.facts.region_facts import LabelsFacts
from bidsqsm.facts.registration_facts import RegistrationFacts
from bidsqsm.files.nifti import Affine, load_volume, save_volume
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    affine_of,
)
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.registration.itk import chain
from bidsqsm.qsm.resampling import (
    carry_map,
    carry_mask,
    places_of,
    resample_through,
    voxel_step,
)

#: Maps that are brought to other spaces, with the mask in which they are known
IN_SPACES = {'chi': 'qsm_mask', 'r2star': 'brain_mask', 't2star': 'brain_mask'}
IN_MASKS = ('brain_mask', 'qsm_mask')
#: Images that are brought to the run: of the subject, and of a template
HEADS = ('own_t1w', 'template_t1w')


def chained(paths: Sequence[str]) -> Any:
    """One transform of points from files, applied from the first to the last."""
    import SimpleITK

    return chain([SimpleITK.ReadTransform(path) for path in paths])


class _ResampleInputSpec(StepInputSpec):
    reference = File(exists=True, mandatory=True, desc='image on the grid of the run')
    transforms = InputMultiObject(
        File(exists=True), desc="from the run's points to the image's, in the order of their use"
    )
    registrations = traits.List(traits.Dict, desc='facts of the registrations that were used')


class _ResampleMaskInputSpec(_ResampleInputSpec):
    template = File(exists=True, mandatory=True, desc='T1w of the template')
    mask = File(exists=True, desc='its brain, where it has a mask')


class _ResampleMaskOutputSpec(StepOutputSpec):
    mask = File(exists=True, desc='brain on the grid of the run; left out where it is not known')


class ResampleMask(StepInterface):
    """Bring the brain of a template onto the grid of a run."""

    input_spec = _ResampleMaskInputSpec
    output_spec = _ResampleMaskOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        self._results['facts'] = StepFacts()
        if lost(registrations_of(self.given('registrations'))) is not None:
            return runtime
        path = self.given('mask')
        brain = check_template(Path(self.inputs.template), path and Path(path))
        shape, onto = grid_of_file(self.inputs.reference)
        way = chained(self.inputs.transforms)
        mask = carry_mask(brain.inside, brain.affine, way, shape, onto)
        self.save(runtime, self.inputs.reference, mask=mask)
        return runtime


class _ResampleLabelsInputSpec(_ResampleInputSpec):
    in_file = File(exists=True, mandatory=True, desc='label image, NIfTI or FreeSurfer')
    keep = traits.List(traits.Int, mandatory=True, desc='values to carry; others become 0')


class _ResampleLabelsOutputSpec(StepOutputSpec):
    labels = File(exists=True, desc='labels on the grid of the run; all 0 where not known')


class ResampleLabels(StepInterface):
    """Bring labels onto the grid of a run, in one interpolation."""

    input_spec = _ResampleLabelsInputSpec
    output_spec = _ResampleLabelsOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        shape, onto = grid_of_file(self.inputs.reference)
        carried = np.zeros(shape, np.int32)
        reason = lost(registrations_of(self.given('registrations')))
        if reason is None:
            values, affine = load_labels(self.inputs.in_file)
            known = np.where(np.isin(values, self.inputs.keep), values, 0).astype(np.int32)
            way = chained(self.given('transforms') or [])
            carried = resample_through(known, affine, way, shape, onto, 'labels')
        path = Path(runtime.cwd, 'labels.nii')
        self._results['labels'] = str(save_volume(carried, onto, path))
        self._results['facts'] = LabelsFacts(failure=reason)
        return runtime


class _ResampleImagesInputSpec(StepInputSpec):
    reference = File(exists=True, mandatory=True, desc='image on the grid of the run')


class _ResampleImagesOutputSpec(StepOutputSpec):
    pass


for _name in HEADS:
    for _field, _trait in (
        ('', File(exists=True, desc='image of a head')),
        ('_transforms', InputMultiObject(File(exists=True), desc="from the run's points to its")),
        ('_registrations', traits.List(traits.Dict, desc='facts of those registrations')),
    ):
        _ResampleImagesInputSpec.add_class_trait(f'{_name}{_field}', _trait)
    _ResampleImagesOutputSpec.add_class_trait(
        _name, File(exists=True, desc='on the grid of the run; left out where it is lost')
    )


class ResampleImages(StepInterface):
    """Bring images of heads onto the grid of a run, to be looked at: one interpolation each."""

    input_spec = _ResampleImagesInputSpec
    output_spec = _ResampleImagesOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        self._results['facts'] = StepFacts()
        shape, onto = grid_of_file(self.inputs.reference)
        for name in HEADS:
            way_there = registrations_of(self.given(f'{name}_registrations'))
            if self.given(name) and lost(way_there) is None:
                values, affine = load_volume(self.given(name))
                way = chained(self.given(f'{name}_transforms'))
                carried = resample_through(values, affine, way, shape, onto)
                self.save(runtime, self.inputs.reference, **{name: carried})
        return runtime


class _ToTemplateInputSpec(StepInputSpec):
    template = File(exists=True, mandatory=True, desc='image on the grid of the template')
    space = traits.Str(mandatory=True, desc='name of the template')
    resolution = traits.Int(desc='number of its grid, where one was asked for')
    transforms = InputMultiObject(
        File(exists=True), desc="from the template's points to the run's, in the order of use"
    )
    registrations = traits.List(traits.Dict, desc='facts of the registrations that were used')


for _name in (*IN_MASKS, *IN_SPACES):
    _ToTemplateInputSpec.add_class_trait(_name, File(exists=True, desc='on the grid of the run'))


class _ToTemplateOutputSpec(StepOutputSpec):
    extras = traits.List(traits.Dict, desc='files on the grid of the template')


class ToTemplate(StepInterface):
    """Bring maps and masks onto the grid of a template: one interpolation, splines of high degree for maps."""

    input_spec = _ToTemplateInputSpec
    output_spec = _ToTemplateOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        self._results['facts'], self._results['extras'] = StepFacts(), []
        if lost(registrations_of(self.given('registrations'))) is not None:
            return runtime
        shape, onto = grid_of_file(self.inputs.template)
        way = chained(self.inputs.transforms)
        for key, carried in self._carried(way, shape, onto):
            place = save_volume(carried, onto, Path(runtime.cwd, f'{key}.nii'))
            self._results['extras'].append(self._extra(key, place).as_dict())
        return runtime

    def _carried(
        self, way: Any, shape: tuple[int, int, int], onto: Affine
    ) -> Iterator[tuple[str, Volume | Mask]]:
        masks: dict[str, tuple[Mask, Mask]] = {}
        for key in (key for key in IN_MASKS if self.given(key)):
            values, affine = load_volume(getattr(self.inputs, key))
            masks[key] = values > 0, carry_mask(values > 0, affine, way, shape, onto)
            yield key, masks[key][1]
        step = voxel_step(affine, onto)
        for key, mask_key in IN_SPACES.items():
            if self.given(key) is not None:
                mask, inside = masks[mask_key]
                places = places_of(inside, onto, way, affine)
                volume = load_volume(self.given(key))[0]
                yield key, carry_map(volume, mask, places, inside, step)

    def _extra(self, key: str, place: Path) -> ExtraFile:
        product, resolution = PRODUCTS[key], self.given('resolution')
        entities = {'space': self.inputs.space}
        content = {'SpatialReference': Path(self.inputs.template).as_uri()}
        if resolution is not None:
            entities['res'] = f'{resolution}'
            content['Resolution'] = f'As {Path(self.inputs.template).name}'
        if product.desc:
            entities['desc'] = product.desc
        return ExtraFile(place, entities, product.suffix, '.nii.gz', content, key)


def registrations_of(plain: Sequence[Mapping[str, Any]] | None) -> list[RegistrationFacts]:
    """The registrations on a way, as they come from other steps; none where there is no way."""
    return [RegistrationFacts.of(facts) for facts in plain or ()]


def lost(registrations: Iterable[RegistrationFacts]) -> str | None:
    """Why a registration on the way cannot be used; None where all can."""
    return next((one.failure for one in registrations if one.failure is not None), None)


def grid_of_file(path: str) -> tuple[tuple[int, int, int], Affine]:
    """Shape and affine of an image."""
    import nibabel as nb

    nx, ny, nz = nb.load(path).shape[:3]
    return (nx, ny, nz), affine_of(path)
