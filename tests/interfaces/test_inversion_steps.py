"""From a field to a map, file by file: background, inversion, weights, reference, two passes."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.facts.inversion_facts import DipoleFacts
from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.background import RemoveBackground
from bidsqsm.interfaces.deviation import deviation_of
from bidsqsm.interfaces.dipole import InvertDipole
from bidsqsm.interfaces.onestep import InvertTotalField
from bidsqsm.interfaces.reference import ReferenceChi, implausible, reach_of
from bidsqsm.interfaces.two_pass import CombinePasses, CutHoles
from bidsqsm.interfaces.weights import inverse_noise, weights_for
from bidsqsm.qsm.background.geometry import geometry
from helpers.analytic_fields import make_scene

STEP = 3.0  # mm
MHZ = 123.2
AFFINE = np.diag([STEP, STEP, STEP, 1.0])


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


def test_a_map_beyond_any_brain_is_warned_of():
    mask = np.ones((10, 10, 10), bool)
    chi = np.full(mask.shape, 0.05, np.float32)
    chi[0, 0, :5] = 2  # a few voxels are a bleed
    assert reach_of(chi, mask) == pytest.approx(0.05)
    assert not implausible(reach_of(chi, mask))
    chi[:2] = -0.8
    assert 'beyond +-0.80 ppm' in implausible(reach_of(chi, mask))[0]


@pytest.mark.parametrize('method', ['tkd', 'tv'])
def test_inversion_brings_back_the_map(phantom, phantom_files, tmp_path, method):
    node = InvertDipole(
        in_file=phantom_files['field'],
        in_mask=phantom_files['mask'],
        support=phantom_files['mask'],
        noise=phantom_files['noise'],
        method=method,
    )
    chi = nb.load(node.run(cwd=tmp_path).outputs.chi).get_fdata()
    assert np.corrcoef(chi[phantom.mask], phantom.chi[phantom.mask])[0, 1] > 0.9
    assert not chi[~phantom.mask].any()


def test_both_inversions_tell_how_far_they_err_and_by_what_spectra(
    phantom, phantom_files, tmp_path
):
    shared = {
        'in_file': phantom_files['field'],
        'in_mask': phantom_files['mask'],
        'noise': phantom_files['noise'],
    }
    acquired = {
        'phase': phantom_files['field'],
        'echoes': phantom_files['one'],
        'sign': -1,
        'echo_times': [0.01],
        'imaging_frequency': MHZ,
    }
    for node in (
        InvertDipole(**shared, support=phantom_files['mask'], method='tkd'),
        InvertTotalField(**shared, **acquired, method='sstv'),
    ):
        outputs = node.run(cwd=tmp_path).outputs
        deviation = nb.load(outputs.deviation).get_fdata()
        assert deviation[phantom.mask].min() > 0
        assert not deviation[~phantom.mask].any()
        spectra = DipoleFacts.of(outputs.facts).spectra
        assert len(spectra.frequency) == len(spectra.noise) == len(spectra.susceptibility)
        assert 0 < spectra.unexplained < 1


def test_a_map_whose_spectra_cannot_be_told_has_no_deviation():
    def fail():
        raise ValueError('too small')

    mask = np.array([[[True, False]]])
    deviation, table, doubts = deviation_of(np.zeros(mask.shape, np.float32), mask, fail)
    assert np.array_equal(np.isnan(deviation), mask)
    assert table is None
    assert 'too small' in doubts[0]


def test_one_step_gives_the_map_its_mask_and_its_field(phantom, phantom_files, tmp_path):
    node = InvertTotalField(
        in_file=phantom_files['field'],
        in_mask=phantom_files['mask'],
        noise=phantom_files['noise'],
        phase=phantom_files['field'],
        echoes=phantom_files['one'],
        sign=-1,
        echo_times=[0.01],
        imaging_frequency=MHZ,
        method='sstv',
    )
    outputs = node.run(cwd=tmp_path).outputs
    chi = nb.load(outputs.chi).get_fdata()
    local = nb.load(outputs.local_field).get_fdata()
    assert np.corrcoef(chi[phantom.mask], phantom.chi[phantom.mask])[0, 1] > 0.9
    assert np.corrcoef(local[phantom.mask], phantom.field[phantom.mask])[0, 1] > 0.9
    assert np.array_equal(nb.load(outputs.mask).get_fdata() > 0, phantom.mask)
    assert outputs.facts['convergence'][0]['converged']
    phase = node._echoes().phase  # noqa: SLF001 - what reaches a method that takes wrapped phase
    assert np.array_equal(phase[0], -nb.load(phantom_files['field']).get_fdata(dtype=np.float32))


def test_a_weighted_inversion_reports_the_edge_that_the_field_lost(
    phantom, phantom_files, tmp_path
):
    """The field of a peeled mask still tells of the voxels around it; a direct one does not."""
    inner = ndimage.binary_erosion(phantom.mask)
    affine = np.diag([*phantom.grid.voxel_size, 1])
    inside = str(save_volume(inner, affine, tmp_path / 'inner.nii'))
    for method, expected in (('tv', phantom.mask), ('tkd', inner)):
        node = InvertDipole(
            in_file=phantom_files['field'],
            in_mask=inside,
            support=phantom_files['mask'],
            noise=phantom_files['noise'],
            method=method,
        )
        outputs = node.run(cwd=tmp_path).outputs
        assert np.array_equal(nb.load(outputs.mask).get_fdata() > 0, expected)
        assert not nb.load(outputs.chi).get_fdata()[~expected].any()


def test_a_field_without_background_stays(phantom, phantom_files, tmp_path):
    node = RemoveBackground(
        in_file=phantom_files['field'],
        in_mask=phantom_files['mask'],
        noise=phantom_files['noise'],
        method='lbv',
    )
    outputs = node.run(cwd=tmp_path).outputs
    left = nb.load(outputs.mask).get_fdata() > 0
    local = nb.load(outputs.local_field).get_fdata()
    assert np.corrcoef(local[left], phantom.field[left])[0, 1] > 0.8
    assert outputs.facts['kept'] == pytest.approx(left.sum() / phantom.mask.sum(), abs=1e-3)


def test_the_mean_of_the_region_is_taken_off_and_told(phantom, phantom_files, tmp_path):
    node = ReferenceChi(
        in_file=phantom_files['chi'], in_mask=phantom_files['mask'], method='whole-brain'
    )
    outputs = node.run(cwd=tmp_path).outputs
    chi = nb.load(outputs.chi).get_fdata()
    assert chi[phantom.mask].mean() == pytest.approx(0, abs=1e-6)
    assert outputs.facts['value'] == pytest.approx(0.5, abs=1e-5)
    assert outputs.facts['reference'] == 'whole-brain'


def test_of_labels_with_names_only_the_fluid_is_the_reference(phantom, phantom_files, tmp_path):
    labels = np.zeros(phantom.mask.shape, np.int16)
    labels[20:28, 24, 20] = 4
    labels[20:28, 20, 24] = 12
    path = save_volume(labels, np.diag([1, 1, 1.2, 1]), tmp_path / 'labels.nii.gz')
    node = ReferenceChi(in_file=phantom_files['chi'], in_mask=phantom_files['mask'], method='csf')
    node.inputs.labels = str(path)
    node.inputs.fluid = [4, 43]
    outputs = node.run(cwd=tmp_path).outputs
    region = nb.load(outputs.region).get_fdata() > 0
    assert np.array_equal(region, labels == 4)


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
    outputs = (
        CombinePasses(
            chi=saved('filled', brain * 0.3),
            mask=mask,
            holed_chi=saved('first', holed * 0.1),
            holed_mask=saved('holed', holed),
        )
        .run(cwd=tmp_path)
        .outputs
    )
    np.testing.assert_allclose(nb.load(outputs.chi).get_fdata(), brain * 0.1, atol=1e-6)
    np.testing.assert_array_equal(nb.load(outputs.holed_mask).get_fdata() > 0, holed)
    assert outputs.facts['filled_voxels'] == (brain & ~holed).sum()
    assert outputs.facts['shift_of_filled'] == pytest.approx(-0.2, abs=1e-5)


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


def test_a_removal_by_the_shape_of_the_head_is_given_the_magnitude(tmp_path):
    scene = make_scene()
    affine = np.diag([*scene.grid.voxel_size, 1.0])
    given = {'total': scene.total, 'mask': scene.mask, 'one': scene.mask, 'head': 50 * scene.mask}
    paths = {
        name: str(save_volume(array.astype(np.float32), affine, tmp_path / f'{name}.nii'))
        for name, array in given.items()
    }
    files = {'in_file': paths['total'], 'in_mask': paths['mask'], 'noise': paths['one']}
    with pytest.raises(ValueError, match='found in the magnitude'):
        RemoveBackground(method='geometry', **files).run(cwd=tmp_path)
    node = RemoveBackground(method='geometry', magnitude=paths['head'], **files)
    outputs = node.run(cwd=tmp_path).outputs
    expected, _ = geometry(
        scene.total,
        scene.mask,
        scene.grid,
        weight_map=scene.mask.astype(np.float32),
        magnitude=given['head'].astype(np.float32),
    )
    np.testing.assert_allclose(nb.load(outputs.local_field).get_fdata(), expected, atol=1e-6)
