"""Writes the demo: a BIDS dataset of simulated heads, with its truth as derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt

from bidsqsm import __version__
from bidsqsm.demo.demo_atlas import write_atlas
from bidsqsm.demo.demo_options import NODS, DemoOptions
from bidsqsm.demo.scanner_conventions import Stored, convention
from bidsqsm.demo.simulate import (
    default_shape,
    head_pose,
    scan_affine,
    subject_anatomy,
    template_resolution,
)
from bidsqsm.demo.truth import write_truth
from bidsqsm.errors import DatasetError
from bidsqsm.files.gzip_files import created
from bidsqsm.files.json_files import write_json
from bidsqsm.files.tsv_files import write_tsv
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.disturbance import Disturbance, disturb
from bidsqsm.qsm.phantom.head import FLIP_ANGLE, REPETITION_TIME, Head, make_head, make_t1w
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.signal_simulation import acquire, error_field
from bidsqsm.qsm.units import imaging_frequency_of

_README = """\
# Simulated heads

Made by `bidsqsm demo`: no person was scanned. The anatomy comes from the MNI152 averages
(Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological
Institute, McGill University), warped for each subject, with nuclei, veins and lesions of known
susceptibility. `derivatives/truth` holds the susceptibility, fields, R2*, labels and brain mask
that the images were computed from; `derivatives/atlas` is an atlas of the average head,
with a template to register to.
"""
_AXES = 'ijk'
Report = Callable[[str], None]


def write_demo(directory: Path, options: DemoOptions, report: Report = lambda _: None) -> None:
    """Write the dataset into a new or empty folder.

    Parameters
    ----------
    directory
        Where it goes.
    options
        What it contains.
    report
        Called with a few words when a step is done, ``options.steps`` times.

    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise DatasetError(
            f'{directory} is not empty: give a new or an empty folder, the demo overwrites nothing'
        )
    directory.mkdir(parents=True, exist_ok=True)
    people = subjects(options)
    _write_root(directory, people)
    write_atlas(directory / 'derivatives' / 'atlas', template_resolution(options.voxel_size))
    report('atlas')
    for label, person in people.items():
        _write_subject(directory, label, person, options, report)


