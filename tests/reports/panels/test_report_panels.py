"""Each panel shows what it says: the right values, slices and words, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pkgutil import iter_modules
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bidsqsm.config import settled_methods
from bidsqsm.derivatives.sidecars import provenance
from bidsqsm.facts.inversion_facts import DipoleFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.reports import panels
from bidsqsm.reports.drawing import figure as figures
from bidsqsm.reports.drawing import run_images as scenes
from bidsqsm.reports.drawing.run_images import MOST_ECHOES, RunImages
from bidsqsm.reports.panels import (
    chi_figures,
    echo_figures,
    local_field_figures,
    make_panels,
    mask_figures,
    registration_figures,
)
from bidsqsm.reports.panels.convergence import draw_convergence, histories
from bidsqsm.reports.panels.histograms import draw_histograms
from bidsqsm.reports.panels.page_order import PANELS
from bidsqsm.reports.panels.registration_figures import draw_edges, draw_flicker, tissue_borders
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.reports.panels.spectra_figures import draw_spectra
from bidsqsm.reports.subject.picture_files import save_panels
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import render, write_subject_report
from helpers import example_run

CHANGES = [0.5, 0.1, 0.04, 0.02, 0.008]


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    monkeypatch.setattr(figures, 'DPI', 60)


@pytest.fixture
def run(tmp_path):
    return example_run.make_run(tmp_path / 'raw')


@pytest.fixture
def products(tmp_path):
    return example_run.make_products(tmp_path / 'work')


@pytest.fixture
def scene(run, products):
    return RunImages(run, products)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn by a module: rows of tiles and bars, a pair for each picture."""

    def watch(module):
        seen = []

        def draw(rows, bars=(), legend=()):
            seen.append((rows, bars))
            return figures.draw(rows, bars, legend)

        monkeypatch.setattr(module, 'draw', draw)
        return seen

    return watch


def t1w(shift: int = 0) -> np.ndarray:
    """A T1w of the made-up head on the run's grid: fluid 100, gray 300, white matter 600."""
    skull, brain, chi = example_run.head()
    values = np.where(skull, 100.0, 0.0)
    values[brain] = 300
    values[brain & (np.indices(example_run.SHAPE)[2] > 18)] = 600
    values[17:23, 26:32, 14:22] = 100
    return np.roll(np.where(chi > 0.08, 300, values), shift, axis=0)


def with_heads(products, tmp_path, **shifts):
    own = {
        key: example_run.save(tmp_path / f'{key}.nii', t1w(shifts.get(key, 0)))
        for key in ('own_t1w', 'template_t1w')
    }
    return products | own


# --- echoes


def test_every_echo_is_shown_up_to_eight(scene):
    assert scene.echoes == [0, 1, 2]
    assert scene.echoes_note == ''
    many = RunImages(SimpleNamespace(echo_times=[0.003 * (n + 1) for n in range(19)]), {})
    assert len(many.echoes) == len(set(many.echoes)) == MOST_ECHOES
    assert (many.echoes[0], many.echoes[-1]) == (0, 18)
    steps = np.diff(many.echoes)
    assert steps.max() - steps.min() <= 1
    assert '8 of 19 echoes' in many.echoes_note


@pytest.mark.parametrize(
    ('number', 'lengths'), [(1, [1]), (5, [5]), (6, [3, 3]), (7, [4, 3]), (8, [4, 4])]
)
def test_many_echoes_stand_in_rows_of_about_the_same_length(number, lengths):
    assert [len(row) for row in echo_figures.in_rows(range(number))] == lengths


def test_echoes_have_the_brightness_of_the_first(scene, drawn):
    seen = drawn(echo_figures)
    echo_figures.draw_magnitude(scene)
    ((rows, _),) = seen
    tiles = [tile for row in rows for tile in row]
    assert [tile.title for tile in tiles] == ['echo 1, 4 ms', 'echo 2, 12 ms', 'echo 3, 20 ms']
    assert len({tile.limits for tile in tiles}) == 1
    assert tiles[0].image.mean() > tiles[2].image.mean()
    assert [''.join(tile.sides) for tile in tiles] == ['RLAP', '', '']


def test_phase_is_shown_as_stored_and_as_prepared(scene, drawn):
    seen = drawn(echo_figures)
    echo_figures.draw_phase(scene)
    ((rows, bars),) = seen
    assert [tile.limits for tile in rows[0]] == [(0, 4095)] * 3
    assert [tile.limits for tile in rows[1]] == [(-np.pi, np.pi)] * 3
    assert [bar and bar.label for bar in bars] == [None, 'rad']


# --- wraps


