"""Interfaces: phase is prepared whatever a scanner stores, masks and signs are settled, units kept."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.base import isdefined
from scenes import make_scene
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.interfaces.background import RemoveBackground
from bidsqsm.interfaces.dipole import InvertDipole
from bidsqsm.interfaces.fieldmap import FitField
from bidsqsm.interfaces.masking import MakeMask, check, refuse_noise, volumes
from bidsqsm.interfaces.onestep import InvertTotalField
from bidsqsm.interfaces.passes import CombinePasses, CutHoles
from bidsqsm.interfaces.preparation import prepare_run
from bidsqsm.interfaces.reference import ReferenceChi, implausible, reach_of
from bidsqsm.interfaces.sign import expected_sign, settle
from bidsqsm.interfaces.weights import inverse_noise, weights_for
from bidsqsm.io.errors import DatasetError
from bidsqsm.io.inputs import GreRun
from bidsqsm.io.metadata import readout_of
from bidsqsm.io.nifti import save_volume
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.masking.result import Masks
from bidsqsm.qsm.metrics import dice
from bidsqsm.qsm.phase.sign import SignDecision

SIZE, STEP = (40, 44, 36), 3.0
TIMES = (0.005, 0.010, 0.015)
MHZ = 123.2
AFFINE = np.diag([STEP, STEP, STEP, 1.0])
INNER = np.zeros(SIZE, bool)
INNER[18:22, 20:24, 16:20] = True
WISHES = {'alternation': 'auto', 'bipolar': 'auto', 'offset': 'auto'}


@pytest.fixture(scope='module')
def echoes():
    """Magnitude and unwrapped phase of a ball in a smooth field, and the ball."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing='ij')
    ball = x**2 + y**2 + z**2 < 0.8
    field = 0.35 * (x**2 - y**2) + 0.25 * z + 0.02 * np.sin(9 * x)  # ppm
    rng = np.random.default_rng(3)
    magnitude = np.stack([ball * 1000 * np.exp(-20 * t) + rng.uniform(1, 9, SIZE) for t in TIMES])
    phase = np.stack([2 * np.pi * field * MHZ * t for t in TIMES])
    phase = np.where(ball, phase, rng.uniform(-3.1, 3.1, phase.shape))
    return magnitude.astype(np.float32), phase, ball


def wrapped(phase):
    return np.angle(np.exp(1j * phase)).astype(np.float32)


@pytest.fixture
def make_run(tmp_path):
    """Write echoes of some parts and describe them as a run."""

    def make(parts, layout='echo-files', n_channels=1, **metadata):
        files = {}
        for part, values in parts.items():
            files[part] = tuple(
                write(tmp_path / f'sub-01_echo-{i}_part-{part}_MEGRE.nii.gz', echo)
                for i, echo in enumerate(values, 1)
            )
        return GreRun(
            entities={'sub': '01'}, suffix='MEGRE', layout=layout, n_channels=n_channels,
            magnitude=files.get('mag', ()), phase=files.get('phase', ()),
            real=files.get('real', ()), imag=files.get('imag', ()),
            echo_times=TIMES, field_strength=MHZ / 42.577, imaging_frequency=MHZ,
            shape=SIZE, affine=tuple(map(tuple, AFFINE.tolist())), metadata=metadata,
        )  # fmt: skip

    return make


def write(path, values):
    nb.Nifti1Image(values, AFFINE).to_filename(path)
    return path


def prepared(run, **changes):
    settings = {
        'coil': STEPS['coil'].choose('mcpc3ds'),
        'unwrap': STEPS['unwrap'].choose('romeo'),
        'wishes': WISHES,
        **changes,
    }
    return prepare_run(run, **settings)


def field_between(found, ball):
    """Field in ppm from the phase that grew between the first two echoes, less its mean."""
    grown = np.angle(np.exp(1j * (found.phase[1] - found.phase[0])))
    inner = ndimage.binary_erosion(ball, iterations=2)
    ppm = grown / (2 * np.pi * MHZ * (TIMES[1] - TIMES[0]))
    return ppm[inner]


