"""An atlas: labels in the space of a template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.atlas_checks import read_values
from bidsqsm.atlases.structures import Label
from bidsqsm.files.nifti import Affine


@dataclass(frozen=True)
class Template:
    """A brain to register to.

    Attributes
    ----------
    name
        As in BIDS ``space-<name>``.
    t1w
        T1-weighted image.
    mask
        Brain mask on its grid, if there is one.
    resolution
        Number of the template's grid where one was asked for, as in ``res-<number>``.
    chi, r2star
        Maps in its world coordinates, any unit, if there are any.

    """

    name: str
    t1w: Path
    mask: Path | None
    resolution: int | None = None
    chi: Path | None = None
    r2star: Path | None = None


@dataclass(frozen=True)
class Atlas:
    """Labels in the space of a template.

    Attributes
    ----------
    name
        As in ``atlas-<name>``: letters and digits.
    template
        What the labels lie on; the grids may differ, the world coordinates are the same.
    dseg
        Label image; values without a label in ``labels`` are left out (see :func:`read_dseg`).
    labels
        Its labels.
    license, source
        As the atlas states them.
    warnings
        What was found odd, a sentence each.

    """

    name: str
    template: Template
    dseg: Path
    labels: tuple[Label, ...]
    license: str
    source: str
    warnings: tuple[str, ...] = ()


def read_dseg(atlas: Atlas) -> tuple[npt.NDArray[np.int32], Affine]:
    """Read the label image of an atlas; values that are none of its labels are 0.

    Returns
    -------
    values : (nx, ny, nz) int32 array
    affine : (4, 4) float64 array
        From its voxels to world coordinates of the template, in mm.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.atlases.atlas import Atlas, Template
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     dseg = Path(name) / 'dseg.nii.gz'
    ...     _ = save_volume(7 * sphere.inside + sphere.mask, affine, dseg)
    ...     template = Template('Ball', dseg, None)
    ...     labels = (make_label(8, 'putamen'),)
    ...     values, _ = read_dseg(Atlas('Sphere', template, dseg, labels, 'CC0', 'made up'))

    The value 1 of the rest of the mask is no label of the atlas:

    >>> np.unique(values).tolist(), int((values == 8).sum()) == int(sphere.inside.sum())
    ([0, 8], True)

    """
    values, affine = read_values(atlas.dseg)
    known = [label.index for label in atlas.labels]
    return np.where(np.isin(values, known), values, 0).astype(np.int32), affine
