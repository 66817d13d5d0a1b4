"""A T1w without a mask: its brain is found, and the run that lies in the same place is left there."""

from __future__ import annotations

import nibabel as nb
import numpy as np

from bidsqsm.interfaces.anatomy.registration import brain_on
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.registration.rigid import register_rigid


def test_the_brain_of_a_t1w_has_its_gray_matter(demo_dataset):
    """White matter of a T1w is far brighter than gray, which must not count as background."""
    t1w = nb.load(demo_dataset / 'sub-01/anat/sub-01_T1w.nii.gz')
    image = t1w.get_fdata(dtype=np.float32)
    truth = demo_dataset / 'derivatives/truth/sub-01/anat/sub-01_desc-brain_mask.nii.gz'
    brain = brain_on(str(truth), image, t1w.affine)
    assert dice(brain_on(None, image, t1w.affine), brain) > 0.93


def test_a_head_that_did_not_move_is_left_whatever_the_masks(small_head):
    """The mask of the moving image is that of a quarter of the brain: its middle says nothing."""
    head = small_head.head
    image = np.sqrt((small_head.magnitude**2).sum(axis=0)).astype(np.float32)
    part = head.mask.copy()
    part[:, : part.shape[1] // 2] = False
    part[part.shape[0] // 2 :] = False
    noisy = image + np.random.default_rng(0).normal(0, 0.02, image.shape).astype(np.float32)
    found = register_rigid(image, noisy, head.mask, part, head.affine, head.affine)
    corners = np.array([[60, 50, 40, 1], [-60, -50, 40, 1], [0, 0, -50, 1]], float)
    assert np.abs(corners @ found.T - corners).max() < 0.5