def test_stored_integers_give_the_phase_that_they_stand_for(echoes, make_run):
    magnitude, phase, ball = echoes
    stored = np.round((wrapped(phase) + np.pi) / (2 * np.pi) * 4096).clip(0, 4095).astype('int16')
    found = prepared(make_run({'mag': magnitude, 'phase': stored}, Manufacturer='Siemens'))
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    difference = field_between(found, ball) - field_between(plain, ball)
    assert np.abs(difference).max() < 2 * np.pi / 4096 / (2 * np.pi * MHZ * 0.005) * 1.1
    assert '4096 steps' in found.facts.scaling
    assert found.phase.dtype == np.float32
    assert found.phase.shape == (3, *SIZE)


def test_real_and_imaginary_images_give_phase_and_magnitude(echoes, make_run):
    magnitude, phase, ball = echoes
    signal = magnitude * np.exp(1j * phase)
    parts = {'real': signal.real.astype('float32'), 'imag': signal.imag.astype('float32')}
    found = prepared(make_run(parts))
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    assert found.magnitude[:, ball] == pytest.approx(magnitude[:, ball], rel=1e-4)
    assert field_between(found, ball) == pytest.approx(field_between(plain, ball), abs=1e-5)


def test_channels_combine_to_the_same_field(echoes, make_run):
    magnitude, phase, ball = echoes
    x = np.linspace(-1, 1, SIZE[0])[:, None, None]
    gains, offsets = [1.5 + x, 1.5 - x, 0.5 + 0 * x], [0.3 + 1.5 * x, -1 - x, 2 + 0 * x]
    stacked = {
        'mag': [np.stack([(m * g).astype('float32') for g in gains], -1) for m in magnitude],
        'phase': [np.stack([wrapped(p + o) for o in offsets], -1) for p in phase],
    }
    run = make_run(stacked, layout='channels-4d', n_channels=3, Units='rad')
    found = prepared(run)
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    assert found.facts.channels == 3
    off = field_between(found, ball) - field_between(plain, ball)
    assert np.percentile(np.abs(off - np.median(off)), 99) < 2e-3
    with pytest.raises(ValueError, match='no method to combine'):
        prepared(run, coil=None)


def test_filtered_phase_is_refused_and_can_be_forced(echoes, make_run):
    magnitude, phase, ball = echoes
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SIZE), 0.7)
    signal = ball * np.exp(1j * (phase + texture / texture.std() * 0.3))
    low = np.stack([ndimage.gaussian_filter(s, 1.5) for s in signal])
    filtered = np.where(ball, np.angle(signal * np.conj(low)), phase)
    run = make_run({'mag': magnitude, 'phase': wrapped(filtered)}, Units='rad')
    with pytest.raises(DatasetError, match=r'high-pass filtered.*--force filtered-phase'):
        prepared(run)
    found = prepared(run, force=['filtered-phase'])
    assert any('forced' in warning for warning in found.facts.warnings)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda m, p: (m, np.full_like(p, 2)), 'constant'),
        (lambda m, _: (m, m), 'expected'),
        (lambda m, p: (m * 0, p), 'no voxel above 0'),
        (lambda m, p: (m, np.where(INNER, np.nan, p)), 'NaN or infinite'),
    ],
)
def test_values_that_are_no_phase_are_refused_with_their_file(echoes, make_run, change, message):
    magnitude, phase, _ = echoes
    magnitude, values = change(magnitude, wrapped(phase))
    run = make_run({'mag': magnitude.astype('float32'), 'phase': values.astype('float32')})
    with pytest.raises(DatasetError, match=message) as error:
        prepared(run)
    assert 'sub-01_echo-1_part-' in str(error.value)


def test_warnings_of_the_run_travel_with_its_facts(echoes, make_run):
    magnitude, phase, _ = echoes
    run = make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad')
    found = prepared(replace(run, warnings=('echo 4 is missing',)))
    assert found.facts.warnings[0] == 'echo 4 is missing'


def test_the_readout_is_read_off_the_metadata():
    assert readout_of({'ReadoutPolarity': 'Bipolar'}) == 'bipolar'
    assert readout_of({'ReadoutMode': 'MONOPOLAR'}) == 'monopolar'
    assert readout_of({}) is None


