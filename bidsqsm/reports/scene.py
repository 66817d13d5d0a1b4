"""The volumes of one run, read when a panel asks for them and cut where the nuclei are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.io.run import GreRun
from bidsqsm.reports.figures import Bar, Tile, draw
from bidsqsm.reports.views import SIDES, Array, Look, Volume, load_canonical, look_at

PLANES = ('sagittal', 'coronal', 'axial')


class Scene:
    """The volumes of one run, cut where its nuclei are."""

    def __init__(self, run: GreRun, products: Mapping[str, Path]) -> None:
        self.run = run
        self.products = {key: Path(path) for key, path in products.items()}

    @cached_property
    def look(self) -> Look:
        """Planes through the deep nuclei; through the middle of the image without a mask."""
        for key in ('qsm_mask', 'brain_mask'):
            if key in self.products:
                return look_at(load_canonical(self.products[key]))
        first = load_canonical(self.run.files[0])
        return look_at(Volume(np.ones_like(first.values), first.voxel_size))

    @cached_property
    def echoes(self) -> list[int]:
        """First, middle and last echo, counted from 0."""
        number = len(self.run.echo_times)
        return sorted({0, (number - 1) // 2, number - 1})

    def load(self, key: str, echo: int | None = None) -> Volume:
        """Read a product; fields in ppm of B0, whether the file holds ppm or Hz."""
        path = self.products[key]
        if echo is not None and '_echo-1_' in path.name:
            return load_canonical(
                path.with_name(path.name.replace('_echo-1_', f'_echo-{echo + 1}_'))
            )
        volume = load_canonical(path, echo)
        if path.name.endswith('_fieldmap.nii.gz'):
            return Volume(volume.values / self.run.imaging_frequency, volume.voxel_size)
        return volume

    def tile(self, volume: Volume, plane: str, limits: tuple[float, float], **style: Any) -> Tile:
        """Cut a plane through the nuclei, of the head (``whole=True``) or of the brain's box."""
        box = self.look.whole if style.pop('whole', False) else self.look.box
        index = style.pop('index', None)
        where = self.look.index(plane) if index is None else index
        return Tile(
            volume.plane(plane, where, box), volume.pixel(plane), limits, SIDES[plane], **style
        )

    def three(
        self, key: str, limits: tuple[float, float], bar: str, mask: str = 'qsm_mask'
    ) -> bytes:
        """Draw three planes of a product with its colour bar."""
        volume = self.inside(self.load(key), mask)
        tiles = [self.tile(volume, plane, limits) for plane in PLANES]
        return draw([tiles], [Bar(limits, bar)])

    def inside(self, volume: Volume, mask: str = 'qsm_mask') -> Volume:
        """Leave out (NaN) what lies outside a mask, if the run has it."""
        if mask not in self.products:
            return volume
        kept = self.load(mask).values > 0
        return Volume(np.where(kept, volume.values, np.nan), volume.voxel_size)

    def time(self, echo: int) -> str:
        """Title of an echo's column."""
        return f'echo {echo + 1}, {1000 * self.run.echo_times[echo]:.4g} ms'


def robust_limits(values: Array, *, symmetric: bool = False) -> tuple[float, float]:
    """Limits that hold 99 % of the values that are not zero, rounded up to two digits."""
    inside = np.abs(values[np.isfinite(values) & (values != 0)])
    top = float(np.percentile(inside, 99)) if inside.size else 1.0
    step = 10 ** np.floor(np.log10(max(top, 1e-12))) / 10
    top = float(np.ceil(top / step - 1e-6) * step)
    return (-top, top) if symmetric else (0.0, top)


def raw_volume(run: GreRun, echo: int, part: str) -> Volume:
    """Magnitude or phase of an echo as it is in the input; of the first channel if uncombined."""
    if not run.real:
        return load_canonical(
            *_located(run, run.magnitude if part == 'magnitude' else run.phase, echo)
        )
    real, imag = (load_canonical(*_located(run, files, echo)) for files in (run.real, run.imag))
    if part == 'magnitude':
        return Volume(np.hypot(real.values, imag.values), real.voxel_size)
    return Volume(np.arctan2(imag.values, real.values), real.voxel_size)


def _located(run: GreRun, files: tuple[Path, ...], echo: int) -> tuple[Path, int]:
    # the second number counts along the fourth axis: echoes, or channels (the first is shown)
    if run.layout in ('echo-files', 'channels-4d'):
        return files[echo], 0
    return files[0], echo
