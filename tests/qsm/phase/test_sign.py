"""The sign of the phase is told by veins and nuclei, whichever way the phase runs."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.phase.sign import decide_sign


@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('with_decay', [True, False])
def test_the_sign_that_makes_iron_paramagnetic_is_taken(small_head, sign, with_decay):
    head = small_head.head
    decay = head.r2star if with_decay else None
    found = decide_sign(sign * head.total_field, head.mask, head.grid, decay)
    assert found.sign == sign
    assert found.sure


def test_turning_the_phase_turns_the_evidence(small_head):
    head = small_head.head
    ahead = decide_sign(head.total_field, head.mask, head.grid, head.r2star)
    back = decide_sign(-head.total_field, head.mask, head.grid, head.r2star)
    assert ahead.evidence == pytest.approx(-back.evidence, abs=1e-6)


def test_noise_alone_does_not_make_it_sure(small_head):
    head = small_head.head
    noise = np.random.default_rng(0).normal(0, 0.01, head.mask.shape).astype(np.float32)
    assert not decide_sign(noise, head.mask, head.grid, None).sure
