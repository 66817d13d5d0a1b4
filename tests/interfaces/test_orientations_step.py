"""Orientations on one grid: too similar ones and masks that do not meet are told."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.demo.simulate import head_pose
from bidsqsm.interfaces.multi_orientation import apart, facts_of, overlap

NAMES = ['acq-1', 'acq-2', 'acq-3']


def test_similar_orientations_are_warned_of():
    motions = [head_pose([]), head_pose([('x', 6)]), head_pose([('y', 20)])]
    directions = [tuple(motion[:3, :3].T @ [0, 0, 1]) for motion in motions]
    found = facts_of(NAMES, directions, motions)
    assert found.rotations == pytest.approx([0, 6, 20], abs=0.01)
    assert found.angles == pytest.approx([6, 20, 20.9], abs=0.1)
    assert 'acq-1 and acq-2 differs by 6 degrees only' in found.warnings[0]
    assert 'condition number' in found.warnings[1]
    good = [head_pose([]), head_pose([('x', 25)]), head_pose([('y', 25)])]
    assert not facts_of(NAMES, [tuple(m[:3, :3].T @ [0, 0, 1]) for m in good], good).warnings


def test_masks_that_do_not_meet_tell_of_a_failed_registration():
    masks = [np.zeros((10, 4, 4), bool) for _ in NAMES]
    masks[0][2:8], masks[1][3:9], masks[2][4:9] = True, True, True
    shares = overlap(NAMES, masks)
    assert shares == pytest.approx([1, 5 / 6, 2 / 3], abs=1e-3)
    assert len(apart(NAMES, shares)) == 2
    masks[2] = np.roll(masks[2], 4, axis=0)
    with pytest.raises(ValueError, match=r'acq-3 covers .* the registration failed'):
        overlap(NAMES, masks)