def wrapped(products, tmp_path):
    """A slab of the last echo that is a turn too high, from z = 30 up, off the nuclei's slice."""
    _, brain, chi = example_run.head()
    phase = 2 * np.pi * 123.25 * (chi[..., None] + 0.1) * np.array(example_run.ECHO_TIMES) / 10
    phase[:, :, 30:, 2] += 2 * np.pi
    path = example_run.save(tmp_path / 'wrapped.nii', phase)
    # the two slices at the jump, where both of a pair are inside
    both = brain[:, :, 29] & brain[:, :, 30]
    return products | {'unwrapped': path}, 2 * int(both.sum())


def test_wraps_are_counted_outlined_and_shown_where_most_are(run, products, tmp_path, drawn):
    products, count = wrapped(products, tmp_path)
    seen = drawn(echo_figures)
    panel = next(p for p in make_panels(run, products) if p.key == 'unwrapped')
    assert f'{count} in echo 3' in panel.caption
    assert 'echo 1' not in panel.caption
    rows, _ = seen[-1]
    assert len(rows) == 2
    first, second = rows
    assert not any(mask.any() for tile in first for mask, _ in tile.outlines)
    assert [tile.outlines[0][0].sum() for tile in second[:2]] == [0, 0]
    assert second[2].outlines[0][0].sum() == count / 2
    assert [tile.title for tile in second] == ['none', 'none', f'{count // 2} marked']


def test_without_wraps_the_words_say_so_and_one_row_is_enough(run, products, tmp_path, drawn):
    smooth = example_run.save(tmp_path / 'smooth.nii', np.zeros((*example_run.SHAPE, 3)))
    seen = drawn(echo_figures)
    panel = next(
        p for p in make_panels(run, products | {'unwrapped': smooth}) if p.key == 'unwrapped'
    )
    assert 'None is left' in panel.caption
    assert len(seen[-1][0]) == 1


# --- masks and fields


def test_masks_are_outlined_on_magnitude_and_on_phase(scene, drawn):
    seen = drawn(mask_figures)
    mask_figures.draw_masks(scene)
    ((magnitude, phase),) = [rows for rows, _ in seen]
    assert [tile.limits for tile in phase] == [(-np.pi, np.pi)] * 3
    assert all(len(tile.outlines) == 6 for tile in (*magnitude, *phase))
    for above, below in zip(magnitude, phase, strict=True):
        np.testing.assert_array_equal(above.outlines[-1][0], below.outlines[-1][0])


def test_background_is_what_the_local_field_lacks_of_the_total(scene, drawn):
    seen = drawn(local_field_figures)
    local_field_figures.draw_local_field(scene)
    (((local, background), bars),) = seen
    for tile in background:
        inside = tile.image[np.isfinite(tile.image)]
        assert inside == pytest.approx(0.1, abs=1e-6)  # made up: total is local + 0.1
    assert np.isnan(background[0].image).any()
    assert bars[0].limits == (-0.05, 0.05)
    assert local[0].limits == (-0.05, 0.05)


def test_without_a_total_field_there_is_the_local_one_alone(run, products, drawn):
    seen = drawn(local_field_figures)
    local_field_figures.draw_local_field(RunImages(run, {'local_field': products['local_field']}))
    assert len(seen[0][0]) == 1


# --- slices


def test_the_mosaic_goes_through_the_brain_in_three_planes_at_fixed_limits(scene, drawn):
    seen = drawn(chi_figures)
    chi_figures.draw_mosaic(scene)
    ((rows, bars),) = seen
    assert [len(row) for row in rows] == [6, 6, 6, 5]
    tiles = [tile for row in rows for tile in row]
    assert {tile.limits for tile in tiles} == {(-0.1, 0.1)}
    assert all(np.isfinite(tile.image).any() for tile in tiles)
    assert [''.join(row[0].sides) for row in rows] == ['RLAP', 'RLAP', 'RLSI', 'APSI']
    # axial slices grow to the middle and shrink again
    areas = [np.isfinite(tile.image).sum() for tile in (*rows[0], *rows[1])]
    assert areas.index(max(areas)) in (5, 6)
    assert bars[0].limits == (-0.1, 0.1)


def test_veins_and_calcifications_are_found_in_the_slab_and_not_cut(
    run, products, tmp_path, drawn
):
    _, brain, chi = example_run.head()
    look = RunImages(run, products).look
    x, y, z = look.at
    # the grid runs from right to left: turn the index
    at = example_run.SHAPE[0] - 1 - x
    chi[at - 4, y + 4, z + 2], chi[at - 4, y - 4, z - 2] = 0.45, -0.45
    chi[at - 4, y, z + 2] = -0.8
    path = example_run.save(tmp_path / 'veins.nii', np.where(brain, chi, 9))
    seen = drawn(chi_figures)
    panel = chi_figures.draw_extremes(RunImages(run, products | {'chi': path}))
    ((highest, lowest),) = [rows for rows, _ in seen]
    assert {tile.limits for tile in (*highest, *lowest)} == {chi_figures.WIDE_CHI_PPM}
    assert all(np.nanmax(tile.image) == pytest.approx(0.45) for tile in highest)
    assert all(np.nanmin(tile.image) == pytest.approx(-0.8) for tile in lowest)
    assert '1 below it (to \N{MINUS SIGN}0.80 ppm)' in panel.note
    assert 'above' not in panel.note


