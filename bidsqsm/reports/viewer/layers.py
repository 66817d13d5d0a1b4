"""What the viewer of a run carries: its maps, its masks and the regions of an atlas."""

from __future__ import annotations

import base64
import logging
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from bidsqsm.atlases.structures import whole_of
from bidsqsm.files.gzip_files import GZIP_ERRORS
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import MASK_STYLES, OTHER_REGION_COLOUR, REGION_COLOURS
from bidsqsm.reports.viewer.encoding import (
    ViewerFrame,
    encode,
    encode_bright,
    encode_labels,
    frame_of,
    grid_of,
    load_boxed,
    middles,
    packed,
)
from bidsqsm.rois.region_table import read_table
from bidsqsm.rois.spelling import with_side

LOGGER = logging.getLogger(__name__)

# nibabel reads headers with zlib
_READ_ERRORS = (*GZIP_ERRORS, ImageFileError, HeaderDataError, zlib.error, ValueError)

Window = tuple[str, float, float]


@dataclass(frozen=True)
class ViewerLayer:
    """A volume with what a page needs to know of it."""

    key: str
    title: str
    content: bytes
    about: Mapping[str, Any]
    colour: str = ''

    @property
    def text(self) -> str:
        """The compressed NIfTI image in base64."""
        return base64.b64encode(self.content).decode()


@dataclass(frozen=True)
class ViewerLayers:
    """All that a viewer carries; ``regions`` is the label image of an atlas, if there is one."""

    frame: ViewerFrame
    maps: list[ViewerLayer]
    masks: list[ViewerLayer]
    regions: ViewerLayer | None

    @property
    def all(self) -> list[ViewerLayer]:
        """Every volume."""
        return [*self.maps, *self.masks, *([self.regions] if self.regions else [])]


@dataclass(frozen=True)
class _Map:
    """A map in steps of its unit; an image without one where ``step`` is 0."""

    title: str
    unit: str = ''
    step: float = 0.0
    windows: tuple[Window, ...] = ()
    mask: str = 'brain_mask'


# steps are small beside the noise, which would fill the page; wide windows hold blood that gave up
# half of its oxygen (0.45 ppm) and calcifications (-0.2 to -0.5)
_CHI = (('Tissue', -0.1, 0.1), ('Vessels and calcifications', -0.5, 0.5))
_SOURCES = (('Tissue', 0.0, 0.1), ('Vessels and calcifications', 0.0, 0.5))
_SINKS = tuple((name, -high, -low) for name, low, high in _SOURCES)

VIEWER_MAPS: Mapping[str, _Map] = {
    'chi': _Map('Susceptibility', 'ppm', 1e-4, _CHI, 'qsm_mask'),
    'magnitude_rss': _Map('Magnitude', mask=''),
    'r2star': _Map('R2*', '1/s', 0.1, (('Tissue', 0, 60), ('Iron and veins', 0, 200))),
    'swi': _Map('SWI'),
    'minip': _Map('SWI, projected'),
    'swi_diamagnetic': _Map('SWI, calcium'),
    'clear_swi': _Map('CLEAR-SWI'),
    'true_swi': _Map('True SWI'),
    'own_t1w': _Map('T1w', mask=''),
    'template_t1w': _Map('Template', mask=''),
    'local_field': _Map(
        'Local field',
        'ppm',
        2e-4,
        (('Tissue', -0.05, 0.05), ('Vessels', -0.25, 0.25)),
        'qsm_mask',
    ),
    'chi_paramagnetic': _Map('Paramagnetic', 'ppm', 5e-4, _SOURCES, 'qsm_mask'),
    'chi_diamagnetic': _Map('Diamagnetic', 'ppm', 5e-4, _SINKS, 'qsm_mask'),
    'r2prime': _Map("R2'", '1/s', 0.1, (('Tissue', 0, 30), ('Iron and veins', 0, 100))),
}
#: Masks that have no outline on the page
OTHER_MASKS = {'vein_mask': ('veins', '#b48cff'), 'reference_mask': ('reference', '#c0c7d1')}


