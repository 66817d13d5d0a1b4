"""The cohort's page in a real browser: filter, table, plots and montage move together."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.__main__ import main
from helpers.chromium import DESK, PHONE, needs_axe, open_browser
from helpers.participant_outputs import INGENIA, PRISMA, Made

RUNS = 60


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Page of 60 runs of two scanners: one noisy, one failed, one missing, one excluded."""
    made = Made(tmp_path_factory.mktemp('cohort'))
    random = np.random.default_rng(0)
    for n in range(1, RUNS):
        scanner = PRISMA if n % 2 else INGENIA
        made.run(
            f'sub-{n:02d}',
            random.normal(20, 1) if n != 7 else 3,
            random.normal(0.12, 0.01),
            acquisition=scanner,
        )
    made.status('sub-03', 'failed', 'memory ran out')
    made.measured('sub-60')
    made.write(made.out / 'sub-07/figures/sub-07_viewer.html', '')
    made.people(
        'participant_id age sex',
        *(f'sub-{n:02d} {20.5 + n} {"FM"[n % 3 > 0]}' for n in range(1, 61)),
    )
    head = 'run\trating\tcomment\trater\tdate\n'
    made.write(made.out / 'a_ratings.tsv', f'{head}sub-09\texclude\tmoved\tAda\t2025-01-01\n')
    assert main([str(made.bids), str(made.out), 'group']) == 0
    return made.out / 'group.html'


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp('profile')) as session:
        yield session


@pytest.fixture
def opened(browser, page):
    browser.visit(page)
    browser.run('document.documentElement.style.scrollBehavior = "auto"')
    return browser


def texts(browser, selector):
    return browser.run(
        'return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)', selector
    )


def tiles(browser):
    browser.run('document.getElementById("montage").scrollIntoView()')
    browser.wait('return document.querySelectorAll("#tiles li:not(.end)").length')
    return len(texts(browser, '#tiles li:not(.end)'))


def inked(browser, selector):
    """How many pixels of a canvas are drawn on."""
    script = """
        const canvas = document.querySelector(arguments[0]);
        canvas.scrollIntoView({block: 'center'});
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.filter((value, place) => place % 4 === 3 && value).length"""
    browser.wait(f'return (() => {{ {script.replace("arguments[0]", repr(selector))} }})() > 0')
    return browser.run(script, selector)


@pytest.mark.parametrize('size', [DESK, PHONE], ids=['desk', 'phone'])
@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
def test_it_opens_without_an_error_a_request_or_a_broken_picture(browser, page, size, dark):
    browser.visit(page, size, dark=dark)
    browser.run('document.getElementById("montage").scrollIntoView()')
    browser.wait('return document.querySelectorAll("#tiles img").length')
    browser.check(page, size)
    assert browser.text('shown') == f'{RUNS} of {RUNS} runs'
    assert tiles(browser) == RUNS


def test_without_scripts_the_list_and_a_table_of_all_runs_are_seen(browser, page):
    browser.visit(page, scripts=False)
    assert browser.element('noscript table').is_displayed()
    assert len(browser.driver.find_elements('css selector', 'noscript tbody tr')) == RUNS
    assert browser.element('.look li').is_displayed()
    assert not browser.element('#filter').is_displayed()


def test_the_filter_moves_table_montage_and_count(opened):
    assert opened.text('shown') == '60 of 60 runs'
    assert texts(opened, '#rows tbody th')[0] == 'sub-07 viewer'
    assert opened.element('#rows .viewer').get_attribute('href').endswith('/sub-07_viewer.html')
    assert tiles(opened) == RUNS
    opened.run('document.querySelector(\'#counts [data-level="failed"] button\').click()')
    assert opened.text('shown') == '1 of 60 runs'
    assert texts(opened, '#rows tbody th') == ['sub-03']
    assert tiles(opened) == 1
    opened.run('document.getElementById("reset").click()')
    assert opened.text('shown') == '60 of 60 runs'


def test_participants_are_filtered_by_number_and_by_level(opened):
    opened.run("""
        const age = document.querySelector('[data-field="people:age"] input');
        age.value = 70; age.dispatchEvent(new Event('input'));
        const box = [...document.querySelectorAll('[data-field="people:sex"] input')].find(b => b.level === 'F');
        box.click()""")
    expected = [n for n in range(1, 61) if 20.5 + n >= 70 and n % 3]
    assert opened.text('shown') == f'{len(expected)} of 60 runs'
    assert {*texts(opened, '#rows tbody th')} == {f'sub-{n:02d}' for n in expected}


