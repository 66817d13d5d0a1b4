"""One acquisition to make maps of, or the reason why none can be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.atlases.label_image import Segmentation
from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import in_order, join, listed
from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.grid import Grid

PARTS = ('magnitude', 'phase', 'real', 'imag')
LAYOUTS = {
    'echo-files': 'one file per echo',
    'echoes-4d': 'echoes along axis 4',
    'channels-4d': 'one file per echo with receive channels along axis 4',
    'channels-5d': 'echoes along axis 4, receive channels along axis 5',
    'channel-files': 'files of their own for each receive channel',
}


@dataclass(frozen=True)
class R2Source:
    """Where R2 comes from.

    Parameters
    ----------
    kind
        ``'R2map'``, ``'T2map'`` or ``'MESE'``.
    files
        The map, or the spin echoes in their order.
    echo_times
        Of the spin echoes, in s.
    scale
        What a stored 1 of a map is, in 1/s or s.

    """

    kind: str
    files: tuple[Path, ...]
    echo_times: tuple[float, ...] = ()
    scale: float = 1.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> R2Source:
        """Make it from what JSON holds of it."""
        files = tuple(Path(path) for path in values['files'])
        return cls(values['kind'], files, tuple(values['echo_times']), values['scale'])


@dataclass(frozen=True)
class GreRun:
    """The files of one gradient-echo acquisition and what is known of it.

    Parameters
    ----------
    entities
        BIDS entities without echo and part, in BIDS order, by their short keys.
    suffix
        ``'MEGRE'``, ``'T2starw'`` or ``'T1w'``.
    magnitude, phase, real, imag
        Files in the order of the echoes, or one file, channel after channel where these have files
        of their own; either the first two, the last two, or the
        magnitude of several echoes alone.
    layout
        One of ``LAYOUTS``.
    n_channels
        Receive channels, 1 where they are combined.
    echo_times
        In s, ascending.
    echo_numbers
        Place of each echo in the train, counted from 1, from the names of the files; empty where they
        have none.
    field_strength
        In T.
    imaging_frequency
        In MHz; a frequency of 1 Hz is ``1 / imaging_frequency`` ppm.
    shape
        Voxels along the three axes of space.
    affine
        Four rows: from voxel indices to world coordinates in mm.
    metadata
        Merged sidecars; values that vary over echoes are lists.
    t1w, mask, labels
        Images that go with it, where there are any; mask and labels are on its grid.
    t1w_mask
        A mask of the brain where the T1w lies, on a grid of its own; NIfTI or ``.mgz``.
    transforms
        Files that ITK reads, by ``'orig:T1w'``, ``'T1w:<template>'`` and ``'orig:<template>'``:
        each resamples images of the first space (``orig`` is the run's) onto grids of the second.
    segmentations
        Label images that others made.
    r2_source
        What tells R2: a map or spin echoes, on any grid of the same session.
    body
        What was scanned, and its size.
    warnings
        What the user should know, a sentence each.

    """

    entities: Mapping[str, str]
    suffix: str
    magnitude: tuple[Path, ...]
    phase: tuple[Path, ...]
    real: tuple[Path, ...]
    imag: tuple[Path, ...]
    layout: str
    n_channels: int
    echo_times: tuple[float, ...]
    field_strength: float
    imaging_frequency: float
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    metadata: Mapping[str, Any]
    t1w: Path | None = None
    mask: Path | None = None
    labels: Path | None = None
    t1w_mask: Path | None = None
    transforms: Mapping[str, Path] = field(default_factory=dict)
    segmentations: tuple[Segmentation, ...] = ()
    r2_source: R2Source | None = None
    body: Body = ADULT
    warnings: tuple[str, ...] = ()
    echo_numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f'no layout {self.layout!r}; there are: {", ".join(LAYOUTS)}')
        times = np.asarray(self.echo_times)
        if not (times.size and times[0] > 0 and (np.diff(times) > 0).all()):
            raise DatasetError(
                f'{self.name} has echo times {self.echo_times}, expected ascending ones in seconds'
            )
        wanted = self.n_echoes if self.layout in {'echo-files', 'channels-4d'} else 1
        possible = {0, wanted}
        if self.layout == 'channel-files':
            possible |= {self.n_channels, self.n_channels * self.n_echoes}
        for part in PARTS:
            if len(files := getattr(self, part)) not in possible:
                raise DatasetError(
                    f'{self.name} has {len(files)} files of {part}, expected {wanted}: '
                    'one for each echo time'
                )

    @property
    def name(self) -> str:
        """How its derivatives start, such as ``sub-01_acq-qsm_run-1``."""
        return join(self.entities)

    @property
    def n_echoes(self) -> int:
        return len(self.echo_times)

    @property
    def has_phase(self) -> bool:
        """Whether more is known of the signal than its magnitude."""
        return bool(self.phase or self.real)

    @property
    def fluid(self) -> tuple[int, ...] | None:
        """Values of ``labels`` in the ventricles, else in any fluid; None if they have no names."""
        for one in self.segmentations:
            if one.path == self.labels:
                named = [(label.structure, label.index) for label in one.labels]
                inner = tuple(index for structure, index in named if structure == 'ventricle')
                return inner or tuple(i for structure, i in named if structure == 'csf')
        return None

    @property
    def grid(self) -> Grid:
        """Shape, voxel size (mm) and direction of B0 in voxel axes."""
        return Grid.from_affine(self.shape, np.array(self.affine))

    @property
    def body_grid(self) -> Grid:
        """The same in lengths of an adult's head, in which the methods count."""
        return Grid.from_affine(self.shape, np.array(self.affine), self.body.scale)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of its parts."""
        return tuple(path for part in PARTS for path in getattr(self, part))

    @property
    def runs(self) -> tuple[GreRun, ...]:
        """The runs that it consists of: itself."""
        return (self,)

    @property
    def own_parts(self) -> tuple[str, ...]:
        """Parts of the signal that were measured in it and in no other run."""
        return tuple(part for part in PARTS if getattr(self, part))

    @property
    def idle_steps(self) -> set[str]:
        """Steps of the catalogue that its data leave without work."""
        combined = {'coil'} if self.n_channels == 1 else set()
        given = {'mask'} if self.mask is not None else set()
        no_decay = {'gradient_correction', 'relaxometry'} if self.n_echoes == 1 else set()
        return {'joint', *combined, *given, *no_decay}

    @property
    def plan(self) -> str:
        """What will be done with it, in a few words."""
        used = {
            f'{self.n_channels} channels combined': self.n_channels > 1,
            'magnitude alone': not self.has_phase,
            'from real and imaginary part': self.real,
            'given mask': self.mask,
            'labels': self.labels,
            f'R2 from {self.r2_source and self.r2_source.kind}': self.r2_source is not None,
            'T1w': self.t1w,
            'mask of the T1w': self.t1w_mask,
            f'transforms {listed(key.replace(":", " to ") for key in self.transforms)}': (
                self.transforms
            ),
            f'segmentations {listed(one.name for one in self.segmentations)}': self.segmentations,
        }
        told = ', '.join(text for text, true in used.items() if true)
        return f'process ({told})' if told else 'process'

    def to_json(self) -> str:
        """Write it as JSON; :meth:`from_json` gives it back."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> GreRun:
        """Make it from what :meth:`to_json` wrote."""
        return cls(**cls._values(json.loads(text)))

    @classmethod
    def _values(cls, values: dict[str, Any]) -> dict[str, Any]:
        values['entities'] = in_order(values['entities'])
        for part in PARTS:
            values[part] = tuple(Path(path) for path in values[part])
        for one in ('t1w', 'mask', 'labels', 't1w_mask'):
            values[one] = None if values[one] is None else Path(values[one])
        values['transforms'] = {key: Path(path) for key, path in values['transforms'].items()}
        values['segmentations'] = tuple(map(Segmentation.of, values['segmentations']))
        if values['r2_source'] is not None:
            values['r2_source'] = R2Source.of(values['r2_source'])
        values['body'] = Body(**values['body'])
        for several in ('echo_times', 'echo_numbers', 'shape', 'warnings'):
            values[several] = tuple(values[several])
        values['affine'] = tuple(tuple(row) for row in values['affine'])
        return {item.name: values[item.name] for item in fields(cls)}


@dataclass(frozen=True)
class Skipped:
    """An acquisition that cannot be processed.

    Parameters
    ----------
    entities
        As of :class:`GreRun`.
    reason
        One sentence: the file, what was found, what was expected, what to do.
    suffix
        As of :class:`GreRun`; empty where a subject has no acquisition at all.

    """

    entities: Mapping[str, str]
    reason: str
    suffix: str = ''

    @property
    def name(self) -> str:
        return join(self.entities)
