"""What runs left is gathered whole, and what one left damaged takes nothing of the others with it."""

from __future__ import annotations

import pytest

from bidsqsm.cohort.gather import gather
from bidsqsm.errors import DatasetError
from helpers.participant_outputs import INGENIA, PRISMA, Made


@pytest.fixture
def made(tmp_path):
    cohort = Made(tmp_path)
    for name in ('sub-02_run-2', 'sub-02_run-10', 'sub-01_ses-a', 'sub-10'):
        cohort.run(name)
    return cohort


def found(made, *args, **more):
    return {run.name: run for run in gather(made.bids, made.out, *args, **more).runs}


def test_every_run_comes_with_all_that_it_left(made):
    made.run('sub-03_acq-b', snr=31.5, chi=0.12, acquisition=INGENIA)
    made.write(made.out / 'sub-03/figures/sub-03_acq-b_viewer.html', '')
    made.status('sub-03_acq-b', warnings=['look', 'there'])
    run = found(made)['sub-03_acq-b']
    assert (run.status, run.reason, run.warnings) == ('ok', '', ('look', 'there'))
    assert run.metrics == {'snr_echo1': 31.5, 'field_noise': pytest.approx(200 / 31.5)}
    assert run.acquisition == INGENIA
    assert run.version == '0.1.0'
    (row,) = run.regions
    assert (row['atlas'], row['refined'], row['name'], row['hemisphere']) == (
        'Made',
        'no',
        'pallidum',
        'B',
    )
    assert (row['chi'], row['r2star']) == ('0.12', '30')
    assert run.thumbnail.name == 'sub-03_acq-b_desc-thumbnail_Chimap.webp'
    assert run.page == 'sub-03.html#sub-03_acq-b'
    assert run.viewer == 'sub-03/figures/sub-03_acq-b_viewer.html'


def test_runs_stand_in_natural_order(made):
    assert [*found(made)] == ['sub-01_ses-a', 'sub-02_run-2', 'sub-02_run-10', 'sub-10']


def test_the_newest_status_counts(made):
    made.status('sub-10', 'failed', 'memory', call='20250202-080000_aa')
    assert found(made)['sub-10'].status == 'failed'
    made.status('sub-10', 'ok', call='20250203-080000_aa')
    assert found(made)['sub-10'].status == 'ok'
    made.status('sub-02_run-2', 'skipped', 'no phase', call='20240101-080000_zz')
    assert found(made)['sub-02_run-2'].status == 'ok'


def test_that_a_subject_had_nothing_is_forgotten_once_it_has_something(made):
    made.status('sub-01', 'skipped', 'no gradient echoes', call='20240101-080000_aa')
    assert 'sub-01' not in found(made)
    made.status('sub-02', 'skipped', 'no echo times', call='20250101-120000_ab')
    assert found(made)['sub-02'].status == 'skipped', 'a run of the same call'


def test_the_refined_table_of_an_atlas_is_taken_where_there_is_one(made):
    made.regions('sub-10', {'pallidum': 0.15}, desc='refined')
    made.regions('sub-10', {'pallidum': 0.2}, atlas='Other')
    rows = {row['atlas']: row for row in found(made)['sub-10'].regions}
    assert (rows['Made']['chi'], rows['Made']['refined']) == ('0.15', 'yes')
    assert (rows['Other']['chi'], rows['Other']['refined']) == ('0.2', 'no')


def test_who_is_expected_and_left_nothing_is_missing(made):
    made.measured('sub-04')
    made.measured('sub-05_ses-b', suffix='T2starw')
    made.measured('sub-01_ses-b')
    made.write(made.bids / 'sub-06/anat/sub-06_T1w.nii.gz', '')
    made.write(made.bids / 'sub-01/ses-c/anat/sub-01_ses-c_T1w.nii.gz', '')
    made.people('participant_id age', 'sub-10 30', 'sub-04 40', 'sub-07 50')
    missing = {name: run.reason for name, run in found(made).items() if run.status == 'missing'}
    assert missing == {
        'sub-01_ses-b': 'no output: run the level participant for it',
        'sub-04': 'no output: run the level participant for it',
        'sub-05_ses-b': 'no output: run the level participant for it',
        'sub-06': 'the dataset has no gradient echoes of it',
        'sub-07': 'participants.tsv names it, but the dataset has no folder of it',
    }


def test_a_subject_that_was_skipped_as_a_whole_is_not_missing_as_well(made):
    made.measured('sub-05_ses-b')
    made.status('sub-05', 'skipped', 'no echo times')
    assert [name for name in found(made) if name.startswith('sub-05')] == ['sub-05']


def test_participants_and_sessions_are_read_with_every_column(made):
    made.people('participant_id age site', 'sub-01 33 A', 'sub-10 n/a B')
    made.write(
        made.bids / 'sub-01/sub-01_sessions.tsv',
        'session_id\tage\tscore\nses-a\t34\t7\nses-b\tn/a\t8\n',
    )
    people = gather(made.bids, made.out).people
    assert people.columns == ('age', 'site', 'score')
    assert people.of('01', 'a') == {'age': '34', 'site': 'A', 'score': '7'}
    assert people.of('01', 'b') == {'age': '33', 'site': 'A', 'score': '8'}
    assert people.of('10') == {'age': 'n/a', 'site': 'B', 'score': 'n/a'}
    assert people.of('02') == {'age': 'n/a', 'site': 'n/a', 'score': 'n/a'}


