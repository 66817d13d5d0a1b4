"""The heads and atlases of `anatomy.py`, made once and kept in a folder; not a benchmark by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from label_heads import TRUTH, label_head
from refinement import TILT, reconstruct

from bidsqsm.atlases.atlas import Atlas
from bidsqsm.atlases.atlas_lookup import resolve_atlases
from bidsqsm.demo.demo_atlas import write_atlas
from bidsqsm.demo.simulate import (
    SimulatedScan,
    default_shape,
    head_pose,
    scan_affine,
    subject_anatomy,
    template_resolution,
)
from bidsqsm.files.nifti import save_volume
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import make_head, make_t1w
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import NUCLEUS_VALUES
from bidsqsm.qsm.phantom.signal_simulation import Sequence as Echoes
from bidsqsm.qsm.phantom.signal_simulation import acquire
from bidsqsm.qsm.phantom.tissue import NUCLEI
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.resampling import carry_mask

Tilts = tuple[tuple[str, float], ...]
PEOPLE: Mapping[str, tuple[Subject, Tilts]] = {
    'made-1': (Subject(301, 31, 'F'), ()),
    'made-2': (Subject(302, 68, 'M'), ()),
    'made-3': (Subject(303, 52, 'F'), TILT),
    'made-4': (Subject(304, 44, 'M'), ()),
}
REAL = ('01', '05', '13')
HEADS = (*PEOPLE, *(f'real-{number}' for number in REAL))
RETEST = Subject(311, 40, 'F')
SEEDS = (1, 2, 3, 4)
TILTS: tuple[Tilts, ...] = ((), TILT)
MADE = {name: NUCLEUS_VALUES[2 * i : 2 * i + 2] for i, name in enumerate(NUCLEI)}


@dataclass(frozen=True)
class Case:
    """A head in the room: its files, and the values of its true nuclei (left, right)."""

    name: str
    folder: Path
    nuclei: Mapping[str, tuple[int, int]]

    def path(self, name: str) -> str:
        """File of an image."""
        return str(self.folder / f'{name}.nii')

    @property
    def complete(self) -> bool:
        """Whether all of its files are there."""
        return (self.folder / 'pose.txt').exists()

    def load(self, name: str) -> Volume:
        """Values of an image."""
        return np.asanyarray(nib.load(self.path(name)).dataobj)


@dataclass(frozen=True)
class Room:
    """Where heads and atlases are kept: folder, voxel size (mm), label maps, the CIT168 atlas."""

    folder: Path
    size: float
    labels: Path
    atlas_data: Path

    def place(self, name: str) -> Path:
        """Folder of a head."""
        return self.folder / 'heads' / f'{name}_{self.size:g}mm'

    def head(self, name: str) -> Case:
        """A head of the cohort, made unless it is there."""
        case = Case(name, self.place(name), MADE if name in PEOPLE else TRUTH)
        if case.complete:
            return case
        pose = other_pose(HEADS.index(name))
        if name in PEOPLE:
            person, tilts = PEOPLE[name]
            scan = next(scans(person, tilts, [person.seed], self.size))
            write_scan(case, scan, person, person.seed, pose, self.size)
            return case
        number = name.removeprefix('real-')
        head = label_head(
            self.labels / f'training_seg_{number}.nii.gz', self.size, pose, int(number)
        )
        maps = ('magnitude', 'chi', 'true_chi', 'r2star', 'mask', 'truth')
        volumes = {one: getattr(head, one) for one in maps}
        write(case, volumes, head.affine, head.t1w, head.t1w_affine, pose)
        return case

    def sessions(self) -> list[Case]:
        """The head of the test-retest, measured with every tilt and seed."""
        cases = []
        for tilts in TILTS:
            kind = 'tilted' if tilts else 'straight'
            names = [f'{kind}-{number}' for number in SEEDS]
            here = [Case(name, self.place(name), MADE) for name in names]
            cases += here
            if all(case.complete for case in here):
                continue
            seeds = [100 * len(tilts) + number for number in SEEDS]
            made = scans(RETEST, tilts, seeds, self.size)
            for case, seed, scan in zip(here, seeds, made, strict=True):
                write_scan(case, scan, RETEST, seed, other_pose(seed), self.size)
        return cases

    def atlases(self, name: str) -> list[Atlas]:
        """Atlases that a head of the cohort is run with."""
        if name in PEOPLE:
            return [self.demo_atlas()]
        first = f'real-{REAL[0]}'
        return [self.cit168(), *([] if name == first else [self.single(self.head(first))])]

    def demo_atlas(self) -> Atlas:
        """The simulator's average head."""
        resolution = template_resolution((self.size,) * 3)
        folder = self.folder / 'atlases' / f'demo_{resolution}mm'
        if not (folder / 'README.md').exists():
            write_atlas(folder, resolution)
        return resolve_atlases([str(folder)])[0]

    def cit168(self) -> Atlas:
        """CIT168 as a user's folder."""
        brain = nib.load(self.atlas_data / 'CIT168_CIT168toMNI152-2009c_T1w_brain.nii.gz')
        labels = nib.load(self.atlas_data / 'CIT168_maxprob50_decoded.nii.gz')
        names = json.loads((self.atlas_data / 'CIT168_CIT168.json').read_text())['labels']
        rows = [f'{index}\t{name.strip()}' for index, name in enumerate(names) if index]
        return folder_atlas(self.folder / 'atlases' / 'CIT168', brain, labels, rows)

    def single(self, case: Case) -> Atlas:
        """A head as an atlas: its brain as the T1w shows it, with its true labels."""
        pose, t1w = np.loadtxt(case.folder / 'pose.txt'), nib.load(case.path('t1w'))
        brain = case.load('t1w') * (case.load('t1w_mask') > 0)
        # labels lie where the run lies: the T1w is moved there by its header
        image = nib.Nifti1Image(brain, np.linalg.inv(pose) @ t1w.affine)
        rows = [
            f'{value}\t{side}_{name}'
            for name, values in case.nuclei.items()
            for side, value in zip(('left', 'right'), values, strict=True)
        ]
        folder = self.folder / 'atlases' / f'Real{REAL[0]}_{self.size:g}mm'
        return folder_atlas(folder, image, nib.load(case.path('truth')), rows)


