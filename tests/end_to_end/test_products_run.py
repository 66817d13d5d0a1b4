"""What ``--products`` chooses is made by the app, with what it needs and nothing else."""

from __future__ import annotations

import json

import nibabel as nb
import numpy as np
import pytest

from helpers.app import App

R2STAR = ('--products', 'r2star', '--skip-bids-validation')


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


def test_r2star_alone_needs_no_inversion(app, coarse_dataset):
    call = app(coarse_dataset, 'r2star', *R2STAR)
    assert call.code == 0, call.printed
    names = {path.name for path in (call.out / 'sub-01' / 'anat').iterdir()}
    assert {'sub-01_R2starmap.nii.gz', 'sub-01_T2starmap.nii.gz', 'sub-01_S0map.nii.gz'} < names
    assert not [name for name in names if 'Chimap' in name]
    assert not [*call.out.rglob('*desc-local_fieldmap*')]
    assert 'invert' not in call.log
    text = (call.out / 'logs' / 'CITATION.md').read_text()
    assert 'R2* was fitted' in text
    assert 'Susceptibility maps were made' not in text
    again = app(coarse_dataset, 'r2star', *R2STAR, '--reports-only')
    only = app(coarse_dataset, 'text', *R2STAR, '--boilerplate-only')
    (alone,) = only.out.glob('logs/*methods.md')
    for said in (alone.read_text(), (again.out / 'sub-01.html').read_text()):
        assert 'R2* was fitted' in said
        assert 'Susceptibility was' not in said


def test_a_concentration_is_the_map_on_another_scale(app, coarse_dataset):
    call = app(
        coarse_dataset,
        'agent',
        '--products',
        'qsm',
        'concentration',
        '--concentration',
        'gadolinium:coefficient=0.3,baseline=-0.02',
        '--background',
        'vsharp',
        '--dipole',
        'tkd',
        '--atlases',
        'none',
        '--skip-bids-validation',
    )
    assert call.code == 0, call.printed
    anat = call.out / 'sub-01' / 'anat'
    values = {
        name: nb.load(anat / f'sub-01_{name}.nii.gz').get_fdata()
        for name in ('Chimap', 'gadoliniummap', 'desc-qsm_mask')
    }
    inside = values['desc-qsm_mask'] > 0
    agent, chi = values['gadoliniummap'], values['Chimap']
    np.testing.assert_allclose(agent[inside], (chi[inside] + 0.02) / 0.3, atol=1e-5)
    assert not agent[~inside].any()
    content = json.loads((anat / 'sub-01_gadoliniummap.json').read_text())
    assert content['Units'] == 'mmol/L'
    assert content['Processing']['concentration']['Parameters']['baseline'] == -0.02
    assert not [*call.out.rglob('*_ironmap*')]
    assert '*_gadoliniummap.*' in (call.out / '.bidsignore').read_text()
    assert 'deh2019' in (call.out / 'logs' / 'CITATION.bib').read_text()
    assert 'desc-concentration' in f'{[*call.out.rglob("figures/*")]}'
