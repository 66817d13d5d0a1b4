"""The files of a run are told from those of other runs and of other people."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsqsm.derivatives.products import JOINT_PRODUCTS, PRODUCTS, image_path
from bidsqsm.derivatives.run_outputs import (
    left_over,
    leftover_sentence,
    outputs_of_run,
    pictures_of_run,
)

RUN = {'sub': '01', 'acq': 'x'}
OURS = [
    'anat/sub-01_acq-x_metrics.tsv',
    'anat/sub-01_acq-x_metrics.json',
    'anat/sub-01_acq-x_desc-vein_dseg.tsv',
    'anat/sub-01_acq-x_atlas-MASSP20_dseg.nii.gz',
    'anat/sub-01_acq-x_atlas-MASSP20_desc-refined_dseg.json',
    'anat/sub-01_acq-x_from-T1w_to-MEGRE_mode-image_xfm.h5',
    'anat/sub-01_acq-x_space-MNI152NLin2009cAsym_res-2_Chimap.nii.gz',
    'anat/sub-01_acq-x_space-MNI152NLin2009cAsym_desc-qsm_mask.json',
]
OTHERS = [
    'anat/sub-01_Chimap.nii.gz',
    'anat/sub-01_acq-y_Chimap.nii.gz',
    'anat/sub-01_acq-x_run-2_Chimap.nii.gz',
    'anat/sub-01_acq-x_desc-manual_mask.nii.gz',
    'anat/sub-01_acq-x_desc-manual_dseg.nii.gz',
    'anat/sub-01_acq-x_label-tumour_mask.nii.gz',
    'anat/sub-01_acq-x_T1w.nii.gz',
    'anat/sub-01_acq-x_desc-cosmos_Chimap.nii.gz',
    'anat/sub-01_acq-x_desc-cosmos_metrics.tsv',
    'anat/notes.txt',
    'func/sub-01_acq-x_Chimap.nii.gz',
]


def touch(root: Path, names) -> list[Path]:
    paths = [root / 'sub-01' / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


@pytest.mark.parametrize(('products', 'joint'), [(PRODUCTS, False), (JOINT_PRODUCTS, True)])
def test_every_product_of_a_run_is_found(tmp_path, products, joint):
    names = []
    for product in products.values():
        image = f'{image_path(RUN, product, 1 if product.per_echo else None)}'
        names += [image, image.replace('.nii.gz', '.json')]
    made = touch(tmp_path, [name.removeprefix('sub-01/') for name in names])
    assert {*outputs_of_run(tmp_path, RUN, joint=joint)} == {*made}
    assert not outputs_of_run(tmp_path, RUN, joint=not joint)


def test_tables_transforms_and_maps_in_other_spaces_are_found_and_nothing_else(tmp_path):
    made = touch(tmp_path, OURS)
    touch(tmp_path, OTHERS)
    assert {*outputs_of_run(tmp_path, RUN)} == {*made}


def test_an_output_folder_without_the_run_has_none_of_its_files(tmp_path):
    assert outputs_of_run(tmp_path / 'none', RUN) == []


def test_what_lies_beside_a_written_file_is_not_left_over(tmp_path):
    paths = touch(tmp_path, OURS)
    written = [path for path in paths if path.name.endswith(('.tsv', '.gz', '.h5'))]
    assert left_over(paths, written) == [paths[4], paths[7]]


def test_the_sentence_names_some_of_many():
    said = leftover_sentence([Path(f'{n}_Chimap.nii.gz') for n in range(10)])
    assert said.startswith('10 files of an earlier call')
    assert '0_Chimap.nii.gz, 1_Chimap.nii.gz, 2_Chimap.nii.gz and 7 more' in said
    assert '--clean-output' in said


def test_pictures_of_a_run_are_told_from_those_of_its_set(tmp_path):
    own = touch(
        tmp_path,
        [
            'figures/sub-01_acq-x_desc-chi1_Chimap.png',
            'figures/sub-01_acq-x_desc-thumbnail_Chimap.webp',
        ],
    )
    joint = touch(tmp_path, ['figures/sub-01_acq-x_desc-cosmoschi_Chimap.png'])
    touch(tmp_path, ['figures/sub-01_desc-chi1_Chimap.png', 'figures/sub-01_acq-x_viewer.html'])
    assert pictures_of_run(tmp_path, RUN, joint=False) == own
    assert pictures_of_run(tmp_path, RUN, joint=True) == joint
