"""A field less a harmonic one, from its Laplacian or from that of wrapped phase."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.multigrid import compact_stencil, cycle, hierarchy, minus_laplacian
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.units import TURN_RAD
from bidsqsm.qsm.window import Window

_FACES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_EDGE_STEPS = ((1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1))
#: Steps to the 18 neighbours of a voxel, those across faces first, and the stencil's kind of each.
NEIGHBOUR_STEPS = np.array(
    [
        (*(sign * np.array(step)), kind)
        for step, kind in zip((*_FACES, *_EDGE_STEPS), (0, 1, 2, 3, 3, 4, 4, 5, 5), strict=True)
        for sign in (1, -1)
    ],
    dtype=np.int64,
)


@kernel()
def _minus_phase_laplacian(
    phase: Volume,
    magnitude: Volume,
    radians: Volume,
    known: Mask,
    domain: Mask,
    stencils: Volume,
    neighbours: npt.NDArray[np.int64],
    out: Volume,
) -> None:
    # stencils: 6 coefficients of the 19 points, and of the 7 where a neighbour is not known
    n_echoes, nx, ny, nz = phase.shape
    turn = np.float32(TURN_RAD)
    for i in nb.prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                total = np.float32(0)
                if domain[i, j, k]:
                    whole = True
                    for n in range(6, 18):
                        a, b, c = i + neighbours[n, 0], j + neighbours[n, 1], k + neighbours[n, 2]
                        whole &= known[a, b, c]
                    for n in range(18 if whole else 6):
                        a, b, c = i + neighbours[n, 0], j + neighbours[n, 1], k + neighbours[n, 2]
                        step = above = below = np.float32(0)
                        for e in range(n_echoes):
                            expected = radians[e] * step
                            rest = phase[e, a, b, c] - phase[e, i, j, k] - expected
                            rest -= turn * np.rint(rest / turn)
                            here, there = magnitude[e, i, j, k] ** 2, magnitude[e, a, b, c] ** 2
                            share = here * there / max(here + there, np.float32(1e-30))
                            above += share * radians[e] * (rest + expected)
                            below += share * radians[e] ** 2
                            if below > 0:
                                step = above / below
                        total -= stencils[0 if whole else 1, neighbours[n, 3]] * step
                out[i, j, k] = total


def minus_phase_laplacian(echoes: Echoes, known: Mask, domain: Mask, voxel_size: Triple) -> Volume:
    r"""Minus the Laplacian of the field, from the wrapped phase of all echoes.

    The field's difference between two neighbours is fitted to their phase differences, echo by
    echo: each is unwrapped by what the earlier ones lead to expect, and weighs as one over its
    variance, :math:`(m_1^{-2} + m_2^{-2})^{-1} T_n^2`. Only the first has to be within half a turn.

    Parameters
    ----------
    echoes
        On the grid of the domain.
    known : (nx, ny, nz) bool array
        Where there is phase.
    domain : (nx, ny, nz) bool array
        Where the Laplacian is wanted: voxels whose six neighbours are known.
    voxel_size
        In mm.

    Returns
    -------
    minus_laplacian : (nx, ny, nz) float32 array
        In ppm/mm^2, zero outside the domain; by the 19 points of
        :func:`bidsqsm.qsm.multigrid.compact_stencil`, or 7 where not all of them are known.

    """
    # rad that 1 ppm makes until each echo
    radians = TURN_RAD * echoes.imaging_frequency * np.asarray(echoes.echo_times)
    magnitude = echoes.magnitude / max(float(echoes.magnitude.max()), 1e-30)
    stencils = np.zeros((2, 6), np.float32)
    stencils[0] = compact_stencil(voxel_size)[1:]
    stencils[1, :3] = [d**-2 for d in voxel_size]
    out = np.zeros(domain.shape, np.float32)
    _minus_phase_laplacian(
        np.ascontiguousarray(echoes.phase, np.float32),
        magnitude.astype(np.float32),
        radians.astype(np.float32),
        known,
        domain,
        stencils,
        NEIGHBOUR_STEPS,
        out,
    )
    return out


def anharmonic_part(
    source: Volume, domain: Mask, voxel_size: Triple, *, tol: float, max_iter: int
) -> Volume:
    """Solve minus the Laplacian of x = source in a domain, x being zero outside of it.

    What this field lacks of the true one is harmonic in the domain.

    Parameters
    ----------
    source : (nx, ny, nz) float32 array
        In ppm/mm^2, zero outside the domain.
    domain : (nx, ny, nz) bool array
        None at the faces of the array.
    voxel_size
        In mm.
    tol
        Relative residual at which to stop.
    max_iter
        Iterations after which to stop regardless.

    Returns
    -------
    x : (nx, ny, nz) float32 array
        In ppm.

    """
    levels = hierarchy(domain, voxel_size)
    top, stencil, image = levels[0], compact_stencil(voxel_size), np.zeros_like(source)

    def operator(x: Volume) -> Volume:
        minus_laplacian(x, top.domain, stencil, image)
        return image

    def precondition(residual: Volume) -> Volume:
        np.copyto(top.right, residual)
        cycle(levels)
        return top.x

    return conjugate_gradients(
        operator,
        source,
        tol=tol,
        max_iter=max_iter,
        precondition=precondition,
        name="Poisson's equation",
    )


def harmonic_part(field: Volume, domain: Mask, window: Window) -> Volume:
    """The field that is harmonic in a domain and equals the given one around it.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        In ppm, in the window.
    domain : (nx, ny, nz) bool array
        On the full volume.
    window
        The part of the volume to work on.

    Returns
    -------
    harmonic : (nx, ny, nz) float32 array
        In ppm, in the window; zero outside the domain.

    """
    near, within = np.pad(field[window.inside], 1), np.pad(domain[window.box], 1)
    source = np.zeros_like(near)
    size = window.grid.voxel_size
    minus_laplacian(near, within.astype(np.uint8), compact_stencil(size), source)
    with watched():  # a step of a solver that tells how it ended itself
        rest = anharmonic_part(source, within, size, tol=1e-2, max_iter=30)
    out = np.zeros_like(field)
    out[window.inside] = np.where(within, near - rest, np.float32(0))[1:-1, 1:-1, 1:-1]
    return out


def anharmonic_field(
    total_field: Volume, echoes: Echoes | None, trusted: Mask, erosion: int, window: Window
) -> tuple[Volume, Mask]:
    """A field with the Laplacian of the total one that vanishes at the edge of where it is known.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        In ppm; used only where there are no echoes.
    echoes
        Wrapped phase and magnitude, to take the Laplacian from.
    trusted : (nx, ny, nz) bool array
        Voxels to use, in the window.
    erosion
        Layers of voxels not to use, at the edge of these.
    window
        The part of the volume to work on.

    Returns
    -------
    field : (nx, ny, nz) float32 array
        In ppm, in the window.
    known : (nx, ny, nz) bool array
        Where it holds, in the window.

    """
    known = np.pad(trusted[window.inside], 1)
    for _ in range(erosion):
        known = inner_voxels(known)
    domain = inner_voxels(known)
    if not domain.any():
        raise ValueError(
            f'nothing is left of the mask after {erosion + 1} layers: give a larger mask or less '
            'erosion'
        )
    if echoes is None:
        echoes = _as_echo(np.where(window.mask, total_field, 0))
    cut = [np.pad(e[:, *window.box], [(0, 0)] + 3 * [(1, 1)]) for e in echoes[:2]]
    size = window.grid.voxel_size
    source = minus_phase_laplacian(Echoes(cut[0], cut[1], *echoes[2:]), known, domain, size)
    found = anharmonic_part(source, domain, size, tol=1e-4, max_iter=100)
    field, inner = np.zeros(window.grid.shape, np.float32), np.zeros(window.grid.shape, bool)
    field[window.inside] = found[1:-1, 1:-1, 1:-1]
    inner[window.inside] = domain[1:-1, 1:-1, 1:-1]
    return field, inner


def _as_echo(field: Volume) -> Echoes:
    # an echo so early that no phase difference comes near half a turn
    time = 1 / (8 * max(float(np.abs(field).max()), 1e-6))
    phase = (TURN_RAD * time * field[np.newaxis]).astype(np.float32)
    return Echoes(phase, np.ones_like(phase), [time], 1.0)
