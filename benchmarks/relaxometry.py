"""Bias and spread of the R2* fits against truth: ``python benchmarks/relaxometry.py [OUTPUT.tsv]``.

With ``gradient`` in place of a path, R2* of simulated heads (2 mm, and 1.2 x 1.2 x 2.4 mm) is compared
with the truth, without and with the correction for the gradient of the fitted field.

For each ratio of signal to noise, voxels of every rate from 5 to 200 1/s lie side by side in one
image, S0 is 1000, and the noise is Gaussian in real and imaginary part. Echoes at 4 to 28 ms, 6 ms
apart (five), as in a whole-head scan of 1 mm. Every method of the catalogue fits them with its
defaults, the noise estimated from the image; ``nlls`` also without its floor. Columns: ratio of S0
to noise, true rate in 1/s, method, mean and median of the error in 1/s, SD in 1/s, mean number of
echoes used, and the estimated noise as a share of the true one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import simulate
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.masking.brain import brain_mask
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.units import GAMMA_BAR_MHZ_PER_T

RATES = (5, 10, 20, 30, 50, 75, 100, 150, 200)
RATIOS = (10, 20, 50, 100, 200)
TIMES = (0.004, 0.010, 0.016, 0.022, 0.028)
VOXELS = 4096  # of each rate
CHOICES = ('arlo', 'loglinear', 'nlls', 'nlls:rician=no')
S0 = 1000.0
SIZES = ((2.0, 2.0, 2.0), (1.2, 1.2, 2.4))  # mm


def main() -> None:
    """Print the table, and write it where a path is given."""
    if sys.argv[1:] == ['gradient']:
        print(pd.DataFrame([row for size in SIZES for row in heads(size)]).to_string(index=False))
        return
    table = pd.concat([measured(ratio) for ratio in RATIOS], ignore_index=True)
    print(table.to_string(index=False))
    if len(sys.argv) > 1:
        table.to_csv(Path(sys.argv[1]), sep='\t', index=False)


def measured(ratio: float) -> pd.DataFrame:
    """Errors of every choice at a ratio of S0 to noise."""
    random = np.random.default_rng(int(ratio))
    rates = np.repeat(np.array(RATES, np.float32), VOXELS).reshape(-1, 16, 16)
    clean = S0 * np.exp(-rates * np.reshape(TIMES, (-1, 1, 1, 1)))
    noise = random.standard_normal((2, *clean.shape)) * S0 / ratio
    magnitude = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
    rows = [row for text in CHOICES for row in errors(text, magnitude, rates, S0 / ratio)]
    return pd.DataFrame(rows)


def errors(text: str, magnitude: Volume, rates: Volume, sigma: float) -> list[dict[str, object]]:
    """Errors of one choice, a row for each rate."""
    found = STEPS['relaxometry'].choose(text)(magnitude, np.ones(rates.shape, bool), TIMES)
    rows: list[dict[str, object]] = []
    for rate in RATES:
        here = rates == rate
        off = found.r2star[here] - rate
        rows.append(
            {
                'snr': round(S0 / sigma),
                'r2star': rate,
                'method': text,
                'bias': round(float(off.mean()), 2),
                'median_bias': round(float(np.median(off)), 2),
                'sd': round(float(off.std()), 2),
                'n_echoes': round(float(found.n_echoes[here].mean()), 2),
                'noise': round(found.noise / sigma, 3),
            }
        )
    return rows


def heads(size: tuple[float, float, float]) -> list[dict[str, object]]:
    """Errors in the brain of a simulated head, a row for each correction."""
    scan = simulate(voxel_size=size)
    times, magnitude = scan.sequence.echo_times, scan.magnitude.astype(np.float32)
    phase, around = scan.phase.astype(np.float32), head_mask(magnitude)
    frequency = scan.head.field_strength * GAMMA_BAR_MHZ_PER_T
    unwrapped = STEPS['unwrap'].choose('romeo')(phase, magnitude, around, times)
    field = STEPS['field'].choose('nonlinear')(
        unwrapped.phase, magnitude, around, times, frequency
    )
    brain = brain_mask(np.sqrt((magnitude**2).mean(axis=0)), size)
    rows: list[dict[str, object]] = []
    for correction in ('none', 'sinc'):
        correct = STEPS['gradient_correction'].choose(correction)
        left = correct(field.total_field, brain, scan.head.grid, times, frequency)
        found = STEPS['relaxometry'].choose('auto')(magnitude, brain, times, dephasing=left)
        both = brain & scan.head.mask
        off = (found.r2star - scan.head.r2star)[both]
        rows.append(
            {
                'voxel': ' x '.join(f'{d:g}' for d in size),
                'correction': correction,
                'bias': round(float(off.mean()), 2),
                'rmse': round(float(np.sqrt((off**2).mean())), 2),
                'unfitted': int((found.n_echoes[both] == 0).sum()),
            }
        )
    return rows


if __name__ == '__main__':
    main()
