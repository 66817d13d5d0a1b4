"""Regions in the report: outlines where the labels are, values as the table has them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bidsqsm.atlases.structures import make_label
from bidsqsm.reports.drawing import figure
from bidsqsm.reports.drawing.planes import Volume
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import REGION_COLOURS
from bidsqsm.reports.panels import make_panels
from bidsqsm.reports.panels.region_outlines import draw_regions, levels_of, regions_in
from bidsqsm.reports.panels.region_values import draw_values, lines_of
from bidsqsm.reports.subject.region_rows import summary_rows
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import render
from bidsqsm.rois.region_table import read_table, roi_table, write_table
from helpers import example_run

NAMES = [
    make_label(1, 'Left-Putamen'),
    make_label(2, 'Right-Putamen'),
    make_label(3, 'left_dentate_nucleus'),
    make_label(4, 'right_dentate_nucleus'),
    make_label(5, 'GPe_L'),
    make_label(6, 'GPi_L'),
    make_label(7, 'something_odd'),
]


def labels() -> np.ndarray:
    """Putamina high up, dentate nuclei below; the first axis runs from right to left."""
    values = np.zeros(example_run.SHAPE, np.int32)
    values[26:30, 20:30, 20:23], values[10:14, 20:30, 20:23] = 1, 2
    values[24:28, 12:16, 8:10], values[12:16, 12:16, 8:10] = 3, 4
    values[23:26, 22:26, 20:22], values[22, 22:26, 20:22] = 5, 6
    return values


@pytest.fixture
def scene(tmp_path, monkeypatch) -> RunImages:
    monkeypatch.setattr(figure, 'DPI', 60)
    every = example_run.make_products(tmp_path / 'work')
    products = {key: every[key] for key in ('chi', 'qsm_mask', 'magnitude_rss')}
    products['roi_labels'] = example_run.save(tmp_path / 'work' / 'labels.nii', labels())
    products['roi_table'] = table(tmp_path / 'work', labels())
    return RunImages(example_run.make_run(tmp_path / 'raw'), products)


def table(folder: Path, values: np.ndarray, shift: float = 0.0) -> Path:
    chi = np.where(values > 0, 0.02 * values, 0).astype(np.float32) + np.float32(shift)
    r2star = np.full(values.shape, 31.26, np.float32)
    mask = np.ones(values.shape, bool)
    found = roi_table(values, NAMES, {'chi': chi, 'r2star': r2star}, mask, (1, 1, 1.3))
    return write_table(found, folder / 'roi.tsv')


def colours_of(png: bytes) -> set[tuple[int, ...]]:
    with Image.open(BytesIO(png)) as picture:
        return {tuple(rgb) for rgb in np.asarray(picture.convert('RGB')).reshape(-1, 3)}


def rgb(name: str) -> tuple[int, ...]:
    return tuple(int(REGION_COLOURS[name][i : i + 2], 16) for i in (1, 3, 5))


def test_regions_are_drawn_in_their_colours(scene, monkeypatch):
    monkeypatch.setattr(figure, 'DPI', 200)  # lines of less than a pixel are mixed with gray
    seen = colours_of(draw_regions(scene))
    assert {rgb('putamen'), rgb('dentate_nucleus'), rgb('pallidum')} <= seen
    assert rgb('caudate') not in seen


def test_parts_count_to_the_whole_and_the_unknown_is_other():
    volume = Volume(labels().astype(np.float32), (1, 1, 1))
    found = regions_in(volume, {1: 'putamen', 2: 'putamen', 3: 'dentate_nucleus'})
    assert found['putamen'].sum() == np.isin(labels(), (1, 2)).sum()
    assert found['other regions'].sum() == np.isin(labels(), (4, 5, 6)).sum()


def test_levels_go_through_the_largest_area_of_each_group():
    values = np.zeros((9, 9, 60))
    values[:3, :3, 40:50], values[:5, :5, 44] = 1, 1
    values[5:7, 5:7, 10:12] = 2
    values[7, 7, 20:30], values[7:9, 7:9, 23] = 3, 3
    volume = Volume(values, (1, 1, 1))
    known = {1: 'putamen', 2: 'dentate_nucleus', 3: 'red_nucleus'}
    assert levels_of(regions_in(volume, known), 1.0) == [10, 23, 44]


def test_levels_are_spread_where_no_structure_is_known():
    values = np.zeros((4, 4, 60))
    values[1:3, 1:3, 20:50] = 1
    levels = levels_of(regions_in(Volume(values, (1, 1, 1)), {}), 1.0)
    assert len(levels) == 4
    assert min(levels) >= 20
    assert max(levels) < 50
    assert min(np.diff(levels)) >= 5


def test_both_panels_stand_in_the_report_with_words(scene):
    panels = {panel.key: panel for panel in make_panels(scene.run, scene.products)}
    for key in ('regions', 'values'):
        assert panels[key].image
        assert 'sub-01' in panels[key].alt
        assert panels[key].suffix == 'dseg'


def test_without_atlas_or_with_failed_registration_nothing_is_shown(scene, tmp_path):
    plain = {k: v for k, v in scene.products.items() if not k.startswith('roi')}
    assert {'regions', 'values'}.isdisjoint(p.key for p in make_panels(scene.run, plain))
    empty = np.zeros(example_run.SHAPE, np.int32)
    lost = dict(plain, roi_labels=example_run.save(tmp_path / 'empty.nii', empty))
    lost['roi_table'] = table(tmp_path, empty)
    assert {'regions', 'values'}.isdisjoint(p.key for p in make_panels(scene.run, lost))
    assert all(row['chi'] == 'not measured' for row in summary_rows(lost['roi_table']))


def test_a_table_that_cannot_be_read_leaves_the_page(scene, tmp_path):
    (tmp_path / 'odd.tsv').write_text('nothing\n1\n')
    products = dict(scene.products, roi_table=tmp_path / 'odd.tsv')
    panels = make_panels(scene.run, products)
    assert next(p for p in panels if p.key == 'values').error
    page = render('sub-01', [(RunRecord(scene.run, {'status': 'ok'}, products), panels)])
    assert 'This figure could not be drawn' in page


def test_sides_of_a_structure_share_a_line_and_combined_rows_have_their_name(tmp_path):
    lines = {line.name: line for line in lines_of(read_table(table(tmp_path, labels())))}
    assert set(lines['putamen'].sides) == {'L', 'R'}
    assert lines['putamen'].sides['R']['index'] == 2
    assert lines['pallidum'].sides['L']['index'] >= 1000
    assert {'pallidum externa', 'pallidum interna', 'something odd'} <= set(lines)
    assert [*lines][-1] == 'something odd'


def test_the_chart_says_what_was_not_measured(scene, monkeypatch):
    said = []
    monkeypatch.setattr(
        'matplotlib.axes.Axes.text', lambda *words, **_: said.append((round(words[2]), words[3]))
    )
    draw_values(scene)
    names = [line.name for line in lines_of(read_table(scene.products['roi_table']))]
    assert said == [(names.index('something odd'), 'not measured')]


def test_the_table_of_the_page_is_in_ppb_relative_to_the_whole_brain(scene, tmp_path):
    path = table(tmp_path, labels(), shift=0.5)
    rows = {row['name']: row for row in summary_rows(path)}
    values = labels()
    brain = np.where(values > 0, 0.02 * values, 0).mean()
    own = np.where(values == 1, 20.0, 40.0)[np.isin(values, (1, 2))].mean()
    assert rows['putamen']['chi'] == f'{own - 1000 * brain:.1f}'
    assert rows['putamen']['coverage'] == '100 %'
    assert rows['putamen']['r2star'] == '31.3'
    assert rows['left pallidum']['range'] == '80 to 200'
    assert rows['putamen']['odd'] == ''
    products = dict(scene.products, roi_table=path)
    page = render(
        'sub-01',
        [(RunRecord(scene.run, {'status': 'ok'}, products), make_panels(scene.run, products))],
    )
    assert f'<td>{own - 1000 * brain:.1f}</td>' in page
