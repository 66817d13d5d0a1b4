"""The app in two passes, from the dataset to the report."""

from __future__ import annotations

import json

import nibabel as nb
import numpy as np
import pytest

from helpers.app import App


@pytest.fixture(scope='module')
def call(demo_dataset, tmp_path_factory):
    """Limits so strict that the demo has holes; a direct method, so that it is quick."""
    app = App(tmp_path_factory.mktemp('app'))
    return app(
        demo_dataset,
        'two',
        '--two-pass',
        '--nprocs',
        '2',
        '--skip-bids-validation',
        '--background',
        'vsharp',
        '--dipole',
        'tkd',
        '--mask',
        'combined:quality_limit=0.5,residual_limit=0.05',
    )


def values(call, name):
    return nb.load(call.out / 'sub-01' / 'anat' / f'sub-01_{name}.nii.gz').get_fdata()


def test_every_mask_is_written_and_the_map_has_values_in_the_holes(call, demo_dataset):
    assert call.code == 0, call.printed
    whole, holed, brain = (values(call, f'desc-{x}_mask') > 0 for x in ('qsm', 'holed', 'brain'))
    filled = whole & ~holed
    assert filled.sum() > 10
    assert not (holed & ~whole).any()
    assert not (whole & ~brain).any()
    chi = values(call, 'Chimap')
    assert (chi[filled] != 0).mean() > 0.99
    truth = demo_dataset / 'derivatives' / 'truth' / 'sub-01' / 'anat' / 'sub-01_Chimap.nii.gz'
    assert np.corrcoef(chi[whole], nb.load(truth).get_fdata()[whole])[0, 1] > 0.5
    poor = ~(values(call, 'desc-quality_mask') > 0)
    assert poor[filled].mean() > 5 * poor[holed].mean()
    np.testing.assert_array_equal(values(call, 'desc-magnitude_mask') > 0, brain)
    assert not list(call.out.rglob('*desc-template_mask*'))


def test_two_passes_are_told_in_sidecar_methods_and_report(call):
    sidecar = call.out / 'sub-01' / 'anat' / 'sub-01_Chimap.json'
    told = json.loads(sidecar.read_text())['Decisions']
    assert told['mask']['mask_sources'] == {'brain': 'magnitude', 'qsm': 'magnitude, quality'}
    whole, holed = (values(call, f'desc-{x}_mask') > 0 for x in ('qsm', 'holed'))
    assert told['two_pass']['filled_voxels'] == (whole & ~holed).sum()
    assert 'two passes [@stewart2022]' in (call.out / 'logs' / 'CITATION.md').read_text()
    assert 'stewart2022' in (call.out / 'logs' / 'CITATION.bib').read_text()
