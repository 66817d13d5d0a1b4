"""Whether run, T1w and template lie in the same place: edges of one on the other, and by turns."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.reports.drawing.figure import Bar, Pictures, Tile, draw
from bidsqsm.reports.drawing.planes import PLANES, Array, Volume
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import CHI_WINDOW_PPM
from bidsqsm.reports.panels.spec import PanelSpec

_EDGES = (('fluid', '#56b4e9'), ('white matter', '#ffd23f'))
_CLASS_SAMPLES = 200_000  # values of which the classes of tissue are made
_CLASS_ROUNDS = 20
_BRAIN_RIM_VOXELS = 1  # voxels about the brain in which edges are drawn


def draw_edges(scene: RunImages) -> bytes:
    """Borders of the template's tissues on the maps and images of the run."""
    template = scene.load('template_t1w')
    borders = tissue_borders(template.values[scene.region(template)])
    if borders is None:
        return b''
    rows, bars = [], []
    if 'chi' in scene.products:
        rows.append(
            _outline_row(
                scene, scene.inside(scene.load('chi')), CHI_WINDOW_PPM, borders, 'susceptibility'
            )
        )
        bars.append(Bar(CHI_WINDOW_PPM, 'ppm'))
    for name, image in _images(scene).items():
        if name != 'template':
            rows.append(_outline_row(scene, image, scene.tissue_limits(image), borders, name))
    return draw(rows, bars, [(f'edge of {name}', colour) for name, colour in _EDGES])


TEMPLATE_EDGES_PANEL = PanelSpec(
    key='edges',
    step='registration',
    needs=('template_t1w',),
    suffix='T1w',
    title='Template on the run',
    caption=(
        'Borders of fluid and of white matter in the template, as registration places them, on '
        'the susceptibility, the magnitude and the T1w if there is one. They should follow '
        'ventricles, folds and the rim of the brain. Borders that are shifted alike on all '
        'sides mean that the registration is off; a single fold that is missed matters little '
        'for the nuclei.'
    ),
    alt='Borders of tissue of the template on susceptibility and magnitude in three planes of',
    draw=draw_edges,
)


def draw_flicker(scene: RunImages) -> Pictures:
    """Images of one head, each in a picture of its own."""
    pictures = {}
    for name, image in _images(scene).items():
        limits = scene.tissue_limits(image)
        # the name stands in the picture, too: printed, all lie below each other
        titles = (name, *[''] * (len(PLANES) - 1))
        pictures[name] = draw(
            [
                [
                    scene.tile(image, plane, limits, title=title)
                    for plane, title in zip(PLANES, titles, strict=True)
                ]
            ]
        )
    return Pictures(pictures)


FLICKER_PANEL = PanelSpec(
    key='flicker',
    step='registration',
    needs=('template_t1w', 'own_t1w'),
    suffix='T1w',
    title='Registration, image by image',
    caption=(
        'One place in each image: choose them by turns (with the arrow keys, too) and watch '
        'ventricles, folds and the rim of the brain, which should keep still. Where run and T1w '
        'differ, the rigid registration is off; where only the template does, the deformation is.'
    ),
    alt='Registered images in three planes of',
    draw=draw_flicker,
)


def _images(scene: RunImages) -> dict[str, Volume]:
    """What is compared, by the words for it."""
    images = {'magnitude of the run': scene.magnitude()}
    for name, key in (('T1w', 'own_t1w'), ('template', 'template_t1w')):
        if key in scene.products:
            images[name] = scene.load(key)
    return images


def _outline_row(
    scene: RunImages,
    base: Volume,
    limits: tuple[float, float],
    borders: tuple[float, float],
    title: str,
) -> list[Tile]:
    template = scene.load('template_t1w')
    brain = scene.region(template)
    tiles = []
    for plane in PLANES:
        near = ndimage.binary_dilation(scene.outline(brain, plane), iterations=_BRAIN_RIM_VOXELS)
        cut = np.where(near, scene.outline(template.values, plane), np.nan)
        # a line is drawn where an image is 0.5
        lines = tuple(
            (0.5 * cut / border, colour)
            for border, (_, colour) in zip(borders, _EDGES, strict=True)
        )
        tiles.append(scene.tile(base, plane, limits, outlines=lines, title=title))
        title = ''
    return tiles


def tissue_borders(values: Array) -> tuple[float, float] | None:
    """Values of a T1w halfway between fluid and gray matter, and between gray and white matter.

    Three classes of about one value each are found by going back and forth between their means and
    their members.

    Parameters
    ----------
    values : (n,) array
        Of the brain.

    Returns
    -------
    borders
        None where there are no three classes.

    """
    samples = values[np.isfinite(values) & (values > 0)]
    samples = samples[:: max(1, samples.size // _CLASS_SAMPLES)]
    if np.unique(samples).size < 3:
        return None
    low, high = np.quantile(samples, (0.005, 0.98))  # fluid may be rare
    means = low + (high - low) * np.array([1, 3, 5]) / 6
    for _ in range(_CLASS_ROUNDS):
        borders = (means[1:] + means[:-1]) / 2
        members = np.searchsorted(borders, samples)
        if len(np.unique(members)) < 3:
            return None
        means = np.array([samples[members == number].mean() for number in range(3)])
    first, second = (float(border) for border in (means[1:] + means[:-1]) / 2)
    return first, second
