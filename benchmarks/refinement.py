"""What ``--roi-refine`` makes of regions that a registration has misplaced.

Run ``python benchmarks/refinement.py`` (five simulated heads at 1 and 1.5 mm and with slices of
2 mm, two of them tilted; about 15 minutes on 2 cores; ``--heads 0 1`` for some of them). The
susceptibility is that of ``sstv`` from the total field with the noise of the signal, R2* is fitted
to the noisy magnitude. The true nuclei are displaced by smooth random warps (15 mm; 1 mm rms along
each axis unless ``--rms`` says otherwise) and refined. For each nucleus, the table gives the
overlap (Dice) with the truth before and after, the error (ppb) of its mean susceptibility against
the mean over the true region of the same map, its signed mean, and the volume relative to the
truth; means over heads, sides and two warps.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import SimulatedScan, simulate
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.onestep.sstv import sstv
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import NUCLEUS_VALUES
from bidsqsm.qsm.phantom.tissue import NUCLEI
from bidsqsm.qsm.relaxometry.auto import auto

TILT = (('x', 20.0), ('y', 10.0))
HEADS = (
    ((1.5, 1.5, 1.5), Subject(103, 28, 'F'), ()),
    ((1.5, 1.5, 1.5), Subject(104, 60, 'M'), TILT),
    ((1.0, 1.0, 1.0), Subject(105, 55, 'F'), ()),
    ((1.0, 1.0, 2.0), Subject(107, 65, 'F'), (('x', 15.0),)),
    ((1.0, 1.0, 1.0), Subject(106, 35, 'M'), ()),
)
STEP, WIDTH = 4.0, 15.0  # mm: grid and smoothness of a warp
GAMMA = 42.577478518  # MHz/T


@dataclass(frozen=True)
class Case:
    """Maps of a head and its true nuclei."""

    chi: Volume
    r2star: Volume
    mask: Mask
    nuclei: Labels
    grid: Grid


def main() -> None:
    """Print one line for each nucleus."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--heads', nargs='+', type=int, default=[*range(len(HEADS))])
    parser.add_argument(
        '--rms', type=float, default=1.0, help='of the warp along each axis, in mm'
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[12, 13])
    parser.add_argument('--method', default='border')
    args = parser.parse_args()
    rows = []
    for number in args.heads:
        size, subject, tilts = HEADS[number]
        case = reconstruct(simulate(size, subject=subject, tilts=tilts), subject.seed)
        for seed in args.seeds:
            before = misplaced(case.nuclei, case.grid, args.rms, seed)
            refine = STEPS['roi_refine'].choose(args.method)
            after = refine(before, case.chi, case.mask, case.grid, r2star=case.r2star)
            for value in NUCLEUS_VALUES:
                told = {'nucleus': NUCLEI[(value - 1) // 2]}
                for when, labels in (('before', before), ('after', after)):
                    told |= {f'{k} {when}': v for k, v in score(labels, value, case).items()}
                rows.append(told)
    table = pd.DataFrame(rows).groupby('nucleus', sort=False).mean()
    print(table.round(3).to_string())


def reconstruct(scan: SimulatedScan, seed: int) -> Case:
    """Susceptibility and R2* of a scan, as the default chain makes them."""
    head, times = scan.head, np.reshape(scan.sequence.echo_times, (-1, 1, 1, 1))
    sigma = scan.magnitude[0][:6, :6, :6].mean() / 1.2533  # of the air: a Rayleigh distribution
    turns = 2 * np.pi * GAMMA * head.field_strength * times
    known = np.sqrt(((scan.magnitude * turns) ** 2).sum(0))
    noise = np.where(head.mask, sigma / np.maximum(known, 1e-9), 0)
    random = np.random.default_rng(seed).standard_normal(head.mask.shape)
    total = ((head.total_field + random * noise) * head.mask).astype(np.float32)
    weight = np.where(head.mask, np.median(noise[head.mask]) / np.maximum(noise, 1e-9), 0)
    with threads(2):
        chi = sstv(total, head.mask, head.grid, weight_map=weight.clip(0, 3).astype(np.float32))
        decay = auto(scan.magnitude.astype(np.float32), head.mask, scan.sequence.echo_times)
    nuclei = np.where(np.isin(head.labels, NUCLEUS_VALUES), head.labels, 0).astype(np.int32)
    return Case(chi, decay.r2star, head.mask, nuclei, head.grid)


def misplaced(labels: Labels, grid: Grid, rms: float, seed: int) -> Labels:
    """Labels displaced by a smooth random warp."""
    random = np.random.default_rng(seed)
    found = np.argwhere(labels > 0)
    box = tuple(
        slice(max(0, a - 12), b + 13) for a, b in zip(found.min(0), found.max(0), strict=True)
    )
    cut, size = labels[box], np.array(grid.voxel_size)
    at = np.indices(cut.shape).astype(float)
    coarse = [p * d / STEP + 4 for p, d in zip(at.copy(), size, strict=True)]
    for axis in range(3):
        shape = [int(n * d / STEP) + 9 for n, d in zip(cut.shape, size, strict=True)]
        noise = ndimage.gaussian_filter(random.standard_normal(shape), WIDTH / STEP, mode='wrap')
        shift = ndimage.map_coordinates(noise / noise.std(), coarse, order=1, mode='nearest')
        at[axis] += rms * shift / size[axis]
    moved, most = np.zeros_like(cut), np.full(cut.shape, 0.5, np.float32)
    for value in NUCLEUS_VALUES:
        share = ndimage.map_coordinates((cut == value).astype(np.float32), at, order=1)
        moved[share > most] = value
        most = np.maximum(most, share)
    whole = np.zeros_like(labels)
    whole[box] = moved
    return whole


def score(labels: Labels, value: int, case: Case) -> dict[str, float]:
    """Overlap, error of the mean (ppb) and relative volume of one nucleus."""
    found, true = labels == value, case.nuclei == value
    miss = 1000 * float(case.chi[found & case.mask].mean() - case.chi[true].mean())
    overlap = 2 * (found & true).sum() / (found.sum() + true.sum())
    volume = found.sum() / true.sum()
    return {'dice': overlap, 'error': abs(miss), 'bias': miss, 'volume': volume}


if __name__ == '__main__':
    main()
