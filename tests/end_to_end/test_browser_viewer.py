"""The viewer in a real browser, drawn by NiiVue and, where there is no WebGL, without it."""

from __future__ import annotations

from itertools import product

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys

from bidsqsm.reports.viewer.viewer_page import write_viewer
from helpers import chromium, example_run
from helpers.chromium import DESK, PHONE, needs_axe

READY = 'return document.getElementById("stage").getAttribute("aria-busy") === "false"'


@pytest.fixture(scope='module')
def webgl(tmp_path_factory):
    with chromium.open_browser(tmp_path_factory.mktemp('profile')) as opened:
        yield opened


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    with chromium.open_browser(tmp_path_factory.mktemp('profile'), webgl=False) as opened:
        yield opened


@pytest.fixture(params=['niivue', 'plain'])
def browser(request):
    return request.getfixturevalue('webgl' if request.param == 'niivue' else 'plain')


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """The viewer of a made-up run that has most products and two regions."""
    root = tmp_path_factory.mktemp('viewer')
    run = example_run.make_run(root / 'raw')
    products = example_run.make_products(root / 'work')
    products['swi'] = products['magnitude_rss']
    chi = nb.load(products['chi']).get_fdata()
    sides = (
        np.arange(chi.shape[0])[:, None, None] >= chi.shape[0] // 2
    )  # the axis runs to the left
    labels = np.where(chi > 0.05, np.where(sides, 12, 11), 0).astype(np.uint8)
    products['roi_labels'] = example_run.save(root / 'work' / 'labels.nii', labels)
    products['roi_table'] = table(root / 'work' / 'labels.tsv', {12: 'L', 11: 'R'})
    return write_viewer(run, products, root / 'out' / 'sub-01' / 'figures')


def table(path, sides):
    rows = [
        {'index': index, 'name': f'p{side}', 'hemisphere': side, 'structure': 'putamen'}
        for index, side in sides.items()
    ]
    pd.DataFrame(rows).assign(chi_in_range='').to_csv(path, sep='\t', index=False)
    return path


#: Small, since the processor stands in for a graphics card; as on a desk, controls are at the side
SMALL = (1000, 640)


def visit(browser, page, size=SMALL, **how):
    # without it, what only emulates a graphics card is not drawn with
    browser.visit(page, size, fragment='#webgl', **how)
    browser.wait(READY)
    browser.check(page, size)


def press(browser, *keys):
    browser.element('#stage').send_keys(*keys)
    browser.wait(READY)


def click(browser, *selectors):
    for selector in selectors:
        browser.run('document.querySelector(arguments[0]).click()', selector)
    browser.wait(READY)


def enter(browser, identifier, value, event):
    browser.run(
        'const input = document.getElementById(arguments[0]); input.value = arguments[1];'
        'input.dispatchEvent(new Event(arguments[2]))',
        identifier,
        value,
        event,
    )
    browser.wait(READY)


def voxel_of(browser):
    return np.array([int(at) for at in browser.text('voxel').split(', ')])


def picture(browser):
    """The stage without its round corners."""
    return browser.pixels('#stage')[10:-10, 10:-10]


def gray(browser):
    """What the maps show: pixels of the stage without a colour."""
    pixels = picture(browser)
    return np.where(np.ptp(pixels, axis=2) < 12, pixels.mean(axis=2), 0)


def test_each_browser_draws_with_what_it_has(webgl, plain, page):
    for browser, name in ((webgl, 'niivue'), (plain, 'plain')):
        visit(browser, page)
        assert browser.run('return document.documentElement.dataset.renderer') == name
        assert browser.element('#drawn').is_displayed() == (name == 'plain')
    webgl.visit(page)
    webgl.wait(READY)
    assert webgl.run('return document.documentElement.dataset.renderer') == 'plain'


