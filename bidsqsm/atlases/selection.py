"""What a call brings its runs together with: atlases, and templates whose space is asked for."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bidsqsm.atlases.atlas import Atlas, Template
from bidsqsm.atlases.atlas_checks import check_template
from bidsqsm.atlases.checksums import changed_files
from bidsqsm.atlases.templateflow import FLOW_ATLASES, atlas_files
from bidsqsm.qsm.body import HUMAN_BODIES, Body

WHOLE_BRAIN_MM3 = 3e5  # mm3: less than a newborn's brain, more than any cerebellum


@dataclass(frozen=True)
class AtlasesAndSpaces:
    """Atlases and output spaces of a call, found before any compute.

    Attributes
    ----------
    atlases
        Labels to carry to every run.
    spaces
        Templates onto whose grids maps are brought.

    """

    atlases: tuple[Atlas, ...] = ()
    spaces: tuple[Template, ...] = ()

    def of(self, body: Body) -> AtlasesAndSpaces:
        """What can be had for a body: an animal and an object have none of TemplateFlow's human atlases."""
        if body.name in HUMAN_BODIES:
            return self
        atlases = [one for one in self.atlases if one.name not in FLOW_ATLASES]
        return replace(self, atlases=tuple(atlases))

    @property
    def templates(self) -> tuple[Template, ...]:
        """What to register to, one template for each name, the atlases' first."""
        every = (*(atlas.template for atlas in self.atlases), *self.spaces)
        found: dict[str, Template] = {}
        for template in every:
            found.setdefault(template.name, template)
        return tuple(found.values())

    @property
    def terms(self) -> tuple[str, ...]:
        """Licences that not everyone can meet, a sentence each."""
        return tuple(
            f'The atlas {atlas.name} has the licence {atlas.license}.'
            for atlas in self.atlases
            if 'NC' in atlas.license
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the atlases, and files that changed since they were fetched."""
        tables = [atlas_files(one.name)[1] for one in self.atlases if one.name in FLOW_ATLASES]
        templates = [*(atlas.template for atlas in self.atlases), *self.spaces]
        images = [file for one in templates for file in (one.t1w, one.mask) if file is not None]
        files = [*images, *(atlas.dseg for atlas in self.atlases), *tables]
        odd = [said for atlas in self.atlases for said in atlas.warnings]
        return (*odd, *changed_files(files))


NO_ATLASES = AtlasesAndSpaces()


def brain_template(templates: Sequence[Template]) -> Template | None:
    """The first template of a whole brain: one of a part of it tells nothing of the rest.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.atlases.atlas import Template
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     t1w = save_volume(100.0 * sphere.mask, affine, Path(name) / 'template.nii.gz')
    ...     found = brain_template([Template('Ball', t1w, None)])
    >>> found is None  # 29 ml are no whole brain
    True

    """
    return next((template for template in templates if _is_whole(template)), None)


@functools.cache
def _is_whole(template: Template) -> bool:
    brain = check_template(template.t1w, template.mask)
    return bool(brain.inside.sum() * abs(np.linalg.det(brain.affine[:3, :3])) >= WHOLE_BRAIN_MM3)
