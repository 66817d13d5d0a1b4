"""A made-up head that takes no time to make, and the ways in which its files can be spoilt."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel

ECHOES = (1, 2, 3)
ECHO_TIMES = (0.004, 0.008, 0.012)
SHAPE = (40, 48, 38)
AFFINE = np.diag([4.0, 4.0, 4.5, 1.0])
AFFINE[:3, 3] = -80, -96, -85
MHZ = 127.7
SCANNER = {
    'MagneticFieldStrength': 3.0,
    'ImagingFrequency': MHZ,
    'Units': 'rad',
    'FlipAngle': 15.0,
    'RepetitionTime': 0.03,
    'MRAcquisitionType': '3D',
}


def head() -> tuple[np.ndarray, np.ndarray]:
    """Phase (rad, not wrapped) and magnitude of an oval brain with nuclei, its skull removed."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
    radius = np.sqrt(x**2 + y**2 + z**2)
    brain = radius < 0.85
    chi = np.where(radius < 0.95, 0.0, 2.0)
    for side in (-0.22, 0.22):
        chi += 0.15 * (((x - side) / 0.1) ** 2 + (y / 0.22) ** 2 + (z / 0.15) ** 2 < 1)
    random = np.random.default_rng(5)
    texture = ndimage.gaussian_filter(random.normal(size=SHAPE), 0.6)
    chi += brain * 0.05 * texture / texture.std()
    field = convolve(chi.astype(np.float32), dipole_kernel(Grid.from_affine(SHAPE, AFFINE)))
    rates = 18 + 130 * np.where(brain, chi, 0)
    times = np.array(ECHO_TIMES)[:, None, None, None]
    signal = brain * np.exp(-times * rates) * np.exp(2j * np.pi * times * MHZ * field)
    signal += 0.008 * (random.normal(size=signal.shape) + 1j * random.normal(size=signal.shape))
    return np.angle(signal).astype(np.float32), (1000 * np.abs(signal)).astype(np.float32)


def make_dataset(root: Path, spoils: Mapping[str, Callable[[Subject], None]]) -> Path:
    """Write a dataset with the good subject ``sub-01`` and one for each way to spoil it."""
    root.mkdir(parents=True)
    description = {'Name': 'hostile', 'BIDSVersion': '1.10.0'}
    (root / 'dataset_description.json').write_text(json.dumps(description))
    good = Subject(root, '01')
    good.anat.mkdir(parents=True)
    for part, echoes in zip(('phase', 'mag'), head(), strict=True):
        for echo, values in zip(ECHOES, echoes, strict=True):
            good.save(part, echo, values, AFFINE)
            sidecar = {**SCANNER, 'EchoTime': ECHO_TIMES[echo - 1]}
            good.path(part, echo, '.json').write_text(json.dumps(sidecar))
    files = sorted(good.anat.iterdir())
    for label, spoil in spoils.items():
        other = Subject(root, label)
        other.anat.mkdir(parents=True)
        for path in files:
            shutil.copy(path, other.anat / path.name.replace('sub-01', f'sub-{label}'))
        spoil(other)
    return root


