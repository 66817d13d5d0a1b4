"""Stored phase becomes radians for a stated reason, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.phase.jumps import Turn, find_turn, wrap_sizes
from bidsqsm.qsm.phase.scaling import decide_scale, polar, scale_phase
from bidsqsm.qsm.phase.wrap import wrap
from bidsqsm.qsm.units import ppm_to_rad
from helpers.phase_scans import receive_phase, scan

PI = np.pi


@pytest.fixture(scope='module')
def radians():
    """Phase of two echoes with noise around the head, so that every value occurs."""
    return scan(echo_times=(0.008, 0.02), noise=0.05).phase


def worst(phase, truth):
    """Largest distance in rad, whole turns apart."""
    return float(np.abs(wrap(phase - truth)).max())


def stored_as(phase, steps, low, dtype):
    """Quantise [-pi, pi) into so many steps of one unit, from ``low``."""
    whole = np.floor((phase + PI) / (2 * PI) * steps)
    return (np.clip(whole, 0, steps - 1) + low).astype(dtype)


CONVENTIONS = {
    'radians': (lambda p: p, 1, 0, 1e-6),
    'radians of one sign': (lambda p: np.mod(p, 2 * PI), 1, 0, 1e-6),
    'Siemens': (lambda p: stored_as(p, 4096, 0, np.int16), 1, 0, 2e-3),
    'Siemens by dcm2niix, slope': (lambda p: stored_as(p, 4096, 0, np.int16), 2, -4096, 2e-3),
    'Siemens by dcm2niix': (lambda p: 2 * stored_as(p, 4096, -2048, np.int16), 1, 0, 2e-3),
    'unsigned': (lambda p: stored_as(p, 4096, 0, np.uint16), 0, np.nan, 2e-3),
    'signed 12 bits': (lambda p: stored_as(p, 4096, -2048, np.int16), 1, 0, 2e-3),
    'Philips, milliradians': (
        lambda p: stored_as(p, 4096, 0, np.uint16),
        2000 * PI / 4095,
        -1000 * PI,
        4e-3,
    ),
    'Philips, radians': (lambda p: stored_as(p, 4096, 0, np.int16), 2 * PI / 4095, -PI, 4e-3),
    'GE, milliradians': (lambda p: np.rint(1000 * p).astype(np.int16), 1, 0, 2e-3),
    'any scale': (lambda p: p * np.float32(0.00117), 1, 0, 2e-3),
    'damaged header': (lambda p: p, 0.01, 0, 1e-4),
}


@pytest.mark.parametrize('name', CONVENTIONS)
def test_every_vendor_convention_gives_the_same_radians(radians, name):
    store, slope, inter, tolerance = CONVENTIONS[name]
    before = store(radians).copy()
    phase, scale = scale_phase(before, slope, inter)
    assert phase.dtype == np.float32
    assert np.abs(phase).max() < PI + 1e-5
    assert worst(phase, radians) < tolerance
    assert scale.sentence.startswith('Phase stored as ')
    assert worst(scale.apply(before), radians) < tolerance


def test_a_range_whose_ends_are_not_reached_keeps_its_scale(radians):
    stored = np.clip(stored_as(radians, 4096, 0, np.int16), 5, 4090)
    assert scale_phase(stored)[1].slope == pytest.approx(2 * PI / 4096)
    part = decide_scale(300, 3200, True, manufacturer='SIEMENS')
    assert part.slope == 2 * PI / 4096
    assert part.unusual
    assert not decide_scale(0, 4095, True).unusual
    with pytest.raises(ValueError, match=r"300 to 3200: expected one of.*set Units to 'rad'"):
        decide_scale(300, 3200, True)


def test_echoes_are_scaled_together_though_one_of_them_holds_little_phase(radians):
    stored = stored_as(np.stack([radians[0] * 0.2, radians[1]]), 4096, 0, np.int16)
    phase = scale_phase(stored)[0]
    assert worst(phase[0], radians[0] * np.float32(0.2)) < 2e-3


def test_headers_may_differ_between_echoes(radians):
    stored = np.stack(
        [stored_as(e, n, 0, np.int32) for e, n in zip(radians, (4096, 8192), strict=True)]
    )
    phase = scale_phase(stored, [2 * PI / 4096, 2 * PI / 8192], [-PI, -PI])[0]
    assert worst(phase, radians) < 2e-3


def test_unknown_voxels_do_not_matter_and_stay_unknown(radians):
    holed = radians.copy()
    holed[:, 3:9] = np.nan
    phase = scale_phase(holed)[0]
    assert np.isnan(phase[:, 3:9]).all()
    assert worst(phase[:, 9:], radians[:, 9:]) < 1e-6


def test_zero_and_pi_are_phases_like_any_other():
    ends = np.array([[-PI, 0, PI, 1.0]], np.float32)
    assert np.array_equal(decide_scale(-PI, PI, False).apply(ends), ends)


@pytest.mark.parametrize(
    ('units', 'values', 'turn'),
    [
        ('rad', (-1.2, 0.4), 2 * PI),
        ('deg', (-179.0, 180.0), 360),
        ('mrad', (-500, 800), 2000 * PI),
    ],
)
def test_units_are_believed(units, values, turn):
    scale = decide_scale(*values, False, units=units)
    assert scale.slope == pytest.approx(2 * PI / turn)
    assert units in scale.sentence


def test_unwrapped_radians_are_wrapped_and_that_is_said():
    scale = decide_scale(-20.0, 35.0, False, units='rad')
    assert 'wrapped again' in scale.sentence
    assert scale.apply(np.array([[7.0]]))[0, 0] == pytest.approx(7 - 2 * PI)


def test_units_that_the_values_contradict_are_refused(radians):
    with pytest.raises(ValueError, match=r'contradict Units.*correct Units'):
        decide_scale(0, 4095, True, units='rad')
    with pytest.raises(ValueError, match='contradict Units'):
        scale_phase(radians * np.float32(0.5), units='rad')
    with pytest.raises(ValueError, match='field map is not taken as phase'):
        decide_scale(-50, 60, False, units='Hz')


@pytest.mark.parametrize(
    ('low', 'high', 'slope', 'message'),
    [
        (7, 7, 1, 'constant'),
        (0, 4095, 1e300, 'far beyond any phase'),
        (0, np.inf, 1, 'not finite'),
        (-0.4, 0.3, 1, 'expected one of: radians from -pi to pi'),
        (0, 300, 1, "set Units to 'rad'"),
    ],
)
def test_other_ranges_are_refused_with_a_reason(low, high, slope, message):
    with pytest.raises(ValueError, match=message):
        decide_scale(low, high, False, slope)


def test_radians_that_fill_half_a_turn_are_taken_and_said_to_be():
    assert 'ends are not reached' in decide_scale(-2.0, 2.5, False).sentence
    with pytest.raises(ValueError, match='expected one of'):
        decide_scale(-2, 3, True)  # whole numbers are no radians


def test_wraps_are_found_in_tissue_with_and_without_noise_around():
    for noise in (0.0, 0.05):
        phase = 3 * scan(echo_times=(0.02,), noise=noise).phase
        turn = find_turn(phase, -3 * PI, 3 * PI)
        assert turn.size == pytest.approx(6 * PI, rel=0.03)
        assert 'pairs of neighbours' in turn.evidence


def test_noise_shows_a_turn_by_filling_it_and_not_by_wraps():
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 40, 40, 40))
    assert wrap_sizes(noise, 2).size < 30
    assert find_turn(noise, -1, 1).size == 2
    peaked = np.random.default_rng(0).standard_normal((2, 40, 40, 40))
    assert find_turn(peaked, peaked.min(), peaked.max()) is None


def test_the_rim_of_a_masked_image_is_no_wrap():
    head = scan(echo_times=(0.02,))
    masked = np.where(head.mask, 1 + 0.1 * head.field, 0)[None]
    assert find_turn(masked, masked.min(), masked.max()) is None
    assert find_turn(masked, 1, 1) is None


def test_smooth_phase_without_wraps_is_not_stretched_to_a_turn():
    small = 0.1 * scan(echo_times=(0.004,), offset=0).field[None]
    with pytest.raises(ValueError, match='expected one of'):
        scale_phase(small)


def test_nothing_finite_is_an_error():
    with pytest.raises(ValueError, match='no finite value'):
        scale_phase(np.full((1, 4, 4, 4), np.nan))


def test_real_and_imaginary_give_phase_and_magnitude():
    phase, magnitude = polar(np.array([[0, -2, 3, 0]]), np.array([[2, 0, 0, -4]], np.int16))
    assert np.allclose(phase, [[PI / 2, PI, 0, -PI / 2]])
    assert np.allclose(magnitude, [[2, 2, 3, 4]])
    with pytest.raises(ValueError, match=r'real image goes from 0 to 2.*store it signed'):
        polar(np.array([[0, 2]]), np.array([[-1, 1]]))


@pytest.fixture(scope='module')
def unwrapped():
    """Phase of five echoes that was never wrapped, with noise in it, and the head."""
    head = scan(noise=0.05)
    plain = np.stack([ppm_to_rad(head.field, head.frequency, te) for te in head.echo_times])
    plain += receive_phase(head.grid)
    return (plain + wrap(head.phase - plain)).astype(np.float32), head


@pytest.mark.parametrize('units', ['rad', 'radians', 'arbitrary', None])
@pytest.mark.parametrize(
    'shift', [0.0, 40 * PI, 2 * PI * np.arange(5)[:, None, None, None]], ids=['', 'all', 'each']
)
@pytest.mark.parametrize('outside', [True, False])
def test_unwrapped_radians_are_wrapped_again_whatever_their_offset(
    unwrapped, units, shift, outside
):
    phase, head = unwrapped
    stored = (phase + shift).astype(np.float32)
    stored = stored if outside else np.where(head.mask, stored, 0)
    radians, scale = scale_phase(stored, units=units)
    assert worst(radians, stored) < 2e-5
    assert 'wrapped again' in scale.sentence
    assert scale.unusual == (units in {'arbitrary', None})


def test_unwrapped_phase_in_another_unit_needs_its_name_and_the_advice_works(unwrapped):
    phase, _ = unwrapped
    for factor, units in ((180 / PI, 'deg'), (1000, 'mrad')):
        with pytest.raises(ValueError, match=r"set Units to 'rad' or 'deg'.*unwrapped or not"):
            scale_phase(phase * np.float32(factor))
        assert worst(scale_phase(phase * np.float32(factor), units=units)[0], phase) < 2e-5
    with pytest.raises(ValueError, match="set Units to 'rad'"):
        scale_phase(phase[-1:])
    assert worst(scale_phase(phase[-1:], units='rad')[0], phase[-1:]) < 2e-5


def test_a_field_map_in_place_of_every_echo_is_none(unwrapped):
    _, head = unwrapped
    field = np.repeat((head.field * head.frequency)[None], 5, axis=0)
    with pytest.raises(ValueError, match='field map'):
        scale_phase(field)
    with pytest.raises(ValueError, match=r'the same value in each.*field map'):
        scale_phase(field, units='rad')


@pytest.mark.parametrize(
    ('factor', 'steps'), [(1, 0), (180 / PI, 0), (1000, 0), (180 / PI, 1), (1000, 1)]
)
def test_a_range_that_is_filled_is_believed_whatever_edges_say(factor, steps):
    x, y, z = np.meshgrid(*(np.arange(48) - 23.5,) * 3, indexing='ij')
    phase = np.zeros((2, 48, 48, 48))
    for level, half in ((1.7, 20), (1.6, 12), (-1.2, 6)):
        box = (abs(x) < half) & (abs(y) < half) & (abs(z) < half)
        phase += box * (level + 0.01 * x + 0.003 * y)
    phase[:, 0, 0, :2] = PI - 1e-4, 1e-4 - PI
    phase = phase.clip(-PI, PI)
    stored = (np.rint(factor * phase) if steps else factor * phase).astype(np.float32)
    edges = Turn(0.6 * 2 * PI * factor, '99 pairs of neighbours differ', wraps=True)
    scale = decide_scale(stored.min(), stored.max(), bool(steps), turn=edges)
    assert scale.slope == pytest.approx(1 / factor)
    radians, scale = scale_phase(stored)
    assert worst(radians, phase) < (1e-5 if not steps else 0.01)
    assert not scale.unusual


def test_known_ranges_of_other_units_contradict_units(radians):
    degrees = np.degrees(radians)
    assert worst(scale_phase(degrees)[0], radians) < 1e-5
    assert worst(scale_phase(np.rint(degrees).astype(np.int16))[0], radians) < 0.01
    for stored, units in ((degrees, 'rad'), (radians, 'deg'), (1000 * radians, 'rad')):
        with pytest.raises(ValueError, match='contradict Units'):
            scale_phase(stored, units=units)


@pytest.mark.parametrize(('dtype', 'low'), [(np.uint16, 0), (np.int16, -32768)])
def test_phase_in_sixteen_bits(radians, dtype, low):
    phase, scale = scale_phase(stored_as(radians, 65536, low, dtype))
    assert worst(phase, radians) < 2e-4
    assert not scale.unusual


def test_each_echo_may_fill_a_range_of_its_own(radians):
    steps = stored_as(radians, 4096, 0, np.int16)
    for stored in (
        np.stack([steps[0], 2 * steps[1] - 4096]),
        np.stack([steps[0].astype(np.float32), radians[1]]),
    ):
        phase, scale = scale_phase(stored)
        assert worst(phase, radians) < 2e-3
        assert 'not stored alike in all echoes' in scale.sentence
        assert scale.unusual
