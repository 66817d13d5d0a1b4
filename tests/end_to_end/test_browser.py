"""The report opened in a real browser: complete, quiet, offline, accessible."""

from __future__ import annotations

import time

import pytest

from bidsqsm.cohort.ratings import read_rating_file
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.sidecars import provenance
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import write_subject_report
from helpers import chromium, example_run
from helpers.chromium import DESK, PHONE, needs_axe


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    with chromium.open_browser(tmp_path_factory.mktemp('profile')) as opened:
        yield opened


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """The page of a run that is complete, one that failed and one that was skipped."""
    root = tmp_path_factory.mktemp('pages')
    run = example_run.make_run(root / 'raw', acq='good')
    broken = example_run.make_run(root / 'raw', acq='bad')
    told = provenance(run, example_run.make_facts(), settled_methods())
    ok = {'status': 'ok', 'warnings': ['the metadata say the opposite']}
    failed = {'status': 'failed', 'reason': 'the mask is empty', 'crash': 'Traceback\nend'}
    skipped = Skipped({'sub': '01', 'acq': 'none'}, 'no phase', 'MEGRE')
    records = [
        RunRecord(run, ok, example_run.make_products(root / 'work'), told),
        RunRecord(broken, failed),
        RunRecord(skipped, {'status': 'skipped', 'reason': skipped.reason}),
    ]
    return write_subject_report(root / 'out', '01', records)


@pytest.mark.parametrize('size', [DESK, PHONE])
@pytest.mark.parametrize('scripts', [True, False])
def test_the_subject_page_opens_from_disk(browser, page, size, scripts):
    browser.visit(page, size, scripts=scripts)
    assert browser.run('return document.images.length') >= 12


def test_the_report_leads_to_the_viewer_and_back(browser, page):
    browser.visit(page)
    browser.element('a[href$="_viewer.html"]').click()
    browser.wait('return document.getElementById("stage")?.getAttribute("aria-busy") === "false"')
    viewer = page.parent / 'sub-01' / 'figures' / 'sub-01_acq-good_viewer.html'
    assert browser.driver.current_url == viewer.as_uri()
    browser.check(viewer, DESK)
    browser.element('nav a').click()
    browser.wait('return location.hash')
    assert browser.driver.current_url.startswith(f'{page.as_uri()}#')
    assert browser.run('return document.querySelector(":target").tagName') == 'SECTION'


def test_a_rating_leaves_the_page_as_a_file(browser, page, tmp_path):
    browser.visit(page)
    browser.command('Browser.setDownloadBehavior', behavior='allow', downloadPath=str(tmp_path))
    browser.element('.rating[data-run="sub-01_acq-good"] input[value=exclude]').click()
    browser.element('.rating[data-run="sub-01_acq-good"] textarea').send_keys('moved, twice')
    browser.element('.rating-tools input').send_keys('Ada')
    browser.element('.rating-tools button').click()
    path = tmp_path / 'sub-01_ratings.tsv'
    end = time.monotonic() + 10
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    (rating,) = read_rating_file(path)
    assert (rating.run, rating.rating, rating.rater) == ('sub-01_acq-good', 'exclude', 'Ada')
    assert rating.comment == 'moved, twice'


@needs_axe
@pytest.mark.parametrize('dark', [False, True])
@pytest.mark.parametrize('size', [DESK, PHONE])
def test_the_subject_page_is_accessible(browser, page, size, dark):
    browser.visit(page, size, dark=dark)
    assert browser.violations() == []


def test_a_page_that_does_what_it_must_not_is_caught(browser, tmp_path):
    page = tmp_path / 'page.html'
    for content in (
        '<img src="https://example.org/pixel.png" alt="">',
        '<img src="data:image/png;base64,AAAA" alt="">',
        '<script>throw new Error("no")</script>',
        '<div style="width: 3000px">wide</div>',
    ):
        page.write_text(f'<!DOCTYPE html><title>bad</title>{content}', encoding='utf-8')
        with pytest.raises(AssertionError):
            browser.visit(page)


@needs_axe
def test_a_page_that_is_not_accessible_is_caught(browser, tmp_path):
    page = tmp_path / 'page.html'
    page.write_text('<!DOCTYPE html><title>bad</title><input>', encoding='utf-8')
    browser.visit(page)
    assert any('label' in violation for violation in browser.violations())
