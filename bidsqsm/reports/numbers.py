"""A few numbers that say at a glance whether a run went as it should."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.filebasedimages import ImageFileError

from bidsqsm.io.run import GreRun
from bidsqsm.reports.scene import Scene

Number = tuple[str, str, str]


def key_numbers(
    run: GreRun, products: Mapping[str, Path], decisions: Mapping[str, Any]
) -> list[Number]:
    """Label, value and note of the volume of the masks, the noise, the reference and the sign."""
    scene = Scene(run, products)
    found: dict[str, Any] = {}
    for facts in decisions.values():
        found.update(facts)
    numbers: list[Number] = []
    measures: tuple[Callable[[Scene], Number | None], ...] = (_volume, _kept, _noise, _spread)
    for measure in measures:
        try:
            number = measure(scene)
        except (OSError, ValueError, ImageFileError):
            # a file that cannot be read is told by its own panel
            number = None
        if number:
            numbers.append(number)
    return [*numbers, *_decided(found)]


def _mask(scene: Scene, key: str) -> np.ndarray:
    return scene.load(key).values > 0


def _volume(scene: Scene) -> Number | None:
    if 'brain_mask' not in scene.products:
        return None
    millilitres = _mask(scene, 'brain_mask').sum() * np.prod(scene.run.grid.voxel_size) / 1000
    return 'Brain mask', f'{millilitres:.0f} ml', ''


def _kept(scene: Scene) -> Number | None:
    if not {'brain_mask', 'qsm_mask'} <= set(scene.products):
        return None
    brain = _mask(scene, 'brain_mask')
    share = (_mask(scene, 'qsm_mask') & brain).sum() / max(int(brain.sum()), 1)
    return 'With a susceptibility', f'{100 * share:.1f} %', 'of the brain mask'


def _noise(scene: Scene) -> Number | None:
    if not {'noise', 'qsm_mask'} <= set(scene.products):
        return None
    inside = scene.load('noise').values[_mask(scene, 'qsm_mask')]
    return 'Field noise', f'{1000 * np.median(inside):.2g} ppb', 'median in the mask'


def _spread(scene: Scene) -> Number | None:
    if not {'chi', 'qsm_mask'} <= set(scene.products):
        return None
    inside = scene.load('chi').values[_mask(scene, 'qsm_mask')]
    low, high = (1000 * np.percentile(inside, share) for share in (1, 99))
    text = f'{low:.0f} to {high:.0f} ppb'.replace('-', '\N{MINUS SIGN}')
    return 'Susceptibility', text, '1st to 99th percentile'


def _decided(found: Mapping[str, Any]) -> list[Number]:
    numbers = []
    if found.get('condition_number') is not None:
        number, angles = len(found['orientations']), found['angles']
        note = f'{min(angles):.0f}° to {max(angles):.0f}° apart, condition number '
        numbers.append(('Orientations', f'{number}', f'{note}{found["condition_number"]:.1f}'))
    if found.get('reference') is not None:
        value = found.get('value')
        note = f'{1000 * value:+.1f} ppb subtracted' if isinstance(value, int | float) else ''
        region = str(found['reference']).replace('_', ' ').replace('-', ' ')
        region = {'csf': 'CSF'}.get(region, region)
        numbers.append(('Reference', region, note.replace('-', '\N{MINUS SIGN}')))
    if found.get('svo2') is not None:
        note = f'oxygen extraction fraction {100 * found["oef"]:.0f} %, from '
        note += f'{found["veins_with_saturation"]} of {found["veins"]} veins'
        numbers.append(('Venous saturation', f'{100 * found["svo2"]:.0f} %', note))
    if found.get('sign') is not None:
        word = 'as stored' if float(found['sign']) > 0 else 'inverted'
        numbers.append(('Phase sign', word, str(found.get('how', ''))))
    return numbers
