"""What readout, receiver and slice order add to the phase is found and removed, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.phase.bipolar import estimate_parity, remove_parity
from bidsqsm.qsm.phase.chopper import alternating_signs, detect_alternation, undo_alternation
from bidsqsm.qsm.phase.filter_check import is_filtered
from bidsqsm.qsm.phase.neighbours import neighbour_phasors
from bidsqsm.qsm.phase.offset import remove_offset
from bidsqsm.qsm.phase.prepare import prepare
from bidsqsm.qsm.phase.smooth import smooth_phase
from bidsqsm.qsm.phase.wrap import wrap
from bidsqsm.qsm.units import (
    hz_to_ppm,
    hz_to_rad,
    imaging_frequency_of,
    ppm_to_hz,
    ppm_to_rad,
    rad_to_hz,
    rad_to_ppm,
)
from helpers.phase_scans import homodyne, receive_phase, scan


def along(grid: Grid, axis: int):
    """Distance from the centre along an axis, in mm."""
    line = (np.arange(grid.shape[axis]) - (grid.shape[axis] - 1) / 2) * grid.voxel_size[axis]
    shape = [-1 if a == axis else 1 for a in range(3)]
    return np.broadcast_to(line.reshape(shape), grid.shape).astype(np.float32)


def field_error(phase, head):
    """Median error of the field (ppb) that each echo gives, a constant apart."""
    errors = []
    for echo, time in zip(phase, head.echo_times, strict=True):
        off = np.exp(1j * (echo - ppm_to_rad(head.field, head.frequency, time)))[head.mask]
        off = np.angle(off * np.conj(off.mean()))
        errors.append(1000 * rad_to_ppm(float(np.median(np.abs(off))), head.frequency, time))
    return np.array(errors)


def test_units_go_there_and_back():
    assert imaging_frequency_of(3.0) == pytest.approx(127.732, abs=1e-3)
    assert ppm_to_hz(0.1, 128.0) == pytest.approx(12.8)
    assert hz_to_rad(25.0, 0.01) == pytest.approx(np.pi / 2)
    assert hz_to_ppm(ppm_to_hz(0.3, 64.0), 64.0) == pytest.approx(0.3)
    assert rad_to_hz(hz_to_rad(7.0, 0.02), 0.02) == pytest.approx(7.0)
    assert rad_to_ppm(ppm_to_rad(-0.2, 123.2, 0.03), 123.2, 0.03) == pytest.approx(-0.2)


def test_wrapping_moves_by_whole_turns_only():
    phase = np.array([-np.pi, 0, 3, 4, -7, 100], np.float32)
    wrapped = wrap(phase)
    assert np.abs(wrapped).max() <= np.float32(np.pi)
    assert np.allclose(np.exp(1j * wrapped), np.exp(1j * phase), atol=1e-5)
    assert np.array_equal(wrapped[:3], phase[:3])


@pytest.mark.parametrize('size', [(3.0, 3.0, 3.0), (1.5, 3.0, 4.0)])
def test_smoothing_keeps_a_smooth_phase_and_removes_noise(size):
    grid = Grid((60, 50, 40), size)
    inside = sum((along(grid, a) / (0.45 * grid.shape[a] * size[a])) ** 2 for a in range(3)) < 1
    truth = 3 * receive_phase(grid) + 0.04 * along(grid, 1)
    random = np.random.default_rng(0)
    noisy = wrap((truth + 0.5 * random.standard_normal(grid.shape)).astype(np.float32))
    smooth = smooth_phase(noisy, inside.astype(np.float32), grid, 7.0)
    error = np.abs(wrap(smooth - truth))[inside]
    assert np.median(error) < 0.06
    assert np.percentile(error, 99) < 0.3


def test_smoothing_is_the_same_whatever_the_phase_was_wrapped_to():
    grid = Grid((30, 30, 30), (2.0, 2.0, 2.0))
    phase, weight = 4 * receive_phase(grid), np.ones(grid.shape, np.float32)
    turned = smooth_phase(wrap(phase + np.float32(2)), weight, grid, 6.0)
    assert np.abs(wrap(turned - 2 - smooth_phase(phase, weight, grid, 6.0))).max() < 1e-4


def test_smoothing_knows_a_phase_far_from_the_head():
    grid = Grid((40, 20, 20), (3.0, 3.0, 3.0))
    weight = np.zeros(grid.shape, np.float32)
    weight[:8] = 1
    smooth = smooth_phase(np.full(grid.shape, 1.5, np.float32), weight, grid, 6.0)
    assert np.allclose(smooth, 1.5, atol=1e-4)
    with pytest.raises(ValueError, match='no voxel has any signal'):
        smooth_phase(smooth, np.zeros_like(weight), grid, 6.0)


def test_neighbour_phasors_measure_the_slope():
    grid = Grid((20, 22, 24), (1.0, 1.0, 1.0))
    phase = wrap(0.3 * along(grid, 0) - 2.5 * along(grid, 1) + 1.0 * along(grid, 2))
    ones = np.ones(grid.shape, np.float32)
    sums, total = neighbour_phasors(phase, None, 0.0, ones)
    assert np.allclose(np.angle(sums), [0.3, -2.5, 1.0], atol=1e-4)
    assert np.allclose(np.abs(sums), total)
    assert total[0] == 19 * 22 * 24
    rest, _ = neighbour_phasors(phase, wrap(phase / 2), 2.0, ones, step=2)
    assert np.abs(np.angle(rest[0])) < 1e-3


@pytest.mark.parametrize(
    ('axes', 'echoes', 'start'), [((2,), 2, 1), ((2,), 1, -1), ((0,), 2, -1), ((0, 1, 2), 2, 1)]
)
def test_alternating_slices_are_found_and_undone(axes, echoes, start):
    plain = scan(echo_times=(0.006, 0.012)[:echoes], noise=0.03)
    chopped = plain.with_signal(start * alternating_signs(plain.grid.shape, axes) * plain.complex)
    found = detect_alternation(chopped.phase, chopped.magnitude, chopped.echo_times)
    assert found.axes == axes
    even = undo_alternation(chopped.phase, found.axes)
    assert np.abs(wrap(even - plain.phase - (0 if start > 0 else np.pi))).max() < 1e-4


@pytest.mark.parametrize('slope', [0.0, 1.5, 2.4, 3.0])
def test_a_steep_field_is_no_alternation(slope):
    head = scan(echo_times=(0.004, 0.008), noise=0.03)
    ramp = np.exp(1j * slope * along(head.grid, 2) / 3 * np.array([1, 2]).reshape(2, 1, 1, 1))
    steep = head.with_signal(head.complex * ramp)
    assert detect_alternation(steep.phase, steep.magnitude, steep.echo_times).axes == ()


def test_noise_is_no_alternation():
    noise = scan(noise=0.5)
    random = np.random.default_rng(0).uniform(-np.pi, np.pi, noise.phase.shape)
    found = detect_alternation(random.astype(np.float32), noise.magnitude, noise.echo_times)
    assert found.axes == ()


@pytest.mark.parametrize('field_strength', [1.5, 3.0, 7.0])
@pytest.mark.parametrize('offset', [0.0, 1.5])
def test_filtered_phase_is_told_from_measured_phase(field_strength, offset):
    for echo_times in ((0.02,), (0.01, 0.02)):
        raw = scan(echo_times, field_strength, offset, noise=0.02)
        found, sentence = is_filtered(raw.phase, raw.magnitude, raw.mask, echo_times, raw.grid)
        assert not found, sentence
        for lines in (24, 40):
            swi = raw.with_signal(homodyne(raw.complex, lines))
            found, sentence = is_filtered(swi.phase, swi.magnitude, swi.mask, echo_times, swi.grid)
            assert found, (lines, sentence)


@pytest.mark.parametrize('echo_times', [(0.006,), (0.003, 0.006, 0.009)])
@pytest.mark.parametrize('noise', [0.0, 0.05])
def test_little_phase_at_low_field_is_not_called_filtered(echo_times, noise):
    raw = scan(echo_times, 1.5, offset=0.0, noise=noise)
    found, sentence = is_filtered(raw.phase, raw.magnitude, raw.mask, echo_times, raw.grid)
    assert not found, sentence


def test_no_phase_at_all_is_not_called_filtered():
    head = scan((0.01,))
    found, sentence = is_filtered(
        0 * head.phase, head.magnitude, head.mask, head.echo_times, head.grid
    )
    assert not found
    assert 'cannot be told' in sentence


@pytest.mark.parametrize(
    'echo_times', [(0.004, 0.008), (0.004, 0.008, 0.012), (0.0031, 0.0085, 0.0132, 0.02)]
)
def test_the_receive_phase_is_removed_and_the_field_kept(echo_times):
    head = scan(echo_times, offset=4.0)
    phase, offset, facts = remove_offset(
        head.phase, head.magnitude, head.mask, echo_times, head.grid
    )
    assert (field_error(phase, head) < 4).all()
    assert field_error(head.phase, head)[0] > 100
    truth = receive_phase(head.grid, 4.0)
    difference = np.exp(1j * (offset - truth))[head.mask]
    assert abs(difference.mean()) > 0.999
    assert facts.removed
    assert facts.echoes == (1, 2)


def test_an_echo_alone_keeps_its_receive_phase():
    head = scan((0.01,))
    phase, offset, facts = remove_offset(
        head.phase, head.magnitude, head.mask, head.echo_times, head.grid
    )
    assert np.array_equal(phase, head.phase)
    assert not offset.any()
    assert not facts.removed


def test_a_local_field_does_not_leak_into_the_receive_phase():
    head = scan(offset=0.0)
    _, offset, _ = remove_offset(head.phase, head.magnitude, head.mask, head.echo_times, head.grid)
    assert np.percentile(np.abs(offset[head.mask]), 99) < 1e-3


TERMS = [(0.5, (0.0, 0.012, 0.0)), (-1.2, (0.02, 0.0, -0.03)), (0.0, (0.0, -0.002, 0.0))]


@pytest.mark.parametrize(('constant', 'gradient'), TERMS)
@pytest.mark.parametrize('echo_times', [(0.004, 0.008, 0.012), (0.003, 0.0085, 0.013, 0.02)])
def test_the_readout_phase_is_measured_and_removed(constant, gradient, echo_times):
    plain = scan(echo_times, noise=0.02)
    parity = constant + sum(g * along(plain.grid, a) for a, g in enumerate(gradient))
    head = scan(echo_times, noise=0.02, parity=parity)
    term = estimate_parity(head.phase, head.magnitude, head.mask, echo_times, head.grid)
    assert term.found
    assert np.allclose(term.plane.gradient, gradient, atol=2e-4)
    removed = remove_parity(head.phase, term)
    odd, even = np.exp(1j * (removed - plain.phase))[:2]
    assert abs(np.angle((odd * even.conj())[head.mask].mean())) < 0.03
    assert abs((odd * even.conj())[head.mask].mean()) > 0.99


@pytest.mark.parametrize('noise', [0.0, 0.05, 0.3])
def test_no_readout_phase_is_seen_where_there_is_none(noise):
    head = scan(noise=noise)
    term = estimate_parity(head.phase, head.magnitude, head.mask, head.echo_times, head.grid)
    assert not term.found
    assert 'No readout phase' in term.sentence


def test_a_first_echo_that_differs_from_all_others_is_no_readout_phase():
    head = scan()
    phase = head.phase.copy()
    phase[0] = wrap(phase[0] + 0.01 * along(head.grid, 0))
    term = estimate_parity(phase, head.magnitude, head.mask, head.echo_times, head.grid)
    assert not term.found
    assert 'does not alternate' in term.sentence


def test_everything_together_leaves_the_field():
    plain = scan(offset=2.0)
    parity = 0.6 + 0.01 * along(plain.grid, 1)
    head = scan(offset=2.0, parity=parity)
    chopped = head.with_signal(head.complex * alternating_signs(head.grid.shape, (2,)))
    done = prepare(chopped.phase, chopped.magnitude, None, head.echo_times, head.grid)
    assert (field_error(done.phase, head) < 1).all()
    assert all(term.removed for term in (done.alternation, done.bipolar, done.offset))
    assert not done.filtered.found
    assert done.warnings == []
    assert np.abs(done.phase).max() < np.pi + 1e-5


@pytest.mark.parametrize(
    'kept', [(1, 3, 4, 5), (2, 3, 5), (1, 2, 4), (1, 3, 4), (1, 4, 5), (1, 3, 5)]
)
@pytest.mark.parametrize(
    ('unequal', 'numbered'),
    [(False, True), (False, False), (True, True)],
    ids=['numbers', 'times', 'numbers of unequal echoes'],
)
def test_missing_echoes_of_a_bipolar_readout_turn_no_sign(kept, unequal, numbered):
    """Parity goes by the number of an echo, or its time; never by its place among those that are left."""
    times = (
        (0.003, 0.0068, 0.0095, 0.0138, 0.0162)
        if unequal
        else tuple(0.003 * n for n in range(1, 6))
    )
    plain = scan(times, noise=0.02)
    head = scan(times, noise=0.02, parity=0.4 + 0.02 * along(plain.grid, 1))
    index = [n - 1 for n in kept]
    done = prepare(
        head.phase[index],
        head.magnitude[index],
        None,
        [times[n] for n in index],
        head.grid,
        offset='no',
        echo_numbers=kept if numbered else (),
    )
    # what is left in common is an offset of all echoes
    off = np.exp(1j * (done.phase - plain.phase[index]))[:, head.mask]
    apart = [np.angle((echo * off[0].conj()).mean()) for echo in off[1:]]
    assert np.abs(apart).max() < 0.03
    assert min(abs((echo * off[0].conj()).mean()) for echo in off[1:]) > 0.99
    assert done.bipolar.removed == (kept != (1, 3, 5))


def test_each_step_can_be_forced_or_left_out():
    head = scan((0.004, 0.008, 0.012))
    args = head.phase, head.magnitude, head.mask, head.echo_times, head.grid
    left = prepare(*args, alternation='no', bipolar='no', offset='no')
    assert np.array_equal(left.phase, head.phase)
    assert not any(term.removed for term in (left.alternation, left.bipolar, left.offset))
    forced = prepare(*args, alternation='yes', bipolar='yes', offset='no')
    assert forced.alternation.axes == (2,)
    assert forced.bipolar.removed
    assert 'x, y, z' in forced.bipolar.sentence


def test_two_bipolar_echoes_are_warned_about():
    head = scan((0.004, 0.008))
    done = prepare(
        head.phase, head.magnitude, head.mask, head.echo_times, head.grid, readout='bipolar'
    )
    assert 'fewer than three echoes' in done.warnings[0]


def test_data_that_contradicts_the_metadata_is_warned_about():
    head = scan()
    head = scan(parity=0.02 * along(head.grid, 0))
    done = prepare(
        head.phase, head.magnitude, None, head.echo_times, head.grid, readout='monopolar'
    )
    assert 'says monopolar readout, the data bipolar' in done.warnings[0]
    assert done.bipolar.removed


def test_unknown_voxels_spread_to_no_others():
    head = scan(noise=0.01)
    holed = head.phase.copy()
    holed[2, 30, 35, 30] = np.nan
    args = head.magnitude, head.mask, head.echo_times, head.grid
    done, whole = prepare(holed, *args), prepare(head.phase, *args)
    assert 'not finite' in done.warnings[0]
    assert np.isfinite(done.phase).all()
    apart = np.abs(wrap(done.phase - whole.phase)) > 0.01
    assert apart.sum() <= len(head.phase)


def test_shapes_times_and_masks_that_do_not_fit_are_refused():
    head = scan((0.004, 0.008))
    with pytest.raises(ValueError, match='do not fit'):
        prepare(head.phase, head.magnitude[:1], None, head.echo_times, head.grid)
    with pytest.raises(ValueError, match='positive and ascending'):
        prepare(head.phase, head.magnitude, None, (0.008, 0.004), head.grid)
    with pytest.raises(ValueError, match='mask is empty'):
        prepare(head.phase, head.magnitude, head.mask & False, head.echo_times, head.grid)
    with pytest.raises(ValueError, match='zero everywhere'):
        prepare(head.phase, 0 * head.magnitude, None, head.echo_times, head.grid)
