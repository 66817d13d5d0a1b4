"""The viewer's page: volumes that are small and right, nothing from outside, safe text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.drawing.planes import SIDES
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.html import packaged
from bidsqsm.reports.viewer import layers
from bidsqsm.reports.viewer.encoding import (
    OUTSIDE_VALUE,
    encode,
    encode_bright,
    encode_labels,
    frame_of,
    middles,
    packed,
)
from bidsqsm.reports.viewer.viewer_page import write_viewer
from bidsqsm.workflows.outputs import REPORT_INPUTS
from helpers import example_run

HOSTILE = '</script><script>alert("x")</script>'


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    return example_run.make_run(tmp_path_factory.mktemp('raw'))


@pytest.fixture(scope='module')
def products(tmp_path_factory):
    folder = tmp_path_factory.mktemp('work')
    found = example_run.make_products(folder)
    chi = nb.load(found['chi']).get_fdata()
    found['roi_labels'] = example_run.save(
        folder / 'labels.nii', (1037 * (chi > 0.05)).astype(np.int32)
    )
    return found


@pytest.fixture(scope='module')
def page(run, products, tmp_path_factory):
    return write_viewer(run, products, tmp_path_factory.mktemp('figures'))


def volumes(text):
    """Every image of a page by its key."""
    found = re.findall(r'id="volume-(\w+)">([^<]*)</script>', text)
    return {
        key: nb.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(content)))
        for key, content in found
    }


def about(text):
    return json.loads(re.search(r'id="about">([^<]*)</script>', text)[1])


def test_an_image_of_the_page_is_the_product_where_the_voxels_say(page, products):
    text = page.read_text(encoding='utf-8')
    images, told = volumes(text), about(text)
    stored = np.vstack([told['stored'], [0, 0, 0, 1]])
    for key, atol in (('chi', 5e-5), ('r2star', 0.05), ('magnitude_rss', 2.5), ('qsm_mask', 0)):
        image, source = images[key], nb.load(products[key])
        assert list(image.shape) == told['shape']
        assert nb.aff2axcodes(image.affine) == ('R', 'A', 'S')
        # each voxel of the page leads to one of the file, at the same place of the scanner
        assert np.allclose(image.affine, source.affine @ stored, atol=1e-4)
        voxels = np.stack(np.meshgrid(*map(np.arange, image.shape), indexing='ij'), axis=-1)
        i, j, k = np.moveaxis(nb.affines.apply_affine(stored, voxels).astype(int), -1, 0)
        expected, found = source.get_fdata()[i, j, k], image.get_fdata()
        inside = found > OUTSIDE_VALUE * float(image.dataobj.slope)
        assert np.allclose(found[inside], expected[inside], atol=atol)
        assert not expected[~inside].any()


def test_volumes_take_few_bytes_for_a_voxel(page):
    images = volumes(page.read_text(encoding='utf-8'))
    types = {key: image.get_data_dtype() for key, image in images.items()}
    assert {types[key] for key in ('chi', 'r2star', 'local_field')} == {np.dtype('int16')}
    assert {types[key] for key in ('magnitude_rss', 'qsm_mask', 'roi_labels')} == {np.dtype('u1')}
    assert np.isclose(images['chi'].dataobj.slope, 1e-4)


def test_the_box_holds_head_and_masks_and_little_else(run, tmp_path):
    shape = (40, 30, 20)
    head = np.zeros(shape)
    head[10:30, 8:20, 5:15] = 100
    mask = np.zeros(shape, np.uint8)
    mask[10:30, 8:22, 5:15] = 1
    products = {
        'chi': example_run.save(tmp_path / 'chi.nii', head / 1000, np.eye(4)),
        'magnitude_rss': example_run.save(tmp_path / 'mag.nii', head + 1, np.eye(4)),
        'qsm_mask': example_run.save(tmp_path / 'mask.nii', mask, np.eye(4)),
    }
    frame = frame_of(RunImages(run, products), ['chi'])
    assert frame.box == (slice(7, 33), slice(5, 25), slice(2, 18))
    assert np.array_equal(frame.boxed(frame.affine)[:3, 3], [7, 5, 2])


def test_maps_are_cut_off_where_they_leave_16_bits():
    steps = encode(np.array([0.00014, -5.0, 5.0, np.nan, -3.2767]), 1e-4)
    assert steps.tolist() == [1, -32767, 32767, OUTSIDE_VALUE, -32767]


def test_images_without_a_unit_have_255_steps_to_the_brightest_but_few():
    values = np.append(np.linspace(0, 500, 5000), [90_000, -3, np.nan])
    steps, step = encode_bright(values)
    assert 490 < 255 * step < 510
    assert np.allclose(steps[:4900] * step, values[:4900], atol=step)
    assert steps[-3:].tolist() == [255, 0, 0]
    assert encode_bright(np.zeros(4))[1] == 1


@pytest.mark.parametrize(
    ('values', 'ranks', 'found'),
    [
        ([0, 2035, 11], [0, 2, 1], [11, 2035]),
        ([7, 7, 9], [1, 1, 2], [7, 9]),
        ([0, 0, 0], [0, 0, 0], []),
    ],
)
def test_labels_are_numbered_in_their_order(values, ranks, found):
    labels, indices = encode_labels(np.array(values, float))
    assert labels.tolist() == ranks
    assert indices == found


def test_the_middle_of_a_region_lies_in_it():
    labels = np.zeros((9, 9, 3), np.uint8)
    labels[:, :, 1] = 1
    labels[1:8, 1:8, 1] = 0  # a frame, whose middle is not in it
    labels[3:6, 3:6, 1] = 2
    first, second = middles(labels)
    assert labels[tuple(first)] == 1
    assert second == [4, 4, 1]


def test_the_same_page_twice_is_the_same_bytes(run, products, tmp_path):
    pages = [write_viewer(run, products, tmp_path / name).read_bytes() for name in 'ab']
    assert pages[0] == pages[1]


def test_compressed_volumes_have_no_date(run, products):
    scene = RunImages(run, products)
    frame = frame_of(scene, ['chi'])
    content = packed(frame, np.zeros(frame.size, np.uint8))
    assert content[4:8] == bytes(4)


def test_the_policy_lets_only_the_scripts_and_the_style_of_the_page_be(page):
    text = page.read_text(encoding='utf-8')
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace(
        '&#39;', "'"
    )
    assert 'unsafe' not in policy
    assert 'http' not in policy
    assert policy.startswith("default-src 'none';")
    scripts = [*re.findall(r'<script>(.*?)</script>', text, re.DOTALL)]
    packed_bundle = re.search(r'id="niivue">([^<]*)<', text)[1]
    bundle = gzip.decompress(base64.b64decode(packed_bundle)).decode()
    style = re.search(r'<style>(.*?)</style>', text, re.DOTALL)[1]
    assert len(scripts) == 1
    assert bundle == packaged('data/vendor/niivue/niivue.umd.js')
    for part in (*scripts, bundle, style):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.count('sha256-') == 3


def test_names_of_regions_are_shown_and_not_run(run, products, tmp_path):
    row = {'index': 1037, 'name': HOSTILE, 'hemisphere': 'L', 'structure': '', 'chi_in_range': ''}
    table = tmp_path / 'labels.tsv'
    pd.DataFrame([row]).to_csv(table, sep='\t', index=False)
    page = write_viewer(run, {**products, 'roi_table': table}, tmp_path)
    text = page.read_text(encoding='utf-8')
    assert HOSTILE not in text
    assert about(text)['regions']['names'] == [HOSTILE]


def test_a_label_without_a_name_keeps_its_number(page):
    told = about(page.read_text(encoding='utf-8'))['regions']
    assert told['names'] == ['label 1037']


def test_what_cannot_be_shown_is_left_out_and_told(run, products, tmp_path, caplog):
    broken = tmp_path / 'broken.nii'
    broken.write_bytes(b'no image')
    other = example_run.save(tmp_path / 'other.nii', np.ones((5, 5, 5)))
    page = write_viewer(run, {**products, 'r2star': broken, 'local_field': other}, tmp_path)
    keys = [item['key'] for item in about(page.read_text(encoding='utf-8'))['maps']]
    assert keys[:2] == ['chi', 'magnitude_rss']
    assert not {'r2star', 'local_field'} & {*keys}
    assert 'without r2star' in caplog.text
    assert 'without local_field: other grid' in caplog.text


def test_a_run_without_maps_has_no_viewer_and_loses_an_older_one(run, products, tmp_path):
    page = write_viewer(run, products, tmp_path)
    assert page.name == 'sub-01_viewer.html'
    assert write_viewer(run, {}, tmp_path) is None
    assert not page.exists()
    assert write_viewer(Skipped({'sub': '01'}, 'no phase', 'MEGRE'), {}, tmp_path) is None


def test_whatever_breaks_the_viewer_the_report_goes_on(
    run, products, tmp_path, monkeypatch, caplog
):
    def fail(*_):
        raise RuntimeError('out of voxels')

    monkeypatch.setattr(layers, 'frame_of', fail)
    assert write_viewer(run, products, tmp_path) is None
    assert 'the viewer failed: out of voxels' in caplog.text


def test_letters_are_those_of_the_pictures_of_the_report():
    script = packaged('reports/viewer/geometry.js')
    for plane, sides in SIDES.items():
        letters = ', '.join(f"'{side}'" for side in sides)
        assert re.search(rf'{plane}: {{[^}}]*sides: \[{letters}\] }}', script)


def test_every_map_and_mask_is_one_that_a_run_may_have():
    known = {*PRODUCTS, *REPORT_INPUTS}
    assert {*layers.VIEWER_MAPS, *layers.MASK_STYLES, *layers.OTHER_MASKS} <= known


def test_a_run_without_phase_has_a_viewer_of_what_it_has(run, products, tmp_path):
    found = {key: products[key] for key in ('magnitude_rss', 'r2star', 'brain_mask')}
    told = about(write_viewer(run, found, tmp_path).read_text(encoding='utf-8'))
    assert [item['key'] for item in told['maps']] == ['magnitude_rss', 'r2star']
    assert [item['key'] for item in told['masks']] == ['brain_mask']
