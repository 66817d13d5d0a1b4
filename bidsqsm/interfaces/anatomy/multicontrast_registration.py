"""Registration by several contrasts, as a Nipype interface: the magnitude, and the maps made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.atlases.atlas_checks import read_values
from bidsqsm.atlases.structures import Label
from bidsqsm.facts.registration_facts import RegistrationFacts
from bidsqsm.files.nifti import load_volume
from bidsqsm.interfaces.anatomy.registration import RegisterTemplate, RegisterTemplateInputSpec
from bidsqsm.interfaces.step_interface import affine_of, read_mask, read_volume
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.registration.head_image import HeadImage, shape_of
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.resampling import resample_through
from bidsqsm.rois.typical_chi import drawn_chi


class _RegisterContrastsInputSpec(RegisterTemplateInputSpec):
    chi = File(exists=True, desc='susceptibility in ppm')
    qsm_mask = File(exists=True, desc='where it is known')
    r2star = File(exists=True, desc='R2* in 1/s')
    template_chi = File(exists=True, desc='susceptibility of the template')
    template_r2star = File(exists=True, desc='R2* of the template')
    labels = InputMultiObject(
        File(exists=True), desc='labels on the template, from which its susceptibility is drawn'
    )
    names = traits.List(traits.List(traits.Dict), desc='what the labels of each image mean')
    # lists of one, as the workflow hands transforms on
    first_forward = InputMultiObject(
        File(exists=True), mandatory=True, desc='what the magnitude alone gave'
    )
    first_backward = InputMultiObject(File(exists=True), mandatory=True, desc='its inverse')
    first_facts = traits.List(traits.Dict, mandatory=True, desc='how that went')


class RegisterContrasts(RegisterTemplate):
    """Register a head with a template by magnitude, susceptibility and R2* together.

    Where that fails, or where there is nothing to add, the registration by the magnitude stands.
    """

    input_spec = _RegisterContrastsInputSpec

    def _run_interface(self, runtime: Any) -> Any:
        first = RegistrationFacts.of(*self.inputs.first_facts)
        if first.failure is not None:
            return self._as_it_was(runtime, first)
        super()._run_interface(runtime)
        facts = self._results['facts']
        if facts.failure is None:
            contrasts = ('magnitude', *self._pairs())
            self._results['facts'] = replace(facts, contrasts=contrasts)
            return runtime
        said = (
            f'The registration by the magnitude alone stands, since with further maps beside it '
            f'{facts.failure}.'
        )
        return self._as_it_was(runtime, replace(first, warnings=(*first.warnings, said)))

    def _as_it_was(self, runtime: Any, first: RegistrationFacts) -> Any:
        (self._results['forward'],) = self.inputs.first_forward
        (self._results['backward'],) = self.inputs.first_backward
        self._results['facts'] = replace(first, contrasts=('magnitude',))
        return runtime

    def _heads(self) -> tuple[HeadImage, HeadImage]:
        head, template = super()._heads()
        pairs = [*self._pairs().values()]
        of_run = tuple(read_volume(one) * read_mask(mask) for one, mask, _ in pairs)
        of_template = tuple(self._on(template, other) for *_, other in pairs)
        return replace(head, further=of_run), replace(template, further=of_template)

    def _pairs(self) -> dict[str, tuple[str, str, str | None]]:
        """Of each further contrast: the run's map, where it is known, and the template's if it has one."""
        found = {}
        if self.given('chi') and (self.given('template_chi') or self.given('labels')):
            found['chi'] = (self.inputs.chi, self.inputs.qsm_mask, self.given('template_chi'))
        if self.given('r2star') and self.given('template_r2star'):
            found['r2star'] = (
                self.inputs.r2star,
                self.inputs.in_mask,
                self.inputs.template_r2star,
            )
        return found

    def _on(self, template: HeadImage, path: str | None) -> Volume:
        """A map of the template on the grid of its T1w; its labels draw it where there is none."""
        shape, still = shape_of(template.image), affine_transform(np.eye(4))
        onto = affine_of(self.inputs.template)
        if path is not None:
            values, affine = load_volume(path)
            return np.asarray(resample_through(values, affine, still, shape, onto))
        drawn: Volume = np.zeros(shape, np.float32)
        for image, names in zip(self.inputs.labels, self.inputs.names, strict=True):
            labels, affine = read_values(Path(image))
            chi = drawn_chi(labels, [Label(**name) for name in names])
            there = resample_through(chi, affine, still, shape, onto)
            drawn = np.where(drawn > 0, drawn, there).astype(np.float32)
        return drawn
