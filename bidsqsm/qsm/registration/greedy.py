"""Registration of a head with a template: affine, then diffeomorphic."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.masking.morphology import dilate
from bidsqsm.qsm.registration.contrast import coarser, normalised, sampled
from bidsqsm.qsm.registration.itk import affine_transform, chain, resample, to_array, to_image
from bidsqsm.qsm.resampling import Matrix

COARSE = 4.0  # mm: for the affine part
SEED = 7  # the affine part jitters its samples, the other adds a little noise
HEIGHTS = (0.0, -30.0, 30.0, -60.0, 60.0)  # mm along the body: places tried for a slab
WHOLE = 0.75  # share of the template's volume from which a head counts as whole
PART = 0.5  # share of the head's volume below which a template counts as that of a part
MARGIN = 6.0  # mm around the brain, less than to the scalp: what the skull is wide
KNOWN = 0.9  # share of the template's brain that a mask of the head must hold to be believed
RIM = 3.0  # mm around a mask of the head that is believed
STIFFER = (1.0, 1.5, 2.25)  # times the smoothing that was asked for
FOLDED = 1e-3  # share of the brain that may be folded
MIDDLE = np.array([0.0, -18.0, 8.0])  # mm: of the brain in coordinates like those of MNI152


@dataclass(frozen=True)
class Head:
    """An image with its brain: values (nx, ny, nz) float32, bool mask, affine to RAS mm."""

    image: Volume
    mask: Mask
    affine: Matrix

    @property
    def volume(self) -> float:
        """Of the brain, in mm3."""
        return float(self.mask.sum()) * abs(float(np.linalg.det(self.affine[:3, :3])))

    @property
    def middle(self) -> Matrix:
        """Centre of the brain, in RAS mm."""
        place: Matrix = self.affine[:3, :3] @ np.argwhere(self.mask).mean(axis=0)
        return np.asarray(place + self.affine[:3, 3])

    def moved(self, matrix: Matrix) -> Head:
        """The head where the matrix takes points from: its affine after the inverse."""
        return Head(self.image, self.mask, np.linalg.inv(matrix) @ self.affine)

    def around(self, template: Head, matrix: Matrix) -> Head:
        """The head with the mask of a template near by, as an affine registration places it.

        The brain that was found in one image alone may miss parts; the edge of such a mask would be
        taken for that of the brain. One that misses little cuts off what lies outside.
        """
        to_template = np.linalg.inv(template.affine) @ np.linalg.inv(matrix) @ self.affine
        share = sampled_there(template.mask.astype(np.float32), to_template, self.image.shape)
        size = np.linalg.norm(self.affine[:3, :3], axis=0)
        carried = share >= 0.5
        near = dilate(carried, MARGIN, (size[0], size[1], size[2]))
        if (carried & self.mask).sum() > KNOWN * carried.sum():
            near &= dilate(self.mask, RIM, (size[0], size[1], size[2]))
        return Head(self.image, near, self.affine)

    def at(self, size: float) -> Head:
        """The brain alone, 1 at its brightest, with voxels of this size (mm) or its own if larger."""
        shape, onto = coarser(self.image.shape, self.affine, size)
        image = sampled(normalised(self.image, self.mask) * self.mask, self.affine, shape, onto)
        mask = sampled(self.mask.astype(np.float32), self.affine, shape, onto) > 0.5
        return Head(image, mask, onto)


@dataclass(frozen=True)
class Alignment:
    """Where each place of a template lies in a head.

    Attributes
    ----------
    to_head, to_template
        ITK transforms of points: from the template's world to the head's, and back. The first
        resamples the head's images onto the template's grid.
    jacobian
        Lowest and highest volume change of the diffeomorphic part within the template's brain.
    folded
        Share of the template's brain where that change is not positive.
    smoothing
        Of each step and of the whole deformation, in mm, as it was in the end.

    """

    to_head: Any
    to_template: Any
    jacobian: tuple[float, float] = (1.0, 1.0)
    folded: float = 0.0
    smoothing: tuple[float, float] | None = None


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
    import SimpleITK

    start = find_affine(head, template)
    near = head.around(template, start.matrix).moved(start.first)
    # a template of a brain alone stays so, one of a head keeps the rim of the brain as well
    wide = template.around(template, np.eye(4))
    fixed, moving = wide.at(resolution), near.at(resolution)
    brain = template.at(resolution).mask
    for stiffer in STIFFER:
        _execute(
            start.program,
            fixed,
            moving,
            brain,
            f'-it affine -m NCC {radius}x{radius}x{radius} -n 60x40x15 '
            f'-s {stiffer * update_smoothing}mm {stiffer * warp_smoothing}mm '
            f'-o warp -oinv inverse -wp 0 -threads {num_threads} -seed {SEED}',
            margin=radius,
            warp=None,
            inverse=None,
        )
        change = SimpleITK.DisplacementFieldJacobianDeterminant(start.program['warp'])
        jacobian = to_array(change)[brain]
        if np.mean(jacobian <= 0) <= FOLDED:
            break
    warp, inverse = (_field(start.program[name]) for name in ('warp', 'inverse'))
    return Alignment(
        chain([warp, affine_transform(start.matrix)]),
        chain([affine_transform(np.linalg.inv(start.matrix)), inverse]),
        (round(float(jacobian.min()), 3), round(float(jacobian.max()), 3)),
        round(float(np.mean(jacobian <= 0)), 6),
        (stiffer * update_smoothing, stiffer * warp_smoothing),
    )


@dataclass(frozen=True)
class Start:
    """An affine registration: its matrix from the template's RAS mm to the head's, and the program.

    The program takes no matrix from memory but one that it made itself: the ``first`` matrix, from
    which it started, stands in the header of the head that it was given.
    """

    first: Matrix
    matrix: Matrix
    score: float
    program: Any


def find_affine(head: Head, template: Head) -> Start:
    """The affine registration that fits best, of those from several starts."""
    from picsl_greedy import Greedy3D

    fixed = template.at(COARSE)
    best: Start | None = None
    for first in starts(head, template):
        program, moving = Greedy3D(), head.moved(first).at(COARSE)
        options = f'-a -dof 12 -m NCC 2x2x2 -n 40x20 -o affine -threads 1 -seed {SEED}'
        _execute(program, fixed, moving, fixed.mask, options, affine=None)
        found = np.asarray(program['affine'], float)
        score = correlation(moving, fixed, found)
        if best is None or score > best.score:
            best = Start(first, first @ found, score, program)
    assert best is not None
    return best


def starts(head: Head, template: Head) -> list[Matrix]:
    """Matrices to start from: middle on middle and as the headers say.

    A slab is tried at several heights. A template of a part of the brain (the cerebellum, say) has
    another middle than the head; its coordinates are like those of MNI152.
    """
    shift = np.eye(4)
    shift[:3, 3] = head.middle - (MIDDLE if is_part(template, head) else template.middle)
    found: list[Matrix] = [shift, np.eye(4)]
    if head.volume < WHOLE * template.volume:
        for height in HEIGHTS[1:]:
            moved = shift.copy()
            moved[2, 3] += height
            found.append(moved)
    return found


def is_part(template: Head, head: Head) -> bool:
    """Whether a template shows but a part of what a head shows."""
    return template.volume < PART * head.volume


def likeness(found: Alignment, head: Head, template: Head) -> float:
    """Correlation of a registered head with a template within its brain, where the head has it."""
    fixed, moving = template.at(COARSE), head.at(COARSE)
    shape, onto = shape_of(fixed.image), fixed.affine
    there = resample(moving.image, moving.affine, found.to_head, shape, onto)
    both = fixed.mask & (there > 0)
    if both.sum() < 100:
        return 0.0
    return _alike(fixed.image[both], there[both])


def correlation(moving: Head, fixed: Head, matrix: Matrix) -> float:
    """Correlation of a head with a template within the brain of both, less where they do not overlap."""
    to_moving = np.linalg.inv(moving.affine) @ matrix @ fixed.affine
    there = sampled_there(moving.image, to_moving, fixed.image.shape)
    seen = sampled_there(np.ones_like(moving.image), to_moving, fixed.image.shape) > 0.5
    both = seen & (fixed.mask | (there > 0.05))
    if both.sum() < 100:
        return -1.0
    return _alike(fixed.image[both] * fixed.mask[both], there[both])


def _alike(one: Volume, other: Volume) -> float:
    """Correlation of values, 0 where one of the two does not vary."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def shape_of(array: Volume | Mask) -> tuple[int, int, int]:
    """Shape of a volume."""
    nx, ny, nz = array.shape
    return nx, ny, nz