def scans(
    person: Subject, tilts: Tilts, seeds: Sequence[int], size: float
) -> Iterator[SimulatedScan]:
    """One head in one volume, measured with the noise of every seed."""
    spacing = (size, size, size)
    shape = default_shape(spacing)
    affine = scan_affine(shape, spacing, tilts)
    head = make_head(subject_anatomy(person, spacing), person, shape, affine)
    for seed in seeds:
        echoes = np.concatenate([echo[:1] for echo in acquire(head, Echoes(), seed)])
        yield SimulatedScan(head, Echoes(), np.abs(echoes), np.angle(echoes))


def write_scan(
    case: Case, scan: SimulatedScan, person: Subject, seed: int, pose: Volume, size: float
) -> None:
    """Reconstruct a scan of the simulator and write it with a T1w in another pose."""
    maps = reconstruct(scan, seed)
    volumes = {
        'magnitude': scan.magnitude,
        'chi': maps.chi,
        'true_chi': scan.head.chi,
        'r2star': maps.r2star,
        'mask': scan.head.mask,
        'truth': maps.nuclei,
    }
    spacing = (max(1.0, size),) * 3
    shape = default_shape(spacing)
    affine = scan_affine(shape, spacing)
    anatomy = subject_anatomy(person, (size, size, size))
    clean = make_t1w(anatomy, person, shape, np.linalg.inv(pose) @ affine)
    noise = 0.01 * np.random.default_rng([seed, 13]).standard_normal((2, *shape), np.float32)
    t1w = np.hypot(clean + noise[0], noise[1])
    write(case, volumes, scan.head.affine, t1w, affine, pose)


def write(
    case: Case,
    volumes: Mapping[str, Volume],
    affine: Volume,
    t1w: Volume,
    t1w_affine: Volume,
    pose: Volume,
) -> None:
    """Put a head into the room; the pose comes last and tells that all is there."""
    for name, volume in volumes.items():
        save_volume(volume, affine, case.path(name))
    save_volume(1000 * t1w, t1w_affine, case.path('t1w'))
    back = affine_transform(np.linalg.inv(pose))
    nx, ny, nz = t1w.shape
    brain = carry_mask(volumes['mask'] > 0, affine, back, (nx, ny, nz), t1w_affine)
    save_volume(brain, t1w_affine, case.path('t1w_mask'))
    np.savetxt(case.folder / 'pose.txt', pose)


def other_pose(seed: int) -> Volume:
    """Motion of a head between two scans: some degrees and mm."""
    random = np.random.default_rng([seed, 31])
    turns = [(axis, float(random.uniform(-6, 6))) for axis in 'xyz']
    x, y, z = random.uniform(-8, 8, 3)
    return head_pose(turns, (float(x), float(y), float(z)))


def folder_atlas(folder: Path, template: Any, dseg: Any, rows: Sequence[str]) -> Atlas:
    """Write a folder that ``--atlases`` takes, and read it."""
    for name, image, kind in (('template', template, np.float32), ('dseg', dseg, np.uint8)):
        values = np.asanyarray(image.dataobj).astype(kind)
        save_volume(values, image.affine, folder / f'{name}.nii.gz')
    (folder / 'dseg.tsv').write_text('\n'.join(['index\tname', *rows]) + '\n')
    about = {'Name': folder.name.partition('_')[0]}
    (folder / 'atlas.json').write_text(json.dumps(about))
    return resolve_atlases([str(folder)])[0]
