"""Arteries at the base of the brain, and the phase that moving blood gathers along the readout."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import Head, gre_signal
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.painting import Canvas, capsule_share, world_boxes
from bidsqsm.qsm.phantom.tissue import TISSUES
from bidsqsm.qsm.phantom.vessels import capsules_of, veins

Complex = npt.NDArray[np.complex64]
#: Arteries: points (mm) in the direction of the flow, and radius (mm); those beside the midline have a twin
_ARTERIES = (
    (((0, -34, -56), (0, -26, -40), (0, -18, -22)), 1.6),  # basilar
    (((16, -4, -48), (14, 2, -32), (13, 2, -18)), 2.0),  # internal carotid
    (((13, 2, -18), (24, 2, -18), (36, 0, -16), (42, -6, -4), (44, -16, 8), (46, -28, 18)), 1.4),
    (((13, 2, -18), (4, 14, -16), (3, 30, -8), (3, 36, 8), (3, 22, 24), (3, -4, 36)), 1.1),
    (((0, -18, -22), (12, -22, -18), (20, -34, -8), (18, -54, 0), (12, -76, 4)), 1.1),
)  # then middle, anterior and posterior cerebral
#: Brightness of blood that flows in over white matter's, and its R2* (1/s)
_INFLOW, _R2STAR = 1.6, 18.0
#: Speed of venous blood over that of arterial
_VENOUS = 0.2


class BloodFlow(NamedTuple):
    """Blood on the grid of a head.

    Parameters
    ----------
    arterial : (nx, ny, nz) float32 array
        Share of each voxel that is arterial blood.
    speed : (nx, ny, nz) float32 array
        Of arterial blood along the readout axis, the fastest is 1; negative towards lower indices.
    venous_speed : (nx, ny, nz) float32 array
        Of the voxel's venous blood times its share.

    """

    arterial: Volume
    speed: Volume
    venous_speed: Volume

    def apply(
        self, signal: Complex, size: float, head: Head, turn: float, echo_time: float, last: float
    ) -> Complex:
        """Signal of an echo with arteries in it and the phase of the flow.

        Parameters
        ----------
        signal
            Without flow.
        size
            Phase (rad) of the fastest blood along the readout at the echo time ``last``.
        head
            Its field is seen by the blood too.
        turn
            Phase per ppm at the echo time, in rad.
        echo_time, last
            In s.

        """
        phase = np.float32(size * echo_time / last)
        white = gre_signal(TISSUES['white_matter'])
        bright = np.float32(_INFLOW * white * np.exp(-_R2STAR * echo_time))
        blood = bright * np.exp(1j * (turn * head.total_field + phase * self.speed))
        slow = signal * np.exp(1j * phase * self.venous_speed)
        return np.asarray(slow + self.arterial * (blood - slow), np.complex64)


def blood_flow(
    head: Head, anatomy: Anatomy, subject: Subject, pose: Volume | None, readout: int
) -> BloodFlow:
    """Place arteries and veins on a head's grid.

    Parameters
    ----------
    head, anatomy, subject, pose
        The head and what it was made from.
    readout
        Voxel axis of the readout.

    """
    place = head.affine if pose is None else np.linalg.inv(pose) @ head.affine
    arterial, speed = _painted(arteries(), head, anatomy, place, readout)
    share, slow = _painted(veins(anatomy, subject), head, anatomy, place, readout)
    return BloodFlow(arterial, speed, np.float32(_VENOUS) * share * slow)


def arteries() -> Volume:
    """The circle of Willis and its branches as capsules (n, 8), in the direction of the flow."""
    chains = []
    for points, radius in _ARTERIES:
        nodes = np.array(points, float)
        chains.append(capsules_of(nodes, radius))
        if nodes[:, 0].max() > 0:
            chains.append(capsules_of(nodes * (-1, 1, 1), radius))
    return np.concatenate(chains)


def _painted(
    capsules: Volume, head: Head, anatomy: Anatomy, place: Volume, readout: int
) -> tuple[Volume, Volume]:
    # share of the voxels, and the direction's component along the readout; flow is along the capsules
    voxel = np.linalg.norm(place[:3, :3], axis=0)
    along = place[:3, readout] / voxel[readout]
    share, speed = (np.zeros(head.grid.shape, np.float32) for _ in range(2))
    step = float(np.cbrt(np.prod(voxel)))
    canvas = Canvas(share, share, share, head.labels, place, step)
    ends = capsules[:, :6].reshape(-1, 2, 3)
    reach = capsules[:, 6:].max(1, keepdims=True) + step
    boxes = world_boxes(canvas, anatomy, ends.min(1) - reach, ends.max(1) + reach)
    for capsule, (start, end), box in zip(capsules, ends, boxes, strict=True):
        if box is None:
            continue
        filled = capsule_share(anatomy.to_template(canvas.world(box)), capsule, step)
        more = filled > share[box]
        share[box][more] = filled[more]
        speed[box][more] = (end - start) @ along / np.linalg.norm(end - start)
    return share, speed
