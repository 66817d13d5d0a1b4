"""What DECOMPOSE finds where the truth is known, and what it costs.

Run ``python benchmarks/decompose.py`` (``--save docs/data/decompose.tsv`` writes the table). ``mixtures`` are
4000 voxels of three pools each, with shares of 0.1 to 0.45, susceptibilities of 0.02 to 0.3 and of
-0.2 to -0.02 ppm and rates of 8 to 25 1/s at 3 T: ``own`` gives the fit the phase of every echo, ``map``
that of one susceptibility for all of them, as a run does. ``head`` is a simulated head at 2 mm whose
tissues decay as one exponential each, with the true susceptibility and the noise of the signal: a
decay in which three pools leave no trace but where tissues share a voxel. Correlation with the
truth, root mean square error and bias are in ppb, of the paramagnetic and of the diamagnetic
map; the CPU time of a head at 1 mm is that of a voxel times 1.6 million, the voxels of its brain.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bidsqsm.demo.simulate import head_pose, simulate, subject_anatomy
from bidsqsm.qsm import lesion_scores
from bidsqsm.qsm.decompose.own_phase import own_phase
from bidsqsm.qsm.decompose.pools import rate_per_ppm
from bidsqsm.qsm.decompose.three_pool import Pools, three_pool
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LESIONS
from bidsqsm.qsm.phantom.source_split import sources_of
from bidsqsm.qsm.units import imaging_frequency_of

MHZ = imaging_frequency_of(3.0)
ECHOES = {
    '4': (0.006, 0.014, 0.022, 0.030),
    '5, short': (0.004, 0.008, 0.012, 0.016, 0.020),
    '6': (0.004, 0.010, 0.016, 0.022, 0.028, 0.034),
}
SHAPE = (20, 20, 10)
BRAIN = 1.6e6  # voxels at 1 mm
SIZE = (2.0, 2.0, 2.0)


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--save', type=Path, help='file to write the table to')
    args = parser.parse_args()
    with threads(1):
        three_pool(*_given(np.ones((4, 2, 2, 2), complex), ECHOES['4']))  # compiles
        rows = [row for times in ECHOES for snr in (200, 100, 50) for row in mixtures(times, snr)]
        rows.append(head())
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if args.save:
        table.to_csv(args.save, sep='\t', index=False, float_format='%.3g')


def mixtures(name: str, snr: float) -> list[dict[str, object]]:
    """Scores of voxels of three pools: with the phase of each echo, and with one susceptibility."""
    times = np.asarray(ECHOES[name])
    clean, plus, minus = signals(times)
    random = np.random.default_rng(1)
    noise = random.standard_normal((2, *clean.shape)) / snr
    noisy = clean + noise[0] + 1j * noise[1]
    weight = np.abs(clean) ** 2
    truth = slope(plus, weight, times), slope(minus, weight, times)
    phase, magnitude, *rest = _given(noisy, times)
    chi = slope(noisy, np.abs(noisy) ** 2, times)
    phases = {'own': phase, 'map': own_phase(chi.astype(np.float32), times, MHZ)}
    return [
        {'case': 'mixtures', 'echoes': name, 'SNR': snr, 'phase': kind}
        | scored((angles, magnitude, *rest), truth, np.ones(SHAPE, bool))
        for kind, angles in phases.items()
    ]


def head() -> dict[str, object]:
    """Scores of a simulated head, away from lesions."""
    subject = Subject(201, 45, 'F')
    scan = simulate(SIZE, subject=subject)
    truth = sources_of(scan.head, subject_anatomy(subject, SIZE), subject, pose=head_pose())
    brain, times = scan.head.mask, scan.sequence.echo_times
    where = lesion_scores.away_from(brain, scan.head.labels, LESIONS, scan.head.grid, 5)
    data = own_phase(scan.head.chi, times, MHZ), scan.magnitude, brain, times, MHZ
    given = {'case': 'head', 'echoes': '5, short', 'SNR': scan.sequence.snr, 'phase': 'map'}
    return given | scored(data, (truth.paramagnetic, truth.diamagnetic), where)


def signals(times: Volume) -> tuple[Volume, Volume, Volume]:
    """Random voxels of three pools, and each with the diamagnetic or paramagnetic one neutral."""
    random = np.random.default_rng(0)
    plus, minus = random.uniform(0.1, 0.45, (2, *SHAPE))
    rate = random.uniform(8, 25, SHAPE)
    above, below = random.uniform(0.02, 0.3, SHAPE), random.uniform(0.02, 0.2, SHAPE)
    t, unit = times.reshape(-1, 1, 1, 1), rate_per_ppm(MHZ)
    one, two = np.exp(unit * above * t), np.exp(np.conj(unit) * below * t)
    rest, decay = 1 - plus - minus, np.exp(-rate * t)
    return (
        (plus * one + minus * two + rest) * decay,
        (plus * one + minus + rest) * decay,
        (plus + minus * two + rest) * decay,
    )


def slope(signal: Volume, weight: Volume, times: Volume) -> Volume:
    """Susceptibility in ppm that the weighted phase slope stands for."""
    t, phase = times.reshape(-1, 1, 1, 1), np.unwrap(np.angle(signal), axis=0)
    below = rate_per_ppm(MHZ).imag * (weight * t * t).sum(axis=0)
    return np.asarray((weight * t * phase).sum(axis=0) / below)


def scored(data: tuple, truth: tuple[Volume, Volume], where: Mask) -> dict[str, object]:
    """Fit, and compare with the truth."""
    start = time.process_time()
    found: Pools = three_pool(*data)
    seconds = (time.process_time() - start) / found.fitted.sum() * BRAIN
    row: dict[str, object] = {}
    for name, map_, true in zip('+-', found[:2], truth, strict=True):
        off = 1000 * (map_ - true)[where]
        row |= {
            f'r {name}': np.corrcoef(map_[where], true[where])[0, 1],
            f'RMSE {name}': np.sqrt((off**2).mean()),
            f'bias {name}': off.mean(),
        }
    return row | {'CPU s at 1 mm': round(seconds)}


def _given(signal: Volume, times: tuple[float, ...] | Volume) -> tuple:
    phase = np.unwrap(np.angle(signal), axis=0).astype(np.float32)
    magnitude = np.abs(signal).astype(np.float32)
    return phase, magnitude, np.ones(signal.shape[1:], bool), [float(t) for t in times], MHZ


if __name__ == '__main__':
    main()
