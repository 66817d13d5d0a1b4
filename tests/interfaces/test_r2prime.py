"""R2 comes to a run from spin echoes or a map, and R2' is what R2* has beyond it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.catalog import STEPS
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.product_groups import GROUPS
from bidsqsm.files.nifti import load_volume, save_volume
from bidsqsm.inputs.run import R2Source
from bidsqsm.interfaces.contrasts.r2prime import CarryR2, FitSpinEcho, SubtractR2, rates
from bidsqsm.interfaces.relaxometry import FitRelaxation
from bidsqsm.qsm.relaxometry.reversible import reversible
from bidsqsm.workflows.contrasts.r2prime import init_r2prime_wf

TIMES = [0.012, 0.024, 0.036, 0.048]
_T = np.radians(6)
MOTION = np.array(
    [[np.cos(_T), -np.sin(_T), 0, 4], [np.sin(_T), np.cos(_T), 0, -6], [0, 0, 1, 3], [0, 0, 0, 1]]
)


@pytest.fixture(scope='module')
def scene(small_head, tmp_path_factory):
    """Files of a head, and of spin echoes of the same head after it moved by MOTION."""
    folder, head = tmp_path_factory.mktemp('spin'), small_head.head
    magnitude = small_head.magnitude.astype(np.float32)
    shade = np.clip(magnitude[-1] / np.percentile(magnitude[-1][head.mask], 95), 0, 1)
    r2 = (20 - 9 * shade).astype(np.float32)
    spin = [magnitude[0] * np.exp(-r2 * te) for te in TIMES]
    spin[0] = spin[0] * 0.8  # a first echo as imperfect pulses leave it
    moved = MOTION @ head.affine
    files = [
        str(save_volume(s.astype(np.float32), moved, folder / f's{n}.nii'))
        for n, s in enumerate(spin)
    ]
    return SimpleNamespace(
        folder=folder,
        mask=head.mask,
        r2=r2,
        files=files,
        affine=head.affine,
        moved=moved,
        magnitude=str(save_volume(magnitude, head.affine, folder / 'm.nii')),
        brain=str(save_volume(head.mask, head.affine, folder / 'b.nii')),
    )


def run_in(folder, interface):
    folder.mkdir(exist_ok=True)
    return interface.run(cwd=str(folder)).outputs


def test_spin_echoes_are_fitted_without_the_first_and_follow_the_head(scene):
    made = run_in(
        scene.folder / 'fit', FitSpinEcho(in_files=scene.files, echo_times=TIMES, method='auto')
    )
    assert made.facts['spin_echoes_used'] == 3
    own = load_volume(made.r2)[0]
    inside = scene.mask & (own > 0)
    assert inside.sum() > 0.9 * scene.mask.sum()
    np.testing.assert_allclose(own[inside], scene.r2[inside], rtol=1e-3)
    where = {'in_file': made.r2, 'magnitude': scene.magnitude, 'in_mask': scene.brain}
    found = run_in(
        scene.folder / 'carry',
        CarryR2(**where, moving=made.contrast, moving_brain=made.brain, about=made.facts),
    )
    assert found.facts['r2_placed_by'] == 'rigid registration'
    assert found.facts['r2_from'] == 'spin echoes'
    stay = run_in(scene.folder / 'stay', CarryR2(**where))
    off = []
    for path in (found.r2, stay.r2):
        carried = load_volume(path)[0]
        both = scene.mask & (carried > 0)
        assert both.sum() > 0.8 * scene.mask.sum()
        assert not carried[~scene.mask].any()
        off.append(np.abs(carried - scene.r2)[both].mean())
    assert off[0] < 0.3 * off[1]  # 1/s


def test_a_map_of_t2_in_ms_becomes_r2_on_a_finer_grid(scene):
    inside = scene.mask
    t2 = np.where(inside, 1000 / scene.r2, 0).astype(np.float32)
    coarse = scene.affine @ np.diag([2, 2, 2, 1.0])
    coarse[:3, 3] += scene.affine[:3, :3] @ (0.5, 0.5, 0.5)
    blocks = t2.reshape(32, 2, 36, 2, 32, 2)
    filled = (blocks > 0).sum(axis=(1, 3, 5))
    mean = blocks.sum(axis=(1, 3, 5)) / np.maximum(filled, 1)
    path = save_volume(mean.astype(np.float32), coarse, scene.folder / 't2.nii')
    where = {'in_file': str(path), 'magnitude': scene.magnitude, 'in_mask': scene.brain}
    found = run_in(scene.folder / 'ms', CarryR2(kind='T2map', scale=1e-3, **where))
    assert found.facts['r2_placed_by'] == 'header'
    carried = load_volume(found.r2)[0]
    both = inside & (carried > 0)
    assert both.sum() > 0.9 * inside.sum()
    assert np.corrcoef(carried[both], scene.r2[both])[0, 1] > 0.8
    assert np.mean(carried[both] - scene.r2[both]) == pytest.approx(0, abs=0.4)
    # taken for seconds, it is no R2 of a brain
    wrong = run_in(scene.folder / 's', CarryR2(kind='T2map', **where))
    assert not isdefined(wrong.r2)
    assert 'expected 1 to 200 1/s: check its unit' in wrong.facts['left_out']
    assert wrong.facts['warnings'] == [wrong.facts['left_out']]


def test_what_has_no_r2_has_no_r2prime_and_says_why(scene):
    said = {'left_out': 'Because.', 'warnings': ['Because.']}
    r2star = str(save_volume(scene.r2 + 7, scene.affine, scene.folder / 'r2star.nii'))
    none = run_in(
        scene.folder / 'none', SubtractR2(r2star=r2star, in_mask=scene.brain, about=said)
    )
    assert not isdefined(none.r2prime)
    assert none.facts == said
    r2 = str(save_volume(scene.r2, scene.affine, scene.folder / 'r2.nii'))
    found = run_in(scene.folder / 'less', SubtractR2(r2star=r2star, r2=r2, in_mask=scene.brain))
    values = load_volume(found.r2prime)[0]
    np.testing.assert_allclose(values[scene.mask], 7, atol=1e-3)
    turned = run_in(scene.folder / 'more', SubtractR2(r2star=r2, r2=r2star, in_mask=scene.brain))
    assert not load_volume(turned.r2prime)[0].any()
    assert 'R2 is above R2* in 100% of the brain' in turned.facts['warnings'][0]


def test_r2prime_is_the_difference_where_both_rates_are_known():
    r2star = np.array([30, 30, 0, 20, 12.5, 30], np.float32).reshape(6, 1, 1)
    r2 = np.array([10, 0, 10, 25, 12.4, 10], np.float32).reshape(6, 1, 1)
    mask = np.array([1, 1, 1, 1, 1, 0], bool).reshape(6, 1, 1)
    found = reversible(r2star, r2, mask)
    np.testing.assert_allclose(found.r2prime.ravel(), [20, 0, 0, 0, 0.1, 0], atol=1e-5)
    np.testing.assert_allclose(found.t2prime.ravel(), [0.05, 0, 0, 0.5, 0.5, 0], atol=1e-6)
    assert found.negative == pytest.approx(1 / 3)
    assert found.r2prime.dtype == found.t2prime.dtype == np.float32


def test_rates_of_maps_know_their_kind_and_unit():
    values = np.array([80.0, 0.0, -1.0, np.nan, 50.0], np.float32)
    np.testing.assert_allclose(rates(values, 'T2map', 1e-3), [12.5, 0, 0, 0, 20], rtol=1e-6)
    np.testing.assert_allclose(rates(values, 'R2map', 1.0), [80, 0, 0, 0, 50], rtol=1e-6)


def test_the_graph_fits_spin_echoes_and_only_those(scene):
    method = STEPS['relaxometry'].choose('auto')
    spin = R2Source('MESE', tuple(scene.files), tuple(TIMES))
    assert 'fit_spin_echo' in init_r2prime_wf(r2_source=spin, method=method).list_node_names()
    given = init_r2prime_wf(
        r2_source=R2Source('T2map', (scene.files[0],), scale=1e-3), method=method
    )
    assert 'fit_spin_echo' not in given.list_node_names()
    carry = given.get_node('carry_r2').inputs
    assert (carry.kind, carry.scale, carry.in_file) == ('T2map', 1e-3, scene.files[0])


def test_a_run_without_r2_is_told_before_anything_is_computed():
    run = SimpleNamespace(name='sub-01', n_echoes=5, r2_source=None)
    r2prime, methods = GROUPS['r2prime'], settled_methods()
    assert 'sub-01 has no R2, expected an R2map' in r2prime.lacking(run, methods)
    run.r2_source = R2Source('R2map', ())
    assert r2prime.lacking(run, methods) == ''
    run.n_echoes = 1
    assert 'has one echo' in r2prime.lacking(run, methods)


def test_the_gradient_of_the_field_reaches_the_fit_and_the_facts_tell_its_noise(scene):
    """A field that changes by 0.1 ppm from slice to slice, of either sign."""
    shape, times = (12, 12, 12), [0.005, 0.010, 0.015, 0.020]
    field = 0.1 * np.arange(12, dtype=np.float32) * np.ones(shape, np.float32)
    share = np.sinc(123.2 * 0.1 * np.array(times))
    rate = np.linspace(10, 40, 12)[:, None, None, None] * np.ones((*shape, 1))
    magnitude = (1000 * np.exp(-rate * times) * share).astype(np.float32)
    magnitude[3, 3, 3] = 0
    magnitude = np.moveaxis(magnitude, -1, 0)
    folder, eye = scene.folder, np.eye(4)
    files = {
        'in_file': str(save_volume(magnitude, eye, folder / 'mag.nii')),
        'in_mask': str(save_volume(np.ones(shape, bool), eye, folder / 'all.nii')),
        'in_field': str(save_volume(-field, eye, folder / 'field.nii')),
    }
    about = {'echo_times': times, 'imaging_frequency': 123.2, 'method': 'loglinear:min_snr=0'}
    off = []
    for correction in ('none', 'sinc'):
        fit = FitRelaxation(**files, **about, gradient_correction=correction)
        made = run_in(folder / correction, fit)
        values = load_volume(made.r2star)[0]
        assert values[3, 3, 3] == 0
        assert made.facts['unfitted_voxels'] == 1
        assert load_volume(made.n_echoes)[0].sum() == 4 * (12**3 - 1)
        off.append(np.abs(values - rate[..., 0])[4:].max())
    assert off[0] > 5  # 1/s
    assert off[1] < 0.1
