"""Veins from the files of a run: mask, labels, table, what is told, and the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.contrasts.oxygenation import MeasureVeins
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.vein_figures import draw_veins

SHAPE = (36, 40, 30)
#: Axes that run to the back, to the left and up: 0.9 x 1 x 1.1 mm
AFFINE = np.array([[0, -1, 0, 40.0], [-0.9, 0, 0, 7.0], [0, 0, 1.1, -3.0], [0, 0, 0, 1.0]])
BLOOD = 0.45  # ppm


@dataclass(frozen=True)
class Files:
    chi: Path
    mask: Path
    r2star: Path


@pytest.fixture
def files(tmp_path):
    """One vein along the third axis, 5 voxels wide, in an even brain."""
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    blood = ((i - 20) ** 2 + (j - 15) ** 2 <= 6.5)[..., None] * np.ones(SHAPE)
    volumes = {'chi': BLOOD * blood, 'mask': np.ones(SHAPE), 'r2star': 18 + 30 * blood}
    paths = [
        save_volume(v.astype(np.float32), AFFINE, tmp_path / f'{k}.nii')
        for k, v in volumes.items()
    ]
    return Files(*map(Path, paths))


def measured(files, room, method='susceptometry'):
    room.mkdir()
    interface = MeasureVeins(
        in_file=str(files.chi), in_mask=str(files.mask), r2star=str(files.r2star), method=method
    )
    return interface.run(cwd=str(room)).outputs


def test_the_table_tells_place_and_oxygen_in_the_world_of_the_image(files, tmp_path):
    found = measured(files, tmp_path / 'a')
    labels, table = (Path(extra['source']) for extra in found.extras)
    rows = pd.read_csv(table, sep='\t')
    assert list(rows['name']) == ['vein-1']
    row = rows.iloc[0]
    place = AFFINE @ [20, 15, 14.5, 1]
    assert [row['x'], row['y'], row['z']] == pytest.approx(place[:3], abs=0.05)
    assert row['svo2'] == pytest.approx(1 - BLOOD / (3.39 * 0.4), abs=1e-3)
    assert row['oef'] == pytest.approx(1 - row['svo2'] / 0.98, abs=1e-6)
    assert row['volume'] == pytest.approx(row['n_voxels'] * 0.99, rel=1e-5)
    assert found.facts['svo2'] == pytest.approx(row['svo2'], abs=1e-4)
    image = nb.load(labels)
    assert np.allclose(image.affine, AFFINE)
    assert (image.get_fdata() == 1).sum() == row['n_voxels']
    assert np.array_equal(image.get_fdata() > 0, nb.load(found.veins).get_fdata() > 0)
    content = found.extras[0]['content']
    assert {*rows.columns} < {*content}
    assert content['Decisions']['veins_with_saturation'] == 1


def test_constants_come_from_the_command_line(files, tmp_path):
    half = measured(files, tmp_path / 'a', 'susceptometry:hematocrit=0.8').facts['svo2']
    assert 1 - half == pytest.approx(BLOOD / (3.39 * 0.8), abs=1e-3)
    odd = measured(files, tmp_path / 'b', 'susceptometry:hematocrit=0.1')
    assert 'impossible' in odd.facts['warnings'][0]


def test_a_map_without_veins_leaves_them_out_with_a_sentence(files, tmp_path):
    flat = save_volume(np.zeros(SHAPE, np.float32), AFFINE, tmp_path / 'flat.nii')
    found = measured(Files(flat, files.mask, files.r2star), tmp_path / 'a')
    assert not isdefined(found.veins)
    assert found.extras == []
    assert 'found no vein' in found.facts['left_out']
    assert found.facts['warnings'] == [found.facts['left_out'] + '.']


def test_veins_without_a_core_are_shown_without_a_saturation(files, tmp_path):
    found = measured(files, tmp_path / 'a', 'susceptometry:min_core=9999')
    assert isdefined(found.veins)
    assert 'svo2' not in found.facts
    assert 'none has a core' in found.facts['warnings'][0]
    assert Path(found.extras[1]['source']).read_text().splitlines()[1].endswith('n/a\tn/a')


def test_the_picture_shows_a_vein_wherever_it_lies_along_the_line_of_sight(files, tmp_path):
    veins = measured(files, tmp_path / 'a').veins
    products = {'chi': files.chi, 'qsm_mask': files.mask, 'vein_mask': Path(veins)}
    with_vein = draw_veins(RunImages(None, products))
    moved = np.roll(nb.load(veins).get_fdata(dtype=np.float32), 6, axis=0)
    products['vein_mask'] = Path(save_volume(moved, AFFINE, tmp_path / 'moved.nii'))
    assert with_vein.startswith(b'\x89PNG')
    assert draw_veins(RunImages(None, products)) != with_vein