@pytest.mark.parametrize(
    ('evidence', 'wanted', 'expected', 'sign', 'how', 'warned'),
    [
        (+0.5, 'auto', 0, 1, 'from the data', ''),
        (-0.5, 'auto', 0, -1, 'from the data', ''),
        (-0.5, 'auto', 1, -1, 'from the data', 'the data was believed'),
        (-0.5, 'auto', -1, -1, 'from the data', ''),
        (-0.01, 'auto', 0, 1, 'as stored', 'could not be read'),
        (+0.01, 'auto', -1, -1, 'maker', 'could not be read'),
        (-0.5, '+1', 0, 1, 'forced', 'was forced'),
        (-0.5, '-1', 0, -1, 'forced', ''),
        (+0.01, '-1', 0, -1, 'forced', ''),
    ],
)
def test_the_sign_is_the_users_then_the_datas_then_the_makers(
    evidence, wanted, expected, sign, how, warned
):
    facts = settle(SignDecision(1 if evidence >= 0 else -1, evidence), wanted, expected)
    assert facts.sign == sign
    assert how in facts.how
    assert warned in ' '.join(facts.warnings)
    assert bool(facts.warnings) == bool(warned)


def test_ge_counts_phase_the_other_way_round():
    assert expected_sign({'Manufacturer': 'GE MEDICAL SYSTEMS'}) == -1
    assert expected_sign({'Manufacturer': 'SIEMENS'}) == 1
    assert expected_sign({'Manufacturer': 'German scanners'}) == 0
    assert expected_sign({}) == 0


def test_weights_are_the_inverse_of_the_noise():
    noise = np.array([[[0.01, 0.02, 0.0, 0.001, 0.01]]], dtype=np.float32)
    mask = np.array([[[True, True, True, True, False]]])
    assert inverse_noise(noise, mask).ravel() == pytest.approx([1, 0.5, 0, 3, 0])
    assert inverse_noise(0 * noise, mask).ravel() == pytest.approx([1, 1, 1, 1, 0])


def test_only_a_method_with_weights_gets_them(tmp_path):
    noise = str(save_volume(np.ones((3, 3, 3), np.float32), AFFINE, tmp_path / 'noise.nii'))
    mask = np.ones((3, 3, 3), bool)
    assert weights_for(STEPS['dipole'].choose('tkd'), noise, mask) == {}
    assert set(weights_for(STEPS['dipole'].choose('tv'), noise, mask)) == {'weight_map'}


def test_an_empty_mask_is_refused_and_a_small_one_warned_of():
    none, half = np.zeros((8, 8, 8), bool), np.zeros((8, 8, 8), bool)
    half[:3] = True
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0))
    with pytest.raises(DatasetError, match='the mask is empty'):
        check(Masks(~none, none), grid)
    assert '38%' in check(Masks(~none, half), grid)[0]
    whole, half_ml = volumes(Masks(~none, half), Grid((8, 8, 8), (2.0, 2.0, 2.0)))
    assert (whole, half_ml) == pytest.approx((4.096, 1.536))


@pytest.mark.parametrize(
    ('side', 'share', 'warned'),
    [(16, 1.0, True), (16, 0.5, False), (16, 0.05, True), (10, 0.05, False)],
)
def test_a_brain_of_impossible_volume_is_warned_of(side, share, warned):
    mask = np.zeros((side, side, side), bool)
    mask.flat[: int(share * mask.size)] = True
    found = check(Masks(mask, mask), Grid(mask.shape, (10.0, 10.0, 10.0)))
    assert [w for w in found if 'expected 400 to 2300 mL' in w] == (found if warned else [])
    assert bool(found) == warned


def test_noise_is_not_mapped():
    mask = np.ones((8, 8, 8), bool)
    refuse_noise(np.full(mask.shape, 0.1, np.float32), mask)
    with pytest.raises(DatasetError, match='the phase in the mask is noise'):
        refuse_noise(np.full(mask.shape, 0.01, np.float32), mask)


