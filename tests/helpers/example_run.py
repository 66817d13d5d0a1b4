"""A small made-up run on disk: an oval head with nuclei, every product of the chain beside it."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np

from bidsqsm.facts.field_facts import PhaseFacts, SignFacts
from bidsqsm.facts.inversion_facts import ReferenceFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun

ECHO_TIMES = (0.004, 0.012, 0.020)
SHAPE = (40, 48, 36)
# turned by 5 degrees about x, the first axis running from right to left
_C, _S = np.cos(np.radians(5)), np.sin(np.radians(5))
AFFINE = np.array(
    [[-1, 0, 0, 20], [0, _C, 1.3 * _S, -24], [0, -_S, 1.3 * _C, -20], [0, 0, 0, 1]], dtype=float
)
METADATA = {
    'MagneticFieldStrength': 3,
    'ImagingFrequency': 123.25,
    'Manufacturer': 'Siemens',
    'RepetitionTime': 0.04,
    'FlipAngle': 15,
    'EchoTime': list(ECHO_TIMES),
    'DeviceSerialNumber': '12345',
}


def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head and brain (bool), and susceptibility in ppm with bright nuclei on both sides."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
    radius = np.sqrt(x**2 + y**2 + z**2)
    brain = radius < 0.8
    chi = np.zeros(SHAPE)
    for side in (-0.25, 0.25):
        chi += 0.12 * (((x - side) / 0.1) ** 2 + (y / 0.25) ** 2 + (z / 0.2) ** 2 < 1)
    return radius < 0.95, brain, np.where(brain, chi - chi[brain].mean(), 0)


def save(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write a volume, scanner coordinates in the qform and aligned ones in the sform."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = values.dtype if values.dtype.kind in 'ui' else np.float32
    image = nb.Nifti1Image(values.astype(dtype), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 2)
    image.header.set_xyzt_units('mm', 'sec')
    image.to_filename(path)
    return path


def make_run(bids_dir: Path, **entities: str) -> GreRun:
    """Write the images of a run with three echoes; Siemens phase, 0 to 4095."""
    entities = {'sub': '01', **entities}
    name = '_'.join(f'{key}-{value}' for key, value in entities.items())
    skull, _, chi = head()
    rng = np.random.default_rng(1)
    files: dict[str, list[Path]] = {'mag': [], 'phase': []}
    for echo, time in enumerate(ECHO_TIMES, 1):
        magnitude = skull * (800 * np.exp(-20 * time) - 900 * chi)
        angle = np.where(skull, 2 * np.pi * 123.25 * time * (chi + 0.1), 0)
        angle = np.where(skull, angle, rng.uniform(-np.pi, np.pi, SHAPE))
        stored = np.round((np.angle(np.exp(1j * angle)) + np.pi) / (2 * np.pi) * 4095)
        folder = bids_dir / f'sub-{entities["sub"]}' / 'anat'
        for part, values in (('mag', magnitude), ('phase', stored.astype(np.int16))):
            path = folder / f'{name}_echo-{echo}_part-{part}_MEGRE.nii.gz'
            files[part].append(save(path, values))
            sidecar = {**METADATA, 'EchoTime': time}
            path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(sidecar))
    return GreRun(
        entities=entities,
        suffix='MEGRE',
        magnitude=tuple(files['mag']),
        phase=tuple(files['phase']),
        real=(),
        imag=(),
        layout='echo-files',
        n_channels=1,
        echo_times=ECHO_TIMES,
        field_strength=3.0,
        imaging_frequency=123.25,
        shape=SHAPE,
        affine=tuple(map(tuple, AFFINE.tolist())),
        metadata=dict(METADATA),
    )


def make_products(work_dir: Path) -> dict[str, Path]:
    """Write what the chain would hand over, in the units of the work folder."""
    skull, brain, chi = head()
    times = np.array(ECHO_TIMES)
    phase = 2 * np.pi * 123.25 * (chi[..., None] + 0.1) * times
    arrays = {
        'chi': chi,
        'r2star': brain * (20 + 200 * chi),
        't2star': brain * 0.05,
        's0': skull * 800.0,
        'r2star_error': brain * 0.5,
        'n_echoes': brain * 5.0,
        'r2': brain * 14.0,
        'r2prime': brain * (6 + 200 * chi),
        't2prime': brain * 0.1,
        'total_field': brain * (chi + 0.1),
        'local_field': chi,
        'chi_paramagnetic': np.maximum(chi, 0) + 0.02 * brain,
        'chi_diamagnetic': np.minimum(chi, 0) - 0.02 * brain,
        'magnitude_rss': skull * (1000.0 - 900 * chi),
        'unwrapped': phase * skull[..., None],
        'phase': np.angle(np.exp(1j * phase)),
        'brain_mask': skull.astype(np.uint8),
        'magnitude_mask': skull.astype(np.uint8),
        'template_mask': brain.astype(np.uint8),
        'quality_mask': brain.astype(np.uint8),
        'holed_mask': (brain & (chi < 0.1)).astype(np.uint8),
        'qsm_mask': brain.astype(np.uint8),
        'reference_mask': brain.astype(np.uint8),
        'noise': brain * 0.002,
        'residual': skull * 0.01,
        'fat_fraction': (skull & ~brain) * 0.9,
        'quality': skull * 0.9,
        'iron': chi / 0.00089,
    }
    return {key: save(work_dir / f'{key}.nii', value) for key, value in arrays.items()}


def make_facts() -> RunFacts:
    """What the steps say that they decided."""
    return RunFacts(
        phase=PhaseFacts(scaling='Values 0 to 4095 were taken as a full turn.'),
        sign=SignFacts(sign=1, warnings=('The metadata say the opposite sign.',)),
        reference=ReferenceFacts(reference='whole_brain', value=0.0123),
    )
