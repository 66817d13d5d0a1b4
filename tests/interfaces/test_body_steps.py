"""Steps work on the lengths of the body, and say nothing of what it has not."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.atlases.selection import NO_ATLASES
from bidsqsm.catalog import STEPS
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.sidecars import acquisition
from bidsqsm.files.nifti import save_volume
from bidsqsm.inputs.bodies import body_of, with_bodies
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.interfaces.masking import check
from bidsqsm.interfaces.phase_preparation import prepare_run
from bidsqsm.interfaces.sign import DecideSign, sign_without_brain
from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.masking.mask_result import Masks
from bidsqsm.rois.region_measurement import body_of_map
from bidsqsm.workflows.run import init_run_wf
from helpers.bids_skeleton import Skeleton
from helpers.phase_scans import head

MOUSE = Body('small-animal', 0.1)
TIMES, MHZ = (0.004, 0.010, 0.016), 123.2


@pytest.fixture(scope='module')
def scan():
    """Magnitude and phase of a head with a sinus, and its grid."""
    grid, mask, field = head(6.0)
    rng = np.random.default_rng(2)
    noise = np.abs(rng.normal(0, 5, (len(TIMES), *mask.shape)))
    magnitude = (1000 * mask + noise).astype(np.float32)
    phase = np.stack([2 * np.pi * field * MHZ * time for time in TIMES])
    phase = np.where(mask, phase, rng.uniform(-3, 3, phase.shape))
    return magnitude, np.angle(np.exp(1j * phase)).astype(np.float32), grid


def run_of(folder, scan, scale) -> GreRun:
    """The run of a dataset that holds the scan at a scale."""
    magnitude, phase, grid = scan
    size = scale * grid.voxel_size[0]
    skeleton = Skeleton(folder, grid.shape, np.diag([size, size, size, 1.0]))
    for n, time in enumerate(TIMES):
        told = {'EchoTime': time, 'MagneticFieldStrength': 3, 'ImagingFrequency': MHZ}
        for part, echoes in (('mag', magnitude), ('phase', phase)):
            skeleton.image(
                f'sub-01_echo-{n + 1}_part-{part}_MEGRE.nii.gz',
                data=echoes[n],
                sidecar={**told, 'Units': 'rad'} if part == 'phase' else told,
            )
    (run,) = find_runs(skeleton.root)
    return run


def prepared(run):
    return prepare_run(
        run,
        coil=STEPS['coil'].choose('mcpc3ds'),
        unwrap=STEPS['unwrap'].choose('romeo'),
        corrections={'alternation': 'auto', 'bipolar': 'auto', 'offset': 'auto'},
    )


@pytest.mark.parametrize('scale', [0.65, 0.1])
def test_the_phase_of_a_small_head_is_prepared_as_that_of_an_adult(tmp_path, scan, scale):
    large, small = run_of(tmp_path / 'a', scan, 1.0), run_of(tmp_path / 'b', scan, scale)
    large, small = with_bodies([large, small], 'auto')
    assert large.body is ADULT
    assert small.body.scale == pytest.approx(scale, rel=0.2)
    # the very scale: the scan of the test is a head without a neck
    small = replace(small, body=body_of(small, f'{small.body.name}:{scale}'))
    ours, adults = prepared(small), prepared(large)
    assert np.allclose(np.angle(np.exp(1j * (ours.phase - adults.phase))), 0, atol=2e-3)
    assert ours.facts.warnings == adults.facts.warnings
    assert not ours.facts.filtered.found


def test_what_is_skipped_stays_so_and_files_that_cannot_be_read_are_told_later(tmp_path, scan):
    run = run_of(tmp_path / 'a', scan, 0.1)
    run.magnitude[0].write_bytes(b'no image')
    skipped = Skipped({'sub': '02'}, 'a reason')
    assert with_bodies([skipped, run], 'auto') == [skipped, run]
    assert body_of(run, 'none:0.2') == Body('none', 0.2)


def test_a_run_with_its_body_survives_json_and_its_sidecars_tell_of_it(tmp_path, scan):
    run = run_of(tmp_path / 'a', scan, 0.1)
    assert 'BodyScale' not in acquisition(run)
    mouse = replace(run, body=MOUSE)
    assert GreRun.from_json(mouse.to_json()) == mouse
    told = acquisition(mouse)
    assert (told['Body'], told['BodyScale']) == ('small-animal', 0.1)
    assert told['VoxelSize'] == acquisition(run)['VoxelSize']
    assert body_of_map(told) == MOUSE
    assert body_of_map({}) == body_of_map({'Body': 'dragon', 'BodyScale': 2}) == ADULT


def test_every_step_of_a_run_knows_the_body(tmp_path, scan):
    run = replace(run_of(tmp_path / 'a', scan, 0.1), body=MOUSE)
    workflow = init_run_wf(run=run, output_dir=tmp_path, choices=settled_methods())
    scales = {
        path: workflow.get_node(path).interface.inputs.body_scale
        for path in workflow.list_node_names()
        if hasattr(workflow.get_node(path).interface.inputs, 'body_scale')
    }
    assert len(scales) > 5
    assert set(scales.values()) == {0.1}


@pytest.mark.parametrize(
    ('body', 'share', 'warned'),
    [
        (ADULT, 0.05, True),
        (Body('infant', 0.65), 0.05, True),
        (Body('infant', 0.65), 0.5, False),
        (MOUSE, 0.05, False),
        (Body('none', 1.0), 0.05, False),
    ],
)
def test_only_heads_of_people_have_a_usual_volume(body, share, warned):
    size = 10.0 * body.scale
    mask = np.zeros((16, 16, 16), bool)
    mask.flat[: int(share * mask.size)] = True
    grid = Grid(mask.shape, (size, size, size)).of_body(body.scale)
    assert bool(check(Masks(mask, mask), grid, body)) == warned


def test_the_sign_of_an_object_without_a_brain_is_that_of_the_maker(tmp_path):
    values = np.zeros((16, 16, 16), np.float32)
    values[8, 8, 8] = -5
    path = str(save_volume(values, np.eye(4), tmp_path / 'field.nii'))
    mask = str(save_volume(np.ones(values.shape, bool), np.eye(4), tmp_path / 'mask.nii'))
    node = DecideSign(in_file=path, unwrapped=path, in_mask=mask, expected=-1, body='none')
    found = node.run(cwd=tmp_path).outputs
    assert (found.sign, found.facts['sign']) == (-1, -1)
    assert 'warnings' not in found.facts or not found.facts['warnings']
    assert nb.load(found.total_field).get_fdata()[8, 8, 8] == 5


def test_no_sentence_on_an_object_speaks_of_veins():
    for phase_sign, expected in (('auto', 0), ('auto', 1), ('-1', 1)):
        sign, facts = sign_without_brain(phase_sign, expected)
        assert sign == (-1 if phase_sign == '-1' else 1)
        assert not any(word in f'{facts}' for word in ('vein', 'brain', 'iron'))
    assert len(sign_without_brain('auto')[1].warnings) == 1


def test_animals_and_objects_have_no_human_atlas():
    assert NO_ATLASES.of(MOUSE) == NO_ATLASES


@pytest.mark.parametrize('word', ['mouse', 'infant:0', 'none:big'])
def test_a_wrong_body_is_a_wrong_command_line(tmp_path, capsys, word):
    with pytest.raises(SystemExit) as ended:
        parse_arguments([str(tmp_path), str(tmp_path / 'out'), 'participant', '--body', word])
    assert ended.value.code == 2
    assert 'expected auto, NAME or NAME:SCALE' in capsys.readouterr().err