# --- histograms and convergence


def test_histograms_tell_of_voxels_inside_the_mask_in_ppb(run, products, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('matplotlib.axes.Axes.set_title', lambda _, text, **__: said.append(text))
    _, brain, _ = example_run.head()
    noise = example_run.save(tmp_path / 'noise.nii', np.where(brain, 0.0021, 0.5))
    own = {key: products[key] for key in ('qsm_mask', 'r2star')} | {'noise': noise}
    assert draw_histograms(RunImages(run, own))
    assert len(said) == 2
    assert 'median 2.1 ppb' in said[1]
    assert draw_histograms(RunImages(run, {'qsm_mask': products['qsm_mask']})) == b''


def decisions(**facts):
    told = {'solver': 'wh', 'iterations': 5, 'tolerance': 0.01, 'changes': CHANGES, **facts}
    return RunFacts.of({'dipole': {'convergence': [told]}, 'mask': {'brain_ml': 1400}})


def test_a_curve_is_drawn_for_each_history_and_none_without(run, monkeypatch):
    said = []
    monkeypatch.setattr('matplotlib.axes.Axes.set_title', lambda _, text, **__: said.append(text))
    monkeypatch.setattr(
        'matplotlib.axes.Axes.annotate', lambda _, text, *__, **___: said.append(text)
    )
    assert draw_convergence(RunImages(run, {}, decisions()))
    assert said == ['tolerance 0.01', 'dipole: wh']
    assert draw_convergence(RunImages(run, {}, decisions(tolerance=None, changes=[0.5, 0.0])))
    assert said[2:] == ['dipole: wh']
    thinned = {'solver': 'wh', 'iterations': 401, 'changes': [0.5, 0.1, 0.01], 'tolerance': None}
    (history,) = histories(RunFacts.of({'dipole': {'convergence': [thinned]}}))
    assert [*history.places] == [1, 201, 401]
    nothing = RunFacts(), RunFacts(dipole=DipoleFacts())
    for empty in (*nothing, decisions(changes=[]), decisions(changes=None)):
        assert draw_convergence(RunImages(run, {}, empty)) == b''
    old = {'solver': 'wh', 'iterations': 5, 'last': 0.008, 'tolerance': 0.01, 'converged': True}
    assert not [*histories(RunFacts.of({'dipole': {'convergence': [old]}}))]


def test_spectra_are_drawn_where_an_inversion_told_them(run):
    table = {
        'frequency': [0.02, 0.1, 0.4],
        'noise': [20.0, 5.0, 1.0],
        'susceptibility': [500.0, 90.0, 2.0],
        'count': [60, 900, 40000],
    }
    for step in ('dipole', 'onestep'):
        assert draw_spectra(RunImages(run, {}, RunFacts.of({step: {'spectra': table}})))
    for nothing in ({}, {'dipole': {}}, {'dipole': {'spectra': {}}}):
        assert draw_spectra(RunImages(run, {}, RunFacts.of(nothing))) == b''


def test_the_history_reaches_the_page_from_the_sidecars(run, tmp_path):
    made = {panel.key for panel in make_panels(run, {}, decisions())}
    assert 'convergence' in made
    assert 'convergence' not in {panel.key for panel in make_panels(run, {})}
    told = {**provenance(run, RunFacts(), settled_methods()), 'Decisions': decisions()}
    record = RunRecord(run, {'status': 'ok'}, {}, told)
    page = write_subject_report(tmp_path / 'out', '01', [record]).read_text(encoding='utf-8')
    assert '-convergence"' in page


# --- registration


def test_borders_lie_between_the_classes_of_tissue():
    rng = np.random.default_rng(1)
    parts = [
        rng.normal(mean, 15, count) for mean, count in ((100, 3000), (300, 9000), (600, 6000))
    ]
    low, high = tissue_borders(np.concatenate(parts))
    assert low == pytest.approx(200, abs=15)
    assert high == pytest.approx(450, abs=15)
    assert tissue_borders(np.full(50, 3.0)) is None
    assert tissue_borders(np.zeros(50)) is None


def test_edges_are_those_of_the_template_on_map_magnitude_and_t1w(run, products, tmp_path, drawn):
    seen = drawn(registration_figures)
    for shift in (0, 3):
        draw_edges(RunImages(run, with_heads(products, tmp_path, template_t1w=shift)))
    (first, bars), (second, _) = seen
    assert [row[0].title for row in first] == [
        'susceptibility',
        'magnitude of the run',
        'T1w',
    ]
    assert [bar and bar.label for bar in bars] == ['ppm']
    # the fluid in the middle of the axial slice; the grid runs as the picture does, right to left
    middle = (slice(12, 26), slice(12, 30))
    one, other = (rows[0][2].outlines[0][0][middle] < 0.5 for rows in (first, second))
    assert one.any()
    np.testing.assert_array_equal(np.roll(one, 3, axis=1), other)


def test_images_that_take_turns_are_of_one_size_and_place(run, products, tmp_path):
    made = draw_flicker(RunImages(run, with_heads(products, tmp_path)))
    assert [*made.layers] == ['magnitude of the run', 'T1w', 'template']
    sizes = {Image.open(BytesIO(picture)).size for picture in made.layers.values()}
    assert len(sizes) == 1
    assert len(set(made.layers.values())) == 3


def test_the_page_lets_choose_between_images_without_a_script(run, products, tmp_path):
    products = with_heads(products, tmp_path)
    made = make_panels(run, products)
    page = render('sub-01', [(RunRecord(run, {'status': 'ok'}, products), made)])
    figure = re.search(r'<figure id="[^"]*-flicker">.*?</figure>', page, re.DOTALL)
    assert figure
    page = figure[0]
    assert '<script' not in page
    inputs = re.findall(r'<input type="radio" name="([^"]+)" id="([^"]+)"( checked)?>', page)
    assert len({name for name, *_ in inputs}) == 1
    assert [checked for *_, checked in inputs] == [' checked', '', '']
    assert re.findall(r'<label for="([^"]+)">', page) == [one for _, one, _ in inputs]
    assert len(re.findall(r'<div class="film layer"', page)) == 3
    names = {path.name for path in save_panels(made, run.name, tmp_path / 'figures')}
    assert {f'sub-01_desc-flicker{n}_T1w.png' for n in (1, 2, 3)} <= names


@pytest.mark.parametrize('key', ['own_t1w', 'template_t1w'])
def test_a_registration_that_was_lost_leaves_its_image_out(run, products, tmp_path, key):
    heads = with_heads(products, tmp_path)
    left = {name: path for name, path in heads.items() if name != key}
    made = {panel.key: panel for panel in make_panels(run, left)}
    assert len(made['flicker'].layers) == 2
    assert ('edges' in made) == (key == 'own_t1w')
    assert {'flicker', 'edges'}.isdisjoint(p.key for p in make_panels(run, products))


# --- all


def test_whatever_panel_fails_the_page_has_its_error_and_the_others(run, products, monkeypatch):
    def fail(_):
        raise RuntimeError('out of ink')

    failing = [spec if spec.key == 'chi' else replace(spec, draw=fail) for spec in PANELS]
    monkeypatch.setattr(panels, 'PANELS', failing)
    made = make_panels(run, products, decisions())
    assert {p.key for p in made} >= {'chimosaic', 'vessels', 'histograms', 'convergence'}
    assert [p.key for p in made if p.image] == ['chi']
    page = render('sub-01', [(RunRecord(run, {'status': 'ok'}, products), made)])
    assert page.count('could not be drawn: RuntimeError: out of ink') == len(made) - 1


def test_every_panel_has_words_that_say_what_to_look_for():
    for spec in PANELS:
        assert len(spec.caption) > 60, spec.key
        assert spec.caption.endswith('.'), spec.key
        assert spec.alt.endswith(' of'), spec.key
        assert spec.title[0].isupper(), spec.key
    assert len({spec.title for spec in PANELS}) == len(PANELS)
    assert len({spec.key for spec in PANELS}) == len(PANELS)


def test_every_panel_that_is_declared_has_its_place_on_the_page():
    found = iter_modules(panels.__path__, f'{panels.__name__}.')
    modules = [import_module(module.name) for module in found]
    declared = {
        spec.key
        for module in modules
        for spec in vars(module).values()
        if isinstance(spec, PanelSpec)
    }
    assert declared == {spec.key for spec in PANELS}


def test_a_volume_is_read_once_and_the_oldest_is_let_go_where_they_are_many(scene, monkeypatch):
    read = []
    monkeypatch.setattr(
        scenes,
        'load_canonical',
        lambda path, echo=None: read.append(path.name) or load(path, echo),
    )
    for key in ('chi', 'noise', 'chi'):
        scene.load(key)
    assert read == ['chi.nii', 'noise.nii']
    size = scene.load('chi').values.nbytes
    monkeypatch.setattr(scenes, '_KEPT_BYTES', 2 * size)
    for key in ('residual', 'chi', 'noise'):
        scene.load(key)
    assert read[2:] == ['residual.nii', 'noise.nii']


load = scenes.load_canonical
