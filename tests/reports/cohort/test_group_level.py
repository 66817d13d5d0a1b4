"""``bidsqsm BIDS_DIR OUTPUT_DIR group`` writes page and tables of a cohort, the same bytes each time."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from bidsqsm.__main__ import main
from bidsqsm.cli.group import GroupSettings
from bidsqsm.cli.outcome import cohort_outcome
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.validation import find_validator, validation_errors
from bidsqsm.cohort.run_files import CohortRun
from bidsqsm.reports.cohort.payload import pictures
from helpers.participant_outputs import INGENIA, PRISMA, Made

HOSTILE = '</script><script>alert("x")</script><!-- & \u2028 "quotes"'
FILES = {
    f'group_{name}.{end}'
    for name in ('runs', 'metrics', 'regions', 'outliers')
    for end in ('tsv', 'json')
}


class Page(HTMLParser):
    """Tags, scripts and the text that is seen without JavaScript."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.scripts = [], '', []
        self.within = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.within = tag == 'script'
        if self.within:
            self.scripts.append((dict(attrs), ''))

    def handle_endtag(self, _):
        self.within = False

    def handle_data(self, data):
        if self.within:
            attributes, before = self.scripts[-1]
            self.scripts[-1] = attributes, before + data
        else:
            self.text += f'{data} '

    def json(self, name):
        return json.loads(
            next(text for attributes, text in self.scripts if attributes.get('id') == name)
        )


@pytest.fixture
def made(tmp_path):
    cohort = Made(tmp_path)
    random = np.random.default_rng(0)
    for number in range(1, 25):
        snr = random.normal(20, 1) if number != 7 else 3.0
        cohort.run(f'sub-{number:02d}', snr=snr, chi=random.normal(0.12, 0.005))
    cohort.status('sub-03', 'failed', f'memory ran out {HOSTILE}')
    cohort.measured('sub-30')
    rows = [f'sub-{n:02d} {20 + n} {"FM"[n % 2]}' for n in range(1, 25)]
    cohort.people('participant_id age sex', *rows)
    return cohort


def call(made, *options):
    return main([str(made.bids), str(made.out), 'group', *options])


def rows_of(path):
    with path.open(encoding='utf-8', newline='') as stream:
        return [*csv.DictReader(stream, delimiter='\t', quoting=csv.QUOTE_NONE)]


def page_of(made):
    return Page((made.out / 'group.html').read_text(encoding='utf-8'))


def test_page_and_tables_are_written_and_the_last_line_says_so(made, capsys):
    assert call(made) == 0
    line = capsys.readouterr().out
    assert re.fullmatch(
        r'bidsqsm finished: 23 runs of 25 in the cohort ok, 1 failed, 1 missing; 1 to look at: '
        rf'{made.out}/group.html \(\d+ s\)\n',
        line,
    )
    assert {path.name for path in made.out.glob('group*')} == {'group.html', *FILES}
    assert len([*made.out.glob('logs/bidsqsm_*.log')]) == 1


def test_a_second_call_writes_the_same_bytes(made):
    call(made)
    before = {path.name: path.read_bytes() for path in made.out.glob('group*')}
    call(made)
    assert before == {path.name: path.read_bytes() for path in made.out.glob('group*')}


def test_the_table_of_runs_has_a_row_for_each(made):
    made.write(
        made.out / 'ratings/a_ratings.tsv',
        'run\trating\tcomment\trater\tdate\nsub-07\texclude\tnoise\tAda\t2025-01-01\n',
    )
    call(made)
    rows = {row['run']: row for row in rows_of(made.out / 'group_runs.tsv')}
    assert len(rows) == 25
    seven = rows['sub-07']
    assert (seven['status'], seven['rating'], seven['comments']) == ('ok', 'exclude', 'Ada: noise')
    assert seven['flags'] == '2'
    assert 'robust SD' in seven['first_reason']
    assert (seven['age'], seven['sex'], seven['session_id']) == ('27', 'M', 'n/a')
    assert (
        seven['protocol']
        == 'MEGRE, 3 T, 1 \u00d7 1 \u00d7 1 mm, 3 echoes to 20 ms, Siemens Prisma'
    )
    assert seven['link'] == 'sub-07.html#sub-07'
    assert rows['sub-30']['status'] == 'missing'
    assert rows['sub-03']['reason'].startswith('memory ran out')


def test_metrics_regions_and_outliers_are_tables(made):
    call(made)
    metrics = {row['run']: row for row in rows_of(made.out / 'group_metrics.tsv')}
    assert (metrics['sub-07']['snr_echo1'], metrics['sub-30']['snr_echo1']) == ('3', 'n/a')
    regions = rows_of(made.out / 'group_regions.tsv')
    assert len(regions) == 24
    assert regions[0]['name'] == 'pallidum'
    assert float(regions[0]['chi']) == pytest.approx(0.12, abs=0.03)
    outliers = rows_of(made.out / 'group_outliers.tsv')
    assert {row['run'] for row in outliers} == {'sub-07'}
    snr = next(row for row in outliers if row['measure'] == 'snr_echo1')
    assert float(snr['robust_z']) < -float(snr['limit'])
    assert snr['compared_with'] == '23'