def sampled_there(volume: Volume, to_voxels: Matrix, shape: tuple[int, ...]) -> Volume:
    """Values of a volume at the voxels of another grid, zero outside it."""
    from scipy import ndimage

    return np.asarray(
        ndimage.affine_transform(volume, to_voxels[:3, :3], to_voxels[:3, 3], shape, order=1)
    )


def _execute(
    program: Any,
    fixed: Head,
    moving: Head,
    brain: Mask,
    options: str,
    margin: int = 0,
    **made: None,
) -> None:
    """Run greedy on images in memory, led by what lies in a mask of the fixed one.

    ``margin`` is how far (voxels) from the faces of the moving image nothing leads; ``made`` names
    what is left in the program.
    """
    size = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    around = dilate(brain, 1.01 * float(size.max()), (size[0], size[1], size[2]))
    said = io.StringIO()
    images = {
        'fixed': to_image(fixed.image, fixed.affine),
        'moving': to_image(moving.image, moving.affine),
        'around': to_image(around.astype(np.float32), fixed.affine),
        'seen': to_image(seen(moving.image.shape, margin), moving.affine),
    }
    command = f'-i fixed moving -gm around -mm seen {options} -V 0'
    try:
        program.execute(command, out=said, err=said, **images, **made)
    except Exception as error:
        raise RuntimeError(f'greedy: {error} {said.getvalue()}'.strip()) from error


def seen(shape: tuple[int, ...], margin: int) -> Volume:
    """1 where a neighbourhood lies in the field of view, 0 near its faces: they are no edges."""
    inner: Volume = np.zeros(shape, np.float32)
    inner[tuple(slice(m, n - m) for n in shape for m in [min(margin, n // 8)])] = 1
    return inner


def _field(image: Any) -> Any:
    import SimpleITK

    return SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(image, SimpleITK.sitkVectorFloat64))
