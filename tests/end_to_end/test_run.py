"""The app from end to end, as a person runs it: offline, beside a bad subject, twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from helpers.app import App


@pytest.fixture(scope='module')
def dataset(demo_dataset, tmp_path_factory):
    """The demo with a subject that lacks a phase echo and one with an empty one."""
    root = tmp_path_factory.mktemp('run') / 'ds'
    shutil.copytree(demo_dataset, root)
    for subject in ('sub-02', 'sub-03'):
        for path in sorted((root / 'sub-01').rglob('*')):
            if path.is_file() and 'T1w' not in path.name:
                target = str(path).replace('sub-01', subject)
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    for path in root.glob('sub-02/anat/*echo-3_part-phase*'):
        path.unlink()
    flat = root / 'sub-03/anat/sub-03_echo-2_part-phase_MEGRE.nii.gz'
    image = nb.load(flat)
    nb.save(nb.Nifti1Image(np.ones(image.shape, 'float32'), image.affine), flat)
    with (root / 'participants.tsv').open('a') as table:
        width = len((root / 'participants.tsv').read_text().split('\n')[0].split('\t'))
        for subject in ('sub-02', 'sub-03'):
            table.write('\t'.join([subject, *['n/a'] * (width - 1)]) + '\n')
    return root


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


@pytest.fixture(scope='module')
def first(app, dataset):
    """All subjects, two processors, the mask of the truth."""
    before = listing(dataset)
    call = app(
        dataset,
        'one',
        '--nprocs',
        '2',
        '--resource-monitor',
        '-d',
        f'truth={dataset}/derivatives/truth',
    )
    assert listing(dataset) == before, 'the input was written to'
    return call


@pytest.fixture(scope='module')
def again(app, dataset, first):
    """The good subject once more, into the same folders."""
    return app(
        dataset,
        'one',
        '--participant-label',
        '01',
        '-d',
        f'truth={dataset}/derivatives/truth',
    )


@pytest.fixture(scope='module')
def alone(app, dataset, first):
    """The good subject on one processor, into other folders, which are cleaned."""
    return app(
        dataset,
        'two',
        '--participant-label',
        '01',
        '--nprocs',
        '1',
        '--clean-workdir',
        '--skip-bids-validation',
        '-d',
        f'truth={dataset}/derivatives/truth',
    )


def listing(folder):
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob('*') if p.is_file()}


def values(path):
    return nb.load(path).get_fdata()


def test_a_bad_subject_is_skipped_with_its_reason_and_the_others_go_on(first):
    assert first.code == 1, first.printed
    assert first.printed.strip().split('\n')[-1].startswith('bidsqsm failed: 1 run ok, 2 skipped')
    assert first.status('sub-01')['status'] == 'ok'
    missing, flat = first.status('sub-02'), first.status('sub-03')
    assert missing['status'] == flat['status'] == 'skipped'
    assert 'sub-02_echo-3_part-phase_MEGRE.nii.gz is missing' in missing['reason']
    assert 'sub-03_echo-2_part-phase_MEGRE.nii.gz is constant' in flat['reason']
    assert 'Traceback' not in first.printed
    assert 'Traceback' in Path(flat['crash']).read_text()


def test_the_map_is_that_of_the_head(first, dataset):
    truth = dataset / 'derivatives' / 'truth' / 'sub-01' / 'anat'
    chi = values(first.out / 'sub-01' / 'anat' / 'sub-01_Chimap.nii.gz')
    inner = ndimage.binary_erosion(chi != 0, iterations=2)
    (path,) = truth.glob('*_Chimap.nii.gz')
    assert np.corrcoef(chi[inner], values(path)[inner])[0, 1] > 0.7


def test_every_subject_has_a_report_and_only_the_good_one_maps(first):
    for subject in ('sub-01', 'sub-02', 'sub-03'):
        assert (first.out / f'{subject}.html').stat().st_size > 1000
    assert sorted(p.name for p in first.out.rglob('*_Chimap.nii.gz')) == [
        'sub-01_Chimap.nii.gz',
        'sub-01_desc-sd_Chimap.nii.gz',
    ]


def test_nothing_was_written_elsewhere_nor_fetched(first, app):
    assert app.strays() == []
    assert sorted(p.name for p in app.room.iterdir() if p.name.startswith('one')) == [
        'one',
        'one_work',
    ]


def test_the_log_has_every_step_and_the_use_of_the_machine(first):
    assert 'sub-01: inversion in one step done in' in first.log
    (table,) = first.out.glob('logs/*resources.tsv')
    rows = [line.split('\t') for line in table.read_text().splitlines()]
    assert rows[0] == ['run', 'step', 'seconds', 'cpu_seconds', 'peak_gb']
    steps = {row[1]: [float(x) for x in row[2:]] for row in rows[1:] if row[0] == 'sub-01'}
    assert all(peak > 0.05 for _, _, peak in steps.values())
    assert 'invert_total_field' in steps


def test_a_second_call_uses_the_finished_steps_again(again):
    assert again.code == 0, again.printed
    assert again.printed.strip().split('\n')[-1].startswith('bidsqsm finished: 1 run ok')
    # eight steps of the maps, and those of the labels that lie beside the truth
    assert again.log.count('reused') > 8
    assert 'sub-01: writing done' in again.log
    assert again.log.count(' done in ') == 2, 'but writing and the report'


def test_one_and_two_processors_give_the_same_bytes(first, again, alone):
    assert alone.code == 0, alone.printed
    images = sorted(p.relative_to(first.out) for p in first.out.rglob('sub-01*.nii.gz'))
    assert len(images) > 10
    for image in images:
        assert (first.out / image).read_bytes() == (alone.out / image).read_bytes(), image


def test_a_clean_work_folder_keeps_no_images(alone):
    work = alone.out.with_name('two_work')
    assert work.is_dir()
    assert not [*work.rglob('*.nii')]


def test_reports_can_be_written_again(again, app, dataset):
    page = again.out / 'sub-01.html'
    page.unlink()
    call = app(
        dataset, 'one', '--participant-label', '01', '--reports-only', '--skip-bids-validation'
    )
    assert call.code == 0, call.printed
    assert page.stat().st_size > 100_000
    assert 'dipole inversion' not in call.log


def test_the_methods_text_and_the_graph_can_be_had_without_computing(app, dataset):
    call = app(
        dataset,
        'three',
        '--participant-label',
        '01',
        '--boilerplate-only',
        '--skip-bids-validation',
        '--dipole',
        'tkd',
        '--write-graph',
    )
    assert call.code == 0, call.printed
    (graph,) = call.out.glob('logs/*graph.svg')
    assert 'invert_dipole' in graph.read_text()
    (text,) = call.out.glob('logs/*methods.md')
    assert '`tkd`' in text.read_text()
    assert not [*call.out.rglob('*.nii.gz')]
