"""Atlases are found without a network, checked, and refused with what to do."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.atlases.atlas_checks import read_values
from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.label_table import read_labels
from bidsqsm.atlases.templateflow import MissingTemplate
from bidsqsm.cli.run import main
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import save_volume
from helpers.template_atlases import AFFINE, MASSP20, brain, labels, make_atlas, make_templateflow

CIT168 = Path(__file__).parents[3] / 'shared' / 'data' / 'cit168'


@pytest.fixture(scope='session')
def flow(tmp_path_factory):
    home = tmp_path_factory.mktemp('flow')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TEMPLATEFLOW_HOME', str(home))
        return make_templateflow(home)


@pytest.fixture
def home(flow, monkeypatch):
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(flow))
    return flow


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path / 'empty'))
    return tmp_path / 'empty'


def test_the_default_atlas_is_found_in_the_home_with_its_template(home):
    (atlas,) = resolve_atlases(['MASSP20'])
    folder = home / 'tpl-MNI152NLin2009cAsym'
    assert atlas.template.name == 'MNI152NLin2009cAsym'
    assert atlas.template.t1w == folder / 'tpl-MNI152NLin2009cAsym_res-01_T1w.nii.gz'
    assert atlas.template.mask == folder / 'tpl-MNI152NLin2009cAsym_res-01_desc-brain_mask.nii.gz'
    assert atlas.dseg == folder / 'tpl-MNI152NLin2009cAsym_res-01_atlas-MASSP20_dseg.nii.gz'
    there = {(label.index, label.hemisphere, label.structure) for label in atlas.labels}
    assert {(9, 'L', 'pallidum_interna'), (39, 'R', 'putamen'), (46, 'L', '')} < there
    assert atlas.warnings == ()


def test_of_suit_only_the_dentate_nuclei_are_kept_and_its_licence_is_told(home):
    first, suit = resolve_atlases(['MASSP20', 'SUIT'])
    assert (first.name, suit.name) == ('MASSP20', 'SUIT')
    assert [(x.index, x.hemisphere, x.structure) for x in suit.labels] == [
        (29, 'L', 'dentate_nucleus'),
        (30, 'R', 'dentate_nucleus'),
    ]
    assert suit.template.mask is None
    assert 'CC BY-NC' in suit.license
    assert suit.warnings == ()
    values, affine = read_values(suit.dseg)
    assert set(np.unique(values)) == {0, 26, 27, 29, 30}
    left = np.argwhere(values == 29).mean(0) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(left, (-14, -56, -35), atol=2)


def test_output_spaces_have_a_resolution(home):
    assert resolve_template('MNI152NLin2009cAsym').t1w.name.endswith('_res-01_T1w.nii.gz')
    coarse = resolve_template('MNI152NLin2009cAsym:res-2')
    assert coarse.t1w.name == 'tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz'
    assert coarse.mask is not None
    assert coarse.mask.name == 'tpl-MNI152NLin2009cAsym_res-02_desc-brain_mask.nii.gz'
    assert coarse.resolution == 2
    with pytest.raises(DatasetError, match='neither a folder nor a template'):
        resolve_template('MNI152NLin2009cAsym:2mm')


def test_what_is_missing_is_named_with_the_command_that_fetches_it(empty):
    with pytest.raises(MissingTemplate) as raised:
        resolve_atlases(['SUIT', 'MASSP20'])
    said = f'{raised.value}'
    for file in (
        'tpl-SUIT/tpl-SUIT_T1w.nii.gz',
        'tpl-SUIT/tpl-SUIT_atlas-Diedrichsen2009_dseg.tsv',
        'tpl-MNI152NLin2009cAsym/tpl-MNI152NLin2009cAsym_res-01_desc-brain_mask.nii.gz',
    ):
        assert file in said
        assert empty / file in raised.value.files
    assert "'bidsqsm fetch-templates --atlases SUIT MASSP20'" in said
    with pytest.raises(
        MissingTemplate, match=r'--output-spaces MNI152NLin6Asym:res-2.*TEMPLATEFLOW_HOME'
    ):
        resolve_template('MNI152NLin6Asym:res-2')
    assert not empty.exists(), 'looking must not write'


def test_empty_placeholders_and_dead_links_count_as_missing(home, tmp_path, monkeypatch):
    copy = tmp_path / 'flow'
    shutil.copytree(home, copy)
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(copy))
    folder = copy / 'tpl-MNI152NLin2009cAsym'
    t1w = folder / 'tpl-MNI152NLin2009cAsym_res-01_T1w.nii.gz'
    t1w.write_bytes(b'')
    mask = folder / 'tpl-MNI152NLin2009cAsym_res-01_desc-brain_mask.nii.gz'
    mask.unlink()
    mask.symlink_to('../.git/annex/objects/none')
    with pytest.raises(MissingTemplate) as raised:
        resolve_atlases(['MASSP20'])
    assert t1w in raised.value.files
    assert len(raised.value.files) <= 2


def test_a_template_whose_placeholder_has_another_name_keeps_it(home, tmp_path, monkeypatch):
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path))
    placeholder = tmp_path / 'tpl-MNI152NLin2009cSym/tpl-MNI152NLin2009cSym_res-1_T1w.nii.gz'
    placeholder.parent.mkdir()
    placeholder.touch()
    with pytest.raises(MissingTemplate) as raised:
        resolve_template('MNI152NLin2009cSym')
    assert raised.value.files == (placeholder,)


def test_a_home_that_is_nowhere_is_only_empty(monkeypatch):
    for name in ('TEMPLATEFLOW_HOME', 'XDG_CACHE_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingTemplate, match=r'/\.cache/templateflow lacks'):
        resolve_atlases(['MASSP20'])


def test_a_missing_template_ends_the_app_with_127(monkeypatch, empty, capsys, tmp_path):
    def look(_config):
        return resolve_atlases(['MASSP20'])

    monkeypatch.setattr('bidsqsm.cli.run._find', look)
    (tmp_path / 'in').mkdir()
    words = ['in', 'out', 'participant', '-w', 'work']
    monkeypatch.chdir(tmp_path)
    assert main(words) == 127
    assert capsys.readouterr().err.startswith('bidsqsm failed: TemplateFlow')


def test_a_folder_is_an_atlas(tmp_path):
    about = {'Name': 'My atlas-2', 'Template': 'MyBrain', 'License': 'CC0', 'Source': 'me'}
    (atlas,) = resolve_atlases([str(make_atlas(tmp_path / 'folder', about))])
    assert (atlas.name, atlas.template.name) == ('Myatlas2', 'MyBrain')
    assert (atlas.license, atlas.source) == ('CC0', 'me')
    assert len(atlas.labels) == 2 * len(MASSP20)
    assert atlas.warnings == ()


def test_a_folder_without_a_description_is_named_after_itself_and_may_lack_gz(tmp_path):
    folder = make_atlas(tmp_path / 'deep_gray.v1', mask=None)
    for name in ('template', 'dseg'):
        image = nb.load(folder / f'{name}.nii.gz')
        image.to_filename(folder / f'{name}.nii')
        (folder / f'{name}.nii.gz').unlink()
    (atlas,) = resolve_atlases([str(folder)])
    assert atlas.name == atlas.template.name == 'deepgrayv1'
    assert atlas.dseg == folder / 'dseg.nii'
    assert atlas.template.mask is None
    assert atlas.license == 'not stated'
    assert resolve_template(str(folder)) == atlas.template


def test_a_folder_may_lie_on_a_template_of_templateflow(home, tmp_path):
    folder = make_atlas(tmp_path / 'mine', {'Template': 'MNI152NLin2009cAsym'})
    mine, massp = resolve_atlases([str(folder), 'MASSP20'])
    assert (mine.name, massp.name) == ('mine', 'MASSP20')
    assert mine.template == massp.template
    assert 'is not used' in mine.warnings[0]
    (folder / 'template.nii.gz').unlink()
    (alone,) = resolve_atlases([str(folder)])
    assert alone.template == massp.template
    assert alone.warnings == ()


def test_the_cit168_atlas_has_another_field_of_view_than_its_template(tmp_path):
    if not CIT168.is_dir():
        pytest.skip('the CIT168 atlas is not here')
    folder = tmp_path / 'CIT168'
    folder.mkdir()
    shutil.copy(
        CIT168 / 'CIT168_CIT168toMNI152-2009c_T1w_brain.nii.gz', folder / 'template.nii.gz'
    )
    shutil.copy(CIT168 / 'CIT168_maxprob50_decoded.nii.gz', folder / 'dseg.nii.gz')
    names = json.loads((CIT168 / 'CIT168_CIT168.json').read_text())['labels']
    rows = [f'{index}\t{name}' for index, name in enumerate(names)]
    (folder / 'dseg.tsv').write_text('\n'.join(['index\tname', *rows]))
    (atlas,) = resolve_atlases([str(folder)])
    (said,) = atlas.warnings
    assert 'another grid' in said
    assert [x.structure for x in atlas.labels if x.index in (9, 13, 32)] == [
        'pallidum_externa',
        'substantia_nigra_compacta',
        'subthalamic_nucleus',
    ]
    assert len(atlas.labels) == 32


def test_labels_of_another_space_are_refused(tmp_path):
    away = AFFINE.copy()
    away[:3, 3] += (0, 80, 0)
    with pytest.raises(DatasetError, match='outside the brain'):
        resolve_atlases([str(make_atlas(tmp_path / 'a', affine=away))])
    # without a mask the head of the T1w tells
    with pytest.raises(DatasetError, match='outside the brain'):
        resolve_atlases([str(make_atlas(tmp_path / 'b', mask=None, affine=away))])


def test_labels_partly_out_of_the_brain_are_told(tmp_path):
    away = AFFINE.copy()
    away[:3, 3] += (0, 44, 0)
    (atlas,) = resolve_atlases([str(make_atlas(tmp_path / 'a', affine=away))])
    assert any('of its labels outside' in said for said in atlas.warnings)


def test_sides_that_are_swapped_are_told(tmp_path):
    image, rows = labels(MASSP20, ('right-{}', 'left-{}'))
    (atlas,) = resolve_atlases([str(make_atlas(tmp_path / 'a', dseg=image, rows=rows))])
    (said,) = atlas.warnings
    assert 'confuses the sides' in said


def test_values_without_a_name_are_told_and_left_out(tmp_path):
    image, rows = labels(MASSP20)
    kept = [row for row in rows if 'thalamus' not in row]
    (atlas,) = resolve_atlases([str(make_atlas(tmp_path / 'a', rows=[*kept, '77\tnowhere']))])
    unknown, absent = atlas.warnings
    assert 'does not name and that are left out: 13, 14.' in unknown
    assert 'no voxel of the labels 77 ' in absent
    assert not {13, 14} & {label.index for label in atlas.labels}
    np.testing.assert_array_equal(read_values(atlas.dseg)[0], image)


@pytest.mark.parametrize(
    ('rows', 'says'),
    [
        (['value\tlabel', '1\tputamen'], 'has value, label, expected at least the columns index'),
        (['index,name', '1,putamen'], 'parted by tabs'),
        (['index\tname'], 'has no rows'),
        (['index\tname', '1\tputamen', '1\tcaudate'], r'line 3: index 1 was there .*putamen'),
        (['index\tname', 'x\tputamen'], "line 2: the index is 'x', expected a whole"),
        (['index\tname', '1\t'], 'line 2: label 1 has no name'),
        (['index\tname\themisphere', '1\tputamen\tsinister'], "hemisphere 'sinister'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(rows, says, tmp_path):
    table = tmp_path / 'dseg.tsv'
    table.write_text('\n'.join(rows) + '\n')
    with pytest.raises(DatasetError, match=says):
        read_labels(table)


def test_a_table_may_have_a_background_other_columns_and_a_hemisphere(tmp_path):
    table = tmp_path / 'dseg.tsv'
    table.write_bytes(
        b'\xef\xbb\xbfindex\tcolor\tname\themisphere\r\n0\t#0\tUnknown\tn/a\r\n4\t#1\tSN\tR\r\n'
    )
    (label,) = read_labels(table)
    assert (label.index, label.hemisphere, label.structure) == (4, 'R', 'substantia_nigra')


def _without(file):
    def spoil(folder):
        (folder / file).unlink()

    return spoil


def _image(file, volume):
    def spoil(folder):
        nb.Nifti1Image(volume, AFFINE).to_filename(folder / file)

    return spoil


def _text(file, text):
    def spoil(folder):
        (folder / file).write_text(text)

    return spoil


@pytest.mark.parametrize(
    ('spoil', 'says'),
    [
        (_without('template.nii.gz'), 'lacks template.nii.gz, expected'),
        (_without('dseg.tsv'), 'lacks dseg.tsv, expected'),
        (_without('dseg.nii.gz'), 'lacks dseg.nii.gz, expected'),
        (_text('atlas.json', '{'), r'atlas\.json cannot be read'),
        (_text('atlas.json', '[]'), 'holds a list, expected'),
        (_text('atlas.json', '{"Name": "--"}'), 'gives no name'),
        (_text('dseg.nii.gz', 'no image'), r'dseg\.nii\.gz cannot be read'),
        (_image('dseg.nii.gz', brain()[1] * np.float32(0.4)), 'not whole numbers'),
        (_image('dseg.nii.gz', brain()[1] * np.int16(90)), 'none of the 18 labels'),
        (_image('dseg.nii.gz', np.zeros((9, 9, 9, 4), np.int16)), '4 axes'),
        (_image('mask.nii.gz', np.zeros((9, 9, 9), np.uint8)), 'expected one grid for both'),
        (_image('mask.nii.gz', 0 * brain()[0]), r'mask\.nii\.gz is empty'),
        (_image('template.nii.gz', 0 * brain()[0] + 3), 'is constant'),
    ],
)
def test_a_folder_that_cannot_be_an_atlas_is_refused(spoil, says, tmp_path):
    folder = make_atlas(tmp_path / 'mine')
    spoil(folder)
    with pytest.raises(DatasetError, match=says) as raised:
        resolve_atlases([str(folder)])
    assert str(folder) in f'{raised.value}' or 'one grid' in says


def test_a_folder_without_an_image_is_no_output_space(tmp_path):
    with pytest.raises(DatasetError, match='expected a T1-weighted'):
        resolve_template(str(tmp_path))


def test_two_atlases_of_one_name_are_refused(home, tmp_path):
    folder = make_atlas(tmp_path / 'mine', {'Name': 'MASSP20'})
    with pytest.raises(DatasetError, match='two atlases with the name MASSP20'):
        resolve_atlases(['MASSP20', str(folder)])
    with pytest.raises(DatasetError, match='two atlases with the name SUIT'):
        resolve_atlases(['SUIT', 'SUIT'])


def test_an_unknown_atlas_names_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match=r'no atlas massp, .*did you mean MASSP20\?'):
        resolve_atlases(['massp'])
    with pytest.raises(DatasetError, match='MASSP20, SUIT or a folder'):
        resolve_atlases([shlex.quote(str(tmp_path / 'nowhere'))])


def test_no_atlas_is_no_trouble():
    assert resolve_atlases([]) == ()


def test_maps_of_a_template_are_found_beside_it_and_checked(tmp_path):
    folder = make_atlas(tmp_path / 'mine')
    assert resolve_atlases([str(folder)])[0].template.chi is None
    _, mask = brain()
    chi = save_volume(mask * 0.1, AFFINE, folder / 'template_Chimap.nii.gz')
    r2star = save_volume(mask * 20.0, AFFINE, folder / 'template_R2starmap.nii.gz')
    with pytest.raises(DatasetError, match=r'template_Chimap.*shows nothing in the brain'):
        resolve_atlases([str(folder)])
    for path in (chi, r2star):
        values = np.random.default_rng(0).normal(size=mask.shape).astype(np.float32)
        save_volume(values, AFFINE, Path(path))
    (atlas,) = resolve_atlases([str(folder)])
    assert (atlas.template.chi, atlas.template.r2star) == (Path(chi), Path(r2star))
