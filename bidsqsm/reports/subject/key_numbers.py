"""A few numbers that say at a glance whether a run went as it should."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError

from bidsqsm.facts.contrasts_facts import OxygenationFacts
from bidsqsm.facts.field_facts import SignFacts
from bidsqsm.facts.inversion_facts import JointFacts, ReferenceFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun
from bidsqsm.qsm.grid import Mask
from bidsqsm.reports.drawing.run_images import RunImages

Number = tuple[str, str, str]


def key_numbers(run: GreRun, products: Mapping[str, Path], decisions: RunFacts) -> list[Number]:
    """Label, value and note of the volume of the masks, the noise, the reference and the sign."""
    scene = RunImages(run, products)
    numbers: list[Number] = []
    measures: tuple[Callable[[RunImages], Number | None], ...] = (_volume, _kept, _noise, _spread)
    for measure in measures:
        try:
            number = measure(scene)
        except (OSError, ValueError, ImageFileError):
            # a file that cannot be read is told by its own panel
            number = None
        if number:
            numbers.append(number)
    return [*numbers, *_decided(decisions)]


def _mask(scene: RunImages, key: str) -> Mask:
    return scene.load(key).values > 0


def _volume(scene: RunImages) -> Number | None:
    if 'brain_mask' not in scene.products:
        return None
    millilitres = _mask(scene, 'brain_mask').sum() * np.prod(scene.run.grid.voxel_size) / 1000
    digits = f'{millilitres:.0f}' if millilitres >= 100 else f'{millilitres:.3g}'
    return ('Brain mask' if scene.run.body.has_brain else 'Mask'), f'{digits} ml', ''


def _kept(scene: RunImages) -> Number | None:
    if not {'brain_mask', 'qsm_mask'} <= set(scene.products):
        return None
    brain = _mask(scene, 'brain_mask')
    share = (_mask(scene, 'qsm_mask') & brain).sum() / max(int(brain.sum()), 1)
    return (
        'With a susceptibility',
        f'{100 * share:.1f} %',
        ('of the brain mask' if scene.run.body.has_brain else 'of the mask'),
    )


def _noise(scene: RunImages) -> Number | None:
    if not {'noise', 'qsm_mask'} <= set(scene.products):
        return None
    inside = scene.load('noise').values[_mask(scene, 'qsm_mask')]
    return 'Field noise', f'{1000 * np.median(inside):.2g} ppb', 'median in the mask'


def _spread(scene: RunImages) -> Number | None:
    if not {'chi', 'qsm_mask'} <= set(scene.products):
        return None
    inside = scene.load('chi').values[_mask(scene, 'qsm_mask')]
    low, high = (1000 * np.percentile(inside, share) for share in (1, 99))
    text = f'{low:.0f} to {high:.0f} ppb'.replace('-', '\N{MINUS SIGN}')
    return 'Susceptibility', text, '1st to 99th percentile'


def _decided(facts: RunFacts) -> list[Number]:
    found = (
        _orientations(facts['joint']),
        _reference(facts['reference']),
        _saturation(facts['oxygenation']),
        _sign(facts['sign']),
    )
    return [number for number in found if number]


def _orientations(facts: JointFacts) -> Number | None:
    if facts.condition_number is None or not (facts.angles and facts.orientations):
        return None
    note = f'{min(facts.angles):.0f}° to {max(facts.angles):.0f}° apart, condition number '
    return (
        'Orientations',
        f'{len(facts.orientations)}',
        f'{note}{facts.condition_number:.1f}',
    )


def _reference(facts: ReferenceFacts) -> Number | None:
    if facts.reference is None:
        return None
    value = facts.value
    note = f'{1000 * value:+.1f} ppb subtracted' if isinstance(value, int | float) else ''
    region = str(facts.reference).replace('_', ' ').replace('-', ' ')
    region = {'csf': 'CSF'}.get(region, region)
    return 'Reference', region, note.replace('-', '\N{MINUS SIGN}')


def _saturation(facts: OxygenationFacts) -> Number | None:
    if facts.svo2 is None or facts.oef is None:
        return None
    note = f'oxygen extraction fraction {100 * facts.oef:.0f} %, from '
    note += f'{facts.veins_with_saturation} of {facts.veins} veins'
    return 'Venous saturation', f'{100 * facts.svo2:.0f} %', note


def _sign(facts: SignFacts) -> Number | None:
    if facts.sign is None:
        return None
    word = 'as stored' if float(facts.sign) > 0 else 'inverted'
    return 'Phase sign', word, facts.how or ''
