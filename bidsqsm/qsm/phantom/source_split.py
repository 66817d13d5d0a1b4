"""The susceptibility of a head, split into its sources."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import Head, gre_signal, render
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.subvoxels import fine_affine, fine_grid, mean2
from bidsqsm.qsm.phantom.tissue import Tissue


class SourceSplit(NamedTuple):
    """What a head's susceptibility and R2* are made of; zero outside the brain.

    Parameters
    ----------
    paramagnetic : (nx, ny, nz) float32 array
        Iron and deoxygenated blood, in ppm, not negative.
    diamagnetic : (nx, ny, nz) float32 array
        Myelin and calcium, in ppm, not positive; the sum of both is the head's chi.
    r2prime : (nx, ny, nz) float32 array
        The part of R2* that is due to susceptibility, in 1/s.
    r2 : (nx, ny, nz) float32 array
        The rest of R2*, in 1/s.

    """

    paramagnetic: Volume
    diamagnetic: Volume
    r2prime: Volume
    r2: Volume


def sources_of(
    head: Head,
    anatomy: Anatomy,
    subject: Subject,
    microbleeds: int = 3,
    pose: Volume | None = None,
) -> SourceSplit:
    """Split the chi and the R2* of a head from :func:`~bidsqsm.qsm.phantom.head.make_head`.

    The head is rendered a second time with the diamagnetic part of each tissue; what varies within
    a tissue is taken as its myelin. R2' follows no law of the two parts: over both together it is
    122 to 168 1/s per ppm at 3 T in tissue, 78 in calcifications.

    Parameters
    ----------
    head
        The head.
    anatomy, subject, microbleeds, pose
        What it was made from.

    Returns
    -------
    sources : SourceSplit
        On the head's grid.

    """
    placed = head.affine if pose is None else np.linalg.inv(pose) @ head.affine
    seen = render(
        anatomy,
        subject,
        fine_grid(head.grid),
        fine_affine(placed),
        head.field_strength,
        gre_signal,
        microbleeds,
        margin=0,
        part=Tissue.without_iron,
    ).canvas
    most = np.minimum(head.chi, 0)  # the other part would be negative
    diamagnetic = np.where(head.mask, np.minimum(mean2(seen.chi), most), np.float32(0))
    r2 = np.where(head.mask, np.minimum(mean2(seen.r2star), head.r2star), np.float32(0))
    return SourceSplit(head.chi - diamagnetic, diamagnetic, head.r2star - r2, r2)
