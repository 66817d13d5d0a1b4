"""The volumes of one run, read when a panel asks for them and cut where the nuclei are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun
from bidsqsm.qsm.grid import Mask
from bidsqsm.reports.drawing.figure import Bar, Tile, draw
from bidsqsm.reports.drawing.planes import (
    PLANES,
    SIDES,
    Array,
    Plane,
    ViewPlanes,
    Volume,
    load_canonical,
    look_at,
    plane_of,
)

MOST_ECHOES = 8
_KEPT_BYTES = 400_000_000  # bytes of volumes that are kept for the next panel


class RunImages:
    """The volumes of one run, cut where its nuclei are.

    Parameters
    ----------
    run
        The run.
    products
        Its files by their key.
    decisions
        What its steps decided, by step; see :func:`bidsqsm.derivatives.sidecars.provenance`.

    """

    def __init__(
        self,
        run: GreRun,
        products: Mapping[str, Path],
        decisions: RunFacts | None = None,
    ) -> None:
        self.run = run
        self.products = {key: Path(path) for key, path in products.items()}
        self.decisions = decisions or RunFacts()
        self._kept: OrderedDict[tuple[Path, int | None], Volume] = OrderedDict()

    @cached_property
    def look(self) -> ViewPlanes:
        """Planes through the deep nuclei; through the middle of the image without a mask."""
        for key in ('qsm_mask', 'brain_mask'):
            if key in self.products:
                return look_at(self.load(key))
        first = load_canonical(self.run.files[0])
        return look_at(Volume(np.ones_like(first.values), first.voxel_size))

    @cached_property
    def echoes(self) -> list[int]:
        """Every echo, counted from 0; evenly chosen ones, first and last too, where there are many."""
        number = len(self.run.echo_times)
        chosen = np.linspace(0, number - 1, min(number, MOST_ECHOES))
        return [int(echo) for echo in np.round(chosen)]

    @property
    def echoes_note(self) -> str:
        """Which echoes are shown, if not all."""
        number = len(self.run.echo_times)
        if number <= MOST_ECHOES:
            return ''
        return f'Shown are {MOST_ECHOES} of {number} echoes, from the first to the last.'

    def load(self, key: str, echo: int | None = None) -> Volume:
        """Read a product; fields in ppm of B0, whether the file holds ppm or Hz."""
        path = self.products[key]
        if echo is not None and '_echo-1_' in path.name:
            path = path.with_name(path.name.replace('_echo-1_', f'_echo-{echo + 1}_'))
            echo = None
        if (path, echo) in self._kept:
            self._kept.move_to_end((path, echo))
            return self._kept[path, echo]
        volume = load_canonical(path, echo)
        if path.name.endswith('_fieldmap.nii.gz'):
            volume = Volume(volume.values / self.run.imaging_frequency, volume.voxel_size)
        self._keep((path, echo), volume)
        return volume

    def _keep(self, key: tuple[Path, int | None], volume: Volume) -> None:
        self._kept[key] = volume
        while sum(one.values.nbytes for one in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def tile(self, volume: Volume, plane: str, limits: tuple[float, float], **style: Any) -> Tile:
        """Cut a plane through the nuclei, of the head (``whole=True``) or of the brain's box.

        What lies outside of a mask ``within`` is left out.
        """
        box = self.look.whole if style.pop('whole', False) else self.look.box
        index = style.pop('index', None)
        where = self.look.index(plane) if index is None else index
        sides = style.pop('sides', SIDES[plane])
        within = style.pop('within', None)
        image = volume.plane(plane, where, box)
        if within is not None:
            image = np.where(within.plane(plane, where, box) > 0, image, np.nan)
        return Tile(image, volume.pixel(plane), limits, sides, **style)

    def outline(
        self, mask: Array | Mask, plane: str, *, whole: bool = False, index: int | None = None
    ) -> Plane:
        """Cut a mask, or an image of which a line is drawn, as :meth:`tile` cuts what lies below."""
        where = self.look.index(plane) if index is None else index
        box = self.look.whole if whole else self.look.box
        return plane_of(mask, plane, where, box)

    def three(
        self, key: str, limits: tuple[float, float], bar: str, mask: str = 'qsm_mask'
    ) -> bytes:
        """Draw three planes of a product with its colour bar."""
        volume = self.inside(self.load(key), mask)
        tiles = [self.tile(volume, plane, limits) for plane in PLANES]
        return draw([tiles], [Bar(limits, bar)])

    def region(self, like: Volume) -> Mask:
        """Where there is a susceptibility; the brain, or all voxels, where that is not known."""
        for key in ('qsm_mask', 'brain_mask'):
            if key in self.products:
                return np.asarray(self.load(key).values > 0)
        return np.ones(like.values.shape, bool)

    def inside(self, volume: Volume, mask: str = 'qsm_mask') -> Volume:
        """Leave out (NaN) what lies outside a mask, if the run has it."""
        if mask not in self.products:
            return volume
        kept = self.load(mask).values > 0
        return Volume(np.where(kept, volume.values, np.nan), volume.voxel_size)

    def magnitude(self) -> Volume:
        """The magnitude of all echoes together; of the first, as stored, where that is not there."""
        if 'magnitude_rss' in self.products:
            return self.load('magnitude_rss')
        return raw_volume(self.run, 0, 'magnitude')

    def tissue_limits(self, volume: Volume) -> tuple[float, float]:
        """Limits that hold nearly all values of the tissue that has a susceptibility."""
        tissue = volume.values[self.region(volume)]
        if not tissue.any():
            return robust_limits(volume.values)
        low, high = (float(value) for value in np.percentile(tissue, (1, 99.5)))
        return low, high

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
    by_echo = run.layout == 'channel-files' and len(files) > run.n_channels
    if by_echo or run.layout in ('echo-files', 'channels-4d'):
        return files[echo], 0
    return files[0], echo