def carry(scene: RunImages) -> ViewerLayers | None:
    """Read all that a run has of these and reduce it to few bytes; nothing where it has no map.

    What cannot be read or lies on another grid is left out with a warning.
    """
    readable = [key for key in VIEWER_MAPS if key in scene.products and _opens(scene, key)]
    if not readable:
        return None
    frame = frame_of(scene, readable)
    styles = {**MASK_STYLES, **OTHER_MASKS}
    regions = _each(scene, frame, ['roi_labels'], _regions)
    return ViewerLayers(
        frame,
        maps=_each(scene, frame, readable, _map),
        masks=_each(
            scene, frame, styles, lambda scene, frame, key: _mask(scene, frame, key, *styles[key])
        ),
        regions=regions[0] if regions else None,
    )


def _opens(scene: RunImages, key: str) -> bool:
    try:
        grid_of(scene.products[key])
    except _READ_ERRORS as error:
        LOGGER.warning('%s: the viewer is without %s: %s', scene.run.name, key, error)
        return False
    return True


def _each(
    scene: RunImages,
    frame: ViewerFrame,
    keys: Iterable[str],
    make: Callable[[RunImages, ViewerFrame, str], ViewerLayer | None],
) -> list[ViewerLayer]:
    found = []
    for key in keys:
        if key not in scene.products:
            continue
        try:
            if not frame.holds(scene.products[key]):
                LOGGER.warning('%s: the viewer is without %s: other grid', scene.run.name, key)
                continue
            found.append(make(scene, frame, key))
        except _READ_ERRORS as error:
            LOGGER.warning('%s: the viewer is without %s: %s', scene.run.name, key, error)
    return [item for item in found if item]


def _map(scene: RunImages, frame: ViewerFrame, key: str) -> ViewerLayer:
    kind = VIEWER_MAPS[key]
    values = load_boxed(scene, frame, key, kind.mask)
    steps: npt.NDArray[Any]
    if kind.step:
        steps, step, windows = encode(values, kind.step), kind.step, kind.windows
    else:
        steps, step = encode_bright(values)
        windows = _brightness(scene, frame, values, 255 * step)
    window = windows[0][1:]
    about = {
        'key': key,
        'title': kind.title,
        'unit': kind.unit,
        'digits': max(0, -math.floor(math.log10(step) + 1e-9)) if kind.unit else 3,
        'windows': [{'name': n, 'low': low, 'high': high} for n, low, high in windows],
    }
    return ViewerLayer(key, kind.title, packed(frame, steps, step, window), about)


def _brightness(
    scene: RunImages, frame: ViewerFrame, values: npt.NDArray[Any], top: float
) -> tuple[Window, ...]:
    """The whole range, and that of the brain where it is known."""
    whole: Window = ('Everything', 0.0, float(f'{top:.4g}'))
    if 'brain_mask' not in scene.products:
        return (whole,)
    inside = values[(load_boxed(scene, frame, 'brain_mask') > 0) & np.isfinite(values)]
    if not inside.any():
        return (whole,)
    low, high = (float(f'{value:.4g}') for value in np.percentile(inside, (1, 99.5)))
    return (('Brain', low, high), whole) if high > low else (whole,)


def _mask(
    scene: RunImages, frame: ViewerFrame, key: str, title: str, colour: str
) -> ViewerLayer | None:
    inside = load_boxed(scene, frame, key) > 0
    if not inside.any():
        return None
    about = {'key': key, 'title': title, 'colours': [colour], 'names': [title]}
    return ViewerLayer(key, title, packed(frame, inside.astype(np.uint8)), about, colour)


def _regions(scene: RunImages, frame: ViewerFrame, key: str) -> ViewerLayer | None:
    labels, found = encode_labels(load_boxed(scene, frame, key))
    if not found:
        return None
    known = _names(scene)
    named = [known.get(index, (f'label {index}', '')) for index in found]
    about = {
        'key': key,
        'title': 'Regions',
        'names': [name for name, _ in named],
        'middles': middles(labels),
        'colours': [REGION_COLOURS.get(structure, OTHER_REGION_COLOUR) for _, structure in named],
    }
    return ViewerLayer(key, 'Regions', packed(frame, labels), about)


def _names(scene: RunImages) -> dict[int, tuple[str, str]]:
    """Name and structure of every value of the label image; parts have the colour of the whole."""
    if 'roi_table' not in scene.products:
        return {}
    table = read_table(scene.products['roi_table'])
    return {
        int(row['index']): (_spoken(row), whole_of(row['structure']))
        for _, row in table.iterrows()
    }


def _spoken(row: Any) -> str:
    structure = row['structure']
    return with_side(structure, row['hemisphere']) if structure else str(row['name'])