def test_a_word_finds_runs_by_reason_and_comment(opened):
    opened.element('#find').send_keys('MOVED')
    assert texts(opened, '#rows tbody th') == ['sub-09']


def test_any_column_sorts_by_keyboard_and_says_so(opened):
    button = next(
        b
        for b in opened.driver.find_elements('css selector', '#rows thead button')
        if b.text == 'age'
    )
    opened.run('arguments[0].scrollIntoView({block: "center"})', button)
    button.send_keys('\n')
    assert (
        opened.run('return document.querySelector("#rows th[aria-sort]").ariaSort') == 'descending'
    )
    assert texts(opened, '#rows tbody th')[0] == 'sub-60'
    opened.driver.switch_to.active_element.send_keys('\n')
    assert (
        opened.run('return document.querySelector("#rows th[aria-sort]").ariaSort') == 'ascending'
    )
    assert texts(opened, '#rows tbody th')[:2] == ['sub-01', 'sub-02']


def test_columns_are_chosen_and_downloaded_as_they_are_shown(opened):
    opened.run("""
        window.saved = [];
        const make = URL.createObjectURL;
        URL.createObjectURL = blob => { blob.text().then(text => saved.push(text)); return make(blob); };
        document.getElementById('chooser').open = true""")
    opened.wait('return document.querySelector("#chooser input")')
    opened.run("""
        [...document.querySelectorAll('#chooser label')].find(l => l.textContent.includes('Noise of the field')).click();
        document.querySelector('#counts [data-filter="flagged"] button').click();
        document.getElementById('download').click()""")
    opened.wait('return saved.length')
    head, row, end = opened.run('return saved[0]').split('\n')
    assert end == ''
    cells = dict(zip(head.split('\t'), row.split('\t'), strict=True))
    assert cells['Run'] == 'sub-07'
    assert float(cells['Noise of the field (ppb)']) == pytest.approx(200 / 3, rel=1e-3)
    assert 'sub-07 viewer' in texts(opened, '#rows tbody th')


def test_plots_are_drawn_as_they_come_into_view_and_read_by_keyboard(opened):
    assert not opened.run('return document.querySelector(".strip canvas").plot.drawn')
    assert inked(opened, '.strip canvas') > 500
    canvas = opened.element('.strip canvas')
    canvas.send_keys('\ue011')  # home
    assert canvas.get_attribute('aria-valuetext').startswith('sub-07: 3, \u2212')
    assert opened.element('#tip').text.startswith('sub-07: 3, ')
    opened.element('.strip canvas').send_keys('\n')
    opened.wait('return location.href.endsWith("sub-07.html#sub-07")')


def test_plots_split_by_protocol_and_against_a_number(opened):
    inked(opened, '.strip canvas')
    assert len(texts(opened, '#legend span')) == 3, 'two scanners and the published range'
    assert opened.run('return document.querySelector(".strip canvas").plot.rows.length') == 2
    opened.run("""
        const split = document.getElementById('split');
        split.value = 'people:age'; split.dispatchEvent(new Event('change'))""")
    inked(opened, '.strip canvas')
    points = opened.run(
        'return document.querySelector(".strip canvas").plot.points.map(p => [p.run, p.y])'
    )
    assert [run for run, _ in sorted(points, key=lambda point: -point[1])] == sorted(
        run for run, _ in points
    )


def test_the_filter_moves_the_plots(opened):
    inked(opened, '.strip canvas')
    opened.run('document.querySelector(\'#counts [data-filter="flagged"] button\').click()')
    inked(opened, '.strip canvas')
    assert opened.run('return document.querySelector(".strip canvas").plot.points.length') == 1


def test_missing_and_failed_runs_are_told_in_the_montage(opened):
    tiles(opened)
    told = texts(opened, '#tiles li')
    assert any(text.startswith('missing: no output') and 'sub-60' in text for text in told)
    assert any('sub-03 failed' in text for text in told)
    assert any('sub-09 exclude' in text for text in told)
    assert opened.run('return document.querySelectorAll("#tiles img").length') == RUNS - 1


@needs_axe
@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
def test_it_is_accessible(browser, page, dark):
    browser.visit(page, dark=dark)
    browser.run("""
        for (const part of document.querySelectorAll('details')) part.open = true;
        document.getElementById('montage').scrollIntoView()""")
    browser.wait(
        'return document.querySelectorAll("#tiles img").length && document.querySelector("#chooser input")'
    )
    assert browser.violations() == []
