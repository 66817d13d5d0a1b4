"""The page around the pictures: order, tables, ratings, and a script that is allowed by its digest."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from bidsqsm.derivatives.metrics_files import read_metrics
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.panels.page_order import PANELS
from bidsqsm.reports.panels.spec import Panel
from bidsqsm.reports.subject.overview import first_warnings, worst
from bidsqsm.reports.subject.quality import metric_groups
from bidsqsm.reports.subject.ratings_form import EarlierRatings
from bidsqsm.reports.subject.resource_use import StepUse
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.run_section import run_section
from bidsqsm.reports.subject.subject_page import render
from bidsqsm.reports.subject.warnings import MAP, PART, RunWarning, run_warnings
from bidsqsm.steps import Heading
from helpers import example_run
from helpers.report_pages import HOSTILE, Page, record

SIGN, REGION = 'The sign was guessed.', 'The putamen is out of range.'
METRIC_FILE = {
    'Run': 'sub-01',
    'Acquisition': {},
    'Metrics': {
        'snr_echo1': 41.23,
        'snr_echo2': 30.0,
        'snr_echo10': 2.5,
        'ghosting': None,
        'chi_r2star_correlation': -0.25,
        'of_a_later_version': 1.0,
    },
}


@pytest.fixture
def run(tmp_path):
    return example_run.make_run(tmp_path / 'raw', acq='a')


def panel(key: str) -> Panel:
    headings = {one.key: one.heading for one in PANELS}
    words = ('T2starw', f'Title of {key}', 'Caption', 'Alternative')
    return Panel(key, *words, error='no ink', heading=headings.get(key, Heading.FURTHER))


def page_of(*records, panels=(), output_dir=None) -> Page:
    return Page(render('sub-01', [(one, panels) for one in records], output_dir))


def text_of(run, *panels, output_dir=None, products=None, **status) -> str:
    one = record(run, products or {}, example_run.make_facts(), **status)
    return render('sub-01', [(one, panels)], output_dir)


def test_the_script_is_allowed_by_its_digest_and_nothing_else_is(run):
    text = text_of(run)
    (script,) = re.findall(r'<script>(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert 'unsafe-inline' not in policy.split('script-src')[1]
    assert not re.search(r'\son[a-z]+=', text.replace(script, ''))


def test_sessions_runs_stages_and_panels_are_headings_in_steps(run):
    runs = [replace(run, entities={'sub': '01', 'ses': ses, 'run': '1'}) for ses in ('a', 'b')]
    records = [record(one, {}, {}) for one in runs]
    page = page_of(*records, panels=[panel('chi'), panel('magnitude')])
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch('h[1-6]', tag)]
    assert levels[0] == 1
    assert max(levels) == 5
    assert all(b - a <= 1 for a, b in pairwise(levels))
    targets = [attributes['id'] for _, attributes in page.tags if 'id' in attributes]
    assert len(targets) == len(set(targets))
    assert {'session-a', 'sub-01_ses-a_run-1', 'sub-01_ses-b_run-1-susceptibility'} <= {*targets}
    links = [a['href'][1:] for a in page.all('a') if a['href'].startswith('#')]
    assert {*links} <= {*targets}
    assert links[0] == 'main'
    assert len(page.all('main')) == 1
    names = [nav['aria-label'] for nav in page.all('nav')]
    assert names == ['Contents', 'Contents of ses-a_run-1', 'Contents of ses-b_run-1']


def test_every_panel_stands_under_the_heading_of_its_step():
    headings = {panel.key: panel.heading for panel in PANELS}
    assert Heading.FURTHER not in headings.values()
    # orientations on one grid belong to the map, the flicker of the template to the regions
    assert headings['registered'] is headings['local'] is headings['chi'] is Heading.SUSCEPTIBILITY
    assert headings['flicker'] is headings['values'] is Heading.REGIONS
    assert headings['unwrapped'] is headings['phase'] is Heading.PHASE
    assert (headings['total'], headings['mask']) == (Heading.FIELD, Heading.MASKS)
    assert headings['convergence'] is headings['histograms'] is Heading.QUALITY


def test_pictures_stand_below_their_headings_in_the_order_of_the_processing(run):
    drawn = [panel(key) for key in ('mine', 'chi', 'reliability', 'phase', 'local', 'unwrapped')]
    section = run_section(record(run, {}, {}), drawn, 'sub-01', EarlierRatings(), None)
    found = [(one['title'], [each['key'] for each in one['panels']]) for one in section['stages']]
    assert found == [
        (Heading.ACQUISITION.value, []),  # the recommendations
        (Heading.PHASE.value, ['phase', 'unwrapped']),
        (Heading.FIELD.value, ['reliability']),
        (Heading.SUSCEPTIBILITY.value, ['chi', 'local']),
        (Heading.FURTHER.value, ['mine']),
    ]


def test_what_turns_the_whole_map_wrong_is_told_first():
    status = {
        'warnings': [
            REGION,
            'The input is odd.',
            'It did not converge.',
            'It streaks.',
            SIGN,
            'From nowhere.',
        ],
        'warned_by': {
            REGION: 'rois_wf',
            'It did not converge.': 'dipole_wf',
            SIGN: 'sign_wf',
            'It streaks.': 'quality_wf',
        },
    }
    found = run_warnings(status, ['The input is odd.'])
    assert [one.text for one in found] == [
        SIGN,
        'It did not converge.',
        'It streaks.',
        REGION,
        'From nowhere.',
        'The input is odd.',
    ]
    assert [one.weight for one in found[:4]] == [MAP, MAP, MAP, PART]
    assert found[0].about == 'Sign of the phase'


def test_a_status_of_an_earlier_version_keeps_its_warnings():
    assert [one.text for one in run_warnings({'warnings': ['look', 'look']})] == ['look']


def section(name: str, status: str, tone: str, *found: RunWarning, reason: str = ''):
    return {
        'short': name,
        'anchor': name,
        'status': status,
        'tone': tone,
        'reason': reason,
        'warnings': list(found),
    }


def test_the_top_of_the_page_tells_failures_then_doubts_about_maps():
    runs = [
        section(
            'a', 'ok', 'warned', RunWarning(MAP, 'Masks', 'small', 9), RunWarning(PART, 'R2*', 'b')
        ),
        section('b', 'ok', 'warned', RunWarning(MAP, 'Sign of the phase', 'odd', 1)),
        section('c', 'skipped', 'skipped', reason='no phase'),
        section('d', 'failed', 'failed', reason='it broke'),
    ]
    told = first_warnings(runs)
    assert [(one['run'], one['text']) for one in told['warnings']] == [
        ('c', 'no phase'),
        ('d', 'it broke'),
        ('b', 'odd'),
        ('a', 'small'),
    ]
    assert told['title'] == '2 of 4 could not be made'
    assert told['more'] == '1 more warning: see the run below.'
    assert told['warnings'][0]['anchor'] == ''  # what was skipped has no section to go to
    assert worst(runs) == 'failed'


def test_the_top_of_the_page_does_not_grow_with_the_runs():
    runs = [section(f'{n}', 'failed', 'failed', reason='it broke') for n in range(9)]
    told = first_warnings(runs)
    assert len(told['warnings']) == 6
    assert told['more'].startswith('3 more')


def test_a_run_with_nothing_to_warn_of_is_green():
    runs = [section('a', 'ok', 'ok')]
    assert first_warnings(runs) == {
        'title': 'Complete, with nothing to warn of',
        'warnings': [],
        'more': '',
    }
    assert worst(runs) == 'ok'


def metric_file(tmp_path, content=METRIC_FILE):
    path = tmp_path / 'metrics.json'
    path.write_text(json.dumps(content))
    return path


def test_metrics_of_echoes_share_a_row_in_their_order(tmp_path):
    groups = metric_groups(read_metrics(metric_file(tmp_path))['Metrics'])
    assert [group['title'] for group in groups] == ['Signal', 'Susceptibility']
    snr, ghosting = groups[0]['rows']
    assert snr['numbers'] == ['41.2', '30', '2.5']
    assert snr['per_echo']
    assert (snr['better'], snr['range']) == ('↑ higher', '≥ 0')
    assert ghosting['numbers'] == ['n/a']
    (correlation,) = groups[1]['rows']
    assert correlation['numbers'] == ['\N{MINUS SIGN}0.25']
    assert correlation['range'] == '\N{MINUS SIGN}1 to 1'
    assert correlation['alarm']
    assert not snr['alarm']


def test_a_metric_beyond_its_alarm_is_marked_in_the_table(run, tmp_path):
    page = Page(text_of(run, products={'metrics': metric_file(tmp_path)}))
    assert re.search(r'\N{MINUS SIGN}0\.25 +✕ +amiss', page.text)
    assert page.text.count('amiss') == 1


@pytest.mark.parametrize('content', [[], {'Metrics': 3}, {'Else': {}}])
def test_metrics_that_cannot_be_read_are_told_and_the_page_stays(run, tmp_path, content):
    text = text_of(run, products={'metrics': metric_file(tmp_path, content)})
    assert 'The metrics could not be read' in text
    assert 'Versions and command' in text


def test_the_acquisition_is_held_against_the_recommendations_and_all_facts_stay(run):
    page = Page(text_of(run))
    for piece in (
        'as recommended',
        'departs',
        'close',
        'unknown',
        '15 items',
        'TE1:ΔTE:TEmax 4:8:20 ms (3 echoes)',
        '123.25 MHz',
        'Siemens',
        'Not recorded in the metadata',
        'QSM Consensus Organization Committee',
    ):
        assert piece in page.text
    # a verdict is a word and a sign, not a colour alone
    assert re.search(r'✓\s+as recommended', page.text)


def test_what_the_steps_took_is_in_the_page(run):
    used = (StepUse('masking', 2.0, 3.0, 0.25), StepUse('R2*', 4.0, 4.0, 1.0, reused=True))
    one = replace(record(run, {}, {}), used=used)
    page = page_of(one)
    assert 'Time and memory: 2.0 s, 0.25 GB at most' in page.text
    assert '1 step was reused from an earlier call' in page.text
    assert 'Time and memory' not in page_of(record(run, {}, {})).text


def rated(tmp_path, *rows: str):
    head = 'run\trating\tcomment\trater\tdate\n'
    (tmp_path / 'ratings').mkdir(exist_ok=True)
    path = tmp_path / 'ratings' / 'all_ratings.tsv'
    path.write_text(head + ''.join(f'{row}\n' for row in rows), encoding='utf-8')


def test_earlier_ratings_are_shown_and_handed_to_the_script(run, tmp_path):
    rated(
        tmp_path,
        f'sub-01_acq-a\tkeep\t{HOSTILE}\tAda\t2025-01-31',
        'sub-01_acq-a\tunsure\tn/a\tBen\t2025-02-01',
        'sub-02\texclude\tn/a\tBen\t2025-02-01',
    )
    text = text_of(run, output_dir=tmp_path)
    page = Page(text)
    items = [one for one in page.all('li') if 'data-run' in one]
    assert [(one['data-rater'], one['data-rating']) for one in items] == [
        ('Ada', 'keep'),
        ('Ben', 'unsure'),
    ]
    assert items[0]['data-comment'] == HOSTILE
    assert text.count('<script') == 1
    assert 'The raters disagree' in page.text
    assert 'sub-02' not in page.text


def test_a_file_of_ratings_that_is_wrong_is_told_and_the_others_count(run, tmp_path):
    rated(tmp_path, 'sub-01_acq-a\texclude\tmoved\tAda\t2025-01-31')
    (tmp_path / 'x_ratings.tsv').write_text('run\tverdict\n')
    page = page_of(record(run, {}, {}), output_dir=tmp_path)
    assert 'Earlier ratings are left out' in page.text
    assert 'x_ratings.tsv has run, verdict, expected exactly the columns' in page.text
    assert 'Ada, 2025-01-31: exclude, moved' in page.text


def test_every_run_that_has_a_section_can_be_rated(run):
    failed = replace(run, entities={'sub': '01', 'run': '2'})
    skipped = Skipped({'sub': '01', 'run': '3'}, 'no phase', 'MEGRE')
    page = page_of(
        record(run, {}, {}),
        record(failed, {}, {}, status='failed', reason='it broke'),
        RunRecord(skipped, {'status': 'skipped', 'reason': 'no phase'}),
    )
    forms = [one for one in page.all('div') if one.get('class') == 'card rating']
    assert [one['data-run'] for one in forms] == ['sub-01_acq-a', 'sub-01_run-2']
    assert all('hidden' in one for one in forms)  # until the script shows them
    radios = [one for one in page.all('input') if one['type'] == 'radio']
    assert [one['value'] for one in radios] == ['keep', 'unsure', 'exclude'] * 2
    assert len(page.all('legend')) == len(page.all('fieldset')) == 2
    (tools,) = (one for one in page.all('div') if 'data-file' in one)
    assert tools['data-file'] == 'sub-01_ratings.tsv'
    assert page.all('noscript')


def test_the_viewer_is_linked_where_there_is_one(run, tmp_path):
    place = tmp_path / 'sub-01' / 'figures' / 'sub-01_acq-a_viewer.html'
    assert 'viewer.html' not in text_of(run, output_dir=tmp_path)
    place.parent.mkdir(parents=True)
    place.write_text('')
    text = text_of(run, output_dir=tmp_path)
    assert 'href="sub-01/figures/sub-01_acq-a_viewer.html"' in text
