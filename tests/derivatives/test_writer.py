"""Derivatives: their names, units, geometry and sidecars; whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.bibliography import cited, works
from bidsqsm.derivatives.dataset_files import write_dataset_files
from bidsqsm.derivatives.methods_text import methods_text, write_citation
from bidsqsm.derivatives.products import JOINT_PRODUCTS, PRODUCTS, file_name
from bidsqsm.derivatives.sidecars import bids_uri, provenance
from bidsqsm.derivatives.writer import write_run
from bidsqsm.facts.inversion_facts import DipoleFacts
from bidsqsm.facts.record import SolverFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.interfaces.outputs import WriteDerivatives
from helpers import example_run

VALIDATOR = shutil.which('bids-validator-deno') or shutil.which(
    'bids-validator-deno', path=str(Path(sys.executable).parent)
)


def everyday_choices():
    return settled_methods(separate=True)


@pytest.fixture
def run(tmp_path):
    return example_run.make_run(tmp_path / 'raw', acq='x', run='1')


@pytest.fixture
def products(tmp_path):
    made = example_run.make_products(tmp_path / 'work')
    del made['phase']
    return made


@pytest.fixture
def written(tmp_path, run, products):
    out = tmp_path / 'out'
    write_run(out, run, products, example_run.make_facts(), everyday_choices())
    return out


def sidecar(out: Path, name: str) -> dict:
    return json.loads((out / 'sub-01' / f'{name}.json').read_text())


P = 'sub-01_acq-x_run-1'


@pytest.mark.skipif(VALIDATOR is None, reason='bids-validator-deno is not installed')
def test_the_validator_finds_no_error(written):
    (written / 'sub-01.html').write_text('<p>a report</p>')
    (written / 'sub-01' / 'figures').mkdir()
    (written / 'sub-01' / 'figures' / f'{P}_desc-planes_Chimap.png').write_bytes(b'png')
    (written / 'sub-01' / 'log' / 'today').mkdir(parents=True)
    (written / 'sub-01' / 'log' / 'today' / f'{P}_status.json').write_text('{}')
    write_citation(written)
    done = subprocess.run(  # noqa: S603, the program is our own test dependency
        [VALIDATOR, str(written), '--format', 'json'],
        capture_output=True,
        text=True,
        check=False,
    )
    issues = json.loads(done.stdout)['issues']['issues']
    assert [issue for issue in issues if issue['severity'] == 'error'] == []


def test_every_product_has_its_place_and_its_sidecar(written):
    names = sorted(f'{p.relative_to(written / "sub-01")}' for p in written.rglob('*.nii.gz'))
    expected = [
        *(f'anat/{P}_{name}' for name in ('Chimap', 'R2starmap', 'T2starmap', 'S0map')),
        *(f'anat/{P}_desc-{name}_R2starmap' for name in ('rmse', 'nechoes')),
        *(f'anat/{P}_{name}' for name in ('R2map', 'desc-prime_R2map', 'desc-prime_T2map')),
        f'anat/{P}_desc-fatfraction_probseg',
        *(f'anat/{P}_desc-{name}_mask' for name in ('brain', 'qsm', 'reference')),
        *(f'anat/{P}_desc-{name}_mask' for name in ('magnitude', 'template', 'quality', 'holed')),
        f'anat/{P}_part-mag_desc-rss_T2starw',
        f'anat/{P}_desc-residual_T2starw',
        f'anat/{P}_ironmap',
        *(f'anat/{P}_desc-{name}_Chimap' for name in ('paramagnetic', 'diamagnetic')),
        f'anat/{P}_desc-quality_probseg',
        *(f'anat/{P}_echo-{n}_part-phase_desc-unwrapped_MEGRE' for n in (1, 2, 3)),
        *(f'fmap/{P}_desc-{name}_fieldmap' for name in ('total', 'local', 'noise')),
        f'fmap/{P}_magnitude',
    ]
    assert names == sorted(f'{name}.nii.gz' for name in expected)
    assert all(sidecar(written, name) for name in expected)


def test_fields_are_written_in_hertz(written):
    _, brain, chi = example_run.head()
    field = nb.load(written / f'sub-01/fmap/{P}_desc-total_fieldmap.nii.gz').get_fdata()
    np.testing.assert_allclose(field, 123.25 * brain * (chi + 0.1), rtol=1e-5, atol=1e-5)
    assert sidecar(written, f'fmap/{P}_desc-total_fieldmap')['Units'] == 'Hz'


def test_images_keep_the_place_of_the_input(written, run):
    raw = nb.load(run.magnitude[0]).header
    for path in written.rglob('*.nii.gz'):
        header = nb.load(path).header
        for form in ('get_qform', 'get_sform'):
            matrix, code = getattr(header, form)(coded=True)
            expected, expected_code = getattr(raw, form)(coded=True)
            assert code == expected_code
            np.testing.assert_allclose(matrix, expected, atol=1e-5)
        assert header.get_xyzt_units()[0] == 'mm'


def test_each_unwrapped_echo_has_its_own_time(written):
    for echo, time in enumerate(example_run.ECHO_TIMES, 1):
        name = f'anat/{P}_echo-{echo}_part-phase_desc-unwrapped_MEGRE'
        values = nb.load(written / f'sub-01/{name}.nii.gz').get_fdata()
        assert values[20, 24, 18] == pytest.approx(
            2 * np.pi * 123.25 * time * (example_run.head()[2][20, 24, 18] + 0.1), rel=1e-5
        )
        assert sidecar(written, name)['EchoTime'] == time


def test_the_chi_sidecar_says_what_a_reader_must_know(written):
    content = sidecar(written, f'anat/{P}_Chimap')
    assert content['Units'] == 'ppm'
    assert content['ReferenceRegion'] == 'whole_brain'
    assert content['ReferenceValue'] == 0.0123
    _, brain, chi = example_run.head()
    assert content['ReferenceStandardDeviation'] == pytest.approx(chi[brain].std(), abs=1e-5)
    assert content['PhaseSign'] == 1
    assert content['EstimationAlgorithm'] == everyday_choices()['dipole'].method.title
    assert content['EchoTime'] == list(example_run.ECHO_TIMES)
    np.testing.assert_allclose(np.linalg.norm(content['B0Direction']), 1, atol=1e-5)
    assert content['B0Direction'][1] < 0
    assert f'bids:raw:sub-01/anat/{P}_echo-1_part-mag_MEGRE.nii.gz' in content['Sources']
    assert content['Processing']['dipole']['Parameters'] == (
        everyday_choices()['dipole'].settings()
    )


def test_the_history_of_an_iteration_stays_out_of_the_sidecars(tmp_path, run, products):
    ending = SolverFacts(solver='tv', last=0.01, changes=(0.1, 0.01))
    facts = example_run.make_facts()
    facts['dipole'] = DipoleFacts(digest='abc', convergence=(ending,))
    write_run(tmp_path / 'out', run, products, facts, everyday_choices())
    told = sidecar(tmp_path / 'out', f'anat/{P}_Chimap')['Decisions']['dipole']
    short = {'solver': 'tv', 'last': 0.01, 'tolerance': None}
    assert told == {'digest': 'abc', 'convergence': [short]}
    whole = provenance(run, facts, everyday_choices())['Decisions']['dipole']
    assert whole.convergence[0].changes == (0.1, 0.01)


def test_a_map_of_one_step_names_its_method_and_no_other(tmp_path, run, products):
    choices = settled_methods({'onestep': STEPS['onestep'].choose('sstv')})
    write_run(tmp_path / 'out', run, products, example_run.make_facts(), choices)
    for name in (f'anat/{P}_Chimap', f'fmap/{P}_desc-local_fieldmap'):
        content = sidecar(tmp_path / 'out', name)
        assert content['EstimationAlgorithm'] == STEPS['onestep']['sstv'].title
        assert content['Processing']['onestep']['Name'] == 'sstv'
        assert {'background', 'dipole'} & set(content['Processing']) == set()
    assert 'without a separate removal' in methods_text([provenance(run, RunFacts(), choices)])


def test_serial_numbers_stay_behind(written):
    assert all('12345' not in path.read_text() for path in written.rglob('*.json'))


def test_the_same_input_gives_the_same_bytes(tmp_path, run, products, written):
    again = tmp_path / 'again'
    write_run(again, run, products, example_run.make_facts(), everyday_choices())
    first = {p.relative_to(written): p.read_bytes() for p in written.rglob('*') if p.is_file()}
    second = {p.relative_to(again): p.read_bytes() for p in again.rglob('*') if p.is_file()}
    assert first == second


def test_the_interface_writes_what_is_connected(tmp_path, run, products):
    node = WriteDerivatives(
        output_dir=str(tmp_path / 'out'),
        run=run.to_json(),
        methods={name: str(choice) for name, choice in everyday_choices().items()},
        chi=str(products['chi']),
        facts_sign={'sign': -1},
    )
    paths = node.run(cwd=str(tmp_path)).outputs.out_files
    assert paths == [f'{tmp_path}/out/sub-01/anat/{P}_Chimap.nii.gz']
    content = sidecar(tmp_path / 'out', f'anat/{P}_Chimap')
    assert content['PhaseSign'] == -1
    assert content['Processing']['dipole']['Name'] == STEPS['dipole'].default


def test_a_broken_product_leaves_nothing(tmp_path, run, products):
    products['noise'].write_bytes(b'not an image')
    out = tmp_path / 'out'
    with pytest.raises(Exception, match='noise'):
        write_run(out, run, products, RunFacts(), everyday_choices())
    assert list(out.iterdir()) == []


def test_a_failing_move_puts_the_earlier_files_back(tmp_path, monkeypatch, run, products, written):
    before = {p: p.read_bytes() for p in written.rglob('*') if p.is_file()}
    real, calls = Path.replace, []

    def refuse(self, target):
        # the fifth new file meets a full disk
        if 'new' in self.parts:
            calls.append(self)
            if len(calls) == 5:
                raise OSError(28, 'No space left on device')
        return real(self, target)

    monkeypatch.setattr(Path, 'replace', refuse)
    example_run.save(products['chi'], example_run.head()[2] * 2)
    with pytest.raises(OSError, match='No space'):
        write_run(written, run, products, example_run.make_facts(), everyday_choices())
    assert {p: p.read_bytes() for p in written.rglob('*') if p.is_file()} == before


def test_an_unknown_product_is_told_with_the_known_ones(tmp_path, run, products):
    with pytest.raises(ValueError, match=r"'chii'.*chi, chi_deviation, r2star"):
        write_run(tmp_path / 'out', run, {'chii': products['chi']}, RunFacts(), {})


def test_entities_come_in_the_order_of_the_standard():
    entities = {'sub': '1', 'run': '2', 'flip': '3', 'acq': 'x'}
    assert file_name(entities, PRODUCTS['unwrapped'], 2) == (
        'sub-1_acq-x_run-2_echo-2_flip-3_part-phase_desc-unwrapped_MEGRE'
    )


def test_the_innermost_dataset_names_a_file(tmp_path):
    links = {'raw': tmp_path, 'masks': tmp_path / 'derivatives' / 'masks'}
    inner = tmp_path / 'derivatives' / 'masks' / 'sub-1' / 'm.nii'
    assert bids_uri(inner, links) == 'bids:masks:sub-1/m.nii'
    assert bids_uri(Path('/elsewhere/m.nii'), links) == 'file:///elsewhere/m.nii'


def test_only_cited_works_are_listed(written):
    markdown, bib = write_citation(written)
    text = markdown.read_text()
    assert 'gradient-echo data' in text
    assert 'R2* was fitted' in text
    keys = cited(text.split('# References')[0])
    assert set(keys) <= set(works())
    assert bib.read_text().count('\n@') + 1 == len(keys)
    assert 'zhou2014' not in bib.read_text() or 'zhou2014' in keys


def test_every_label_of_a_description_is_explained(tmp_path):
    write_dataset_files(tmp_path, {})
    rows = (tmp_path / 'descriptions.tsv').read_text().splitlines()[1:]
    products = (*PRODUCTS.values(), *JOINT_PRODUCTS.values())
    told = {row.partition('\t')[0].removeprefix('desc-'): row.partition('\t')[2] for row in rows}
    assert {one.desc for one in products if one.desc} == {*told}
    assert all(told.values())
