"""Averaged brain maps that come with installed packages; nothing is downloaded."""

from __future__ import annotations

import functools

import numpy as np

from bidsqsm.qsm.phantom.head_anatomy import Templates


@functools.cache
def mni_templates(resolution: int = 1) -> Templates:
    """T1w, gray- and white-matter maps of the MNI152 average that nilearn ships.

    Parameters
    ----------
    resolution
        In mm: 1 or 2.

    """
    from nilearn import datasets

    if resolution not in (1, 2):
        raise ValueError(f'the maps come at 1 or 2 mm, not at {resolution} mm')
    loaders = (
        datasets.load_mni152_gm_template,
        datasets.load_mni152_wm_template,
        datasets.load_mni152_template,
    )
    images = [load(resolution=1) for load in loaders]
    # every other voxel: the averages are smooth, and resampling takes longer than all the rest
    thin = (slice(None, None, resolution),) * 3
    gray, white, t1w = (np.asarray(image.dataobj, np.float32)[thin] for image in images)
    affine = np.array(images[0].affine, float)
    affine[:3, :3] *= resolution
    return Templates(gray, white, t1w, affine)
