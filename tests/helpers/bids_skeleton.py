"""A builder of made-up datasets: right names and sidecars around tiny images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np

SHAPE = (8, 9, 10)
ECHO_TIMES = (0.004, 0.012, 0.020)
TILTED = np.array(
    [[1.0, 0, 0, -4], [0, 0.96 * 1.2, -0.28 * 2, 3], [0, 0.28 * 1.2, 0.96 * 2, -7], [0, 0, 0, 1]]
)
SCANNER = {'MagneticFieldStrength': 3, 'ImagingFrequency': 123.2}


@dataclass
class Skeleton:
    """A dataset that grows file by file.

    Parameters
    ----------
    root
        Where it is made.
    shape, affine
        Of every image that is not given its own.

    """

    root: Path
    shape: tuple[int, ...] = SHAPE
    affine: np.ndarray = field(default_factory=TILTED.copy)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.json('dataset_description.json', {'Name': 'made up', 'BIDSVersion': '1.10.0'})

    def json(self, name: str, content: Mapping[str, Any]) -> Path:
        """Write a JSON file at this place below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    def image(self, name: str, shape=None, affine=None, data=None, sidecar=None) -> Path:
        """Write an image, into the ``anat`` folder its name asks for, and perhaps its sidecar."""
        path = self.root / self.folder(name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            data = np.random.default_rng(len(name)).normal(size=shape or self.shape)
        image = nb.Nifti1Image(
            data.astype(np.float32) if data.dtype == np.float64 else data,
            self.affine if affine is None else affine,
        )
        image.header.set_xyzt_units('mm')
        nb.save(image, path)
        if sidecar is not None:
            self.json(f'{path.relative_to(self.root)}'.partition('.nii')[0] + '.json', sidecar)
        return path

    @staticmethod
    def folder(name: str) -> Path:
        """The ``anat`` folder of a file name."""
        parts = [word for word in name.split('_') if word.startswith(('sub-', 'ses-'))]
        return Path(*parts) / 'anat'

    def megre(
        self,
        who: str = 'sub-01',
        *,
        suffix: str = 'MEGRE',
        echo_times: Sequence[float] = ECHO_TIMES,
        parts: Sequence[str] = ('mag', 'phase'),
        scanner: Mapping[str, Any] = SCANNER,
        after: str = '',
    ) -> list[Path]:
        """Write a run with one file per echo and part; ``after`` goes behind the echo."""
        paths = []
        for part in parts:
            for echo, te in enumerate(echo_times, start=1):
                words = [who, f'echo-{echo}', after, f'part-{part}' if part else '', suffix]
                name = '_'.join(filter(None, words)) + '.nii.gz'
                paths.append(self.image(name, sidecar={**scanner, 'EchoTime': te}))
        return paths

    def find(self, name: str) -> Path:
        """Path of a file by its name."""
        return self.root / self.folder(name) / name

    def change(self, name: str, **values: Any) -> None:
        """Change or (with None) remove entries of the sidecar of an image."""
        path = self.find(name.partition('.nii')[0] + '.json')
        content = {**json.loads(path.read_text()), **values}
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