def test_a_map_beyond_any_brain_is_warned_of():
    mask = np.ones((10, 10, 10), bool)
    chi = np.full(mask.shape, 0.05, np.float32)
    chi[0, 0, :5] = 2  # a few voxels are a bleed
    assert reach_of(chi, mask) == pytest.approx(0.05)
    assert not implausible(reach_of(chi, mask))
    chi[:2] = -0.8
    assert 'beyond +-0.80 ppm' in implausible(reach_of(chi, mask))[0]


@pytest.fixture
def files(phantom, tmp_path):
    """The phantom in the work folder: field, mask, noise, magnitude."""
    affine = np.diag([*phantom.grid.voxel_size, 1])
    arrays = {
        'field': phantom.field.astype(np.float32),
        'mask': phantom.mask,
        'noise': np.full(phantom.mask.shape, 0.001, np.float32),
        'chi': phantom.chi.astype(np.float32) + 0.5 * phantom.mask,
        'one': np.ones(phantom.mask.shape, np.float32),
    }
    return {k: str(save_volume(v, affine, tmp_path / f'{k}.nii')) for k, v in arrays.items()}


@pytest.mark.parametrize('method', ['tkd', 'tv'])
def test_inversion_brings_back_the_map(phantom, files, tmp_path, method):
    node = InvertDipole(
        in_file=files['field'], in_mask=files['mask'], support=files['mask'],
        noise=files['noise'], method=method,
    )  # fmt: skip
    chi = nb.load(node.run(cwd=tmp_path).outputs.chi).get_fdata()
    assert np.corrcoef(chi[phantom.mask], phantom.chi[phantom.mask])[0, 1] > 0.9
    assert not chi[~phantom.mask].any()


def test_one_step_gives_the_map_its_mask_and_its_field(phantom, files, tmp_path):
    node = InvertTotalField(
        in_file=files['field'], in_mask=files['mask'], noise=files['noise'], phase=files['field'],
        echoes=files['one'], sign=-1, echo_times=[0.01], imaging_frequency=MHZ,
        method='sstv',
    )  # fmt: skip
    outputs = node.run(cwd=tmp_path).outputs
    chi = nb.load(outputs.chi).get_fdata()
    local = nb.load(outputs.local_field).get_fdata()
    assert np.corrcoef(chi[phantom.mask], phantom.chi[phantom.mask])[0, 1] > 0.9
    assert np.corrcoef(local[phantom.mask], phantom.field[phantom.mask])[0, 1] > 0.9
    assert np.array_equal(nb.load(outputs.mask).get_fdata() > 0, phantom.mask)
    assert outputs.facts['convergence'][0]['converged']
    phase = node._echoes().phase  # noqa: SLF001 - what reaches a method that takes wrapped phase
    assert np.array_equal(phase[0], -nb.load(files['field']).get_fdata(dtype=np.float32))


def test_a_weighted_inversion_reports_the_edge_that_the_field_lost(phantom, files, tmp_path):
    """The field of a peeled mask still tells of the voxels around it; a direct one does not."""
    inner = ndimage.binary_erosion(phantom.mask)
    affine = np.diag([*phantom.grid.voxel_size, 1])
    inside = str(save_volume(inner, affine, tmp_path / 'inner.nii'))
    for method, expected in (('tv', phantom.mask), ('tkd', inner)):
        node = InvertDipole(
            in_file=files['field'], in_mask=inside, support=files['mask'],
            noise=files['noise'], method=method,
        )  # fmt: skip
        outputs = node.run(cwd=tmp_path).outputs
        assert np.array_equal(nb.load(outputs.mask).get_fdata() > 0, expected)
        assert not nb.load(outputs.chi).get_fdata()[~expected].any()


def test_a_field_without_background_stays(phantom, files, tmp_path):
    node = RemoveBackground(
        in_file=files['field'], in_mask=files['mask'], noise=files['noise'], method='lbv'
    )
    outputs = node.run(cwd=tmp_path).outputs
    left = nb.load(outputs.mask).get_fdata() > 0
    local = nb.load(outputs.local_field).get_fdata()
    assert np.corrcoef(local[left], phantom.field[left])[0, 1] > 0.8
    assert outputs.facts['kept'] == pytest.approx(left.sum() / phantom.mask.sum(), abs=1e-3)


