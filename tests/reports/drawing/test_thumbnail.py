"""The thumbnail of a run is small, and shows the slice through the nuclei."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bidsqsm.reports.drawing import figure
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.thumbnail import HEIGHT, draw_thumbnail, save_thumbnail
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import write_subject_report
from helpers import example_run


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    monkeypatch.setattr(figure, 'DPI', 60)


@pytest.fixture
def run(tmp_path):
    return example_run.make_run(tmp_path / 'raw')


@pytest.fixture
def products(tmp_path):
    return example_run.make_products(tmp_path / 'work')


@pytest.fixture
def scene(run, products):
    return RunImages(run, products)


def test_the_thumbnail_is_small_and_shows_the_slice_through_the_nuclei(scene, run, tmp_path):
    with Image.open(BytesIO(draw_thumbnail(scene))) as picture:
        assert picture.format == 'WEBP'
        assert picture.height == HEIGHT
        gray = np.asarray(picture.convert('L'), int)
    assert gray[:4].max() < 30
    # two nuclei of 0.11 ppm, white, beside the midline; the brain between black and white
    bright = np.argwhere(gray > 240)[:, 1] / gray.shape[1]
    assert (bright < 0.5).any()
    assert (bright > 0.5).any()
    assert abs(np.median(gray[gray > 40]) - 120) < 20
    path = save_thumbnail(run, scene.products, tmp_path)
    assert path == tmp_path / 'sub-01_desc-thumbnail_Chimap.webp'
    assert path.stat().st_size < 4096
    assert path.read_bytes() == draw_thumbnail(scene)


def test_without_a_map_that_can_be_read_there_is_no_thumbnail_and_a_page_still(run, tmp_path):
    assert save_thumbnail(run, {}, tmp_path) is None
    broken = tmp_path / 'broken.nii'
    broken.write_bytes(b'no image')
    record = RunRecord(run, {'status': 'ok'}, {'chi': broken})
    assert write_subject_report(tmp_path / 'out', '01', [record]).is_file()
    assert not [*(tmp_path / 'out').rglob('*.webp')]


def test_the_thumbnail_is_made_with_the_page(run, products, tmp_path):
    record = RunRecord(run, {'status': 'ok'}, {'chi': products['chi']})
    write_subject_report(tmp_path / 'out', '01', [record])
    assert (tmp_path / 'out/sub-01/figures/sub-01_desc-thumbnail_Chimap.webp').is_file()
