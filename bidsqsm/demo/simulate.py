"""Simulated heads: the one place where geometry, subject and scan come together."""

from __future__ import annotations

import functools
from collections.abc import Sequence as Several
from dataclasses import dataclass

import numpy as np

from bidsqsm.demo.mni import mni_templates
from bidsqsm.qsm.grid import Triple, Volume
from bidsqsm.qsm.phantom.disturbance import disturb
from bidsqsm.qsm.phantom.head import Head, make_head
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject, build_anatomy
from bidsqsm.qsm.phantom.model_errors import ModelErrors
from bidsqsm.qsm.phantom.signal_simulation import Sequence, acquire

_CENTRE = np.array([0.0, -17.0, 6.0])  # world mm, the middle of the head above the neck
_FIELD_OF_VIEW = (192.0, 224.0, 192.0)  # mm


@dataclass(frozen=True)
class SimulatedScan:
    """A head with its images: ``magnitude`` and ``phase`` (rad) are (n_echoes, nx, ny, nz)."""

    head: Head
    sequence: Sequence
    magnitude: Volume
    phase: Volume


def scan_affine(
    shape: tuple[int, int, int],
    voxel_size: Triple,
    tilts: Several[tuple[str, float]] = (),
) -> Volume:
    """Affine of a volume centred on the head and turned about world axes.

    Parameters
    ----------
    shape
        Number of voxels.
    voxel_size
        In mm.
    tilts
        Axis ('x', 'y' or 'z') and degrees of each turn, applied one after the other.

    """
    turn = np.eye(3)
    for axis, degrees in tilts:
        turn = _rotation(axis, degrees) @ turn
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(voxel_size)
    affine[:3, 3] = _CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def head_pose(nods: Several[tuple[str, float]] = (), shift: Triple = (0.0, 0.0, 0.0)) -> Volume:
    """Motion of a head that turns about its middle in the scanner.

    Parameters
    ----------
    nods
        Axis ('x', 'y' or 'z') and degrees of each turn, applied one after the other.
    shift
        In mm.

    """
    pose = np.eye(4)
    for axis, degrees in nods:
        pose[:3, :3] = _rotation(axis, degrees) @ pose[:3, :3]
    pose[:3, 3] = _CENTRE - pose[:3, :3] @ _CENTRE + shift
    return pose


def default_shape(voxel_size: Triple) -> tuple[int, int, int]:
    """Shape that covers 192 x 224 x 192 mm."""
    nx, ny, nz = (round(f / v) for f, v in zip(_FIELD_OF_VIEW, voxel_size, strict=True))
    return nx, ny, nz


@functools.lru_cache(maxsize=2)
def subject_anatomy(subject: Subject, voxel_size: Triple) -> Anatomy:
    """Anatomy of a subject from the bundled maps, at a resolution fit for the voxels."""
    return build_anatomy(mni_templates(template_resolution(voxel_size)), subject)


def template_resolution(voxel_size: Triple) -> int:
    """1 or 2: the resolution (mm) of the bundled maps that is fit for the voxels."""
    return 1 if float(np.prod(voxel_size)) ** (1 / 3) < 1.6 else 2


def simulate(
    voxel_size: Triple = (1.0, 1.0, 1.0),
    *,
    shape: tuple[int, int, int] | None = None,
    tilts: Several[tuple[str, float]] = (),
    nods: Several[tuple[str, float]] = (),
    subject: Subject | None = None,
    field_strength: float = 3.0,
    sequence: Sequence | None = None,
    model_errors: ModelErrors | None = None,
) -> SimulatedScan:
    """Scan a simulated head (combined receive): truth and wrapped images in memory.

    ``tilts`` turn the volume, ``nods`` turn the head under it; ``model_errors`` are what it holds
    beside the field of its susceptibility.

    Examples
    --------
    ``scan = simulate((2, 2, 2))``; then ``scan.phase``, ``scan.magnitude``,
    ``scan.head.total_field``, ``scan.head.chi``, ``scan.head.mask``, ``scan.head.grid``.

    """
    subject = subject or Subject()
    sequence = sequence or Sequence()
    shape = shape or default_shape(voxel_size)
    anatomy = subject_anatomy(subject, voxel_size)
    affine = scan_affine(shape, voxel_size, tilts)
    pose = head_pose(nods)
    head = make_head(anatomy, subject, shape, affine, field_strength, pose=pose)
    disturbance = None
    if model_errors is not None:
        times, readout, seed = sequence.echo_times, sequence.readout, subject.seed
        disturbance = disturb(model_errors, head, anatomy, subject, times, readout, seed, pose)
    echoes = np.concatenate([e[:1] for e in acquire(head, sequence, subject.seed, disturbance)])
    return SimulatedScan(head, sequence, np.abs(echoes), np.angle(echoes))


def _rotation(axis: str, degrees: float) -> Volume:
    if axis not in ('x', 'y', 'z'):
        raise ValueError(f'no axis {axis!r} to tilt about; there are: x, y, z')
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    a, b = {'x': (1, 2), 'y': (2, 0), 'z': (0, 1)}[axis]
    turn = np.eye(3)
    turn[a, a] = turn[b, b] = cos
    turn[a, b], turn[b, a] = -sin, sin
    return turn