def test_the_mean_of_the_region_is_taken_off_and_told(phantom, files, tmp_path):
    node = ReferenceChi(in_file=files['chi'], in_mask=files['mask'], method='whole-brain')
    outputs = node.run(cwd=tmp_path).outputs
    chi = nb.load(outputs.chi).get_fdata()
    assert chi[phantom.mask].mean() == pytest.approx(0, abs=1e-6)
    assert outputs.facts['value'] == pytest.approx(0.5, abs=1e-5)
    assert outputs.facts['reference'] == 'whole-brain'


def test_of_labels_with_names_only_the_fluid_is_the_reference(phantom, files, tmp_path):
    labels = np.zeros(phantom.mask.shape, np.int16)
    labels[20:28, 24, 20] = 4
    labels[20:28, 20, 24] = 12
    path = save_volume(labels, np.diag([1, 1, 1.2, 1]), tmp_path / 'labels.nii.gz')
    node = ReferenceChi(in_file=files['chi'], in_mask=files['mask'], method='csf')
    node.inputs.labels = str(path)
    node.inputs.fluid = [4, 43]
    outputs = node.run(cwd=tmp_path).outputs
    region = nb.load(outputs.region).get_fdata() > 0
    assert np.array_equal(region, labels == 4)


def test_a_given_mask_is_taken_as_it_is(phantom, files, tmp_path):
    node = MakeMask(
        in_file=files['one'], quality=files['one'], residual=files['one'],
        in_mask=files['mask'], method='combined',
    )  # fmt: skip
    outputs = node.run(cwd=tmp_path).outputs
    for path in (outputs.brain_mask, outputs.qsm_mask):
        assert np.array_equal(nb.load(path).get_fdata() > 0, phantom.mask)
    assert outputs.facts['source'] == files['mask']
    assert outputs.facts['mask_sources'] == {'brain': files['mask'], 'qsm': files['mask']}
    assert not isdefined(outputs.magnitude_mask)


@pytest.fixture
def two_brains(tmp_path):
    """A bright ball in an image without background noise, and a template that lies 2 voxels off."""
    i, j, k = np.ogrid[:24, :24, :24]
    brain = (i - 11) ** 2 + (j - 11) ** 2 + (k - 11) ** 2 < 81
    arrays = {
        'in_file': brain * 1.0,
        'quality': brain * 0.8,
        'residual': np.full(brain.shape, 0.02),
        'template_mask': np.roll(brain, 2, axis=1) * 1.0,
    }
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return {
        name: str(save_volume(array.astype(np.float32), affine, tmp_path / f'{name}.nii'))
        for name, array in arrays.items()
    }, brain


def test_a_method_gets_the_arrays_that_it_names_and_its_parts_are_kept(two_brains, tmp_path):
    files, brain = two_brains
    wanted = {
        'combined': ({'magnitude', 'template', 'quality'}, 'magnitude, template'),
        'template': ({'template'}, 'template'),
        'magnitude': ({'magnitude'}, 'magnitude'),
        'phase-quality': ({'quality'}, 'quality'),
    }
    for method, (parts, source) in wanted.items():
        folder = tmp_path / method
        folder.mkdir()
        outputs = MakeMask(**files, method=method).run(cwd=folder).outputs
        made = {
            name
            for name in ('magnitude', 'template', 'quality')
            if isdefined(getattr(outputs, f'{name}_mask'))
        }
        assert made == parts
        assert outputs.facts['mask_sources']['brain'] == source
        expected = np.roll(brain, 2, axis=1) & brain if method == 'template' else brain
        found = nb.load(outputs.brain_mask).get_fdata() > 0
        assert dice(found, expected) > 0.97


def test_brains_that_disagree_are_reported(two_brains, tmp_path):
    files, brain = two_brains
    far = np.roll(brain, 6, axis=1)
    like = nb.load(files['in_file']).affine
    files['template_mask'] = str(save_volume(far.astype(np.float32), like, tmp_path / 'far.nii'))
    facts = MakeMask(**files, method='combined').run(cwd=tmp_path).outputs.facts
    assert facts['template_dice'] == pytest.approx(dice(brain, far), abs=0.03)
    assert any('Dice' in warning for warning in facts['warnings'])


