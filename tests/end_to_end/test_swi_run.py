"""Susceptibility-weighted images of a run."""

from __future__ import annotations

import json

import nibabel as nb

from helpers.app import App

OPTIONS = ['--dipole', 'tkd', '--swi', 'phase-mask:power=2', '--skip-bids-validation']


def test_a_run_writes_the_images_it_was_asked_for(coarse_dataset, tmp_path_factory):
    room = tmp_path_factory.mktemp('run')  # the longer name of a test is too long for a socket
    app = App(room)
    call = app(coarse_dataset, 'out', '--products', 'swi', 'clear-swi', 'true-swi', *OPTIONS)
    assert call.code == 0, call.printed
    anat = call.out / 'sub-01' / 'anat'
    for desc in ('', '_desc-diamagnetic', '_desc-clear', '_desc-true'):
        image, lowest = (
            nb.load(anat / f'sub-01{desc}_{suffix}.nii.gz').get_fdata()
            for suffix in ('swi', 'minIP')
        )
        assert image.max() > 0
        assert (lowest <= image + 1e-6).all()
        content = json.loads((anat / f'sub-01{desc}_swi.json').read_text())
        assert content['Units'] == 'arbitrary'
        assert ('dipole' in content['Processing']) == (desc == '_desc-true')
    weighted = json.loads((anat / 'sub-01_swi.json').read_text())
    assert weighted['Processing']['swi']['Parameters']['power'] == 2
    assert weighted['Decisions']['swi']['slice_axis'] == 'k'
    assert weighted['Decisions']['swi']['filter_widths'] == [18, 21]  # half of the matrix
    assert not [*anat.glob('*Chimap*')]
    page = (call.out / 'sub-01.html').read_text()
    assert all(
        title in page for title in ('Susceptibility-weighted images', 'CLEAR-SWI', 'True SWI')
    )
    assert '@haacke2004' in (call.out / 'logs' / 'CITATION.md').read_text()
