"""A head whose veins run along the field: what is dark in which susceptibility-weighted image."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.demo.simulate import subject_anatomy
from bidsqsm.qsm.phantom.head import make_head
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LABELS
from bidsqsm.qsm.phantom.signal_simulation import noiseless_echo
from bidsqsm.qsm.swi.chi_mask import chi_mask
from bidsqsm.qsm.swi.phase_mask import phase_mask

SHAPE, CENTRE = (64, 64, 48), np.array([8.0, -32.0, 6.0])  # about the veins and the pineal gland
TIMES = (0.008, 0.016, 0.024, 0.032)
VALUES = {name: value for value, name in LABELS.items()}


@pytest.fixture(scope='module')
def head():
    """The middle of a head on its back to the bore, at 1 mm, with many microbleeds."""
    subject = Subject()
    affine, pose = np.eye(4), np.eye(4)
    affine[:3, 3] = CENTRE - (np.array(SHAPE) - 1) / 2
    pose[1:3, 1:3] = [[0, -1], [1, 0]]  # straight sinus and internal veins turn to the field
    pose[:3, 3] = CENTRE - pose[:3, :3] @ CENTRE
    anatomy = subject_anatomy(subject, (2.0, 2.0, 2.0))
    return make_head(anatomy, subject, SHAPE, affine, microbleeds=60, pose=pose)


@pytest.fixture(scope='module')
def images(head):
    echoes = np.stack([noiseless_echo(head, time) for time in TIMES])
    magnitude, phase = np.abs(echoes), np.angle(echoes)
    options = {'even': False, 'slab': 8.0}
    return (
        phase_mask(magnitude, phase, head.mask, head.grid, TIMES, **options),
        chi_mask(magnitude, head.chi, head.mask, head.grid, TIMES, **options),
    )


def test_veins_and_bleeds_are_darker_in_one_image_and_calcification_in_the_other(head, images):
    weighted, _ = images
    above = weighted.minip < weighted.minip_diamagnetic
    sources = ('vein', 'microbleed', 'calcification')
    share = {name: above[head.labels == VALUES[name]].mean() for name in sources}
    assert share['vein'] > 0.8
    assert share['microbleed'] > 0.7
    assert share['calcification'] < 0.2
    vein = head.labels == VALUES['vein']
    assert weighted.swi[vein].mean() < 0.8 * weighted.swi_diamagnetic[vein].mean()


def test_true_swi_blackens_bleeds_and_leaves_calcification_to_its_decay(head, images):
    _, true = images
    bleed, calcium, white = (
        true.true_swi[head.labels == VALUES[name]].mean()
        for name in ('microbleed', 'calcification', 'white_matter')
    )
    assert bleed < 0.05 * white
    assert calcium > 5 * bleed