def subjects(options: DemoOptions) -> dict[str, Subject]:
    """Labels and people of the dataset; sexes alternate, and in a group so do diagnoses."""
    people = {}
    for index in range(options.subjects):
        seed = 1000 * options.seed + index
        random = np.random.default_rng([seed, 11])
        age = float(random.integers(25, 76)) if options.group else 50.0
        patient = options.group and index % 2 == 1
        diagnosis = 'parkinson' if patient else 'control'
        people[f'{index + 1:02d}'] = Subject(seed, age, 'FM'[index // 2 % 2], diagnosis)
    return people


def _write_root(directory: Path, people: Mapping[str, Subject]) -> None:
    write_json(
        directory / 'dataset_description.json',
        {
            'Name': 'bidsqsm demo: simulated heads',
            'BIDSVersion': '1.10.0',
            'DatasetType': 'raw',
            'License': 'CC0',
            'Authors': ['bidsqsm'],
            'GeneratedBy': [{'Name': 'bidsqsm demo', 'Version': __version__}],
        },
    )
    (directory / 'README.md').write_text(_README)
    columns = ('participant_id', 'age', 'sex', 'group')
    rows = [(f'sub-{n}', f'{p.age:g}', p.sex, p.diagnosis) for n, p in people.items()]
    write_tsv(directory / 'participants.tsv', columns, rows)
    write_json(directory / 'participants.json', _PARTICIPANTS)


def _write_subject(
    directory: Path, label: str, person: Subject, options: DemoOptions, report: Report
) -> None:
    name = f'sub-{label}'
    shape = options.shape or default_shape(options.voxel_size)
    affine = scan_affine(shape, options.voxel_size, options.tilts)
    anatomy = subject_anatomy(person, options.voxel_size)
    report(f'{name}: anatomy')
    for number, nods in enumerate(NODS[: options.orientations]):
        scan = f'{name}_acq-{number + 1}' if options.orientations > 1 else name
        # a head that turns does not come to lie in the very same place
        pose = head_pose(nods, (0.0, 3.0 * number, -2.0 * number))
        head = make_head(anatomy, person, shape, affine, options.field_strength, pose=pose)
        report(f'{scan}: fields')
        seed = person.seed + number
        disturbance = _disturbance(options, head, anatomy, person, seed, pose)
        echoes = acquire(head, options.sequence, seed, disturbance)
        for index, echo in enumerate(echoes):
            _write_echo(directory / name / 'anat', scan, index, echo, head, options)
            report(f'{scan}: echo {index + 1}')
        wrong = None
        if disturbance is not None:
            wrong = disturbance.errors, error_field(head, options.sequence, disturbance)
        write_truth(directory / 'derivatives' / 'truth', scan, head, wrong)
        report(f'{scan}: truth')
    if options.t1w:
        _write_t1w(directory / name / 'anat' / f'{name}_T1w', anatomy, person, options)
        report(f'{name}: T1w')


def _disturbance(
    options: DemoOptions,
    head: Head,
    anatomy: Anatomy,
    person: Subject,
    seed: int,
    pose: Volume,
) -> Disturbance | None:
    if not options.model_errors.any:
        return None
    times, readout = options.sequence.echo_times, options.sequence.readout
    return disturb(options.model_errors, head, anatomy, person, times, readout, seed, pose)


def _write_echo(
    folder: Path,
    name: str,
    index: int,
    echo: npt.NDArray[np.complexfloating],
    head: Head,
    options: DemoOptions,
) -> None:
    way = convention(options.phase_convention)
    uncombined = options.sequence.coils > 0
    for image in way.store(echo):
        stem = folder / f'{name}_echo-{index + 1}_part-{image.part}_MEGRE'
        write_stored(stem.with_suffix('.nii.gz'), image, head.affine, channels=uncombined)
        sidecar = _sidecar(index, head, options) | way.sidecar
        if image.part == 'phase':
            sidecar['Units'] = way.phase_units
        kind = {'mag': 'MAGNITUDE', 'phase': 'PHASE', 'real': 'REAL', 'imag': 'IMAGINARY'}
        sidecar['ImageType'] = ['ORIGINAL', 'PRIMARY', kind[image.part]]
        write_json(stem.with_suffix('.json'), sidecar)


def _sidecar(index: int, head: Head, options: DemoOptions) -> dict[str, Any]:
    sequence = options.sequence
    sidecar: dict[str, Any] = {
        'EchoTime': sequence.echo_times[index],
        'EchoNumber': index + 1,
        'MagneticFieldStrength': options.field_strength,
        'ImagingFrequency': round(imaging_frequency_of(options.field_strength), 6),
        'RepetitionTime': REPETITION_TIME,
        'FlipAngle': FLIP_ANGLE,
        'MRAcquisitionType': '3D',
        'PulseSequenceType': 'Bipolar GRE' if sequence.bipolar else 'Monopolar GRE',
        'SequenceVariant': 'SP',
        'PhaseEncodingDirection': _AXES[0 if sequence.readout else 1],
        'NonlinearGradientCorrection': True,
        'InstitutionName': 'Simulated',
    }
    if sequence.coils:
        sidecar['ReceiveCoilName'] = f'Simulated {sequence.coils}-channel head'
        sidecar['NumberOfReceiveCoils'] = sequence.coils
    return sidecar


def _write_t1w(stem: Path, anatomy: Anatomy, person: Subject, options: DemoOptions) -> None:
    side = max(1.0, float(np.prod(options.voxel_size)) ** (1 / 3))
    size = (side, side, side)
    shape = default_shape(size)
    affine = scan_affine(shape, size)
    image = make_t1w(anatomy, person, shape, affine)
    random = np.random.default_rng([person.seed, 13])
    image = np.hypot(*(0.01 * random.standard_normal((2, *shape)) + np.stack([image, 0 * image])))
    stored = np.rint(1200 * image).astype(np.int16)
    write_stored(stem.with_suffix('.nii.gz'), Stored('mag', stored[None]), affine)
    write_json(
        stem.with_suffix('.json'),
        {
            'Manufacturer': 'bidsqsm',
            'MagneticFieldStrength': options.field_strength,
            'MRAcquisitionType': '3D',
            'PulseSequenceType': 'MPRAGE',
            'RepetitionTime': 2.3,
            'InversionTime': 0.9,
            'EchoTime': 0.003,
            'FlipAngle': 9,
        },
    )


def write_stored(
    path: Path, image: Stored, affine: npt.ArrayLike, *, channels: bool = False
) -> None:
    """Write (n_channels, nx, ny, nz) as it stands, slope and intercept in the header.

    nibabel would choose a scale of its own; scanners and converters do not.
    """
    data = np.moveaxis(image.stored, 0, -1) if channels else image.stored[0]
    nifti = nb.Nifti1Image(data, np.asarray(affine))
    nifti.set_qform(affine, code=1)
    nifti.set_sform(affine, code=1)
    header = nifti.header
    header.set_xyzt_units('mm', 'sec')
    header['scl_slope'], header['scl_inter'], header['vox_offset'] = image.slope, image.inter, 352
    path.parent.mkdir(parents=True, exist_ok=True)
    with created(path) as zipped:
        zipped.write(header.binaryblock + bytes(4))
        for volume in image.stored if channels else image.stored[:1]:
            zipped.write(volume.tobytes(order='F'))


_PARTICIPANTS: dict[str, Any] = {
    'age': {'Description': 'Age of the simulated person', 'Units': 'year'},
    'sex': {'Description': 'Sets the size of the head', 'Levels': {'F': 'female', 'M': 'male'}},
    'group': {
        'Description': (
            'Diagnosis. It adds 35 ppb to the substantia nigra, 12 ppb to the red nucleus and '
            '6 ppb to the globus pallidus of patients'
        ),
        'Levels': {'control': 'healthy', 'parkinson': "Parkinson's disease"},
    },
}
