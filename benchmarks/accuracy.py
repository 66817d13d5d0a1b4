"""Score every method of the field on demo heads whose truth is known.

Run ``python benchmarks/accuracy.py`` (2 mm and 1 mm; hours are not needed, an hour is) or, for a
part of it, ``python benchmarks/accuracy.py --voxel-size 2 --only tv medi lbv``. ``--realism people``
scores on a head whose field holds as much beside that of its susceptibility as fields of people do.
``--save`` writes the tables that the documentation shows.

Inversions start from the true local field, one-step methods from the true total field, both inside
the true brain mask and with the noise of the signal (SNR 70, five echoes) and, if there are any, the
model errors that its echoes tell; a background removal
starts from the same total field and is followed by the default inversion. The head is of a seed
that no default was chosen on. Scores of the map are taken on the true brain mask without what lies
within 5 mm of a lesion (voxels without a value count as zero): NRMSE, detrended NRMSE, HFEN and
slope in percent, XSIM, the mean error over the nuclei in ppb; then the error of the largest
calcification's moment (ppm mm^3 over the true one, in percent) and the streaks around it (in
percent of its susceptibility); ``field`` and ``deep`` are the NRMSE of the local field, everywhere
and at least 6 mm inside, from the true one with the same noise, which is not the background's.
Every method runs in a process of its own on 2 threads, after a run on a tiny head that compiles its
loops: CPU seconds, wall seconds and peak memory are its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from chain import LESION_MARGIN, call, load
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.method import Choice
from bidsqsm.qsm import lesion_scores, mask_overlap, metrics
from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phantom.labels import LABELS, LESIONS, NUCLEUS_VALUES
from bidsqsm.qsm.phantom.model_errors import REALISM

THREADS = 2
STEPS_SCORED = ('dipole', 'onestep', 'background')
#: Need what a single head has not: a network, several orientations.
LEFT_OUT = ('onnx',)
DEEP = 6.0  # mm
CALCIFICATION = next(value for value, name in LABELS.items() if name == 'calcification')


@dataclass(frozen=True)
class Case:
    """A head as the methods see it, and its truth."""

    grid: Grid
    brain: Mask
    chi: Volume
    local_field: Volume
    total_field: Volume
    noise: Volume
    r2star: Volume
    labels: Labels
    echoes: Echoes

    @property
    def scored(self) -> Mask:
        """The brain away from lesions."""
        return lesion_scores.away_from(self.brain, self.labels, LESIONS, self.grid, LESION_MARGIN)

    @property
    def deep(self) -> Mask:
        """The part of it far from the brain's surface."""
        depth = ndimage.distance_transform_edt(np.pad(self.brain, 1), self.grid.voxel_size)
        return np.asarray(self.scored & (depth[1:-1, 1:-1, 1:-1] >= DEEP))

    def data(self, choice: Choice) -> dict[str, Any]:
        """What the method takes by name."""
        known = {
            'weight_map': inverse_noise(self.noise, self.brain),
            'noise': self.noise,
            'magnitude': np.sqrt(np.square(self.echoes.magnitude).sum(axis=0)),
            'r2star': self.r2star,
            'echoes': self.echoes,
        }
        return {name: value for name, value in known.items() if choice.method.takes(name)}

    def every(self, n: int) -> Case:
        """A much smaller case to compile with."""
        part = (slice(None, None, n),) * 3
        shape = self.brain[part].shape
        arrays = {
            name: np.ascontiguousarray(getattr(self, name)[part])
            for name in ('brain', 'chi', 'local_field', 'total_field', 'noise', 'r2star', 'labels')
        }
        size = [n * d for d in self.grid.voxel_size]
        grid = replace(self.grid, shape=shape, voxel_size=(size[0], size[1], size[2]))
        echoes = self.echoes._replace(
            phase=np.ascontiguousarray(self.echoes.phase[:, *part]),
            magnitude=np.ascontiguousarray(self.echoes.magnitude[:, *part]),
        )
        return replace(self, grid=grid, echoes=echoes, **arrays)


