"""One dataset full of bad subjects beside good ones: who is told what, and that the rest goes on."""

from __future__ import annotations

import json
import re

import nibabel as nb
import numpy as np
import pytest

from helpers import bad_subjects
from helpers.app import App
from helpers.bad_subjects import Subject

_HOSTILE = '<script>alert(1)</script>'


def unfriendly(s: Subject) -> None:
    """Phase of the other sign, text in place of numbers, text that a page must not run."""
    s.each('phase', np.negative)
    s.tell(
        Manufacturer=_HOSTILE,
        ReceiveCoilName='a & b <img src=x onerror=y>',
        FlipAngle='fifteen',
        InstitutionName='\u202e {{ 7 * 7 }} \n </style>',
        PixelBandwidth=[],
        SoftwareVersions={'a': 1},
        RepetitionTime=None,
    )


def untouched(_: Subject) -> None:
    """Not the files are at fault."""


def two_sessions(s: Subject) -> None:
    """A good session and one that lacks an echo."""
    for session in ('a', 'b'):
        folder = s.anat.parent / f'ses-{session}' / 'anat'
        folder.mkdir(parents=True)
        for path in sorted(s.anat.iterdir()):
            name = path.name.replace(f'sub-{s.label}_', f'sub-{s.label}_ses-{session}_')
            (folder / name).write_bytes(path.read_bytes())
    for path in s.anat.iterdir():
        path.unlink()
    s.anat.rmdir()
    for path in s.anat.parent.glob('ses-b/anat/*echo-2_part-phase*.nii.gz'):
        path.unlink()


def single_magnitude(s: Subject) -> None:
    """One echo, without its phase."""
    bad_subjects.no_phase(s)
    for path in s.anat.glob('*_echo-[23]_*'):
        path.unlink()


GOOD = {
    'two+signs': unfriendly,
    'sessions': two_sessions,
    'magnitude': bad_subjects.no_phase,
    'oneslice': bad_subjects.one_slice,
}
#: Label of each bad subject: how it was spoilt, and what the reason must say.
BAD = {
    'nophase': (
        single_magnitude,
        'echo-1_part-mag_MEGRE.nii.gz has no phase, expected part-phase',
    ),
    'noecho': (
        bad_subjects.no_echo,
        'echo-2_part-phase_MEGRE.nii.gz is missing: phase has echoes 1, 3',
    ),
    'othergrid': (bad_subjects.other_grid, r'echo-1_part-phase.* has shape \(38, 48, 38\) where'),
    'movedecho': (
        bad_subjects.moved_echo,
        'echo-3_part-mag.* lies elsewhere than .*echo-1_part-mag',
    ),
    'notime': (lambda s: s.tell(2, EchoTime=None), 'echo-2.* EchoTime is absent, expected'),
    'sametime': (bad_subjects.repeated_times, 'echo-3.* repeats EchoTime 0.008 s of .*echo-2'),
    'unordered': (
        bad_subjects.unordered_times,
        r'echo-2.* 0.008 s after 0.012 s .*, expected ascending',
    ),
    'milliseconds': (
        bad_subjects.milliseconds,
        'has EchoTime 8, expected seconds.*divide by 1000',
    ),
    'nofield': (
        lambda s: s.tell(MagneticFieldStrength=None, ImagingFrequency=None),
        'has neither MagneticFieldStrength nor ImagingFrequency',
    ),
    'nan': (
        bad_subjects.hole(np.nan, 'phase'),
        r'echo-2_part-phase.* NaN or infinite in 1 voxel ',
    ),
    'inf': (bad_subjects.hole(np.inf, 'mag'), r'echo-2_part-mag.* the first at \(20, 24, 19\)'),
    'constant': (
        bad_subjects.all_of('phase', 1),
        r'echo-2_part-phase_MEGRE.nii.gz is constant \(1\)',
    ),
    'dark': (bad_subjects.all_of('mag', 0), 'echo-2_part-mag_MEGRE.nii.gz has no voxel above 0'),
    'norange': (bad_subjects.no_range, 'expected one of: radians .* or wraps that show the turn'),
    'shortgz': (
        bad_subjects.short_stream,
        r'echo-2_part-phase.* truncated, it holds [1-9]\d+ bytes',
    ),
    'shortnii': (
        bad_subjects.short_file,
        r'echo-3_part-mag_MEGRE.nii is truncated, it holds \d+ bytes',
    ),
    'broken': (
        bad_subjects.broken_stream,
        'echo-2_part-mag.* cannot be read .*copy or convert it anew',
    ),
    'noimage': (
        bad_subjects.no_image,
        'echo-1_part-phase.* cannot be read .*expected a whole NIfTI',
    ),
    'empty': (bad_subjects.empty_file, 'echo-1_part-phase.* cannot be read .*Empty file'),
    'flat': (bad_subjects.flat, r'has shape \(40, 48\), expected a 3-D volume'),
    'overflow': (
        bad_subjects.overflow,
        'echo-2_part-phase.* scl_slope 3e.38 .*beyond what float32',
    ),
    'sheared': (bad_subjects.sheared, 'has a sheared affine .*expected orthogonal axes'),
    'metres': (bad_subjects.wrong_scale, r'voxels of 5e\+03 x .*expected edges of 0.01 to 20 mm'),
    'noise': (bad_subjects.noise, 'the phase in the mask is noise .*--mask FILE'),
    'filtered': (bad_subjects.filtered, 'looks high-pass filtered.*--force filtered-phase'),
    'json': (bad_subjects.broken_json, 'echo-1_part-phase_MEGRE.json is not valid JSON'),
    'nomask': (untouched, 'sub-nomask_desc-brain_mask.nii.gz is empty, expected a mask'),
    'odd label': (untouched, "its label is 'odd label', expected letters, digits"),
}


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


