"""Registration of a head with a template: affine, then diffeomorphic."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.registration.alignment import Alignment
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.registration.itk import affine_transform, chain, to_array
from bidsqsm.qsm.registration.program import SEED, execute, field_of_view
from bidsqsm.qsm.registration.start import find_affine

STIFFER_FACTORS = (1.0, 1.5, 2.25)  # times the smoothing that was asked for
FOLDED_SHARE = 1e-3  # share of the brain that may be folded


def affine(head: HeadImage, template: HeadImage, *, num_threads: int = 1) -> Alignment:
    """Affine registration with the template by local correlation.

    The correlation within small neighbourhoods [avants2008]_ is raised by the program greedy
    [yushkevich2016]_.

    Parameters
    ----------
    head, template
        Brains of like contrast, evenly bright [tustison2010]_; the head may be a slab.
    num_threads
        Not used: the sums of the affine part depend on the threads.

    Returns
    -------
    alignment

    References
    ----------
    .. [tustison2010] Tustison et al., IEEE Trans Med Imaging 29:1310-1320 (2010).
       doi:10.1109/TMI.2010.2046908
    .. [avants2008] Avants et al., Med Image Anal 12:26-41 (2008). doi:10.1016/j.media.2007.06.004
    .. [yushkevich2016] Yushkevich et al., Alzheimers Dement 12:P126-P127 (2016).
       doi:10.1016/j.jalz.2016.06.205

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.registration.head_image import HeadImage
    >>> sphere = make_sphere(radius=16.0, shape=(32, 32, 32))
    >>> image, voxels_to_world = 1 + sphere.chi, np.diag([2.0, 2.0, 2.0, 1.0])
    >>> moved = voxels_to_world.copy()
    >>> moved[0, 3] = 6.0  # mm to the right
    >>> template = HeadImage(image, sphere.mask, voxels_to_world)
    >>> alignment = affine(HeadImage(image, sphere.mask, moved), template)
    >>> x, y, z = alignment.to_head.TransformPoint((-32.0, -32.0, 32.0))  # LPS, in mm
    >>> round(x), round(y), round(z)
    (-38, -32, 32)

    """
    del num_threads
    matrix = find_affine(head, template).matrix
    return Alignment(affine_transform(matrix), affine_transform(np.linalg.inv(matrix)))


def greedy(
    head: HeadImage,
    template: HeadImage,
    *,
    num_threads: int = 1,
    resolution: Annotated[float, Between(0.4, 8)] = 2.0,
    patch_radius: Annotated[int, Between(0, 9)] = 2,
    update_smoothing: Annotated[float, From(0, 20)] = 4.0,
    warp_smoothing: Annotated[float, From(0, 20)] = 2.0,
    contrast_weight: Annotated[float, From(0, 10)] = 0.5,
) -> Alignment:
    """Affine and greedy diffeomorphic registration with the template by local correlation.

    The correlation within small neighbourhoods [avants2008]_ is raised by the program greedy
    [yushkevich2016]_.

    Parameters
    ----------
    head, template
        Brains of like contrast, evenly bright [tustison2010]_; the head may be a slab.
    num_threads
        Threads of the diffeomorphic part; the result does not depend on them.
    resolution
        Voxel size of the finest level, in mm.
    patch_radius
        Half-width of the neighbourhood of the correlation, in voxels of a level.
    update_smoothing, warp_smoothing
        Standard deviations by which each step and the whole deformation are smoothed, in mm; up to
        2.25 times as much where the deformation folds else.
    contrast_weight
        Weight of each further contrast (susceptibility, R2*) beside the magnitude where there is no
        T1w; 0 for the magnitude alone.

    Returns
    -------
    alignment

    References
    ----------
    .. [tustison2010] Tustison et al., IEEE Trans Med Imaging 29:1310-1320 (2010).
       doi:10.1109/TMI.2010.2046908
    .. [avants2008] Avants et al., Med Image Anal 12:26-41 (2008). doi:10.1016/j.media.2007.06.004
    .. [yushkevich2016] Yushkevich et al., Alzheimers Dement 12:P126-P127 (2016).
       doi:10.1016/j.jalz.2016.06.205

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.registration.head_image import HeadImage
    >>> sphere = make_sphere(radius=16.0, shape=(32, 32, 32))
    >>> image, voxels_to_world = 1 + sphere.chi, np.diag([2.0, 2.0, 2.0, 1.0])
    >>> moved = voxels_to_world.copy()
    >>> moved[0, 3] = 6.0  # mm to the right
    >>> template = HeadImage(image, sphere.mask, voxels_to_world)
    >>> alignment = greedy(HeadImage(image, sphere.mask, moved), template)
    >>> x, y, z = alignment.to_head.TransformPoint((-32.0, -32.0, 32.0))  # LPS, in mm
    >>> round(x), round(y), round(z)
    (-38, -32, 31)

    """
    wide = template.around(template, np.eye(4))
    # a template of a brain alone stays so, one of a head keeps the rim of the brain as well
    fixed, brain = wide.at(resolution), template.at(resolution).mask
    start = find_affine(head, template)
    moving = head.around(template, start.matrix).moved(start.first).at(resolution)
    for stiffer in STIFFER_FACTORS:
        execute(
            start.program,
            fixed,
            moving,
            brain,
            f'-it affine -m NCC {patch_radius}x{patch_radius}x{patch_radius} -n 60x40x15 '
            f'-s {stiffer * update_smoothing}mm {stiffer * warp_smoothing}mm '
            f'-o warp -oinv inverse -wp 0 -threads {num_threads} -seed {SEED}',
            weight=contrast_weight,
            seen=field_of_view(moving.image.shape, patch_radius),
            warp=None,
            inverse=None,
        )
        change = _change_of_volume(start.program['warp'])[brain]
        if np.mean(change <= 0) <= FOLDED_SHARE:
            break
    warp, inverse = (_transform(start.program[name]) for name in ('warp', 'inverse'))
    return Alignment(
        chain([warp, affine_transform(start.matrix)]),
        chain([affine_transform(np.linalg.inv(start.matrix)), inverse]),
        (round(float(change.min()), 3), round(float(change.max()), 3)),
        round(float(np.mean(change <= 0)), 6),
        (stiffer * update_smoothing, stiffer * warp_smoothing),
    )


def _transform(image: Any) -> Any:
    import SimpleITK

    return SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(image, SimpleITK.sitkVectorFloat64))


def _change_of_volume(warp: Any) -> Volume:
    """Determinant of the Jacobian of a deformation: 1 where no volume changes, below 0 in folds."""
    import SimpleITK

    return to_array(SimpleITK.DisplacementFieldJacobianDeterminant(warp))
