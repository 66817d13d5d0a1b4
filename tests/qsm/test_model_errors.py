"""What disturbs the simulated head: each effect by its known answer, and nothing else with it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import special

from bidsqsm.demo.simulate import head_pose, scan_affine, simulate, subject_anatomy
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phantom.blood_flow import BloodFlow
from bidsqsm.qsm.phantom.disturbance import disturb
from bidsqsm.qsm.phantom.fibres import Fibres, make_fibres
from bidsqsm.qsm.phantom.fourier_voxels import truncate
from bidsqsm.qsm.phantom.head import make_head
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.kspace_errors import (
    Encoding,
    breath,
    cosine_filter,
    displaced,
    kspace_factor,
    line_phase,
    through_kspace,
)
from bidsqsm.qsm.phantom.model_errors import MODEL_ERRORS, PEOPLE, ModelErrors, model_errors
from bidsqsm.qsm.phantom.myelin_water import myelin_phase
from bidsqsm.qsm.phantom.receive_errors import open_fringe
from bidsqsm.qsm.phantom.signal_simulation import Sequence, acquire, error_field, noiseless_echo
from bidsqsm.qsm.phantom.unexplained_field import unexplained_field
from bidsqsm.qsm.phantom.white_matter_fields import (
    anisotropic_field,
    exchange_shift,
    lorentz_shift,
)

CLEAN = Sequence(echo_times=(0.005, 0.015), snr=np.inf)
SIZE = (3.0, 3.0, 3.0)
SHAPE = (64, 72, 64)
TURN = 2 * np.pi * 42.577478518 * 3.0  # rad per ppm and second


def disturbance(scan, errors, *, seed=5, sequence=CLEAN):
    subject = Subject()
    anatomy = subject_anatomy(subject, SIZE)
    times, readout = sequence.echo_times, sequence.readout
    return disturb(errors, scan.head, anatomy, subject, times, readout, seed)


def echoes_of(scan, errors, *, seed=5):
    found = acquire(scan.head, CLEAN, 3, disturbance(scan, errors, seed=seed))
    return np.concatenate(list(found))


@pytest.fixture(scope='module')
def plain(small_head):
    return np.concatenate(list(acquire(small_head.head, CLEAN, 3)))


def test_errors_of_no_size_change_nothing(small_head, plain):
    found = echoes_of(small_head, ModelErrors())
    np.testing.assert_allclose(found, plain, atol=1e-6)


#: What errors leave as it is, and which they are
KEPT = {
    'magnitude': {'anisotropy', 'lorentz', 'myelin', 'exchange', 'unexplained', 'slice_offsets'},
    'outside the brain': {'lorentz', 'myelin', 'exchange', 'unexplained'},
    'inside the brain': {'marrow'},
    'between echoes': {'fringe', 'slice_offsets'},
}


@pytest.mark.parametrize('name', MODEL_ERRORS)
def test_a_switch_changes_what_it_is_for_and_nothing_else(name, small_head, plain):
    found = echoes_of(small_head, model_errors('plain', [name]))
    mask = small_head.head.mask
    changes = {
        'magnitude': abs(found) - abs(plain),
        'outside the brain': (found - plain)[:, ~mask],
        'inside the brain': (found - plain)[:, mask],
        'between echoes': found[1] * plain[0] - found[0] * plain[1],
    }
    assert abs(found - plain).max() > 1e-3
    for what, change in changes.items():
        assert (abs(change).max() < 1e-5) == (name in KEPT[what]), what


def test_the_truth_is_that_of_the_head_without_errors(small_head):
    before = small_head.head.chi.copy(), small_head.head.total_field.copy()
    echoes_of(small_head, PEOPLE)
    np.testing.assert_array_equal(small_head.head.chi, before[0])
    np.testing.assert_array_equal(small_head.head.total_field, before[1])


def test_the_same_seed_means_the_same_bits_on_any_number_of_threads(small_head):
    with threads(1):
        first = echoes_of(small_head, PEOPLE)
    with threads(2):
        np.testing.assert_array_equal(echoes_of(small_head, PEOPLE), first)
    other = echoes_of(small_head, PEOPLE, seed=6)
    assert abs(other - first).max() > 1e-3


def test_the_error_field_is_what_a_fit_over_the_echoes_finds(small_head):
    made = disturbance(small_head, ModelErrors(exchange=0.01, unexplained=0.1))
    found = error_field(small_head.head, CLEAN, made)
    mask = small_head.head.mask
    np.testing.assert_allclose(found[mask], made.field[mask], atol=1e-6)
    assert not found[~mask].any()


def test_people_break_the_model_several_times_as_much(small_head):
    made = disturbance(small_head, PEOPLE)
    head = small_head.head
    wrong = error_field(head, CLEAN, made)
    before, after = (cone_power(f, head) for f in (head.local_field, head.local_field + wrong))
    assert after > 6 * before


def cone_power(field, head):
    k = head.grid.frequencies()
    k2 = sum(q * q for q in k)
    k2[0, 0, 0] = 1
    near = abs(1 / 3 - k[2] ** 2 / k2) < 0.03
    part = near & (k2 > 0.03**2) & (k2 < 0.12**2)
    return (abs(np.fft.rfftn(field * head.mask)) ** 2)[part].mean()


def test_an_anatomy_in_another_volume_has_the_same_fibres():
    subject = Subject()
    anatomy = subject_anatomy(subject, SIZE)
    found = []
    for tilts, nods in (((), ()), ((('x', 30.0),), ()), ((), (('x', 30.0),))):
        affine = scan_affine(SHAPE, SIZE, tilts)
        pose = head_pose(nods)
        head = make_head(anatomy, subject, SHAPE, affine, pose=pose)
        fibres = make_fibres(head, anatomy, subject, pose)
        length = np.linalg.norm(fibres.direction, axis=0)
        np.testing.assert_allclose(length[head.mask], 1, atol=1e-5)
        assert not length[~head.mask].any()
        sine2 = fibres.sine2(head.grid.b0_direction)
        found.append((sine2 * fibres.white).sum() / fibres.white.sum())
    upright, tilted, nodding = found
    assert tilted == pytest.approx(upright, abs=0.01), 'fibres and field turn together'
    assert abs(nodding - upright) > 0.02, 'a head that nods turns its fibres in the field'


def test_fibres_cross_the_midline_and_rise_through_the_stem(small_head):
    subject = Subject()
    anatomy = subject_anatomy(subject, SIZE)
    head = small_head.head
    fibres = make_fibres(head, anatomy, subject, None)
    at = np.stack([np.broadcast_to(c, head.grid.shape) for c in head.coordinates_in_mm()])
    x, y, z = at
    white = fibres.white > 0.7
    callosal = white & (abs(x) < 5) & (abs(y) < 25) & (z > 5)
    stem = (fibres.white > 0.3) & (np.hypot(x, y + 28) < 12) & (z < -30)
    assert stem.sum() > 10
    assert np.mean(fibres.direction[0][callosal] ** 2) > 0.6
    assert np.mean(fibres.direction[2][stem] ** 2) > 0.45  # of any direction it is a third


@pytest.mark.parametrize(
    ('angle', 'inside'), [(0.0, 2 / 9), (45.0, 5 / 36), (90.0, 1 / 18)], ids=['0', '45', '90']
)
def test_the_field_of_a_bundle_of_anisotropic_fibres(angle, inside):
    # a long cylinder whose fibres run along it: b u / 3 - b u / 2 across its axis
    grid = Grid((120, 40, 120), (1.0, 1.0, 1.0))
    axis = np.array([np.sin(np.deg2rad(angle)), 0.0, np.cos(np.deg2rad(angle))])
    at = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in grid.shape), indexing='ij'), -1)
    along = at @ axis
    away = np.sqrt(np.maximum((at**2).sum(-1) - along**2, 0))
    white = (np.clip(5.5 - away, 0, 1) * (abs(along) < 55)).astype(np.float32)
    direction = np.multiply.outer(axis, np.ones(grid.shape)).astype(np.float32)
    field = anisotropic_field(0.1, Fibres(direction, white, 0 * white), grid, margin=40)
    core = (away < 3) & (abs(along) < 10)
    assert field[core].mean() == pytest.approx(0.1 * inside, abs=0.1 * 0.012)


def test_an_isotropic_tensor_would_have_no_field():
    grid = Grid((16, 16, 16), (1.0, 1.0, 1.0))
    random = np.random.default_rng(0)
    direction = random.standard_normal((3, *grid.shape)).astype(np.float32)
    direction /= np.linalg.norm(direction, axis=0)
    white = np.ones(grid.shape, np.float32)
    one = anisotropic_field(0.02, Fibres(direction, white, white), grid)
    two = anisotropic_field(0.01, Fibres(direction, white, white), grid)
    np.testing.assert_allclose(one, 2 * two, atol=1e-7)
    assert not anisotropic_field(0.02, Fibres(direction, 0 * white, white), grid).any()


def test_water_between_cylinders_is_shifted_by_the_angle():
    grid = Grid((3, 1, 1), (1.0, 1.0, 1.0))
    direction = np.zeros((3, 3, 1, 1), np.float32)
    direction[2, 0] = direction[0, 1] = 1  # along the field, across it
    direction[:, 2, 0, 0] = np.sqrt([2 / 3, 0, 1 / 3])  # at the magic angle
    white = np.ones((3, 1, 1), np.float32)
    fibres = Fibres(direction, white, white / 2)
    shift = lorentz_shift(0.06, fibres, grid).ravel()
    np.testing.assert_allclose(shift, [0.02, -0.01, 0], atol=1e-7)
    np.testing.assert_allclose(exchange_shift(0.01, fibres).ravel(), 0.0125)


def test_the_frequency_of_hollow_cylinders_moves_with_the_echo_time():
    across, along, white = np.ones(1), np.zeros(1), np.ones(1)

    def shift(sine2, time):
        return 1000 * myelin_phase(0.1, sine2, white, TURN * time, time)[0] / (TURN * time)

    # late: the axon's 3/4 chi ln(1/g), by its share of the water outside the sheath
    late = -75 * np.log(1 / 0.8) * 0.32 / 0.82
    assert shift(across, 0.08) == pytest.approx(late, abs=0.3)
    # at once: the mean over all water
    c = 0.25 - 1.5 * 0.64 / 0.36 * np.log(1 / 0.8)
    sheath = -50 * (2 / 3 - 1) - 50 * (c - 1 / 3) + 20
    axon = -75 * np.log(1 / 0.8)
    first = (0.32 * axon + 0.126 * sheath) / (0.32 + 0.126 + 0.5)
    assert shift(across, 1e-4) == pytest.approx(first, abs=0.1)
    assert first > 0 > late
    assert abs(shift(along, 0.08)) < 0.3, 'fibres along the field have no such shift'
    assert not myelin_phase(0.1, across, 0 * white, TURN * 0.02, 0.02).any()


def test_the_unexplained_field_has_a_share_of_the_spectrum_of_the_tissue():
    grid = Grid((48, 48, 48), (2.0, 2.0, 2.0))
    random = np.random.default_rng(1)
    k = np.sqrt(sum(q * q for q in grid.frequencies()))
    noise = np.fft.rfftn(random.standard_normal(grid.shape))
    chi = np.fft.irfftn(noise / (0.02 + k) ** 2, grid.shape).astype(np.float32)
    mask = np.ones(grid.shape, bool)
    field = unexplained_field(0.3, chi, mask, grid, 1)
    for low, high in ((0.03, 0.05), (0.08, 0.1), (0.2, 0.24)):
        shell = (k > low) & (k < high)
        powers = [(abs(np.fft.rfftn(v)) ** 2)[shell].mean() for v in (field, chi)]
        assert np.sqrt(powers[0] / powers[1]) == pytest.approx(0.3, rel=0.1)
    np.testing.assert_array_equal(unexplained_field(0.3, chi, mask, grid, 1), field)
    assert abs(unexplained_field(0.3, chi, mask, grid, 2) - field).max() > 0


ENCODING = Encoding(Grid((32, 16, 24), (2.0, 2.0, 2.0)), 1)


def point(*at):
    image = np.zeros(ENCODING.grid.shape, np.complex64)
    image[at] = 1
    return image


def test_a_field_that_swings_makes_ghosts_by_its_cycles_and_by_bessel_functions():
    # 7 cycles over the scan, 300 s: ghosts 7 voxels away along the slow axis
    field = 10 * np.sin(2 * np.pi * 7 * ENCODING.times() / 300)
    phase = line_phase(field, 0.01, 0 * field, ENCODING.frequency(2))
    ghosts = through_kspace(point(10, 8, 12), np.exp(1j * phase).astype(np.complex64))
    size = 2 * np.pi * 10 * 0.01
    assert abs(ghosts[10, 8, 12]) == pytest.approx(special.j0(size), abs=0.02)
    for place in (3, 17):
        line = abs(ghosts[place, 8])
        assert line.max() == pytest.approx(special.j1(size), abs=0.03)
    assert abs(ghosts[:, :8]).max() < 1e-6, 'no ghosts along the readout'
    later = line_phase(field, 0.02, 0 * field, ENCODING.frequency(2))
    np.testing.assert_allclose(later, 2 * phase)


def test_a_field_that_drifts_moves_the_image_along_the_slow_axis():
    # 100 Hz over the scan: two turns from the first to the last line at 20 ms
    drift = line_phase(100 * ENCODING.times() / 300, 0.02, 0.0, ENCODING.frequency(2))
    moved = through_kspace(point(10, 8, 12), np.exp(1j * drift).astype(np.complex64))
    assert np.unravel_index(abs(moved).argmax(), moved.shape) == (8, 8, 12)


def test_the_chest_moves_every_four_seconds():
    times = np.linspace(-150, 150, 30001)
    chest = breath(times, 1)
    assert abs(chest).max() == pytest.approx(1, abs=1e-3)
    rising = np.count_nonzero((chest[1:] > 0) & (chest[:-1] <= 0))
    assert rising == pytest.approx(75, abs=4)


def test_a_displaced_image_lies_where_it_was_moved():
    image = np.random.default_rng(0).standard_normal((32, 16, 24)).astype(np.complex64)
    moved = displaced(image, 4.0, 2, ENCODING)
    np.testing.assert_allclose(moved, np.roll(image, 2, 2), atol=1e-5)


def test_partial_fourier_leaves_out_the_energy_of_its_lines():
    factor = kspace_factor(ModelErrors(partial_fourier=0.25), ENCODING, 0.01, 3.0, 0)
    found = through_kspace(point(10, 8, 12), factor)
    assert (abs(found) ** 2).sum() == pytest.approx(0.75, rel=1e-4)
    random = np.random.default_rng(0)
    image = random.standard_normal((32, 16, 24)).astype(np.complex64)
    lines = np.fft.fftfreq(32, 1 / 32) >= -8
    energy = (abs(np.fft.fftn(image)) ** 2)[lines].sum() / image.size
    found = through_kspace(image, factor)
    assert (abs(found) ** 2).sum() == pytest.approx(energy, rel=1e-4)


def test_the_filter_keeps_the_middle_of_kspace_and_ends_at_nothing():
    for axis in range(3):
        window = cosine_filter(0.4, ENCODING, axis).ravel()
        n = window.size
        edge = abs(np.fft.fftfreq(n)) * 2
        np.testing.assert_array_equal(window[edge <= 0.6], 1)
        assert window[n // 2] == pytest.approx(0, abs=1e-12)
        half = np.interp(0.8, edge[: n // 2], window[: n // 2])
        assert half == pytest.approx(0.5, abs=0.05)


def test_a_cut_of_kspace_keeps_slow_waves_in_place_and_rings_at_edges():
    fine = (np.arange(128) + 0.5) / 2
    coarse = np.arange(64) + 0.5
    for cycles, kept in ((5, 1.0), (40, 0.0)):
        wave = np.exp(2j * np.pi * cycles * fine / 64).astype(np.complex64)
        expected = kept * np.exp(2j * np.pi * cycles * coarse / 64)
        cut = truncate(np.broadcast_to(wave, (4, 4, 128)).copy())
        np.testing.assert_allclose(cut[0, 0], expected, atol=1e-5)
        across = truncate(np.broadcast_to(wave[:, None, None], (128, 4, 4)).copy())
        np.testing.assert_allclose(across[:, 0, 0], expected, atol=1e-5)
    step = np.zeros((4, 4, 128), np.complex64)
    step[..., 32:97] = 1  # an edge off the middle of a voxel
    overshoot = truncate(step)[0, 0].real.max() - 1
    assert 0.04 < overshoot < 0.13


def test_an_open_fringe_turns_once_about_each_end(small_head):
    head = small_head.head
    factor = open_fringe(45.0, head, 2)[:, :, 30]
    turns = np.zeros(np.subtract(factor.shape, 1))
    corners = factor[:-1, :-1], factor[1:, :-1], factor[1:, 1:], factor[:-1, 1:]
    for here, there in zip(corners, (*corners[1:], corners[0]), strict=True):
        turns += np.angle(there * np.conj(here)) / (2 * np.pi)
    turns = np.round(turns)
    assert sorted(turns[turns != 0]) == [-1, 1]
    first, second = np.argwhere(turns)
    assert 3 * np.hypot(*(first - second)) == pytest.approx(45, abs=5)
    assert abs(factor).min() < 0.5
    assert np.median(abs(factor)) > 0.95


def test_offsets_of_slices_are_the_same_in_all_echoes_and_all_over_the_slice(small_head, plain):
    found = echoes_of(small_head, ModelErrors(slice_offsets=0.5))
    bright = small_head.head.mask & (abs(plain[1]) > 0.1)
    offset = np.where(bright, np.angle(found * np.conj(plain)), np.nan)
    spread = np.nanmax(offset, axis=(0, 1, 2)) - np.nanmin(offset, axis=(0, 1, 2))
    assert np.nanmax(spread) < 1e-3
    assert np.nanstd(np.nanmean(offset, axis=(0, 1, 2))) == pytest.approx(0.5, rel=0.35)


def test_fat_alone_is_displaced_along_the_readout(small_head):
    made = disturbance(small_head, ModelErrors(fat_shift=6.0))
    random = np.random.default_rng(0)
    water, fat = (random.standard_normal(SHAPE).astype(np.complex64) for _ in range(2))
    found = made.signal(1, water, fat)
    np.testing.assert_allclose(found, water + np.roll(fat, 2, 1), atol=1e-4)


def test_fat_of_the_marrow_lies_around_the_brain_and_off_resonance(small_head, plain):
    head = small_head.head
    more = echoes_of(small_head, ModelErrors(marrow=0.5)) - plain
    assert not abs(more[:, head.mask]).max() > 1e-5
    ring = abs(more[0]) > 0.2 * abs(more[0]).max()
    turned = np.angle(more[1] * np.conj(more[0]))[ring]
    expected = TURN * 0.01 * (head.total_field - 3.4)[ring]
    assert np.median(abs(np.angle(np.exp(1j * (turned - expected))))) < 1e-3


def test_blood_gathers_phase_by_its_speed_and_the_echo_time(small_head):
    head = small_head.head
    place = head.white_matter
    half = np.float32(0.5) * place
    arteries = BloodFlow(place.astype(np.float32), half, 0 * half)
    veins = BloodFlow(0 * half, 0 * half, half)
    for time in (0.005, 0.01):
        water = noiseless_echo(head, time)
        for blood, bright in ((arteries, True), (veins, False)):
            moving, resting = (
                blood.apply(water, size, head, TURN * time, time, 0.02) for size in (2.0, 0.0)
            )
            phase = np.angle(moving * np.conj(resting))
            np.testing.assert_allclose(phase[place], 2 * 0.5 * time / 0.02, atol=1e-4)
            np.testing.assert_array_equal(moving[~place], resting[~place])
            gain = np.median(abs(resting[place]) / abs(water[place]))
            assert (gain > 1.3) == bright


def test_arteries_lie_at_the_base_of_the_brain_and_run_both_ways(small_head):
    flow = disturbance(small_head, ModelErrors(flow=1.0)).flow
    _, _, z = (np.broadcast_to(c, SHAPE) for c in small_head.head.coordinates_in_mm())
    litres = flow.arterial.sum() * 27 / 1e6
    assert 0.002 < litres < 0.02
    assert (flow.arterial * z).sum() / flow.arterial.sum() < 0
    assert flow.speed.min() < -0.5
    assert flow.speed.max() > 0.5
    assert abs(flow.venous_speed).max() <= 0.2


def test_echoes_of_scans_of_their_own_move_with_the_head(small_head, plain):
    found = echoes_of(small_head, ModelErrors(echo_motion=3.0))
    np.testing.assert_allclose(found[0], plain[0], atol=1e-5)
    receive = plain[1] / np.where(plain[1] == 0, 1, noiseless_echo(small_head.head, 0.015))
    moved = np.roll(noiseless_echo(small_head.head, 0.015), 1, 2) * receive
    seen = abs(plain[1]) > 0.05
    np.testing.assert_allclose(found[1][seen], moved[seen], atol=1e-3)


def test_a_simulation_in_memory_takes_model_errors(small_head):
    found = simulate(SIZE, shape=SHAPE, sequence=CLEAN, model_errors=ModelErrors(exchange=0.02))
    other = simulate(SIZE, shape=SHAPE, sequence=CLEAN)
    np.testing.assert_array_equal(found.head.chi, other.head.chi)
    turned = np.angle(np.exp(1j * (found.phase - other.phase)))[1]
    assert np.median(turned[found.head.white_matter]) > 0.5 * TURN * 0.015 * 0.02


def test_mixtures_are_read_from_words():
    assert model_errors('plain') == ModelErrors()
    assert model_errors('people', ['gibbs:0', 'drift:2']) == replace(PEOPLE, gibbs=0, drift=2)
    assert model_errors('plain', ['fringe']).fringe == MODEL_ERRORS['fringe'].metadata['size']
    held = {name for name, size in asdict(PEOPLE).items() if size}
    assert held == {name for name, field in MODEL_ERRORS.items() if field.metadata['people']}


@pytest.mark.parametrize(
    ('realism', 'change', 'message'),
    [
        ('wild', 'gibbs', 'there are: plain, people'),
        ('plain', 'gibs', "no model error 'gibs'; there are: anisotropy"),
        ('plain', 'drift:fast', 'must be a number'),
        ('plain', 'drift:-1', '0 or more'),
        ('plain', 'partial_fourier:0.6', 'share'),
        ('plain', 'drift:nan', '0 or more'),
    ],
)
def test_what_cannot_be_is_refused_in_words(realism, change, message):
    with pytest.raises(ValueError, match=message):
        model_errors(realism, [change])
