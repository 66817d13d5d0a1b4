"""Metrics of quality against answers that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.quality import coverage, field, local, signal, susceptibility
from bidsqsm.qsm.quality.maps import Maps, detail_noise
from bidsqsm.qsm.quality.measure import alarms, measure
from bidsqsm.qsm.quality.metric import METRIC_STAGES
from bidsqsm.qsm.quality.metric_table import METRICS, echo_of, metric_of
from bidsqsm.rois.quality import region_metrics

SHAPE, SIZE = (48, 52, 44), (2.0, 1.8, 2.2)
TIMES = (0.004, 0.008, 0.012, 0.016, 0.020)
TILTED = (np.sin(0.4), 0.0, np.cos(0.4))


def places(shape=SHAPE, size=SIZE):
    """Coordinates in mm about the middle."""
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, size, strict=True)]
    return np.meshgrid(*axes, indexing='ij')


def ball(radius, centre=(0, 0, 0)):
    return sum((x - c) ** 2 for x, c in zip(places(), centre, strict=True)) < radius**2


def maps(b0_direction=(0.0, 0.0, 1.0), **images) -> Maps:
    return Maps(grid=Grid(SHAPE, SIZE, b0_direction), echo_times=TIMES, **images)


def noise(sd, seed=0, shape=SHAPE):
    return (sd * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def echoes(sd=0.0):
    """A brain whose signal decays at 20/s, brighter towards the middle, and its noise."""
    x, y, z = places()
    start = 100 * np.exp(-((x / 60) ** 2 + (y / 50) ** 2 + (z / 70) ** 2)) * ball(40)
    clean = np.stack([start * np.exp(-20 * t) for t in TIMES])
    return (clean + noise(sd, shape=clean.shape)).astype(np.float32)


def inside():
    return ball(38)


def test_noise_is_read_off_a_volume_that_varies():
    x, y, z = places()
    volume = 3 * x + 0.02 * y**2 + np.sin(z / 15) + noise(0.5)
    assert detail_noise(volume.astype(np.float32), inside()) == pytest.approx(0.5, rel=0.03)


def test_signal_to_noise_is_that_of_each_echo():
    magnitude = echoes(sd=1.0)
    magnitude[2] += noise(3.0, seed=5)
    found = signal.snr(maps(magnitude=magnitude, brain_mask=inside()))
    for number, echo in enumerate(echoes(), start=1):
        sd = np.hypot(1, 3) if number == 3 else 1
        assert found[f'snr_echo{number}'] == pytest.approx(
            np.median(echo[inside()]) / sd, rel=0.05
        )


def test_contrast_of_the_nuclei_is_over_the_noise():
    nuclei = ball(8, (12, 0, 0))
    magnitude = np.stack([50 * ball(40) + noise(1.0, seed) for seed in range(5)])
    magnitude[:, nuclei] -= 4
    found = signal.cnr(maps(magnitude=magnitude, brain_mask=inside(), nuclei=nuclei))
    assert [found[f'cnr_echo{n}'] for n in range(1, 6)] == pytest.approx([4] * 5, rel=0.08)


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_an_echo_that_moved_shows_by_how_much(axis):
    x, y, z = places()
    texture = 1 + 0.2 * np.sin(x / 5) * np.sin(y / 6) * np.cos(z / 5.5)
    moved = [x, y, z]
    moved[axis] = moved[axis] - 0.5
    beside = 1 + 0.2 * np.sin(moved[0] / 5) * np.sin(moved[1] / 6) * np.cos(moved[2] / 5.5)
    magnitude = np.stack(
        [(beside if n == 2 else texture) * np.exp(-20 * t) for n, t in enumerate(TIMES)]
    ).astype(np.float32)
    still = np.stack([texture * np.exp(-20 * t) for t in TIMES]).astype(np.float32)
    # the middle one of five is off the line through all by 0.8 of its displacement, its
    # neighbours by -0.2
    found = signal.echo_shift(maps(magnitude=magnitude, brain_mask=inside()))
    assert found['echo_shift'] == pytest.approx(0.5, rel=0.1)
    assert signal.echo_shift(maps(magnitude=still, brain_mask=inside()))['echo_shift'] < 0.005


def test_two_echoes_tell_no_displacement():
    two = replace(maps(magnitude=echoes()[:2], brain_mask=inside()), echo_times=TIMES[:2])
    assert signal.echo_shift(two) == {}


def air(ghost=0.0):
    shape = (64, 64, 64)
    x, y, z = places(shape, (3.0, 3.0, 3.0))
    head = 100 * ((x**2 + y**2 + z**2) < 40**2)
    real, imaginary = np.random.default_rng(2).standard_normal((2, *shape))
    magnitude = np.hypot(head + ghost * np.roll(head, 32, axis=1) + real, imaginary)
    grid = Grid(shape, (3.0, 3.0, 3.0))
    return Maps(grid=grid, echo_times=(0.01,), magnitude=magnitude[None].astype(np.float32))


def test_noise_alone_makes_no_ghosts_and_ghosts_do():
    assert signal.ghosting(air())['ghosting'] == pytest.approx(1, abs=0.02)
    assert signal.ghosting(air(ghost=0.05))['ghosting'] > 1.3


def test_air_that_was_set_to_zero_tells_nothing_of_ghosts():
    empty = maps(magnitude=echoes() * ball(38))
    assert np.isnan(signal.ghosting(empty)['ghosting'])


def test_sharpness_is_a_half_for_edges_a_quarter_for_what_is_smooth_and_noise_does_not_change_it():
    x, y, z = (n // 6 for n in np.indices(SHAPE))
    blocks = 100 + 10 * ((x + y + z) % 2)
    smooth = 100 + 5 * np.sin(places()[0] / 12)
    for volume, expected in ((blocks, 0.5), (smooth, 0.25)):
        for sd in (0.0, 0.5):
            magnitude = np.stack([volume + noise(sd, seed) for seed in range(5)]).astype(
                np.float32
            )
            found = signal.sharpness(maps(magnitude=magnitude, brain_mask=inside()))
            assert found['sharpness'] == pytest.approx(expected, abs=0.03)


def test_shares_of_voxels_are_in_percent():
    mask = inside()
    quality = np.where(places()[0] < 0, 0.2, 0.9)
    turned = np.where(places()[0] < 0, 2 * np.pi, 0)
    bright = 100 + np.stack([noise(1.0), noise(1.0, seed=1)])
    found = maps(
        quality=quality,
        unwrapped=np.stack([0 * turned, turned]),
        magnitude=bright,
        brain_mask=mask,
        qsm_mask=mask,
    )
    left = mask & (places()[0] < 0)
    assert field.unreliable_voxels(found)['unreliable_voxels'] == pytest.approx(
        100 * left.sum() / mask.sum()
    )
    rim = mask[23:25].all(axis=0)
    assert field.wraps_left(found)['residual_wraps'] == pytest.approx(200 * rim.sum() / mask.sum())
    # a jump between voxels without signal does not count
    lit = places()[1] < 20
    dark = replace(found, magnitude=np.where(lit, bright, 0.01 * bright))
    assert field.wraps_left(dark)['residual_wraps'] == pytest.approx(
        200 * (rim & lit[23]).sum() / mask.sum(), rel=0.01
    )


def test_field_metrics_have_their_units():
    x, _, _ = places()
    total = (0.01 * x + noise(2e-3)).astype(np.float32)
    found = maps(
        total_field=total,
        noise=np.full(SHAPE, 2e-3, np.float32),
        residual=np.full(SHAPE, 0.02, np.float32),
        brain_mask=inside(),
        qsm_mask=inside(),
    )
    assert field.field_noise(found)['field_noise'] == pytest.approx(2)
    assert field.field_noise_seen(found)['field_noise_seen'] == pytest.approx(2, rel=0.03)
    assert field.fit_residual(found)['fit_residual'] == pytest.approx(2)
    low, high = np.percentile(0.01 * x[inside()], (1, 99))
    assert field.field_range(found)['field_range'] == pytest.approx(high - low, rel=0.02)
    straight = replace(found, total_field=(0.01 * x).astype(np.float32))
    assert field.field_gradient(straight)['field_gradient'] == pytest.approx(10, rel=1e-3)


def test_a_ball_is_not_rough_and_a_bitten_one_is():
    smooth = coverage.mask_roughness(maps(qsm_mask=ball(35)))['mask_roughness']
    frayed = ball(35) & ~(np.random.default_rng(0).random(SHAPE) < 0.05)
    assert abs(smooth) < 0.03
    assert coverage.mask_roughness(maps(qsm_mask=frayed))['mask_roughness'] > 0.1


def test_size_and_what_lies_at_the_edge_of_a_mask():
    mask = ball(38)
    assert coverage.mask_volume(maps(brain_mask=mask))['mask_volume'] == pytest.approx(
        4 / 3 * np.pi * 3.8**3, rel=0.01
    )
    assert coverage.mask_cut(maps(brain_mask=mask))['mask_cut'] == 0
    block = np.zeros(SHAPE, bool)
    block[:10, 5:15, 5:15] = True
    surface = 1000 - 8**3
    assert coverage.mask_cut(maps(brain_mask=block))['mask_cut'] == pytest.approx(
        100 * 100 / surface
    )


def test_a_mask_that_is_too_large_takes_in_dark_and_one_too_small_leaves_bright():
    magnitude = np.stack([100.0 * ball(30) + 1] * 5).astype(np.float32)
    exact, large, small = (
        coverage.mask_brightness(maps(magnitude=magnitude, brain_mask=ball(radius)))
        for radius in (30, 34, 24)
    )
    assert exact == {'mask_dark': 0, 'mask_missed': 0}
    assert large['mask_dark'] == pytest.approx(100 * (1 - ball(30).sum() / ball(34).sum()))
    assert small['mask_missed'] == 100


def test_losses_add_up():
    found = coverage.coverage_lost(maps(brain_mask=ball(38), support=ball(36), qsm_mask=ball(30)))
    kept = 100 * ball(30).sum() / ball(38).sum()
    assert found['lost_to_phase'] == pytest.approx(100 - 100 * ball(36).sum() / ball(38).sum())
    assert sum(found.values()) == pytest.approx(100 - kept)


def test_overlap_is_the_dice_coefficient_with_the_brain_of_the_magnitude():
    one, other = ball(30), ball(30, (8, 0, 0))
    expected = 2 * (one & other).sum() / (one.sum() + other.sum())
    found = coverage.registration_overlap(
        maps(brain_mask=other, magnitude_mask=one, template_mask=other)
    )
    assert found['registration_overlap'] == pytest.approx(expected)


def test_solid_harmonics_are_harmonic_and_of_every_kind():
    step = 0.01
    at = np.random.default_rng(1).uniform(-1, 1, (20, 3))
    values = np.stack([*local.solid_harmonics(at, 6)])
    bent = sum(
        np.stack([*local.solid_harmonics(at + step * sign * axis, 6)])
        for axis in np.eye(3)
        for sign in (-1, 1)
    )
    assert len(values) == 7**2 - 1
    np.testing.assert_allclose((bent - 6 * values) / step**2, 0, atol=0.05 * np.abs(values).max())
    many = np.stack([*local.solid_harmonics(np.random.default_rng(2).uniform(-1, 1, (500, 3)), 6)])
    assert np.linalg.matrix_rank(many) == len(many)


def test_a_field_from_outside_leaks_whole_and_one_from_inside_hardly():
    mask = ball(36)
    shape = (128, 128, 128)
    wide = Grid(shape, SIZE)
    x, y, z = places(shape)
    far = np.exp(-(x**2 + y**2 + (z - 66) ** 2) / 72).astype(np.float32)  # no edge that rings
    cut = tuple(slice(64 - n // 2, 64 - n // 2 + n) for n in SHAPE)
    outside = convolve(far, dipole_kernel(wide))[cut]
    within = field_of(0.1 * ball(6, (10, 5, 0)).astype(np.float32), mask, maps().grid)
    found = maps(local_field=outside, qsm_mask=mask)
    assert local.background_leakage(found)['background_leakage'] > 97
    assert local.edge_excess(found)['edge_excess'] > 1.1
    own = replace(found, local_field=within)
    assert local.background_leakage(own)['background_leakage'] < 5
    assert local.local_field_sd(own)['local_field_sd'] == pytest.approx(1000 * within[mask].std())


@pytest.mark.parametrize('b0_direction', [(0.0, 0.0, 1.0), TILTED])
def test_streaks_are_energy_near_the_cone(b0_direction):
    mask = np.ones(SHAPE, bool)
    chi = noise(0.02)
    grid = Grid(SHAPE, SIZE, b0_direction)
    kernel = dipole_kernel(grid)
    amplified = convolve(chi, np.where(np.abs(kernel) < 0.1, 2, 1).astype(np.float32))
    even, streaky, across = (
        susceptibility.streaking(maps(direction, chi=volume, qsm_mask=mask))['streaking']
        for volume, direction in (
            (chi, b0_direction),
            (amplified, b0_direction),
            (amplified, (0.0, 1.0, 0.0)),
        )
    )
    assert even == pytest.approx(1, abs=0.1)
    assert streaky > 3
    assert across < 0.6 * streaky


def measured(chi, b0_direction, sd):
    """Total field of a map with a background and noise, in ppm."""
    x, y, z = places()
    background = 0.002 * x * y / 30 + 0.01 * z + 0.1
    inner = field_of(chi, ball(40), Grid(SHAPE, SIZE, b0_direction))
    return (inner + background + noise(sd, seed=3)).astype(np.float32)


def scattered():
    chi = np.zeros(SHAPE, np.float32)
    for n, centre in enumerate(np.random.default_rng(4).uniform(-18, 18, (8, 3))):
        chi += (-1) ** n * 0.1 * ball(5, centre)
    return chi


@pytest.mark.parametrize('b0_direction', [(0.0, 0.0, 1.0), TILTED])
def test_a_true_map_is_off_by_the_noise_alone_and_a_wrong_tilt_by_more(b0_direction):
    found = maps(
        b0_direction,
        chi=scattered(),
        total_field=measured(scattered(), b0_direction, 3e-4),
        noise=np.full(SHAPE, 3e-4, np.float32),
        qsm_mask=ball(40),
    )
    true = susceptibility.inversion_misfit(found)
    assert true['misfit_to_noise'] == pytest.approx(1, abs=0.07)
    other = replace(found, grid=Grid(SHAPE, SIZE, (0.0, np.sin(0.4), np.cos(0.4))))
    assert susceptibility.inversion_misfit(other)['misfit_to_noise'] > 2
    half = susceptibility.inversion_misfit(replace(found, chi=0.5 * scattered()))
    assert half['inversion_misfit'] == pytest.approx(50, abs=12)
    none = susceptibility.inversion_misfit(replace(found, chi=np.zeros(SHAPE, np.float32)))
    assert none['inversion_misfit'] == pytest.approx(100, abs=0.1)


def test_a_mask_into_which_no_sphere_fits_tells_no_misfit():
    small = maps(chi=scattered(), total_field=scattered(), qsm_mask=ball(3))
    assert np.isnan(susceptibility.inversion_misfit(small)['inversion_misfit'])


def test_the_sign_shows_in_the_correlation_with_r2star():
    iron = sum(
        (n + 1) * ball(6, centre)
        for n, centre in enumerate([(15, 0, 0), (-15, 0, 0), (0, 16, 0), (0, -16, 5)])
    )
    chi = (0.03 * iron + noise(0.002)).astype(np.float32)
    rate = (20 + 10 * iron + noise(1.0, seed=8)).astype(np.float32)
    found, turned = (
        susceptibility.chi_r2star_correlation(maps(chi=sign * chi, r2star=rate, qsm_mask=ball(40)))
        for sign in (1, -1)
    )
    assert found['chi_r2star_correlation'] > 0.5
    assert turned['chi_r2star_correlation'] < -0.5


def test_spread_and_noise_of_the_map_are_in_ppb():
    found = susceptibility.chi_spread(maps(chi=noise(0.02), qsm_mask=inside()))
    assert found['chi_sd'] == pytest.approx(20, rel=0.02)
    assert found['chi_noise'] == pytest.approx(20, rel=0.03)


def everything() -> Maps:
    mask, chi = ball(38), scattered()
    total = measured(chi, (0.0, 0.0, 1.0), 1e-3)
    return maps(
        magnitude=echoes(sd=0.5),
        unwrapped=np.zeros((5, *SHAPE), np.float32),
        quality=np.ones(SHAPE, np.float32),
        residual=np.full(SHAPE, 0.01, np.float32),
        noise=np.full(SHAPE, 1e-3, np.float32),
        total_field=total,
        local_field=total,
        chi=chi,
        r2star=np.full(SHAPE, 20, np.float32) + noise(1),
        decay_misfit=np.full(SHAPE, 0.01, np.float32),
        brain_mask=mask,
        support=mask,
        qsm_mask=ball(36),
        magnitude_mask=mask,
        template_mask=mask,
        nuclei=ball(8),
    )


def regions():
    import pandas as pd

    rows = [
        (1, 'L', 'putamen', 0.05, 1.0, 'yes'),
        (2, 'R', 'putamen', 0.056, 0.9, 'yes'),
        (3, 'L', 'pallidum', 0.12, 0.8, 'yes'),
        (4, 'R', 'pallidum', 0.11, 1.0, 'no'),
        (1001, 'B', 'putamen', 0.053, 0.95, 'yes'),
        (5, '', 'ventricle', -0.02, 0.1, ''),
    ]
    names = ['index', 'hemisphere', 'structure', 'mean', 'coverage', 'chi_in_range']
    return pd.DataFrame(rows, columns=names)


def test_regions_tell_asymmetry_range_and_coverage():
    assert region_metrics(regions()) == {
        'nuclei_coverage': 80,
        'nuclei_asymmetry': pytest.approx(8),
        'nuclei_in_range': 75,
    }
    assert region_metrics(regions()[5:]) == {}


def test_every_metric_of_the_table_is_measured_and_no_other():
    found = measure(everything()) | region_metrics(regions())
    # one is read off the spectra that the inversion found
    assert {metric_of(key).name for key in found} == {*METRICS} - {'unexplained_field'}
    for key, value in found.items():
        metric = metric_of(key)
        assert metric.per_echo == (echo_of(key) is not None), key
        assert np.isnan(value) or metric.low <= value <= metric.high, key
        assert metric.stage in METRIC_STAGES
        assert metric.about.endswith('.')


def test_what_a_run_has_no_images_for_is_left_out():
    few = measure(maps(magnitude=echoes(sd=0.5), brain_mask=inside()))
    assert {metric_of(key).stage for key in few} == {'acquisition', 'mask'}
    assert [key for key in few if key.startswith('snr')] == [f'snr_echo{n}' for n in range(1, 6)]


def test_the_images_are_left_as_they_were():
    given = everything()
    before = {key: np.copy(value) for key, value in vars(given).items() if hasattr(value, 'dtype')}
    measure(given)
    for key, value in before.items():
        np.testing.assert_array_equal(getattr(given, key), value)


def test_an_alarm_is_one_sentence_with_the_value():
    assert alarms({'snr_echo1': 3.0, 'residual_wraps': 0.1, 'registration_overlap': 0.95}) == []
    (said,) = alarms({'chi_r2star_correlation': -0.4, 'residual_wraps': float('nan')})
    assert 'wrong sign' in said
    assert '-0.4' in said
    assert said.endswith('.')