class Subject:
    """The files of one subject.

    Parameters
    ----------
    root
        Of the dataset.
    label
        Of the subject.

    """

    def __init__(self, root: Path, label: str) -> None:
        self.root, self.label = root, label
        self.anat = root / f'sub-{label}' / 'anat'

    def path(self, part: str, echo: int, ending: str = '.nii.gz') -> Path:
        """Place of an image or (ending .json) of its sidecar."""
        return self.anat / f'sub-{self.label}_echo-{echo}_part-{part}_MEGRE{ending}'

    def values(self, part: str, echo: int) -> np.ndarray:
        """Values of an image, writable."""
        return nb.load(self.path(part, echo)).get_fdata(dtype=np.float32)

    def save(self, part: str, echo: int, values: np.ndarray, affine: Any = None) -> None:
        """Write the image anew."""
        own = nb.load(self.path('mag', 1)).affine if affine is None else affine
        image = nb.Nifti1Image(values, own)
        image.header.set_xyzt_units('mm')
        nb.save(image, self.path(part, echo))

    def each(self, part: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Change the values of all echoes."""
        for echo in ECHOES:
            self.save(part, echo, change(self.values(part, echo)))

    def tell(self, echo: int | None = None, part: str | None = None, **entries: Any) -> None:
        """Change entries of sidecars, or with None remove them."""
        for one in ('mag', 'phase') if part is None else (part,):
            for number in ECHOES if echo is None else (echo,):
                path = self.path(one, number, '.json')
                content = {**json.loads(path.read_text()), **entries}
                kept = {key: value for key, value in content.items() if value is not None}
                path.write_text(json.dumps(kept))

    def header(self, part: str, echo: int, **entries: Any) -> None:
        """Change entries of a header, the voxels staying as they are stored."""
        path = self.path(part, echo)
        raw = gzip.decompress(path.read_bytes())
        header = nb.Nifti1Header.from_fileobj(io.BytesIO(raw), check=False)
        for key, value in entries.items():
            header[key] = value
        path.write_bytes(gzip.compress(header.binaryblock + raw[348:]))

    def rename(self, change: Callable[[str], str]) -> None:
        """Give all images and sidecars other names."""
        for path in sorted(self.anat.iterdir()):
            path.rename(path.with_name(change(path.name)))


def no_phase(s: Subject) -> None:
    for echo in ECHOES:
        for ending in ('.nii.gz', '.json'):
            s.path('phase', echo, ending).unlink()


def no_echo(s: Subject) -> None:
    s.path('phase', 2).unlink()


def other_grid(s: Subject) -> None:
    for echo in ECHOES:
        s.save('phase', echo, s.values('phase', echo)[:-2])


def moved_echo(s: Subject) -> None:
    affine = nb.load(s.path('mag', 1)).affine.copy()
    affine[0, 3] += 9
    for part in ('mag', 'phase'):
        s.save(part, 3, s.values(part, 3), affine)


def repeated_times(s: Subject) -> None:
    s.tell(3, EchoTime=ECHO_TIMES[1])


def unordered_times(s: Subject) -> None:
    s.tell(1, EchoTime=ECHO_TIMES[2])
    s.tell(3, EchoTime=ECHO_TIMES[0])


def milliseconds(s: Subject) -> None:
    for echo in ECHOES:
        s.tell(echo, EchoTime=8.0 * echo)


def hole(value: float, part: str) -> Callable[[Subject], None]:
    def spoil(s: Subject) -> None:
        values = s.values(part, 2)
        middle = tuple(n // 2 for n in values.shape)
        values[middle] = value
        s.save(part, 2, values)

    return spoil


def all_of(part: str, value: float) -> Callable[[Subject], None]:
    return lambda s: s.save(part, 2, np.full_like(s.values(part, 2), value))


def no_range(s: Subject) -> None:
    s.each('phase', lambda phase: ndimage.gaussian_filter(phase, 2) * 300 + 7000)
    s.tell(Units='arbitrary')


def short_stream(s: Subject) -> None:
    path = s.path('phase', 2)
    path.write_bytes(path.read_bytes()[:2000])


def short_file(s: Subject) -> None:
    for part in ('mag', 'phase'):
        for echo in ECHOES:
            path = s.path(part, echo)
            path.with_suffix('').write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    path = s.path('mag', 3, '.nii')
    path.write_bytes(path.read_bytes()[:-1000])


def broken_stream(s: Subject) -> None:
    path = s.path('mag', 2)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 64] = bytes(64)
    path.write_bytes(bytes(raw))


def no_image(s: Subject) -> None:
    s.path('phase', 1).write_bytes(gzip.compress(b'not an image' * 100))


def empty_file(s: Subject) -> None:
    s.path('phase', 1).write_bytes(b'')


def one_slice(s: Subject) -> None:
    for part in ('mag', 'phase'):
        s.each(part, lambda v: v[:, :, 16:17])


def flat(s: Subject) -> None:
    for part in ('mag', 'phase'):
        s.each(part, lambda v: v[:, :, 16])


def overflow(s: Subject) -> None:
    s.each('phase', lambda v: np.round(v * 1000).astype(np.int16))
    s.header('phase', 2, scl_slope=3e38, scl_inter=0)


def sheared(s: Subject) -> None:
    affine = nb.load(s.path('mag', 1)).affine.copy()
    affine[0, 1] += 2
    for part in ('mag', 'phase'):
        for echo in ECHOES:
            s.save(part, echo, s.values(part, echo), affine)


def wrong_scale(s: Subject) -> None:
    affine = np.diag([5000.0, 5000.0, 5000.0, 1.0])
    for part in ('mag', 'phase'):
        for echo in ECHOES:
            s.save(part, echo, s.values(part, echo), affine)


def noise(s: Subject) -> None:
    random = np.random.default_rng(0)
    s.each('mag', lambda v: np.abs(random.normal(size=v.shape)).astype(np.float32))
    s.each('phase', lambda v: random.uniform(-np.pi, np.pi, v.shape).astype(np.float32))


def filtered(s: Subject) -> None:
    for echo in ECHOES:
        value = s.values('mag', echo) * np.exp(1j * s.values('phase', echo))
        smooth = ndimage.gaussian_filter(value.real, 2) + 1j * ndimage.gaussian_filter(
            value.imag, 2
        )
        s.save('phase', echo, np.angle(value * np.conj(smooth)).astype(np.float32))


def broken_json(s: Subject) -> None:
    s.path('phase', 1, '.json').write_text('{"EchoTime": 0.004,')