def test_both_ways_of_drawing_show_the_same(webgl, plain, page):
    seen = []
    for browser in (webgl, plain):
        visit(browser, page)
        pictures = [gray(browser)]
        for keys in ('2', '++', 'm'):
            press(browser, keys)
            pictures.append(gray(browser))
        seen.append(pictures)
    for one, other in zip(*seen, strict=True):
        assert one.std() > 20  # not blank
        assert np.abs(one - other).mean() < 3
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_keys_move_the_crosshair_and_the_slices(browser, page):
    visit(browser, page, PHONE)
    start, first = voxel_of(browser), gray(browser)
    # axial plane: the first axis of the file runs to the left, as the picture does
    for keys, moved in (
        ((Keys.ARROW_RIGHT,), (1, 0, 0)),
        ((Keys.ARROW_UP,), (1, 1, 0)),
        ((Keys.PAGE_UP,), (1, 1, 1)),
        ((Keys.SHIFT, Keys.PAGE_DOWN), (1, 1, -4)),
        (('s', Keys.ARROW_LEFT), (1, 2, -4)),
        (('c', Keys.PAGE_DOWN), (1, 1, -4)),
    ):
        press(browser, *keys)
        assert tuple(voxel_of(browser) - start) == moved
    assert np.abs(gray(browser) - first).mean() > 0.5
    press(browser, Keys.HOME, 'a')
    assert np.abs(gray(browser) - first).mean() < 0.01


def test_the_value_and_the_region_under_the_crosshair_are_told(browser, page):
    visit(browser, page)
    click(browser, '[data-region="1"]', '#mask-qsm_mask')
    at = tuple(voxel_of(browser))
    _, _, chi = example_run.head()
    assert browser.text('region') == 'left putamen'
    assert browser.text('value') == f'{chi[at]:.4f} ppm'
    assert browser.text('place').startswith('L ')
    assert browser.text('inside') == 'susceptibility'
    press(browser, '3')
    assert browser.text('quantity') == 'R2*'
    assert browser.text('value') == f'{20 + 200 * chi[at]:.1f} 1/s'
    click(browser, '[data-region="0"]')
    assert browser.text('region') == 'right putamen'
    enter(browser, 'slice-sagittal', 0, 'input')
    assert browser.text('region') == 'no region'
    assert browser.text('inside') == '\u2013'
    press(browser, '1')
    assert browser.text('value') == 'outside the mask'


def test_overlays_are_switched_faded_and_outlined(browser, page):
    visit(browser, page)

    def colour():
        return np.ptp(picture(browser), axis=2).sum()

    click(browser, '#crosshair', '[data-region="1"]')
    outlined = colour()
    click(browser, '#regions-outlines')
    faint = colour()
    enter(browser, 'regions-fill', 90, 'input')
    strong = colour()
    click(browser, '#overlays-on')
    none = colour()
    click(browser, '#overlays-on', '#regions-on', '#mask-qsm_mask')
    masked = colour()
    assert none < faint < outlined < strong
    assert masked > 2 * none


def test_the_window_changes_what_is_black_and_white(browser, page):
    visit(browser, page)
    click(browser, '#overlays-on', '#crosshair')
    assert (gray(browser) > 245).any()  # nuclei of 0.12 ppm
    press(browser, 'w')
    wide = gray(browser)
    assert browser.run('return document.getElementById("high").value') == '0.5'
    assert 100 < np.median(wide[wide > 60]) < 150  # tissue of 0 ppm
    assert wide.max() < 240  # nothing but letters
    enter(browser, 'low', 0.3, 'change')
    assert (gray(browser) > 60).mean() < 0.01  # letters and frames


def point(browser, right, down):
    """Click so many pixels beside and below the middle of the stage, and tell the voxel."""
    act = ActionChains(browser.driver)
    act.move_to_element_with_offset(browser.element('#stage'), right, down).click().perform()
    browser.wait(READY)
    return voxel_of(browser)


def test_the_pointer_moves_the_crosshair_to_where_it_is(browser, page):
    visit(browser, page)
    click(browser, '[data-show=coronal]')
    scale = browser.element('#stage').size['height'] / (example_run.SHAPE[2] * 1.3)
    moved = point(browser, 90, -90) - point(browser, 0, 0)
    # to the left side of the body, along the first axis of the file, and up
    expected = np.array([90 / scale, 0, 90 / scale / 1.3])
    assert np.abs(moved - expected).max() <= 1.5
    press(browser, '++')
    assert browser.text('zoom') == '156 %'
    moved = point(browser, 90, -90) - point(browser, 0, 0)
    assert np.abs(moved - expected / 1.5625).max() <= 1.5


def test_the_wheel_scrolls_the_plane_that_it_is_over(plain, page):
    visit(plain, page)
    click(plain, '[data-show=coronal]')
    before = voxel_of(plain)
    act = ActionChains(plain.driver)
    act.scroll_from_origin(ScrollOrigin.from_element(plain.element('#stage')), 0, 120).perform()
    plain.wait(READY)
    assert tuple(voxel_of(plain) - before) == (0, -3, 0)


