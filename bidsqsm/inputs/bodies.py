"""What was scanned in each run, as the user says or as the size of the object tells."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_volume
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.qsm.body import ADULT, Body, measured_body, wanted_body
from bidsqsm.qsm.grid import Volume

LOGGER = logging.getLogger(__name__)


def with_bodies(found: Sequence[GreRun | Skipped], wanted: str) -> list[GreRun | Skipped]:
    """Settle what was scanned in each run, and its size.

    Parameters
    ----------
    found
        Runs, and those that are skipped.
    wanted
        ``auto``, the name of a body, or name and scale, as of ``--body``.

    """
    return [
        replace(run, body=body_of(run, wanted)) if isinstance(run, GreRun) else run
        for run in found
    ]


def body_of(run: GreRun, wanted: str) -> Body:
    """What was scanned in a run: what is not said is measured on its first image."""
    name, scale = wanted_body(wanted)
    if scale is not None:
        return Body(name, scale)
    seen = _measured(run)
    body = seen if name == 'auto' else Body(name, seen.scale)
    if body != ADULT:
        LOGGER.info(
            '%s: taken as %s (%s of %.2g times an adult); --body says otherwise',
            run.name,
            body.name,
            'an object' if body.name == 'none' else 'a head',
            body.scale,
        )
    return body


def _measured(run: GreRun) -> Body:
    try:
        magnitude = _first(run.magnitude[0] if run.magnitude else run.real[0])
        if not run.magnitude:
            magnitude = np.hypot(magnitude, _first(run.imag[0]))
    except (DatasetError, OSError, ValueError):
        return ADULT  # the step that reads all images says what is wrong with one
    return measured_body(np.abs(magnitude), run.grid.voxel_size)


def _first(path: Path) -> Volume:
    """The first volume of an image: of its echoes, and of its channels."""
    values, _ = load_volume(path)
    first: Volume = values.reshape(-1, *values.shape[-3:])[0]
    return first
