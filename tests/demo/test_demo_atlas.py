"""The atlas of the demo is that of the average head."""

from __future__ import annotations

import nibabel as nb
import numpy as np

from bidsqsm.atlases.atlas_checks import read_values
from bidsqsm.atlases.atlas_lookup import resolve_atlases
from bidsqsm.demo.demo_atlas import average_head
from bidsqsm.qsm.phantom.labels import NUCLEUS_VALUES
from bidsqsm.qsm.phantom.shapes import NUCLEI_SHAPES
from bidsqsm.qsm.phantom.tissue import NUCLEI


def test_the_atlas_is_the_average_head_in_its_nominal_place(demo_dataset):
    folder = demo_dataset / 'derivatives' / 'atlas'
    (atlas,) = resolve_atlases([str(folder)])
    assert (atlas.name, atlas.template.name, atlas.warnings) == ('Demo', 'DemoTemplate', ())
    assert [label.index for label in atlas.labels] == list(NUCLEUS_VALUES)
    assert {label.structure for label in atlas.labels} == set(NUCLEI)
    values, affine = read_values(atlas.dseg)
    for label in atlas.labels:
        side = {'L': -1, 'R': 1}[label.hemisphere]
        if len(NUCLEI_SHAPES[label.structure]) == 1 and label.structure != 'caudate':
            (solid,) = NUCLEI_SHAPES[label.structure]
            centre = np.argwhere(values == label.index).mean(0) @ affine[:3, :3].T + affine[:3, 3]
            np.testing.assert_allclose(centre, np.multiply(solid.centre, (side, 1, 1)), atol=1)
    # both sides are mirror images but for where the voxels lie
    sizes = np.bincount(values.ravel(), minlength=17)[1:].reshape(-1, 2)
    np.testing.assert_allclose(sizes[:, 0], sizes[:, 1], rtol=0.25)
    assert (sizes > 0).all()


def test_the_atlas_has_the_contrast_of_the_heads_and_nobodys_vessels(demo_dataset):
    t1w, labels, _ = average_head(2)
    white, gray, fluid = (t1w[labels == value].mean() for value in (20, 21, 22))
    assert white > 1.2 * gray > 1.2 * 1.2 * fluid
    assert not {23, 24, 25} & set(np.unique(labels))
    mask = nb.load(demo_dataset / 'derivatives/atlas/mask.nii.gz')
    np.testing.assert_array_equal(np.asarray(mask.dataobj), labels > 0)
