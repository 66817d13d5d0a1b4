"""Registration of a head with a template: affine, then diffeomorphic."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.registration.alignment import Alignment
from bidsqsm.qsm.registration.head import Head
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.registration.program import SEED, execute
from bidsqsm.qsm.registration.start import find_affine
from bidsqsm.qsm.registration.task import task_of

STIFFER = (1.0, 1.5, 2.25)  # times the smoothing that was asked for
FOLDED = 1e-3  # share of the brain that may be folded


def affine(head: Head, template: Head, *, num_threads: int = 1) -> Alignment:
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

    """
    del num_threads
    matrix = find_affine(head, template).matrix
    return Alignment(affine_transform(matrix), affine_transform(np.linalg.inv(matrix)))


def greedy(
    head: Head,
    template: Head,
    *,
    num_threads: int = 1,
    resolution: Annotated[float, Between(0.4, 8)] = 2.0,
    radius: Annotated[int, Between(0, 9)] = 2,
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
    radius
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

    """
    wide = template.around(template, np.eye(4))
    # a template of a brain alone stays so, one of a head keeps the rim of the brain as well
    fixed, brain = wide.at(resolution), template.at(resolution).mask
    task = task_of(head, template, fixed, resolution, radius)
    for stiffer in STIFFER:
        execute(
            task.program,
            fixed,
            task.moving,
            brain,
            f'{task.options} -m NCC {radius}x{radius}x{radius} '
            f'-s {stiffer * update_smoothing}mm {stiffer * warp_smoothing}mm '
            f'-o warp -oinv inverse -wp 0 -threads {num_threads} -seed {SEED}',
            weight=contrast_weight,
            seen=task.seen,
            warp=None,
            inverse=None,
        )
        change = task.volume_change(brain)
        if np.mean(change <= 0) <= FOLDED:
            break
    return Alignment(
        *task.found(),
        (round(float(change.min()), 3), round(float(change.max()), 3)),
        round(float(np.mean(change <= 0)), 6),
        (stiffer * update_smoothing, stiffer * warp_smoothing),
    )
