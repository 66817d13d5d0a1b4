"""The simulated head obeys the physics that the app inverts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.demo.simulate import scan_affine, simulate, subject_anatomy
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.phantom import tissue
from bidsqsm.qsm.phantom.field_simulation import dipole_field, fit_shim, harmonics, subtract_shim
from bidsqsm.qsm.phantom.head import make_head
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LABELS, NUCLEUS_VALUES
from bidsqsm.qsm.phantom.signal_simulation import (
    Sequence,
    acquire,
    noiseless_echo,
    receive_profiles,
)

CLEAN = Sequence(snr=np.inf)
TURN = 2 * np.pi * 42.577478518 * 3.0  # rad per ppm and second


@pytest.mark.parametrize('direction', [(0.0, 0.0, 1.0), (0.0, 0.6, 0.8)])
def test_the_field_of_a_ball_is_that_of_a_dipole(direction):
    grid = Grid((96, 112, 96), (2.0, 2.0, 2.0), direction)
    at = np.stack(np.meshgrid(*(2.0 * (np.arange(n) - n // 2) for n in grid.shape), indexing='ij'))
    away = np.sqrt((at**2).sum(0))
    ball = np.clip((16 - away) / 2 + 0.5, 0, 1).astype(np.float32)
    field = dipole_field(ball, grid)
    cosine = np.tensordot(direction, at, 1) / np.maximum(away, 1)
    radius3 = 3 * ball.sum(dtype=float) * 8 / (4 * np.pi)
    expected = radius3 / 3 / np.maximum(away, 1) ** 3 * (3 * cosine**2 - 1)
    ring = (away > 22) & (away < 44)
    np.testing.assert_allclose(field[ring], expected[ring], atol=0.02)
    slope = (field[ring] @ expected[ring]) / (expected[ring] @ expected[ring])
    assert slope == pytest.approx(1, abs=0.01)
    inside = field[away < 11]
    assert abs(inside).max() < 0.02, 'the Lorentz sphere is part of the kernel'


def test_the_shim_takes_off_what_it_can_make(small_head):
    head = small_head.head
    world = np.stack(head.coordinates_in_mm(), -1)
    wanted = np.random.default_rng(0).normal(0, 1, 9)
    field = (harmonics(world / 100) @ wanted).astype(np.float32)
    found = fit_shim(field, head.mask, head.affine)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    subtract_shim(field, found, head.affine)
    assert abs(field).max() < 1e-3


def test_phase_grows_with_the_field_and_the_echo_time(small_head):
    head = small_head.head
    first, second = (noiseless_echo(head, t) for t in (0.004, 0.008))
    grown = np.angle(second * np.conj(first))
    expected = TURN * 0.004 * head.total_field
    error = np.abs(np.angle(np.exp(1j * (grown - expected))))[head.white_matter]
    assert np.median(error) < 2e-3
    assert np.percentile(error, 95) < 0.05


def test_the_offset_of_the_receive_chain_comes_on_top(small_head):
    head = small_head.head
    echoes = [e[0] for e in acquire(head, CLEAN, seed=3)]
    offset = receive_profiles(head, CLEAN, seed=3)[0]
    assert np.ptp(np.angle(offset)[head.mask]) > 0.3
    for echo, time in zip(echoes, CLEAN.echo_times, strict=True):
        np.testing.assert_allclose(echo, noiseless_echo(head, time) * offset, rtol=1e-5)


def test_background_is_harmonic_in_the_brain(small_head):
    """Total less local field has no source in the brain: its Laplacian vanishes there."""
    head = small_head.head
    core = ndimage.binary_erosion(head.mask, iterations=3)
    background = ndimage.laplace(np.where(head.mask, head.total_field - head.local_field, 0))
    total = ndimage.laplace(np.where(head.mask, head.total_field, 0))
    assert np.std(background[core]) < 0.2 * np.std(total[core])


def test_the_local_field_is_that_of_chi_in_the_mask(small_head):
    head = small_head.head
    centred = np.where(head.mask, head.chi - head.chi[head.mask].mean(), 0).astype(np.float32)
    padded = head.grid.padded(60.0)
    volume = np.zeros(padded.shape, np.float32)
    inside = tuple(slice(n) for n in head.grid.shape)
    volume[inside] = centred
    field = dipole_field(volume, padded)[inside][head.mask]
    local = head.local_field[head.mask]
    assert np.corrcoef(field, local)[0, 1] > 0.99
    assert (field @ local) / (local @ local) == pytest.approx(1, abs=0.05)


def test_sinuses_and_ears_disturb_the_field(small_head):
    head = small_head.head
    total = head.total_field[head.mask]
    assert 1 < np.ptp(total) < 12
    assert np.std(total) > 5 * np.std(head.local_field[head.mask])
    _, y, z = head.coordinates_in_mm()
    low = head.mask & (z < -20) & (y > -30)  # inferior frontal and temporal lobes
    high = head.mask & (z > 30)
    assert np.std(head.total_field[low]) > 2 * np.std(head.total_field[high])


def test_every_structure_is_there_with_its_susceptibility(small_head):
    head = small_head.head
    assert set(np.unique(head.labels)) - {0} >= {*NUCLEUS_VALUES, 20, 21, 22, 23}
    assert not head.labels[~head.mask].any()
    mean = {name: head.chi[head.labels == v].mean() for v, name in LABELS.items() if v < 25}
    assert mean['left_pallidum'] == pytest.approx(0.125, abs=0.03)
    assert mean['white_matter'] < -0.015 < 0.005 < mean['gray_matter']
    assert mean['vein'] > 0.08
    assert mean['calcification'] < -0.05
    assert abs(mean['left_putamen'] - mean['right_putamen']) < 0.01


def test_left_is_where_x_is_negative(small_head):
    x, _, _ = small_head.head.coordinates_in_mm()
    x = np.broadcast_to(x, small_head.head.grid.shape)
    for value, name in LABELS.items():
        if name.startswith(('left', 'right')):
            sign = -1 if name.startswith('left') else 1
            assert (sign * x[small_head.head.labels == value]).mean() > 0, name


def test_tilting_the_volume_leaves_the_head_in_the_world(small_head):
    upright = small_head.head
    subject, tilts = Subject(), [('x', 20.0), ('y', 15.0)]
    affine = scan_affine(upright.grid.shape, upright.grid.voxel_size, tilts)
    anatomy = subject_anatomy(subject, upright.grid.voxel_size)
    tilted = make_head(anatomy, subject, upright.grid.shape, affine)
    np.testing.assert_allclose(tilted.grid.b0_direction, affine[2, :3] / 3, atol=1e-9)
    assert abs(tilted.grid.b0_direction[0]) > 0.2
    for name in ('chi', 'local_field', 'total_field', 'r2star'):
        seen = _resampled(getattr(tilted, name), affine, upright.affine, upright.grid.shape)
        core = ndimage.binary_erosion(upright.mask, iterations=3)
        found = np.corrcoef(seen[core], getattr(upright, name)[core])[0, 1]
        assert found > 0.9, f'{name}: {found}'


def _resampled(volume, affine, onto, shape):
    way = np.linalg.inv(affine) @ onto
    return ndimage.affine_transform(volume, way[:3, :3], way[:3, 3], shape, order=1)


def test_coils_see_one_signal_through_their_own_profiles(small_head):
    head = small_head.head
    sequence = replace(CLEAN, coils=4, echo_times=(0.004,))
    profiles = receive_profiles(head, sequence, seed=1)
    (echo,) = acquire(head, sequence, seed=1)
    assert echo.shape == (4, *head.grid.shape)
    np.testing.assert_allclose(echo / profiles, np.stack([echo[0] / profiles[0]] * 4), rtol=1e-3)
    assert np.abs(np.angle(profiles[0] / profiles[1])[head.mask]).max() > 0.5


def test_bipolar_echoes_differ_by_a_ramp_along_the_readout(small_head):
    head = small_head.head
    plain = [e[0] for e in acquire(head, CLEAN)]
    forth = [e[0] for e in acquire(head, replace(CLEAN, bipolar=True))]
    turn = [np.angle(a * np.conj(b)) for a, b in zip(forth, plain, strict=True)]
    line = [t[32, 30:42, 34] for t in turn]
    np.testing.assert_allclose(line[0], -line[1], atol=1e-4)
    np.testing.assert_allclose(np.diff(line[0]), np.diff(line[0])[0], atol=1e-4)
    assert abs(np.diff(line[0])[0]) > 0.005
    assert np.ptp(turn[0][28:36, 36, 34]) < 1e-3, 'none across the readout'


def test_noise_has_the_wanted_size(small_head):
    head = small_head.head
    times = (0.004,)
    (clean,) = acquire(head, replace(CLEAN, echo_times=times))
    (noisy,) = acquire(head, Sequence(echo_times=times, snr=20.0))
    white = head.white_matter
    noise = (noisy - clean)[0]
    snr = np.abs(clean[0][white]).mean() / noise.real.std()
    assert snr == pytest.approx(20, rel=0.02)
    assert noise.imag.std() == pytest.approx(noise.real.std(), rel=0.02)


def test_the_same_seed_makes_the_same_head_and_another_does_not():
    size, shape = (7.0, 6.0, 8.0), (27, 37, 25)
    one, again, other = (simulate(size, shape=shape, subject=Subject(n)) for n in (0, 0, 1))
    np.testing.assert_array_equal(again.phase, one.phase)
    np.testing.assert_array_equal(again.head.chi, one.head.chi)
    assert (other.head.mask != one.head.mask).mean() > 1e-3


def test_iron_grows_with_age_and_disease():
    for name in ('caudate', 'putamen', 'pallidum', 'dentate_nucleus'):
        assert tissue.nucleus_chi(name, 70) > tissue.nucleus_chi(name, 30), name
    healthy = tissue.nucleus_chi('substantia_nigra', 60)
    ill = tissue.nucleus_chi('substantia_nigra', 60, 'parkinson')
    assert ill - healthy == pytest.approx(0.035)
    assert tissue.nucleus_chi('putamen', 60, 'parkinson') == tissue.nucleus_chi('putamen', 60)


def test_relaxation_follows_iron_and_field():
    little, much = tissue.nucleus(0.04), tissue.nucleus(0.13)
    assert much.r2star(3.0) - little.r2star(3.0) == pytest.approx(140 * 0.09)
    assert much.r2star(7.0) - much.r2 == pytest.approx(7 / 3 * (much.r2star(3.0) - much.r2))


@pytest.mark.parametrize(
    ('settings', 'says'),
    [
        ({'echo_times': (4.0, 8.0)}, 'seconds'),
        ({'echo_times': (0.008, 0.004)}, 'ascending'),
        ({'echo_times': ()}, 'ascending'),
        ({'snr': 0.0}, 'SNR'),
        ({'coils': -1}, 'coils'),
    ],
)
def test_a_sequence_that_cannot_be_played_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Sequence(**settings)


def test_unknown_people_are_refused():
    with pytest.raises(ValueError, match='there are: F, M'):
        Subject(sex='X')
    with pytest.raises(ValueError, match='there are: control, parkinson'):
        tissue.nucleus_chi('putamen', 50, 'flu')
