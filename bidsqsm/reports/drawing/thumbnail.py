"""The small picture of a run for the page of the whole dataset."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bidsqsm.files.atomic import write_bytes
from bidsqsm.inputs.names import thumbnail_name
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import CHI_WINDOW_PPM

LOGGER = logging.getLogger(__name__)

HEIGHT = 96  # pixels
_WEBP_QUALITY = 80  # of 100: 2 to 4 kB


def save_thumbnail(run: GreRun, products: Mapping[str, Path], folder: Path) -> Path | None:
    """Write ``<run>_desc-thumbnail_Chimap.webp``; nothing where there is no map that can be read.

    Parameters
    ----------
    run
        The run.
    products
        Its files by their key.
    folder
        Where to.

    """
    if 'chi' not in products:
        return None
    try:
        image = draw_thumbnail(RunImages(run, products))
    except Exception as problem:  # noqa: BLE001, no page is lost for want of a small picture
        LOGGER.warning('%s: no thumbnail: %s', run.name, problem)
        return None
    return write_bytes(Path(folder) / thumbnail_name(run.name), image)


def draw_thumbnail(scene: RunImages) -> bytes:
    """Draw the axial slice through the deep nuclei, from -0.1 to 0.1 ppm, outside black."""
    tile = scene.tile(scene.inside(scene.load('chi')), 'axial', CHI_WINDOW_PPM)
    low, high = tile.limits
    gray = np.nan_to_num(np.clip((tile.image - low) / (high - low), 0, 1), nan=0.0)
    width, height = tile.size
    size = max(1, round(HEIGHT * width / height)), HEIGHT
    small = Image.fromarray(np.round(255 * gray).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    out = io.BytesIO()
    small.save(out, 'webp', quality=_WEBP_QUALITY, method=6)
    return out.getvalue()
