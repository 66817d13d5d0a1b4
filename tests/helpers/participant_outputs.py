"""A builder of made-up output folders, as the level ``participant`` leaves them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PRISMA = {
    'Suffix': 'MEGRE',
    'MagneticFieldStrength': 2.89,
    'VoxelSize': [1.0, 1.0, 1.0],
    'EchoTime': [0.004, 0.012, 0.02],
    'Manufacturer': 'Siemens',
    'ManufacturersModelName': 'Prisma',
}
INGENIA = {**PRISMA, 'Manufacturer': 'Philips', 'ManufacturersModelName': 'Ingenia'}


@dataclass
class Made:
    """A dataset and its output in one folder.

    Parameters
    ----------
    root
        Where ``bids`` and ``out`` are made.

    """

    root: Path

    def __post_init__(self) -> None:
        self.bids, self.out = self.root / 'bids', self.root / 'out'
        self.out.mkdir(parents=True)
        about = {'Name': 'Made up', 'BIDSVersion': '1.10.0'}
        self.write(self.bids / 'dataset_description.json', json.dumps(about))

    @staticmethod
    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        return path

    def people(self, *lines: str) -> None:
        """Write participants.tsv, cells parted by spaces."""
        text = '\n'.join('\t'.join(line.split()) for line in lines) + '\n'
        self.write(self.bids / 'participants.tsv', text)

    def measured(self, name: str, suffix: str = 'MEGRE') -> None:
        """Put an image of a run into the dataset; only its name matters."""
        folder = self.bids / Path(*self.parts(name)) / 'anat'
        self.write(folder / f'{name}_echo-1_part-phase_{suffix}.nii.gz', '')

    @staticmethod
    def parts(name: str) -> list[str]:
        return [part for part in name.split('_') if part[:4] in ('sub-', 'ses-')]

    def folder(self, name: str) -> Path:
        """Where the maps of a run are."""
        return self.out / Path(*self.parts(name)) / 'anat'

    def status(
        self,
        name: str,
        status: str = 'ok',
        reason: str | None = None,
        call: str = '20250101-120000_ab',
        warnings: Sequence[str] = (),
    ) -> Path:
        content = {'name': name, 'status': status, 'reason': reason, 'warnings': [*warnings]}
        path = self.out / self.parts(name)[0] / 'log' / call / f'{name}_status.json'
        return self.write(path, json.dumps(content))

    def metrics(
        self, name: str, metrics: Mapping[str, Any], acquisition: Mapping[str, Any] = PRISMA
    ) -> Path:
        content = {'Run': name, 'SoftwareVersion': '0.1.0', 'Acquisition': acquisition}
        path = self.folder(name) / f'{name}_metrics.json'
        return self.write(path, json.dumps({**content, 'Metrics': metrics}))

    def regions(
        self, name: str, chi: Mapping[str, float], desc: str = '', atlas: str = 'Made'
    ) -> Path:
        """Write a table of regions: name to susceptibility in ppm, of both sides together."""
        lines = ['index\tname\themisphere\tstructure\tmean_wholebrain\tse\tr2star_mean']
        lines += [
            f'{n}\t{region}\tB\t{region}\t{value}\t0.0004\t30'
            for n, (region, value) in enumerate(chi.items(), 1000)
        ]
        middle = f'_desc-{desc}' if desc else ''
        path = self.folder(name) / f'{name}_atlas-{atlas}{middle}_dseg.tsv'
        return self.write(path, '\n'.join(lines) + '\n')

    def thumbnail(self, name: str) -> Path:
        subject = self.parts(name)[0]
        path = self.out / subject / 'figures' / f'{name}_desc-thumbnail_Chimap.webp'
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        values = np.random.default_rng(0).integers(0, 255, (96, 80), np.uint8)
        Image.fromarray(values).save(stream, 'WEBP')
        path.write_bytes(stream.getvalue())
        return path

    def run(self, name: str, snr: float = 20.0, chi: float = 0.1, **more: Any) -> None:
        """A run that went well, with its images, its page and its picture."""
        self.measured(name)
        self.status(name)
        self.metrics(name, {'snr_echo1': snr, 'field_noise': 200 / snr}, **more)
        self.regions(name, {'pallidum': chi})
        self.thumbnail(name)
        page = self.parts(name)[0]
        self.write(self.out / f'{page}.html', f'<h2 id="{name}">{name}</h2>')