def test_two_passes_make_one_map_of_two_files(two_brains, tmp_path):
    files, brain = two_brains
    affine = nb.load(files['in_file']).affine

    def saved(name, array):
        return str(save_volume(array.astype(np.float32), affine, tmp_path / f'{name}.nii'))

    mask, quality = saved('whole', brain), brain * 0.8
    quality[9:12, 10:13, 10:13] = 0.01
    cut = CutHoles(in_mask=mask, quality=saved('q', quality), residual=files['residual'])
    holed = nb.load(cut.run(cwd=tmp_path).outputs.mask).get_fdata() > 0
    assert not holed[10, 11, 11]
    assert holed[10, 16, 11]
    outputs = CombinePasses(
        chi=saved('filled', brain * 0.3), mask=mask,
        holed_chi=saved('first', holed * 0.1), holed_mask=saved('holed', holed),
    ).run(cwd=tmp_path).outputs  # fmt: skip
    np.testing.assert_allclose(nb.load(outputs.chi).get_fdata(), brain * 0.1, atol=1e-6)
    np.testing.assert_array_equal(nb.load(outputs.holed_mask).get_fdata() > 0, holed)
    assert outputs.facts['filled_voxels'] == (brain & ~holed).sum()
    assert outputs.facts['shift_of_filled'] == pytest.approx(-0.2, abs=1e-5)


def test_the_template_method_without_a_template_says_what_it_needs(two_brains, tmp_path):
    files, _ = two_brains
    del files['template_mask']
    with pytest.raises(ValueError, match=r'--mask template needs an atlas.* --atlases'):
        MakeMask(**files, method='template').run(cwd=tmp_path)


def test_a_known_map_spares_its_field_at_the_edge(tmp_path):
    """LBV takes the field on the edge of the mask for background; what a map explains is not."""
    scene = make_scene()
    affine = np.diag([*scene.grid.voxel_size, 1.0])
    given = {'chi': scene.chi, 'total': scene.total, 'mask': scene.mask, 'one': scene.mask}
    paths = {
        name: str(save_volume(array.astype(np.float32), affine, tmp_path / f'{name}.nii'))
        for name, array in given.items()
    }
    errors = {}
    for name, known in (('first', {}), ('second', {'chi': paths['chi'], 'rounds': 2})):
        node = RemoveBackground(
            in_file=paths['total'],
            in_mask=paths['mask'],
            noise=paths['one'],
            method='lbv',
            **known,
        )
        folder = tmp_path / name
        folder.mkdir()
        outputs = node.run(cwd=folder).outputs
        left = nb.load(outputs.mask).get_fdata() > 0
        off = (nb.load(outputs.local_field).get_fdata() - scene.local)[left]
        errors[name] = np.linalg.norm(off - off.mean()) / np.linalg.norm(scene.local[left])
        assert outputs.facts['rounds'] == (2 if known else 1)
    assert errors['second'] < 0.5 * errors['first']


@pytest.mark.parametrize('sign', ['auto', '-1'])
def test_water_and_fat_are_written_by_the_method_that_parts_them(echoes, tmp_path, sign):
    """And by no other; a sign that the user forces reaches the method."""
    magnitude, phase, ball = echoes
    times = [0.004, 0.008, 0.012]
    scaled = [p / a * b for p, a, b in zip(phase, TIMES, times, strict=True)]
    files = {
        name: save_volume(np.array(values, np.float32), AFFINE, tmp_path / file)
        for name, values, file in (('in_file', scaled, 'p.nii'), ('magnitude', magnitude, 'm.nii'))
    }
    common = {**files, 'echo_times': times, 'imaging_frequency': MHZ}
    found = FitField(method='ideal', phase_sign=sign, **common).run(cwd=str(tmp_path)).outputs
    plain = FitField(method='linear', **common).run(cwd=str(tmp_path)).outputs
    assert found.facts['phase_sign_of_fat'] == (-1 if sign == '-1' else 1)
    share = nb.load(found.fat_fraction).get_fdata()[ball]
    assert np.median(share) < 0.02
    assert isdefined(found.water)
    assert isdefined(found.waterfat_r2star)
    assert not isdefined(plain.fat_fraction)
