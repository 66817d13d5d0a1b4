"""Receive channels in a file each are one run, read as channels in one file are."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.files.nifti import channel_file_loader
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from helpers.bids_skeleton import ECHO_TIMES, SCANNER, SHAPE

NAMES = {
    'coil-{:02d}': 'sub-01',
    'ch-{}': 'sub-01',
    'rec-coil{}': 'sub-01',
    'rec-uncombinedCoil{:02d}': 'sub-01_rec-uncombined',
    'acq-qsmCh{}': 'sub-01_acq-qsm',
    'acq-channel{:03d}': 'sub-01',
    'rec-uncombined_coil-{}': 'sub-01_rec-uncombined',
}


def written(skeleton, name, numbers=(1, 2, 3), parts=('mag', 'phase')):
    """Write one set of echoes for each channel."""
    for number in numbers:
        skeleton.megre(f'sub-01_{name.format(number)}', parts=parts)


@pytest.mark.parametrize('parts', [('mag', 'phase'), ('', 'phase'), ('real', 'imag')])
@pytest.mark.parametrize('name', NAMES)
def test_channels_in_files_of_their_own_are_one_run(skeleton, name, parts):
    written(skeleton, name, parts=parts)
    (run,) = find_runs(skeleton.root)
    assert isinstance(run, GreRun), run.reason
    assert (run.name, run.layout, run.n_channels) == (NAMES[name], 'channel-files', 3)
    assert run.echo_times == ECHO_TIMES
    assert '3 receive channels' in run.warnings[-1]
    assert '3 channels combined' in run.plan
    assert GreRun.from_json(run.to_json()) == run
    load = channel_file_loader(run.phase or run.imag, run.n_channels)
    assert load(2).shape == (3, *SHAPE)
    assert f'{name.format(2)}_echo-1' in (run.phase or run.imag)[3].name


def test_ten_channels_are_counted_not_spelled(skeleton):
    written(skeleton, 'coil-{}', range(12))
    (run,) = find_runs(skeleton.root)
    assert ['coil-2_' in path.name for path in run.phase].index(True) == 2 * 3


def test_echoes_of_a_channel_may_lie_along_the_fourth_axis(skeleton):
    for coil in (1, 2):
        for part in ('mag', 'phase'):
            name = f'sub-01_coil-{coil}_part-{part}_MEGRE.nii.gz'
            data = np.full((*SHAPE, 3), coil) + np.random.default_rng(0).random((*SHAPE, 3))
            skeleton.image(name, data=data, sidecar={**SCANNER, 'EchoTime': list(ECHO_TIMES)})
    (run,) = find_runs(skeleton.root)
    assert (run.layout, run.n_channels, len(run.phase)) == ('channel-files', 2, 2)
    assert channel_file_loader(run.magnitude, 2)(1).min() >= 2


@pytest.mark.parametrize('name', ['acq-coil{}', 'acq-{}ch', 'rec-epoch{}'])
def test_labels_that_name_the_hardware_stay_runs(skeleton, name):
    written(skeleton, name, (32, 64))
    assert len(find_runs(skeleton.root)) == 2


def test_a_channel_that_lacks_an_echo_is_told_by_name(skeleton):
    written(skeleton, 'coil-{}')
    for part in ('mag', 'phase'):
        skeleton.find(f'sub-01_coil-2_echo-3_part-{part}_MEGRE.nii.gz').unlink()
    (run,) = find_runs(skeleton.root)
    assert isinstance(run, Skipped)
    assert 'coil-2_echo-1' in run.reason
    assert 'expected all channels alike' in run.reason


@pytest.mark.parametrize(
    ('parts', 'layout', 'said'),
    [
        (('mag', 'phase'), 'echo-files', 'single channels are left aside'),
        (('mag',), 'channel-files', 'sub-01_echo-1_part-mag_MEGRE.nii.gz is left aside'),
    ],
)
def test_combined_images_beside_their_channels(skeleton, parts, layout, said):
    written(skeleton, 'coil-{}')
    skeleton.megre(parts=parts)
    (run,) = find_runs(skeleton.root)
    assert run.layout == layout
    assert any(said in warning for warning in run.warnings)