def turned(degrees):
    """Rotation about the first, then the second axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array(
        [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    )


GRIDS = {
    'LPS': np.diag([-1.5, -1.5, 2.0]),
    'sagittal': np.array([[0, 0, 2.0], [-1.5, 0, 0], [0, -1.5, 0]]),  # PIR
    'tilted': turned(25) @ np.diag([1.5, 1.5, 2.0]),
    'tilted coronal': turned(-20) @ np.array([[-1.5, 0, 0], [0, 0, 2.0], [0, -1.5, 0]]),
}
MARK = np.array([24.0, 18.0, 12.0])  # mm to the right, front and top of the middle


def phantom(folder, axes, shape=(64, 64, 56)):
    """A ball of tissue with a bright ball right, in front and above of its middle."""
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = [7, -11, 5] - axes @ (np.array(shape) - 1) / 2
    x = np.stack(np.meshgrid(*map(np.arange, shape), indexing='ij'), axis=-1)
    from_middle = x @ axes.T - axes @ (np.array(shape) - 1) / 2
    tissue = np.linalg.norm(from_middle, axis=-1) < 42
    # along the axes of the grid that are nearest to right, front and top
    nearest = axes / np.linalg.norm(axes, axis=0)
    order = np.argmax(np.abs(nearest), axis=0)
    place = sum(MARK[order[n]] * np.sign(nearest[order[n], n]) * nearest[:, n] for n in range(3))
    mark = np.linalg.norm(from_middle - place, axis=-1) < 8
    files = {
        'chi': 0.12 * mark - 0.05 * tissue,
        'qsm_mask': tissue,
        'brain_mask': tissue,
        'magnitude_rss': 500.0 * tissue,
        'roi_labels': mark,
    }
    return (
        affine,
        np.add(place, [7, -11, 5]),
        {
            key: example_run.save(
                folder / f'{key}.nii',
                values if values.dtype == float else values.astype(np.uint8),
                affine,
            )
            for key, values in files.items()
        },
    )


@pytest.mark.parametrize(
    ('browser', 'grid'),
    [*(('plain', grid) for grid in GRIDS), ('niivue', 'sagittal'), ('niivue', 'tilted coronal')],
    indirect=['browser'],
)
def test_right_front_and_top_are_where_the_letters_say(browser, tmp_path, grid):
    affine, place, products = phantom(tmp_path, GRIDS[grid])
    page = write_viewer(example_run.make_run(tmp_path / 'raw'), products, tmp_path)
    visit(browser, page)
    click(browser, '#overlays-on', '#crosshair', '[data-region="0"]')
    parts = [part.split() for part in browser.text('place').split(', ')]
    told = [float(mm) * (1 if side in 'RAS' else -1) for side, mm in parts]
    assert np.abs(told - place).max() < 2
    assert np.allclose((affine @ [*voxel_of(browser), 1])[:3], told, atol=0.06)
    assert browser.text('value') == '0.0700 ppm'
    for plane in ('axial', 'coronal', 'sagittal'):
        click(browser, f'[data-show={plane}]')
        shown = gray(browser)
        middle = np.array(shown.shape) / 2
        edge = 30  # letters
        bright = np.argwhere(shown[edge:-edge, edge:-edge] > 200).mean(axis=0) + edge
        # above the middle; right of the body, or front, at the left
        assert bright[0] < middle[0] - 20
        assert bright[1] < middle[1] - 20


def test_a_lost_context_goes_on_without_webgl(webgl, page):
    visit(webgl, page)
    webgl.run(
        'document.getElementById("maps").getContext("webgl2")'
        '.getExtension("WEBGL_lose_context").loseContext()'
    )
    webgl.wait('return document.documentElement.dataset.renderer === "plain"')
    press(webgl, '2')
    assert gray(webgl).std() > 20


def test_without_javascript_a_note_says_so(plain, page):
    plain.visit(page, scripts=False)
    assert 'needs JavaScript' in plain.element('noscript').text
    assert not plain.element('#viewer').is_displayed()


@needs_axe
@pytest.mark.parametrize(('size', 'dark'), [*product([DESK, PHONE], [False, True])])
def test_the_viewer_is_accessible(plain, page, size, dark):
    visit(plain, page, size, dark=dark)
    plain.run('document.querySelectorAll("details").forEach(d => { d.open = true })')
    assert plain.violations() == []
