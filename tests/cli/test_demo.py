"""``bidsqsm demo``: its options reach the dataset, and wrong ones are told."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nb
import numba
import numpy as np
import pytest

from bidsqsm.cli.demo import add_arguments, main, options_from
from bidsqsm.demo.demo_dataset import write_demo
from bidsqsm.demo.demo_options import DemoOptions
from bidsqsm.demo.simulate import scan_affine
from bidsqsm.errors import DatasetError
from bidsqsm.qsm.phantom.model_errors import PEOPLE, ModelErrors
from bidsqsm.qsm.phantom.signal_simulation import Sequence

TINY = DemoOptions(
    voxel_size=(7.0, 6.0, 8.0),
    shape=(27, 37, 25),
    t1w=False,
    sequence=Sequence(echo_times=(0.005, 0.01)),
)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / 'mine.txt').write_text('precious')
    with pytest.raises(DatasetError, match='is not empty'):
        write_demo(tmp_path, TINY)
    assert main([str(tmp_path)]) == 2
    assert 'bidsqsm demo failed' in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']


def test_the_command_line_reaches_the_dataset(tmp_path, capsys):
    where = tmp_path / 'demo'
    words = (
        '--voxel-size 7 6 8 --shape 27 37 25 --tilt x 20 --tilt y 15 --echo-times 0.006 --no-t1w'
    )
    words += (
        ' --phase-convention siemens-signed --bipolar --field-strength 7 --seed 4 --subjects 2'
    )
    assert main([str(where), *words.split()]) == 0
    assert 'Wrote 2 simulated' in capsys.readouterr().out
    anat = where / 'sub-02' / 'anat'
    assert sorted(p.name for p in anat.glob('*.nii.gz')) == [
        'sub-02_echo-1_part-mag_MEGRE.nii.gz',
        'sub-02_echo-1_part-phase_MEGRE.nii.gz',
    ]
    image = nb.load(anat / 'sub-02_echo-1_part-phase_MEGRE.nii.gz')
    expected = scan_affine((27, 37, 25), (7, 6, 8), [('x', 20), ('y', 15)])
    np.testing.assert_allclose(image.affine, expected, atol=1e-4)
    values = np.asarray(image.dataobj)
    assert -4096 <= values.min() < -3500 < 3500 < values.max() <= 4094
    sidecar = json.loads((anat / 'sub-02_echo-1_part-phase_MEGRE.json').read_text())
    assert sidecar['MagneticFieldStrength'] == 7
    assert sidecar['Manufacturer'] == 'Siemens'
    assert (where / 'participants.tsv').read_text().splitlines()[2].startswith('sub-02\t50\t')


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ('', ModelErrors()),
        ('--realism people', PEOPLE),
        ('--realism people --model-error gibbs:0 drift:2', replace(PEOPLE, gibbs=0.0, drift=2.0)),
        ('--model-error fringe:20 --model-error drift:2', ModelErrors(fringe=20.0, drift=2.0)),
    ],
)
def test_model_errors_are_a_mixture_and_switches_on_top(words, expected):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    found = options_from(parser.parse_args(['demo', *words.split()]))
    assert found.model_errors == expected


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        ('--tilt q 20', 'no axis'),
        ('--tilt x steep', 'degrees'),
        ('--echo-times 4 8', 'seconds'),
        ('--subjects 0', 'at least one'),
        ('--voxel-size 0 1 1', 'voxel sizes'),
        ('--shape 2 60 60', '8 voxels'),
        ('--field-strength 100', '12 T'),
        ('--snr 0', 'SNR'),
        ('--model-error wobble', 'there are: anisotropy, lorentz'),
        ('--model-error drift:-1', '0 or more'),
    ],
)
def test_a_wrong_option_says_what_is_wrong(words, says, tmp_path, capsys):
    assert main([str(tmp_path / 'demo'), *words.split()]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / 'demo' / 'sub-01').exists()


@pytest.mark.parametrize('given', ['', 'somewhere'])
def test_the_demo_leaves_no_compiled_code_in_the_installation(tmp_path, monkeypatch, given):
    monkeypatch.setattr(numba.config, 'CACHE_DIR', given)
    used = []
    monkeypatch.setattr(
        'bidsqsm.cli.demo.write_demo', lambda *_: used.append(numba.config.CACHE_DIR)
    )
    assert main([str(tmp_path / 'demo')]) == 0
    assert given == numba.config.CACHE_DIR
    (folder,) = used
    assert folder == given if given else folder and not Path(folder).exists()