@pytest.mark.parametrize(
    ('name', 'content', 'said'),
    [
        ('sub-10/log/20250101-120000_ab/sub-10_status.json', '{"status": "ok"', 'not valid JSON'),
        (
            'sub-10/log/20250101-120000_ab/sub-10_status.json',
            '{"status": "fine"}',
            "the status 'fine'",
        ),
        ('sub-10/log/20250101-120000_ab/sub-10_status.json', '[1]', 'holds a list'),
        ('sub-10/anat/sub-10_metrics.json', '{"Metrics": 3}', 'metrics of a run'),
        ('sub-10/anat/sub-10_metrics.json', '', 'metrics of a run'),
        ('sub-10/anat/sub-10_metrics.json', '[' * 100_000, 'sub-10_metrics.json'),
        (
            'sub-10/anat/sub-10_atlas-Made_dseg.tsv',
            'index\tname\n1\ta\n',
            "lacks the column 'hemisphere'",
        ),
        (
            'sub-10/anat/sub-10_atlas-Made_dseg.tsv',
            'name\themisphere\tmean_wholebrain\na\tB',
            'cut or damaged',
        ),
        ('sub-10/anat/sub-10_atlas-Made_dseg.tsv', b'\xff\xfe\x00', 'not text in UTF-8'),
        ('sub-01_ratings.tsv', 'run\trating\nsub-10\tgood\n', 'expected exactly the columns'),
    ],
)
def test_a_damaged_file_is_told_and_the_others_are_read(made, name, content, said):
    path = made.out / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    cohort = gather(made.bids, made.out)
    (trouble,) = cohort.troubles
    assert f'{path}' in trouble
    assert said in trouble
    assert trouble.endswith(': it was left out')
    assert len(cohort.runs) == 4
    assert all(run.status == 'ok' for run in cohort.runs if run.name != 'sub-10')
    if 'status' in name:
        assert {run.name: run.status for run in cohort.runs}['sub-10'] == 'unknown'


@pytest.mark.parametrize('content', [b'\xff\xfe\x00', b'id\tage\nsub-01\t3\n'])
def test_damaged_participants_are_told(made, content):
    (made.bids / 'participants.tsv').write_bytes(content)
    cohort = gather(made.bids, made.out)
    assert 'participants.tsv' in cohort.troubles[0]
    assert cohort.people.columns == ()
    assert len(cohort.runs) == 4


def test_a_run_whose_logs_are_gone_is_still_read(made):
    (made.out / 'sub-10/log/20250101-120000_ab/sub-10_status.json').unlink()
    run = found(made)['sub-10']
    assert (run.status, run.reason) == ('unknown', 'it has no status file')
    assert run.metrics
    assert run.regions


def test_what_is_no_number_is_no_metric(made):
    made.metrics('sub-10', {'field_noise': None, 'snr_echo1': float('inf'), 'chi_sd': 7})
    assert found(made)['sub-10'].metrics == {'chi_sd': 7.0}


def test_labels_choose_participants_and_sessions(made):
    made.measured('sub-04')
    assert [*found(made, ['02', '04'])] == ['sub-02_run-2', 'sub-02_run-10', 'sub-04']
    assert [*found(made, [], ['a'])] == ['sub-01_ses-a']
    with pytest.raises(DatasetError, match=r'no participant 99 in .*; there are: 01, 02, 04, 10'):
        gather(made.bids, made.out, ['99'])
    with pytest.raises(DatasetError, match=r'no session z in .*; there are: a'):
        gather(made.bids, made.out, [], ['z'])


def test_ratings_are_read_from_the_output_and_from_given_files(made, tmp_path):
    head = 'run\trating\tcomment\trater\tdate\n'
    made.write(made.out / 'sub-10_ratings.tsv', f'{head}sub-10\tkeep\t\tAda\t2025-01-01\n')
    made.write(made.out / 'ratings/x_ratings.tsv', f'{head}sub-10\tunsure\thm\tBen\t2025-01-01\n')
    given = made.write(
        tmp_path / 'mine.tsv', f'{head}sub-02_run-2\texclude\tmoved\tAda\t2025-01-01\n'
    )
    ratings = gather(made.bids, made.out, rating_tables=[given]).ratings
    assert {name: one.rating for name, one in ratings.items()} == {
        'sub-02_run-2': 'exclude',
        'sub-10': 'unsure',
    }
    assert ratings['sub-10'].disagreement == 'Ada: keep, Ben: unsure'
    given.write_text('nothing')
    with pytest.raises(DatasetError, match='expected exactly the columns'):
        gather(made.bids, made.out, rating_tables=[given])


def test_without_a_run_one_is_asked_to_make_some(tmp_path):
    made = Made(tmp_path)
    made.measured('sub-01')
    with pytest.raises(
        DatasetError, match='has no run of any participant: run the level participant'
    ):
        gather(made.bids, made.out)
    made.run('sub-02', acquisition=PRISMA)
    with pytest.raises(DatasetError, match='has no run of these participants'):
        gather(made.bids, made.out, ['01'])
