"""What a dataset gives: which runs, of which files, with which metadata, in which order."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import shutil

import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_volumes
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.inputs.run_table import run_table
from helpers.bids_skeleton import ECHO_TIMES, SCANNER, SHAPE, Skeleton


def only(dataset: Skeleton, **options) -> GreRun:
    """Give the single run of a dataset, which must be a good one."""
    (run,) = find_runs(dataset.root, **options)
    assert isinstance(run, GreRun), run.reason
    return run


def names(dataset: Skeleton, **options) -> list[str]:
    """Names of the runs that are found."""
    return [run.name for run in find_runs(dataset.root, **options)]


def test_a_run_knows_its_files_in_the_order_of_the_echoes(one_run):
    run = only(one_run)
    assert [path.name for path in run.phase] == [
        f'sub-01_echo-{echo}_part-phase_MEGRE.nii.gz' for echo in (1, 2, 3)
    ]
    assert [path.name for path in run.magnitude] == [
        f'sub-01_echo-{echo}_part-mag_MEGRE.nii.gz' for echo in (1, 2, 3)
    ]
    assert run.echo_times == ECHO_TIMES
    assert run.layout == 'echo-files'
    assert run.warnings == ()
    assert (run.name, run.suffix, run.shape) == ('sub-01', 'MEGRE', SHAPE)


def test_ten_echoes_are_counted_not_spelled(skeleton):
    times = [0.003 * (echo + 1) for echo in range(11)]
    skeleton.megre(echo_times=times)
    run = only(skeleton)
    assert run.phase[1].name == 'sub-01_echo-2_part-phase_MEGRE.nii.gz'
    assert run.echo_times == pytest.approx(times)


def test_the_field_comes_from_the_imaging_frequency_where_there_is_one(one_run):
    run = only(one_run)
    assert run.imaging_frequency == 123.2
    assert run.field_strength == pytest.approx(123.2 / 42.577478518)


def test_the_frequency_comes_from_the_nominal_field_otherwise(skeleton):
    skeleton.megre(scanner={'MagneticFieldStrength': 7})
    run = only(skeleton)
    assert run.field_strength == 7
    assert run.imaging_frequency == pytest.approx(298.042, abs=1e-3)


def test_the_grid_is_tilted_as_the_affine_says(one_run):
    grid = only(one_run).grid
    assert grid.voxel_size == pytest.approx((1, 1.2, 2))
    assert grid.b0_direction == pytest.approx((0, 0.28, 0.96))


@pytest.mark.parametrize('suffix', ['MEGRE', 'T2starw'])
def test_several_echoes_of_either_suffix(skeleton, suffix):
    skeleton.megre(suffix=suffix)
    assert only(skeleton).n_echoes == 3
    assert only(skeleton).suffix == suffix


@pytest.mark.parametrize('suffix', ['T2starw', 'T1w'])
def test_a_single_echo_without_echo_in_its_name(skeleton, suffix):
    for part in ('mag', 'phase'):
        skeleton.image(
            f'sub-01_part-{part}_{suffix}.nii.gz', sidecar={**SCANNER, 'EchoTime': 0.02}
        )
    run = only(skeleton)
    assert run.echo_times == (0.02,)
    assert run.t1w is None


def test_a_plain_t1w_is_no_run(one_run):
    one_run.image('sub-01_T1w.nii.gz')
    assert only(one_run).t1w == one_run.find('sub-01_T1w.nii.gz')


def test_a_plain_t1w_beside_a_gradient_echo_t1w_is_the_structural_one(skeleton):
    skeleton.image('sub-01_T1w.nii.gz', sidecar={})
    for part in ('mag', 'phase'):
        skeleton.image(f'sub-01_part-{part}_T1w.nii.gz', sidecar={**SCANNER, 'EchoTime': 0.02})
    run = only(skeleton)
    assert run.magnitude[0].name == 'sub-01_part-mag_T1w.nii.gz'
    assert run.t1w == skeleton.find('sub-01_T1w.nii.gz')


def test_a_magnitude_may_lack_its_part(skeleton):
    skeleton.megre(parts=('', 'phase'))
    run = only(skeleton)
    assert run.magnitude[0].name == 'sub-01_echo-1_MEGRE.nii.gz'


def test_real_and_imaginary_parts(skeleton):
    skeleton.megre(parts=('real', 'imag'))
    run = only(skeleton)
    assert (run.magnitude, run.phase) == ((), ())
    assert len(run.real) == len(run.imag) == 3


def test_phase_is_preferred_and_the_rest_is_said_to_be_left_aside(skeleton):
    skeleton.megre(parts=('mag', 'phase', 'real', 'imag'))
    run = only(skeleton)
    assert run.phase
    assert not run.real
    assert 'part-imag, part-real left aside' in run.warnings[0]


def test_real_and_imaginary_parts_serve_where_the_phase_is_missing(skeleton):
    skeleton.megre(parts=('mag', 'real', 'imag'))
    assert only(skeleton).real


def four_dimensional(dataset, shape, *, echo='', te=ECHO_TIMES):
    for part in ('mag', 'phase'):
        name = '_'.join(filter(None, ['sub-01', echo, f'part-{part}', 'MEGRE.nii.gz']))
        dataset.image(name, shape=shape, sidecar={**SCANNER, 'EchoTime': te})


def test_four_axes_without_echo_in_the_name_are_echoes(skeleton):
    four_dimensional(skeleton, (*SHAPE, 3))
    run = only(skeleton)
    assert (run.layout, run.n_channels, run.echo_times) == ('echoes-4d', 1, ECHO_TIMES)
    assert 'echoes along axis 4 were taken' in run.warnings[0]
    assert load_volumes(run.phase).shape == (3, *SHAPE)


def test_four_axes_with_echo_in_the_name_are_channels(skeleton):
    four_dimensional(skeleton, (*SHAPE, 5), echo='echo-1', te=0.004)
    four_dimensional(skeleton, (*SHAPE, 5), echo='echo-2', te=0.012)
    run = only(skeleton)
    assert (run.layout, run.n_channels, run.n_echoes) == ('channels-4d', 5, 2)
    assert 'receive channels along axis 4' in run.warnings[0]


def test_five_axes_are_echoes_then_channels(skeleton):
    four_dimensional(skeleton, (*SHAPE, 3, 4))
    run = only(skeleton)
    assert (run.layout, run.n_channels, run.n_echoes) == ('channels-5d', 4, 3)


def test_a_fourth_axis_of_one_is_no_axis(skeleton):
    four_dimensional(skeleton, (*SHAPE, 1), te=0.02)
    assert only(skeleton).layout == 'echo-files'


def test_sidecars_are_inherited_and_the_nearest_wins(skeleton):
    for part in ('mag', 'phase'):
        for echo in (1, 2):
            skeleton.image(f'sub-01_ses-a_echo-{echo}_part-{part}_MEGRE.nii.gz')
    skeleton.json('MEGRE.json', {**SCANNER, 'FlipAngle': 15, 'Manufacturer': 'A'})
    skeleton.json('echo-1_MEGRE.json', {'EchoTime': 0.005})
    skeleton.json('sub-01/sub-01_echo-2_MEGRE.json', {'EchoTime': 0.011})
    skeleton.json('sub-01/ses-a/sub-01_ses-a_MEGRE.json', {'FlipAngle': 20})
    skeleton.json('sub-01/ses-a/anat/sub-01_ses-a_part-phase_MEGRE.json', {'Units': 'rad'})
    skeleton.json('T1w.json', {'FlipAngle': 8})
    run = only(skeleton)
    assert run.echo_times == (0.005, 0.011)
    assert run.metadata['FlipAngle'] == 20
    assert run.metadata['Manufacturer'] == 'A'
    assert run.metadata['Units'] == 'rad'
    assert run.metadata['EchoTime'] == [0.005, 0.011]


def test_echo_times_in_the_sidecars_of_the_magnitude_alone_will_do(one_run):
    for echo in (1, 2, 3):
        one_run.change(f'sub-01_echo-{echo}_part-phase_MEGRE', EchoTime=None)
    assert only(one_run).echo_times == ECHO_TIMES


def test_one_sidecar_may_list_the_times_of_all_echoes(one_run):
    for path in (one_run.root / 'sub-01/anat').glob('*.json'):
        path.unlink()
    one_run.json('MEGRE.json', {**SCANNER, 'EchoTime': list(ECHO_TIMES)})
    assert only(one_run).echo_times == ECHO_TIMES


def test_whatever_differs_but_echo_and_part_makes_another_run(skeleton):
    skeleton.megre('sub-01_acq-a_run-1')
    skeleton.megre('sub-01_acq-a_run-2')
    skeleton.megre('sub-01_acq-b', after='flip-1')
    skeleton.megre('sub-01_acq-b', after='flip-2_mt-on')
    skeleton.megre('sub-01_acq-b', after='flip-2_mt-off')
    found = names(skeleton)
    assert found == [
        'sub-01_acq-a_run-1',
        'sub-01_acq-a_run-2',
        'sub-01_acq-b_flip-1',
        'sub-01_acq-b_flip-2_mt-off',
        'sub-01_acq-b_flip-2_mt-on',
    ]


def test_order_is_natural_and_does_not_depend_on_the_disk(skeleton):
    for who in ('sub-10', 'sub-2', 'sub-1_run-10', 'sub-1_run-9'):
        skeleton.megre(who, echo_times=(0.02,))
    assert names(skeleton) == ['sub-1_run-9', 'sub-1_run-10', 'sub-2', 'sub-10']


@pytest.fixture
def many(skeleton) -> Skeleton:
    """Two subjects, one with two sessions."""
    skeleton.megre('sub-01', echo_times=(0.02,))
    skeleton.megre('sub-02_ses-a_acq-x_run-01', echo_times=(0.02,))
    skeleton.megre('sub-02_ses-b', echo_times=(0.02,))
    return skeleton


@pytest.mark.parametrize('label', ['02', 'sub-02'])
def test_a_participant_is_chosen_by_label_with_or_without_prefix(many, label):
    assert names(many, participant_label=[label]) == ['sub-02_ses-a_acq-x_run-01', 'sub-02_ses-b']


def test_a_label_that_starts_with_the_letters_of_the_prefix_stays_whole(skeleton):
    skeleton.megre('sub-bus', echo_times=(0.02,))
    assert names(skeleton, participant_label=['sub-bus']) == ['sub-bus']


def test_a_session_is_chosen_by_label(many):
    assert names(many, session_label=['ses-b']) == ['sub-02_ses-b']


def test_an_unknown_participant_is_answered_with_those_that_exist(many):
    with pytest.raises(DatasetError, match=r'no participant 2 in .*; there are: 01, 02'):
        find_runs(many.root, participant_label=['01', '2'])


def test_an_unknown_session_is_answered_with_those_that_exist(many):
    with pytest.raises(DatasetError, match=r'no session c in .*; there are: a, b'):
        find_runs(many.root, session_label=['c'])


@pytest.mark.parametrize(
    ('query', 'expected'),
    [
        ({'acquisition': 'x'}, ['sub-02_ses-a_acq-x_run-01']),
        ({'acq': '*'}, ['sub-02_ses-a_acq-x_run-01']),
        ({'acq': None}, ['sub-01', 'sub-02_ses-b']),
        ({'run': 1}, ['sub-02_ses-a_acq-x_run-01']),
        ({'session': ['a', 'b'], 'run': None}, ['sub-02_ses-b']),
        ({'session': [None, 'b']}, ['sub-01', 'sub-02_ses-b']),
        ({'part': ['mag', 'phase'], 'subject': '01'}, ['sub-01']),
        ({'suffix': 'MEGRE', 'datatype': 'anat', 'extension': '.nii.gz', 'sub': '01'}, ['sub-01']),
    ],
)
def test_filters_choose_by_entities(many, query, expected):
    assert names(many, filters={'megre': query}) == expected


def test_a_filter_may_take_some_of_the_echoes(one_run):
    run = only(one_run, filters={'megre': {'echo': [1, 2]}})
    assert run.echo_times == ECHO_TIMES[:2]


def test_a_filter_may_choose_the_t1w(one_run):
    one_run.image('sub-01_rec-a_T1w.nii.gz')
    one_run.image('sub-01_rec-b_T1w.nii.gz')
    assert '2 T1w images' in only(one_run).warnings[0]
    run = only(one_run, filters={'t1w': {'reconstruction': 'b'}})
    assert run.t1w.name == 'sub-01_rec-b_T1w.nii.gz'
    assert run.warnings == ()


def test_a_query_for_other_apps_is_a_warning(many, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(names(many, filters={'bold': {'task': 'rest'}})) == 3
    assert "no use for query 'bold'" in caplog.text


@pytest.mark.parametrize(
    ('filters', 'sentence'),
    [
        ({'megre': {'acquisitoin': 'x'}}, "no entity 'acquisitoin'; did you mean 'acquisition'"),
        ({'megre': ['acq']}, 'expected an object'),
        ({'megre': {'acq': {'x': 1}}}, 'expected a label, a list of labels, null'),
        ({'megre': {'acq': 'y'}}, r"that match {'acq': 'y'} in the anat folders of sub-01"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(many, filters, sentence):
    with pytest.raises(DatasetError, match=sentence):
        find_runs(many.root, filters=filters)


def test_nothing_found_says_what_is_there(skeleton):
    skeleton.image('sub-01_T1w.nii.gz')
    skeleton.image('sub-01_T2w.nii.gz')
    with pytest.raises(DatasetError, match=r'no MEGRE, T2starw or T1w.*there: 1 T1w, 1 T2w'):
        find_runs(skeleton.root)


def test_an_asked_participant_with_nothing_is_answered_for(one_run):
    one_run.image('sub-02_T1w.nii.gz')
    assert names(one_run) == ['sub-01']
    good, bad = find_runs(one_run.root, participant_label=['01', '02'])
    assert isinstance(good, GreRun)
    assert isinstance(bad, Skipped)
    assert bad.name == 'sub-02'
    assert 'sub-02 has no MEGRE' in bad.reason


def test_two_images_with_the_same_entities_do_not_overwrite_each_other(one_run):
    one_run.megre(suffix='T2starw')
    good, bad = find_runs(one_run.root)
    assert (good.suffix, bad.suffix) == ('MEGRE', 'T2starw')
    assert isinstance(bad, Skipped)
    assert 'same entities as sub-01_MEGRE' in bad.reason
    assert only(one_run, filters={'megre': {'suffix': 'T2starw'}}).suffix == 'T2starw'


def test_the_t1w_is_of_the_same_session_or_the_only_one(skeleton):
    skeleton.megre('sub-01_ses-a', echo_times=(0.02,))
    skeleton.megre('sub-01_ses-b', echo_times=(0.02,))
    skeleton.image('sub-01_ses-a_T1w.nii.gz')
    skeleton.image('sub-02_ses-b_T1w.nii.gz')
    assert {r.t1w.name for r in find_runs(skeleton.root)} == {'sub-01_ses-a_T1w.nii.gz'}
    skeleton.image('sub-01_ses-c_T1w.nii.gz')
    assert [r.t1w and r.t1w.name for r in find_runs(skeleton.root)] == [
        'sub-01_ses-a_T1w.nii.gz',
        None,
    ]


def test_a_damaged_t1w_is_left_out_with_a_warning(one_run):
    path = one_run.image('sub-01_T1w.nii.gz')
    path.write_bytes(path.read_bytes()[:100])
    run = only(one_run)
    assert run.t1w is None
    assert 'T1w not used' in run.warnings[0]


def test_derivatives_inside_the_dataset_are_not_input(one_run):
    shutil.copytree(one_run.root / 'sub-01', one_run.root / 'derivatives/x/sub-05')
    assert names(one_run) == ['sub-01']


def test_a_pybids_database_gives_the_same_and_is_reused(many, tmp_path):
    database = tmp_path / 'new' / 'db'
    shutil.copytree(many.root / 'sub-01', many.root / 'derivatives/x/sub-01')
    expected = find_runs(many.root)
    assert find_runs(many.root, participant_label=['01'], database_dir=database) == expected[:1]
    assert [path.name for path in database.iterdir()] == ['layout_index.sqlite']
    before = (database / 'layout_index.sqlite').stat().st_mtime_ns
    assert find_runs(many.root, database_dir=database) == expected
    assert (database / 'layout_index.sqlite').stat().st_mtime_ns == before
    other = shutil.copytree(many.root, tmp_path / 'other')
    with pytest.raises(DatasetError, match='choose another --bids-database-dir'):
        find_runs(other, database_dir=database)


def test_a_run_survives_json_and_a_process_border(one_run):
    one_run.image('sub-01_T1w.nii.gz')
    run = only(one_run)
    assert GreRun.from_json(run.to_json()) == run
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301
    assert run.to_json() == only(one_run).to_json()


def test_json_keeps_the_order_of_entities(skeleton):
    skeleton.megre('sub-01_ses-a_acq-x_run-1', echo_times=(0.02,), after='flip-1')
    run = only(skeleton)
    assert GreRun.from_json(run.to_json()).name == 'sub-01_ses-a_acq-x_run-1_flip-1'


def test_the_table_says_what_will_be_done_and_what_not(one_run):
    one_run.megre('sub-02_ses-a_run-1', parts=('mag',), echo_times=(0.02,))
    four_dimensional(one_run, (*SHAPE, 3), te=0.02)
    for path in (one_run.root / 'sub-01/anat').glob('*part-*_MEGRE*'):
        if 'echo' not in path.name:
            path.unlink()
    head, rule, good, bad, _, count = run_table(find_runs(one_run.root)).splitlines()
    assert head.split()[:4] == ['subject', 'session', 'run', 'image']
    assert set(rule) == {'-', ' '}
    assert good.split() == [
        '01',
        '-',
        '-',
        'MEGRE',
        '3',
        '4',
        '12',
        '20',
        '2.89',
        '8x9x10',
        '1x1.2x2',
        '16',
        'process',
    ]
    assert bad.startswith('02       a        run-1  MEGRE')
    assert 'skip: sub-02_ses-a_run-1_echo-1_part-mag_MEGRE.nii.gz has no phase' in bad
    assert count == '1 to process, 1 to skip'
    assert good.index('process') == bad.index('skip:') == head.index('what')


def test_finding_writes_nothing_into_the_dataset(one_run):
    before = sorted(one_run.root.rglob('*'))
    find_runs(one_run.root)
    assert sorted(one_run.root.rglob('*')) == before


def test_paths_are_absolute_wherever_the_app_is_started(one_run, monkeypatch):
    monkeypatch.chdir(one_run.root.parent)
    (run,) = find_runs(one_run.root.name)
    assert all(path.is_absolute() for path in run.files)
    assert run == only(one_run)


def test_affine_of_the_run_is_that_of_its_files(one_run):
    np.testing.assert_allclose(np.array(only(one_run).affine), one_run.affine, atol=1e-6)


def test_the_table_names_what_is_special_of_a_run(skeleton, tmp_path):
    for part in ('real', 'imag'):
        skeleton.image(
            f'sub-01_part-{part}_MEGRE.nii.gz',
            shape=(*SHAPE, 5, 4),
            sidecar={**SCANNER, 'EchoTime': [0.005, 0.01, 0.015, 0.02, 0.025]},
        )
    given = Skeleton(tmp_path / 'given')
    given.image('sub-01_mask.nii.gz', data=np.ones(SHAPE, np.uint8))
    given.image('sub-01_dseg.nii.gz', data=np.ones(SHAPE, np.uint8))
    table = run_table(find_runs(skeleton.root, derivatives={'x': given.root}))
    assert '5 10 .. 25' in table
    assert 'process (4 channels combined, from real and imaginary part, given mask, ' in table
    assert 'labels)' in table
    assert 'note on sub-01: sub-01_part-real_MEGRE.nii.gz: echoes along axis 4' in table


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'layout': 'odd'}, "no layout 'odd'; there are: echo-files"),
        ({'echo_times': (0.02, 0.01)}, 'expected ascending ones in seconds'),
        ({'echo_times': ()}, 'expected ascending ones in seconds'),
        ({'echo_times': (0.01, 0.02)}, 'has 3 files of magnitude, expected 2'),
    ],
)
def test_a_run_that_contradicts_itself_cannot_be_made(one_run, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(only(one_run), **change)


def test_optional_in_a_filter_takes_all(many):
    assert len(names(many, filters={'megre': {'acq': 'Query.OPTIONAL'}})) == 3


def test_files_that_are_not_named_by_bids_are_passed_over(one_run):
    for name in ('sub-01_MEGRE_copy-of.nii.gz', 'sub-01_run_MEGRE.nii.gz', 'sub-01_MEGRE.nii~'):
        (one_run.root / 'sub-01/anat' / name).touch()
    assert only(one_run).warnings == ()


def test_a_database_that_cannot_be_written_is_named(one_run, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match=r'cannot hold the PyBIDS database'):
        find_runs(one_run.root, database_dir=tmp_path / 'file' / 'db')
