"""A head in the scanner: susceptibility, fields, relaxation and labels on an output grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.grid import Box, Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phantom import field_simulation as fields
from bidsqsm.qsm.phantom import painting, sampling, vessels
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.subvoxels import Labels, fine_affine, fine_grid, mean2, vote
from bidsqsm.qsm.phantom.tissue import TISSUES, Tissue, inversion_signal, spoiled_signal, table

FAT_SHIFT = -3.4  # ppm
FLIP_ANGLE, REPETITION_TIME = 15.0, 0.035  # degrees, s
_PADDING_MM = 24.0  # mm of padding on every side


@dataclass(frozen=True)
class Fine:
    """Maps at half the voxel size: field that the signal sees (ppm), R2* (1/s), signal at TE = 0.

    ``fat`` is the share of the signal that comes from fat, 0..255.
    """

    field: Volume
    r2star: Volume
    signal: Volume
    fat: Labels


@dataclass(frozen=True)
class Head:
    """A head on a scan grid; every map is the mean over the sub-voxels.

    Attributes
    ----------
    grid, affine
        Voxel size, shape and field direction; voxels to world mm.
    field_strength
        B0 in T.
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, water = 0; zero outside the brain.
    local_field : (nx, ny, nz) float32 array
        Field (ppm) of the chi inside the brain mask less its mean there; zero outside the mask.
    total_field : (nx, ny, nz) float32 array
        Field (ppm) of everything, after the shim.
    r2star : (nx, ny, nz) float32 array
        1/s, zero outside the brain.
    labels : (nx, ny, nz) uint8 array
        See :data:`bidsqsm.qsm.phantom.labels.LABELS`.
    mask : (nx, ny, nz) bool array
        The brain.
    shim : (9,) array
        Harmonics taken off, ppm per dm^n.
    fine
        What the signal is made of.

    """

    grid: Grid
    affine: npt.NDArray[np.float64]
    field_strength: float
    chi: Volume
    local_field: Volume
    total_field: Volume
    r2star: Volume
    labels: Labels
    mask: Mask
    shim: Volume
    fine: Fine

    @property
    def white_matter(self) -> Mask:
        """Voxels of white matter."""
        return np.asarray(self.labels == sampling.LABEL_WHITE)

    @property
    def magnitude(self) -> Volume:
        """Signal at TE = 0 without receive sensitivity, white matter near 1."""
        return mean2(self.fine.signal)

    def coordinates_in_mm(self) -> tuple[Volume, Volume, Volume]:
        """World coordinates of the voxels, in mm; each (nx, ny, nz) float32."""
        i, j, k = np.ogrid[tuple(slice(n) for n in self.grid.shape)]
        x, y, z = (
            np.asarray(a[0] * i + a[1] * j + a[2] * k + a[3], np.float32) for a in self.affine[:3]
        )
        return x, y, z


def gre_signal(tissue: Tissue) -> float:
    """Signal of the gradient echo at TE = 0 (15 degrees, TR 35 ms), white matter near 1."""
    return 25 * spoiled_signal(tissue, FLIP_ANGLE, REPETITION_TIME)


@dataclass(frozen=True)
class Rendered:
    """Fine maps of a scanned volume, chi with a margin around it."""

    chi: Volume  # padded
    inner: Box
    canvas: painting.Canvas
    fat: Labels


def make_head(
    anatomy: Anatomy,
    subject: Subject,
    shape: tuple[int, int, int],
    affine: Volume,
    field_strength: float = 3.0,
    microbleeds: int = 3,
    pose: Volume | None = None,
) -> Head:
    """Put a subject into the scanner: truth maps on the grid, and what the signal needs.

    Parameters
    ----------
    anatomy
        From :func:`~bidsqsm.qsm.phantom.head_anatomy.build_anatomy`.
    subject
        The same as the anatomy's.
    shape, affine
        The scan's grid, voxels to world mm; B0 lies along world z.
    field_strength
        In T.
    microbleeds
        How many.
    pose : (4, 4) array, optional
        Rigid motion (mm) that takes the head from its place in the anatomy to that in the scanner.

    Returns
    -------
    head : Head
        Truth and fine maps.

    """
    world = np.asarray(affine, np.float64)
    grid = Grid.from_affine(shape, world)
    half = fine_grid(grid)
    # where the voxels of the scan lie in the head
    placed = world if pose is None else np.linalg.inv(pose) @ world
    where = fine_affine(placed)
    seen = render(anatomy, subject, half, where, field_strength, gre_signal, microbleeds)
    canvas = seen.canvas
    mask = mean2(canvas.labels > 0) >= 0.5
    labels = vote(canvas.labels, mask)
    chi = np.where(mask, mean2(canvas.chi), 0)
    r2star = np.where(mask, mean2(canvas.r2star), 0)
    padded = replace(half, shape=(seen.chi.shape[0], seen.chi.shape[1], seen.chi.shape[2]))
    local_field = np.where(mask, mean2(_local_field(seen, chi, mask, padded)), 0)
    total, shim = _total_field(seen, mask, padded, placed)
    total_field = mean2(total)
    _add_fat(total, seen.fat)
    fine = Fine(total, canvas.r2star, canvas.signal, seen.fat)
    return Head(
        grid,
        world,
        field_strength,
        chi,
        local_field,
        total_field,
        r2star,
        labels,
        mask,
        shim,
        fine,
    )


def _local_field(seen: Rendered, chi: Volume, mask: Mask, padded: Grid) -> Volume:
    source = np.zeros_like(seen.chi)
    middle = chi[mask].mean(dtype=float).astype(np.float32)
    inside = np.repeat(np.repeat(np.repeat(mask, 2, 0), 2, 1), 2, 2)
    np.subtract(seen.canvas.chi, middle, out=source[seen.inner], where=inside)
    spectrum = fft.rfftn(source)
    del source, inside
    return fields.field_of_spectrum(spectrum, padded)[seen.inner]


def _total_field(
    seen: Rendered, mask: Mask, padded: Grid, placed: Volume
) -> tuple[Volume, Volume]:
    """Field of everything on the fine grid after the shim, in ppm, and the harmonics taken off."""
    total = np.ascontiguousarray(fields.dipole_field(seen.chi, padded)[seen.inner])
    shim = fields.fit_shim(mean2(total), mask, placed)
    fields.subtract_shim(total, shim, seen.canvas.affine)
    return total, shim


def make_t1w(
    anatomy: Anatomy, subject: Subject, shape: tuple[int, int, int], affine: Volume
) -> Volume:
    """T1-weighted image of the subject on a grid, noise free; arbitrary units near 0..1."""
    return make_t1w_and_labels(anatomy, subject, shape, affine)[0]


def make_t1w_and_labels(
    anatomy: Anatomy, subject: Subject, shape: tuple[int, int, int], affine: Volume
) -> tuple[Volume, Labels]:
    """T1-weighted image, and the label at the centre of each voxel (0 outside the brain)."""
    grid = Grid.from_affine(shape, np.asarray(affine, float))
    canvas = render(anatomy, subject, grid, affine, 3.0, inversion_signal, 0, margin=0).canvas
    return canvas.signal, canvas.labels


def render(
    anatomy: Anatomy,
    subject: Subject,
    fine: Grid,
    affine: Volume,
    field_strength: float,
    signal: painting.Signal,
    microbleeds: int,
    margin: float = _PADDING_MM,
    part: painting.Part = painting.whole,
) -> Rendered:
    """Sample the tissues on a fine grid and paint nuclei, veins and lesions over them."""
    padded = fine.padded(2 * margin).shape
    origin = (np.array(padded) - fine.shape) // 2
    a, b, c = (slice(o, o + n) for o, n in zip(origin.tolist(), fine.shape, strict=True))
    inner = a, b, c
    chi = np.empty(padded, np.float32)
    r2star, strength = (np.empty(fine.shape, np.float32) for _ in range(2))
    fat, labels = (np.empty(fine.shape, np.uint8) for _ in range(2))
    signals = {name: signal(t) for name, t in TISSUES.items()}
    tissues = {name: part(t) for name, t in TISSUES.items()}
    sampling.sample(
        anatomy.maps,
        np.linalg.inv(anatomy.affine).astype(np.float32),
        anatomy.warp,
        np.array(anatomy.warp_geometry, np.float32),
        anatomy.scale.astype(np.float32),
        affine.astype(np.float32),
        origin,
        table(field_strength, signals, tissues),
        sampling.AIR_SPACES,
        chi,
        r2star,
        strength,
        fat,
        labels,
    )
    size = float(np.cbrt(np.prod(fine.voxel_size)))
    canvas = painting.Canvas(chi[inner], r2star, strength, labels, affine, size)
    _paint(canvas, anatomy, subject, field_strength, signal, microbleeds, part)
    return Rendered(chi, inner, canvas, fat)


def _paint(
    canvas: painting.Canvas,
    anatomy: Anatomy,
    subject: Subject,
    field_strength: float,
    signal: painting.Signal,
    microbleeds: int,
    part: painting.Part,
) -> None:
    """Paint nuclei, and in one that is not the average veins and lesions."""
    painting.paint_nuclei(canvas, anatomy, subject, field_strength, signal, part)
    if not subject.average:
        tree = vessels.veins(anatomy, subject)
        painting.paint_veins(canvas, anatomy, tree, field_strength, signal, part)
        found = vessels.lesions(anatomy, subject, microbleeds)
        painting.paint_lesions(canvas, anatomy, found, field_strength, signal, part)


@kernel()
def _add_fat(field: Volume, fat: Labels) -> None:
    for i in nb.prange(field.shape[0]):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                field[i, j, k] += np.float32(FAT_SHIFT / 255) * fat[i, j, k]