@pytest.mark.parametrize('name', ['runs', 'metrics', 'regions', 'outliers'])
def test_every_column_is_described(made, name):
    call(made)
    head = (made.out / f'group_{name}.tsv').read_text(encoding='utf-8').split('\n')[0].split('\t')
    about = json.loads((made.out / f'group_{name}.json').read_text(encoding='utf-8'))
    assert [*about] == head
    assert all(about[column]['Description'] for column in head)


def test_the_page_needs_nothing_else_and_runs_no_script_but_its_own(made):
    call(made)
    page = page_of(made)
    policy = next(
        a['content'] for t, a in page.tags if a.get('http-equiv') == 'Content-Security-Policy'
    )
    assert "default-src 'none'" in policy
    (script,) = [text for attributes, text in page.scripts if not attributes.get('type')]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith('on')]
        if tag in ('link', 'iframe', 'img', 'object', 'base', 'form'):
            pytest.fail(tag)
        for name in ('src', 'href'):
            value = attributes.get(name) or ''
            assert not value.startswith(('http:', '//', 'file:')), value
    assert {a['href'] for t, a in page.tags if t == 'a'} > {'sub-07.html#sub-07', '#look'}


def test_without_javascript_summary_list_and_table_are_there(made):
    call(made)
    page = page_of(made)
    text = ' '.join(page.text.split())
    assert '25 runs, 25 participants.' in text
    assert 'Signal to noise, echo 1: 3, ' in text
    assert 'robust SD below the 23 runs of the same protocol (median ' in text
    assert 'no output: run the level participant for it' in text
    table = text.partition('Run Status Rating Flags Why Protocol')[2]
    assert all(f'sub-{number:02d}' in table for number in range(1, 25))


def test_what_files_say_cannot_end_a_script_or_make_a_tag(made):
    made.people('participant_id age', f'sub-01 {HOSTILE.replace(" ", "")}')
    made.status('sub-05', warnings=[HOSTILE])
    made.metrics('sub-06', {'<b>evil</b>': 1.0}, {**PRISMA, 'ManufacturersModelName': HOSTILE})
    call(made)
    page = page_of(made)
    assert len(page.scripts) == 3
    assert not any(tag == 'b' for tag, _ in page.tags)
    runs = page.json('cohort')['runs']
    assert runs['warnings'][runs['name'].index('sub-05')] == [HOSTILE]
    assert runs['reason'][runs['name'].index('sub-03')].endswith(HOSTILE)
    assert HOSTILE.partition(' ')[0] in ' '.join(page.text.split())


def test_the_script_gets_every_number_and_picture(made):
    made.people(
        'participant_id age code note',
        *(f'sub-{n:02d} {20.5 + n} {n % 3} t{n}' for n in range(1, 30)),
    )
    (made.out / 'sub-02/figures/sub-02_desc-thumbnail_Chimap.webp').write_bytes(b'no picture')
    call(made)
    page = page_of(made)
    data, shown = page.json('cohort'), page.json('pictures')
    runs = data['runs']['name']
    kinds = {person['name']: person['kind'] for person in data['people']}
    assert kinds == {'age': 'number', 'code': 'choice', 'note': 'text'}
    snr = next(column for column in data['columns'] if column['key'] == 'snr_echo1')
    seven, thirty = runs.index('sub-07'), runs.index('sub-30')
    assert (snr['values'][seven], snr['values'][thirty]) == (3, None)
    assert [*snr['z']] == [str(seven)]
    chi = next(column for column in data['columns'] if column['key'].startswith('chi_'))
    assert chi['range'] == [80, 200]
    assert base64.b64decode(shown[seven])[8:12] == b'WEBP'
    assert (shown[thirty], shown[runs.index('sub-02')]) == ('', '')


def test_pictures_that_are_too_many_bytes_are_made_smaller(made):
    runs = [CohortRun(f'sub-{n}', {}, thumbnail=made.thumbnail(f'sub-{n:02d}')) for n in range(8)]
    whole = pictures(runs)
    small = pictures(runs, sum(map(len, whole)) // 4)
    assert sum(map(len, small)) < sum(map(len, whole)) / 2
    assert all(base64.b64decode(one)[8:12] == b'WEBP' for one in small)


def test_damaged_files_are_told_on_the_page_and_on_the_screen(made, capsys):
    path = made.out / 'sub-09/anat/sub-09_metrics.json'
    path.write_text('{')
    assert call(made) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f'warning: {path} cannot be read')
    assert '23 runs of 25' in printed.out
    assert f'{path}' in page_of(made).text
    assert f'{path}' in max(made.out.glob('logs/*.log')).read_text()