@pytest.fixture(scope='module')
def call(app, tmp_path_factory):
    """All of them at once; the masks of one are given, and empty."""
    root = tmp_path_factory.mktemp('bad')
    spoils = {**GOOD, **{label: spoil for label, (spoil, _) in BAD.items()}}
    dataset = bad_subjects.make_dataset(root / 'it\'s <b>"bad" %s {x}', spoils)
    mask = root / 'masks' / 'sub-nomask' / 'anat' / 'sub-nomask_desc-brain_mask.nii.gz'
    mask.parent.mkdir(parents=True)
    nb.save(nb.Nifti1Image(np.zeros(bad_subjects.SHAPE, np.uint8), bad_subjects.AFFINE), mask)
    before = listing(root)
    made = app(
        dataset,
        'out',
        '--dipole',
        'tkd',
        '--skip-bids-validation',
        '--nprocs',
        '2',
        '-d',
        f'masks={root / "masks"}',
    )
    assert listing(root) == before, 'the input was written to'
    return made


def listing(folder):
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob('*') if p.is_file()}


def page(call, label):
    return (call.out / f'sub-{label}.html').read_text()


@pytest.mark.parametrize('label', BAD)
def test_a_bad_subject_is_skipped_with_one_sentence(call, label):
    status = call.status(f'sub-{label}')
    assert status['status'] == 'skipped', call.printed
    reason = status['reason']
    assert re.search(BAD[label][1], reason), reason
    assert '\n' not in reason
    assert f'sub-{label} skipped: {reason}' in call.printed
    assert not [*(call.out / f'sub-{label}').rglob('*.nii.gz')]
    assert 'skipped' in page(call, label)


@pytest.mark.parametrize('name', ['sub-01', 'sub-two+signs', 'sub-sessions_ses-a'])
def test_the_good_runs_are_finished(call, name):
    status = call.status(name)
    assert (status['status'], status['reason'], status['crash']) == ('ok', None, None)
    assert len([*call.out.rglob(f'{name}_Chimap.nii.gz')]) == 1


def test_magnitudes_without_phase_are_finished_as_far_as_they_go(call):
    status = call.status('sub-magnitude')
    assert (status['status'], status['reason'], status['crash']) == ('ok', None, None)
    (said,) = status['warnings']
    assert 'has no phase' in said
    assert len([*call.out.rglob('sub-magnitude_R2starmap.nii.gz')]) == 1
    assert not [*call.out.rglob('sub-magnitude*_Chimap*')]


def test_a_slice_is_finished_as_far_as_it_goes(call):
    status = call.status('sub-oneslice')
    assert (status['status'], status['reason'], status['crash']) == ('ok', None, None)
    assert 'expected 8 voxels or more along each axis for susceptibility' in status['warnings'][0]
    assert len([*call.out.rglob('sub-oneslice_R2starmap.nii.gz')]) == 1


def test_the_call_fails_and_says_so_in_its_last_line(call):
    assert call.code == 1
    assert call.last_line.startswith(f'bidsqsm failed: 5 runs ok, {len(BAD) + 1} skipped; sub-')
    assert 'Traceback' not in call.printed
    missing = call.status('sub-sessions_ses-b')
    assert 'ses-b_echo-2_part-phase_MEGRE.nii.gz is missing' in missing['reason']


def test_phase_of_either_sign_gives_the_same_map(call):
    maps, signs = [], []
    for subject in ('sub-01', 'sub-two+signs'):
        anat = call.out / subject / 'anat'
        maps.append(nb.load(anat / f'{subject}_Chimap.nii.gz').get_fdata())
        signs.append(json.loads((anat / f'{subject}_Chimap.json').read_text())['PhaseSign'])
    assert signs == [1, -1]
    np.testing.assert_allclose(*maps, atol=1e-4)


def test_text_of_the_metadata_is_shown_and_not_run(call):
    text = page(call, 'two+signs')
    assert _HOSTILE not in text
    assert '&lt;script&gt;alert(1)&lt;/script&gt;' in text
    assert '<img src=x' not in text


def test_nothing_is_left_outside_output_and_work(call, app):
    assert app.strays() == []
    assert {p.name for p in app.room.iterdir() if p.name.startswith('out')} == {'out', 'out_work'}
