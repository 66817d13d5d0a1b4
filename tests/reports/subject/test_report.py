"""The subject's page: self-contained, safe, and complete whatever went wrong."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from bidsqsm.config import settled_methods
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.drawing import figure
from bidsqsm.reports.panels import echo_figures, make_panels
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import write_subject_report
from helpers import example_run
from helpers.report_pages import HOSTILE, Page, record


@pytest.fixture(scope='module', autouse=True)
def _coarse():
    """Draw with few pixels: what is tested does not depend on how many there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, 'DPI', 60)
        yield


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A page about a hostile run that is complete, one that was skipped and one that failed."""
    root = tmp_path_factory.mktemp('report')
    run = example_run.make_run(root / 'raw', acq='good')
    run.metadata['Manufacturer'] = HOSTILE
    broken = example_run.make_run(root / 'raw', acq='bad')
    products = example_run.make_products(root / 'work')
    skipped = Skipped({'sub': '01', 'acq': 'none'}, f'no phase {HOSTILE}', 'MEGRE')
    (root / 'work' / 'broken.nii').write_bytes(b'no image')
    records = [
        record(
            run,
            products,
            example_run.make_facts(),
            warnings=['metadata say the opposite'],
            versions={'numpy': '2.9.9'},
            command=f'bidsqsm in out participant {HOSTILE}',
        ),
        RunRecord(skipped, {'status': 'skipped', 'reason': skipped.reason}),
        record(
            broken,
            {'chi': root / 'work' / 'broken.nii'},
            {},
            status='failed',
            reason='the mask is empty',
            crash=f'Traceback\n{HOSTILE}',
        ),
    ]
    path = write_subject_report(root / 'out', '01', records)
    return root, path, Page(path.read_text(encoding='utf-8'))


def test_nothing_is_fetched(made):
    _, path, page = made
    assert path.name == 'sub-01.html'
    assert not page.all('link')
    assert page.all('script') == [{}]
    for _, attributes in page.tags:
        assert not (attributes.get('src') or '').startswith(('http', '//'))
    style = path.read_text(encoding='utf-8').split('</style>')[0]
    assert 'url(' not in style
    assert '@import' not in style


def test_every_picture_is_inside_the_page_and_has_words_for_those_who_cannot_see_it(made):
    pictures = made[2].all('img')
    assert len(pictures) >= 12
    for picture in pictures:
        assert picture['src'].startswith('data:image/png;base64,')
        assert len(picture['alt']) > 20
        assert int(picture['width']) > int(picture['height']) / 2 > 50


def test_headings_go_down_one_step_at_a_time(made):
    levels = [int(tag[1]) for tag, _ in made[2].tags if re.fullmatch('h[1-6]', tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_hostile_text_is_shown_and_not_run(made):
    _, path, page = made
    assert page.text.count(HOSTILE) >= 4
    assert path.read_text(encoding='utf-8').count('<script') == 1


def test_the_page_tells_what_became_of_every_run(made):
    text = made[2].text
    assert '3 gradient-echo runs: 1 complete, 1 failed, 1 skipped.' in text
    assert 'Complete, with 1 warning' in text
    assert 'metadata say the opposite' in text
    assert 'no phase' in text
    assert 'the mask is empty' in text
    assert 'Traceback' in text


def test_a_figure_that_fails_says_so_and_the_others_stay(made):
    text = made[2].text
    assert text.count('This figure could not be drawn') == 5
    assert 'broken.nii' in text
    assert 'Magnitude' in text


def test_links_inside_the_page_lead_somewhere(made):
    page = made[2]
    targets = {attributes.get('id') for _, attributes in page.tags}
    inside = [a['href'] for a in page.all('a') if a['href'].startswith('#')]
    assert len(inside) > 8
    assert {link[1:] for link in inside} <= targets


def test_methods_acquisition_versions_and_command_are_there(made):
    text = made[2].text
    for piece in (
        '4:8:20 ms',
        '123.25 MHz',
        '2.9.9',
        'bidsqsm in out participant',
        '+12.3 ppb subtracted',
        'doi:10.1002/mrm.30006',
    ):
        assert piece in text
    for choice in settled_methods().values():
        assert all(name in text for name in choice.settings())


def test_figures_are_saved_beside_the_page(made):
    names = {path.name for path in (made[0] / 'out' / 'sub-01' / 'figures').iterdir()}
    assert 'sub-01_acq-good_desc-chi_Chimap.png' in names
    assert 'sub-01_acq-bad_desc-chi_Chimap.png' not in names


def test_the_same_page_twice_is_the_same_bytes(tmp_path):
    run = example_run.make_run(tmp_path / 'raw')
    products = {'chi': example_run.make_products(tmp_path / 'work')['chi']}
    pages = [
        write_subject_report(tmp_path / name, 'sub-01', [record(run, products, {})]).read_bytes()
        for name in ('a', 'b')
    ]
    assert pages[0] == pages[1]


def test_a_subject_without_runs_gets_a_page(tmp_path):
    path = write_subject_report(tmp_path, '07', [])
    assert 'No gradient-echo run was found' in path.read_text(encoding='utf-8')


def test_any_error_of_a_figure_is_caught(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError('out of ink')

    monkeypatch.setattr(echo_figures, 'raw_volume', fail)
    drawn = make_panels(example_run.make_run(tmp_path / 'raw'), {})
    assert [panel.error for panel in drawn] == ['RuntimeError: out of ink'] * 2