def test_runs_of_different_versions_are_told(made):
    path = made.out / 'sub-09/anat/sub-09_metrics.json'
    path.write_text(path.read_text().replace('0.1.0', '0.2.0'))
    call(made)
    assert (
        'by different versions of bidsqsm: 0.1.0 (23 runs), 0.2.0 (1 run).' in page_of(made).text
    )


def test_no_run_is_an_error_that_says_what_to_do(tmp_path, capsys):
    made = Made(tmp_path)
    assert call(made) == 2
    error = capsys.readouterr().err
    assert (
        error
        == f'bidsqsm failed: {made.out} has no run of any participant: run the level participant first\n'
    )
    assert [*made.out.iterdir()] == []
    made.out.rmdir()
    assert call(made) == 2
    assert 'expected the output of the level participant' in capsys.readouterr().err
    assert not made.out.exists()


def test_an_output_inside_the_dataset_is_refused(made, capsys):
    assert main([str(made.bids), str(made.bids / 'out'), 'group']) == 2
    assert 'is inside the input' in capsys.readouterr().err


def test_labels_choose_the_cohort(made, capsys):
    assert call(made, '--participant-label', 'sub-07', '08', '30') == 0
    assert '2 runs of 3' in capsys.readouterr().out
    assert call(made, '--participant-label', '77') == 2
    assert 'no participant 77' in capsys.readouterr().err


def test_a_given_table_of_ratings_is_read(made, tmp_path, capsys):
    table = made.write(
        tmp_path / 'r.tsv',
        'run\trating\tcomment\trater\tdate\nsub-08\tunsure\t\tAda\t2025-01-01\n',
    )
    assert call(made, '--ratings', str(table)) == 0
    rows = {row['run']: row['rating'] for row in rows_of(made.out / 'group_runs.tsv')}
    assert rows['sub-08'] == 'unsure'
    with pytest.raises(SystemExit):
        call(made, '--ratings', str(tmp_path / 'none.tsv'))
    assert 'none.tsv does not exist' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'option'),
    [
        (['--dipole', 'tkd'], '--dipole'),
        (['--dry-run'], '--dry-run'),
        (['--atlases', 'none'], '--atlases'),
    ],
)
def test_options_that_mean_nothing_here_are_refused(options, option, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_arguments(['in', 'out', 'group', *options])
    assert stop.value.code == 2
    assert f'{option} has no meaning at the level group' in capsys.readouterr().err


def test_what_schedulers_give_at_both_levels_is_passed_over():
    options = ['-w', 'work', '--nprocs', '2', '--mem', '8G', '--skip-bids-validation', '-v']
    settings = parse_arguments(['in', 'out', 'group', *options])
    assert isinstance(settings, GroupSettings)
    assert settings.verbose == 1


def test_ratings_mean_nothing_at_the_other_level(tmp_path, capsys):
    (tmp_path / 'r.tsv').write_text('')
    with pytest.raises(SystemExit):
        parse_arguments(['in', 'out', 'participant', '--ratings', str(tmp_path / 'r.tsv')])
    assert '--ratings belongs to the level group' in capsys.readouterr().err


def test_a_file_of_settings_may_be_that_of_the_participants(tmp_path):
    config = parse_arguments(['in', 'out', 'participant', '--session-label', 'a'])
    (tmp_path / 'c.toml').write_text(config.to_toml())
    settings = parse_arguments(['in', 'out', 'group', '--config-file', str(tmp_path / 'c.toml')])
    assert settings.session_label == ('a',)


def test_the_last_line_has_every_state():
    line = cohort_outcome(['ok', 'missing', 'skipped', 'ok'], 0, 'p', 61)
    assert line == (
        'bidsqsm finished: 2 runs of 4 in the cohort ok, 1 missing, 1 skipped; 0 to look at: p '
        '(1 min 1 s)'
    )


@pytest.mark.skipif(find_validator() is None, reason='needs bids-validator-deno')
def test_the_validator_passes_over_what_the_level_writes(tmp_path):
    made = Made(tmp_path)
    made.run('sub-01', acquisition=INGENIA)
    (made.out / 'sub-01/anat/sub-01_atlas-Made_dseg.tsv').unlink()
    about = {
        'Name': 'x',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'derivative',
        'GeneratedBy': [{'Name': 'bidsqsm'}],
    }
    made.write(made.out / 'dataset_description.json', json.dumps(about))
    made.write(
        made.out / 'README.md', 'Derivatives that were made up to be validated, and no more.\n' * 5
    )
    call(made)
    assert validation_errors(made.out, find_validator()) == []