def main() -> None:
    """Print a table for each voxel size."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', nargs='+', default=['2', '1'], metavar='MM')
    parser.add_argument('--seed', default='59')
    parser.add_argument('--realism', choices=REALISM, default='plain')
    parser.add_argument('--only', nargs='+', metavar='METHOD', help='choices of the catalogue')
    parser.add_argument('--keep', type=Path, help='folder to keep the heads in')
    parser.add_argument('--save', type=Path, help='folder to write a table for each head to')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for size in args.voxel_size:
            kind = '' if args.realism == 'plain' else f'_{args.realism}'
            root = (args.keep or Path(scratch)) / f'seed{args.seed}_{size}mm{kind}'
            print(f'{size} mm, seed {args.seed}, {args.realism}', flush=True)
            table = score_all(make(root, size, args.seed, args.realism), args.only)
            if args.save:
                table.to_csv(
                    args.save / f'accuracy_{size}mm{kind}.tsv',
                    sep='\t',
                    index=False,
                    float_format='%.4g',
                )


def make(root: Path, voxel_size: str, seed: str, realism: str = 'plain') -> Path:
    """Write the head, unless it is there."""
    if not root.exists():
        size = ['--voxel-size', voxel_size, voxel_size, voxel_size]
        call('demo', str(root), *size, '--no-t1w', '--seed', seed, '--realism', realism)
    return root


def score_all(root: Path, only: list[str] | None) -> pd.DataFrame:
    """Run every method in a process of its own."""
    texts = [
        (step, text)
        for step in STEPS_SCORED
        for text in only or [m.name for m in STEPS[step].methods if m.name not in LEFT_OUT]
        if text.partition(':')[0] in {m.name for m in STEPS[step].methods}
    ]
    rows = []
    context = multiprocessing.get_context('spawn')
    for step, text in texts:
        with context.Pool(1) as pool:
            row = pool.apply(score_one, (root, step, text))
        if not rows:
            print(' '.join(f'{name:>10s}' for name in row))
        cells = (f'{v:10.3g}' if isinstance(v, float) else f'{v:>10.10s}' for v in row.values())
        print(' '.join(cells), flush=True)
        rows.append(row)
    return pd.DataFrame(rows)


def score_one(root: Path, step: str, text: str) -> dict[str, Any]:
    """Scores and cost of one method."""
    case, choice = read(root), STEPS[step].choose(text)
    start = case.total_field if step in {'background', 'onestep'} else case.local_field
    with threads(THREADS):
        small = case.every(max(2, round(max(case.grid.shape) / 40)))
        choice(small.total_field, small.brain, small.grid, **small.data(choice))
        wall, cpu = time.perf_counter(), time.process_time()
        found = choice(start, case.brain, case.grid, **case.data(choice))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        memory = peak()
        extra: dict[str, float] = {}
        if step == 'background':
            local, left = found
            extra = {
                'field': field_error(local * left, case, case.scored),
                'deep': field_error(local * left, case, case.deep),
            }
            trust = inverse_noise(case.noise, case.brain & left)
            invert = STEPS['dipole'].choose(STEPS['dipole'].default)
            chi = invert(local, case.brain, case.grid, weight_map=trust)
        else:
            chi, left = found, found != 0
    scores = metrics.score(chi, case.chi, case.labels, case.scored, NUCLEUS_VALUES)
    moment, streak = lesion_scores.calcification(
        chi, case.chi, case.labels == CALCIFICATION, case.scored
    )
    return {
        'step': step,
        'method': text,
        'cover': mask_overlap.coverage(left, case.scored),
        'nrmse': scores['nrmse'],
        'detrended': scores['detrended_nrmse'],
        'hfen': scores['hfen'],
        'xsim': scores['xsim'],
        'slope': scores['slope'],
        'nuclei': scores['roi_error'],
        'moment': moment,
        'streak': streak,
        **extra,
        'cpu_s': cpu,
        'wall_s': wall,
        'gb': memory,
    }


def peak() -> float:
    """Most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def field_error(local: Volume, case: Case, mask: Mask) -> float:
    """NRMSE of a local field, in percent, constants apart."""
    return metrics.nrmse(local, case.local_field, mask)


def read(root: Path) -> Case:
    """Read a head that the demo wrote; add the noise of its signal to its fields."""
    truth, raw = root / 'derivatives/truth/sub-01', root / 'sub-01/anat'
    files = sorted(raw.glob('*_part-mag_MEGRE.nii.gz'))
    facts = [json.loads(Path(f'{f}'.replace('.nii.gz', '.json')).read_text()) for f in files]
    times = [fact['EchoTime'] for fact in facts]
    hertz_per_ppm = facts[0]['ImagingFrequency']
    magnitude = np.stack([load(f)[0] for f in files])
    chi, affine = load(truth / 'anat/sub-01_Chimap.nii.gz')
    brain = load(truth / 'anat/sub-01_desc-brain_mask.nii.gz')[0] > 0
    local, total = (
        load(truth / f'fmap/sub-01_desc-{name}_fieldmap.nii.gz')[0] / np.float32(hertz_per_ppm)
        for name in ('local', 'total')
    )
    errors = truth / 'fmap/sub-01_desc-modelerror_fieldmap.nii.gz'
    if errors.exists():
        wrong = load(errors)[0] / np.float32(hertz_per_ppm)
        local, total = local + wrong, total + wrong
    # the mean of Rayleigh noise in a corner of air tells the noise of the complex signal
    sigma = magnitude[0, :6, :6, :6].mean() / np.sqrt(np.pi / 2)
    rates = (2 * np.pi * hertz_per_ppm * np.reshape(times, (-1, 1, 1, 1))).astype(np.float32)
    spread = np.sqrt(np.square(rates * magnitude).sum(axis=0))
    noise = (sigma / np.maximum(spread, sigma * rates[-1].max())).astype(np.float32)
    random = np.random.default_rng(1)
    jitter = (
        sigma / np.maximum(magnitude, sigma) * random.standard_normal(magnitude.shape, np.float32)
    )
    turned = rates * total + jitter
    error = noise * random.standard_normal(brain.shape, np.float32)
    return Case(
        Grid.from_affine(chi.shape, affine),
        brain,
        chi,
        (local + error) * brain,
        total + error,
        noise,
        load(truth / 'anat/sub-01_R2starmap.nii.gz')[0],
        load(truth / 'anat/sub-01_dseg.nii.gz')[0].astype(np.uint8),
        Echoes(np.angle(np.exp(1j * turned)), magnitude, times, hertz_per_ppm),
    )


if __name__ == '__main__':
    sys.exit(main())
