"""Which fault moves which quality metric, on simulated heads at 2 mm.

Run ``python benchmarks/quality.py`` (about three minutes on 2 cores; ``--save docs/data/quality.tsv``
writes the table). Four heads without a fault tell how metrics differ between heads; each fault is put
into the first of them. Figures are by how many of these standard deviations (with a floor of 2 % of
the mean, or of .005 where the mean is small) a metric lies above, or below, the mean of the good
heads. A run goes from wrapped phase to the map by the default methods, the true labels standing
for a registered atlas; the last two faults have good runs in two steps (``vsharp``, ``wh``) beside
them, and the tilt that was ignored has the same head, tilted, with the tilt known. Faults: two of
five echoes of a head that turned by 2 degrees and moved by 1.5 mm; a ghost of 6 %; all echoes
smoothed by 2 mm; one echo with four times the noise; one echo time of 12 ms given as 14 ms; all
echo times given as half; a patch of 30 mm in the third echo off by a turn; a tilt of 25 degrees
given as none; the other sign; masks that reach 6 mm too far or 8 mm too little; a slab of 56 mm;
regularisation of thirty times; a background of 15 ppb left in the local field; and a division by
the dipole kernel of .05 and more (``tkd``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from bidsqsm.atlases.structures import make_label
from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import SimulatedScan, simulate
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.qsm.fieldmap.nonlinear import nonlinear
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.combined import combined
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.masking.morphology import dilate, erode
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LABELS, NUCLEUS_VALUES
from bidsqsm.qsm.phase.prepare import prepare
from bidsqsm.qsm.quality.maps import Maps
from bidsqsm.qsm.quality.measure import in_order, measure
from bidsqsm.qsm.units import imaging_frequency_of
from bidsqsm.rois.quality import iron_rich_labels, region_metrics
from bidsqsm.rois.region_table import roi_table

SIZE = (2.0, 2.0, 2.0)
SEEDS = (301, 302, 303, 304)
TILT = (('x', 25.0),)
THREADS = 2
NAMES = [make_label(value, LABELS[value]) for value in NUCLEUS_VALUES]
Change = Callable[[Volume, SimulatedScan], Volume]


def same(values: Volume, _scan: SimulatedScan) -> Volume:
    """No fault at this step."""
    return values


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and which metrics are meant to show it.

    Attributes
    ----------
    shows
        Keys of metrics.
    signal, unwrapped, mask, local
        What becomes of the complex echoes, the unwrapped phase, the brain and the local field.
    times
        Echo times as they are given, from the true ones.
    sign
        Of the phase.
    chain
        ``one step``, ``two steps``, or others by name.
    tilted, straight
        Whether the volume is tilted, and whether it is given as straight.
    shape
        Of the volume, where it is no whole head.

    """

    shows: tuple[str, ...] = ()
    signal: Change = same
    unwrapped: Change = same
    mask: Change = same
    local: Change = same
    times: Callable[[tuple[float, ...]], tuple[float, ...]] = tuple
    sign: int = 1
    chain: str = 'one step'
    tilted: bool = False
    straight: bool = False
    shape: tuple[int, int, int] | None = None


def moved(signal: Volume, _scan: SimulatedScan) -> Volume:
    """Last two echoes of a head that turned and moved."""
    turn = np.deg2rad(2)
    matrix = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    middle = (np.array(signal.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle + np.array([0, 0.75, 0])  # voxels
    out = signal.copy()
    for number in (-2, -1):
        out[number] = ndimage.affine_transform(signal[number], matrix, offset, order=3)
    return out


def ghosted(signal: Volume, _scan: SimulatedScan) -> Volume:
    """Every echo again at half the field of view, faint."""
    return signal + 0.06 * np.roll(signal, signal.shape[2] // 2, axis=2)


def smoothed(signal: Volume, _scan: SimulatedScan) -> Volume:
    """Every echo smoothed over a voxel."""
    return np.stack([ndimage.gaussian_filter(echo, 1.0) for echo in signal])


def noisy(signal: Volume, scan: SimulatedScan) -> Volume:
    """The third echo with four times its noise."""
    sd = np.sqrt(4**2 - 1) * scan.magnitude[0][scan.head.white_matter].mean() / scan.sequence.snr
    real, imaginary = np.random.default_rng(9).standard_normal((2, *signal.shape[1:]))
    out = signal.copy()
    out[2] += sd * (real + 1j * imaginary)
    return out


def wrapped(unwrapped: Volume, scan: SimulatedScan) -> Volume:
    """A ball of the third echo off by a turn."""
    middle = np.argwhere(scan.head.mask).mean(axis=0)
    away = np.indices(scan.head.mask.shape) - middle.reshape(3, 1, 1, 1)
    out = unwrapped.copy()
    out[2][(away**2).sum(axis=0) < (15 / SIZE[0]) ** 2] += 2 * np.pi
    return out


def with_background(local: Volume, scan: SimulatedScan) -> Volume:
    """A smooth field from outside."""
    x, y, z = ((np.indices(local.shape) - 48) / 30).astype(np.float32)
    background = (x**2 - y**2) + 0.7 * y * z
    background *= 0.015 / background[scan.head.mask].std()
    return np.where(local != 0, local + background, 0).astype(np.float32)


FAULTS: Mapping[str, Fault] = {
    'motion': Fault(('echo_shift', 'fit_residual', 'decay_misfit'), signal=moved),
    'ghost': Fault(('ghosting',), signal=ghosted),
    'blur': Fault(('sharpness',), signal=smoothed),
    'noisy echo': Fault(('snr_echo3', 'decay_misfit'), signal=noisy),
    'one echo time wrong': Fault(
        ('fit_residual',), times=lambda t: tuple(0.014 if abs(x - 0.012) < 1e-4 else x for x in t)
    ),
    'all echo times halved': Fault(('nuclei_in_range',), times=lambda t: tuple(x / 2 for x in t)),
    'wraps left': Fault(('residual_wraps',), unwrapped=wrapped),
    'tilt ignored': Fault(('inversion_misfit', 'misfit_to_noise'), tilted=True, straight=True),
    'wrong sign': Fault(('chi_r2star_correlation', 'nuclei_in_range'), sign=-1),
    'mask too large': Fault(
        ('mask_dark', 'registration_overlap'), mask=lambda mask, _scan: dilate(mask, 6.0, SIZE)
    ),
    'mask too small': Fault(
        ('mask_missed', 'registration_overlap', 'mask_volume'),
        mask=lambda mask, _scan: erode(mask, 8.0, SIZE),
    ),
    'slab': Fault(('mask_cut',), shape=(96, 112, 28)),
    'over-regularised': Fault(('chi_noise', 'inversion_misfit'), chain='smooth'),
    'background left': Fault(('background_leakage',), local=with_background, chain='two steps'),
    'streaks': Fault(('streaking',), chain='streaks'),
}
TWO_STEPS = ('two steps', 'streaks')


def main() -> None:
    """Print and save the table, a row for each metric and a column for each fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--only', nargs='+', choices=FAULTS, default=[*FAULTS])
    parser.add_argument('--save', type=Path, help='file to write the table to')
    args = parser.parse_args()
    with threads(THREADS):
        good = {
            chain: pd.DataFrame([run(seed, Fault(chain=chain)) for seed in SEEDS])
            for chain in ('one step', 'two steps')
        }
        tilted = pd.Series(run(SEEDS[0], Fault(tilted=True)))
        columns: dict[str, pd.Series] = {
            'mean': good['one step'].mean(),
            'SD': good['one step'].std(),
        }
        for name in args.only:
            fault = FAULTS[name]
            usual = good['two steps' if fault.chain in TWO_STEPS else 'one step']
            middle = tilted if fault.tilted else usual.mean()
            spread = usual.std().clip(lower=0.02 * usual.mean().abs().clip(lower=0.25))
            columns[name] = (pd.Series(run(SEEDS[0], fault)) - middle) / spread
            told = ', '.join(f'{key} {columns[name][key]:+.1f}' for key in fault.shows)
            print(f'{name}: {told}', flush=True)
    table = pd.DataFrame(columns).reindex(in_order(dict.fromkeys(good['one step'], 0.0)))
    print(table.round(2).to_string())
    if args.save:
        saved = table.map('{:.3g}'.format).rename_axis('metric').reset_index()
        shown = {name: ' '.join(FAULTS[name].shows) for name in args.only}
        saved.loc[len(saved)] = {'metric': 'shows', **shown}
        saved.to_csv(args.save, sep='\t', index=False)


def run(seed: int, fault: Fault) -> dict[str, float]:
    """Metrics of a head with a fault."""
    scan = simulate(
        SIZE, subject=Subject(seed=seed), tilts=TILT if fault.tilted else (), shape=fault.shape
    )
    grid = Grid(scan.head.grid.shape, SIZE) if fault.straight else scan.head.grid
    return judge(scan, maps_of(scan, grid, fault))


def judge(scan: SimulatedScan, maps: Maps) -> dict[str, float]:
    """All metrics, with the true labels in place of a registered atlas."""
    labels: Labels = np.where(np.isin(scan.head.labels, NUCLEUS_VALUES), scan.head.labels, 0)
    assert maps.chi is not None
    assert maps.qsm_mask is not None
    table = roi_table(labels, NAMES, {'chi': maps.chi}, maps.qsm_mask, SIZE, age=45.0)
    nuclei = np.isin(labels, iron_rich_labels(table))
    return in_order(measure(replace(maps, nuclei=nuclei)) | region_metrics(table))


def maps_of(scan: SimulatedScan, grid: Grid, fault: Fault) -> Maps:
    """From the echoes to the map, with whatever the fault changes on the way."""
    signal = fault.signal(scan.magnitude * np.exp(1j * fault.sign * scan.phase), scan)
    magnitude, phase = np.abs(signal).astype(np.float32), np.angle(signal).astype(np.float32)
    times, frequency = fault.times(scan.sequence.echo_times), imaging_frequency_of(3.0)
    head = head_mask(magnitude)
    ready = prepare(phase, magnitude, head, times, grid, alternation='no', bipolar='no')
    found = STEPS['unwrap'].choose('romeo')(ready.phase, magnitude, head, times)
    unwrapped = fault.unwrapped(found.phase, scan)
    fit = nonlinear(unwrapped, magnitude, head, times, frequency)
    masks = combined(magnitude, found.quality, fit.residual, grid)
    brain = fault.mask(masks.brain, scan)
    support = masks.qsm & brain if fault.mask is same else brain & head
    chi, mask, local = invert(fit.total_field, fit.noise, support, grid, scan, fault)
    decay = STEPS['relaxometry'].choose('auto')(magnitude, brain, times)
    chi = np.where(mask, chi - chi[mask].mean(dtype=float), 0).astype(np.float32)
    return Maps(
        grid=grid,
        echo_times=times,
        magnitude=magnitude,
        unwrapped=unwrapped,
        quality=found.quality,
        residual=fit.residual,
        noise=fit.noise,
        total_field=fit.total_field,
        local_field=local,
        chi=chi,
        r2star=decay.r2star,
        decay_misfit=decay.error,
        brain_mask=brain,
        support=support,
        qsm_mask=mask,
        magnitude_mask=brain,
        template_mask=scan.head.mask,
    )


def invert(
    total_field: Volume,
    noise: Volume,
    support: Mask,
    grid: Grid,
    scan: SimulatedScan,
    fault: Fault,
) -> tuple[Volume, Mask, Volume]:
    """Susceptibility (ppm), its mask and the local field (ppm) by the chain of a case."""
    if fault.chain in TWO_STEPS:
        local, mask = STEPS['background'].choose('vsharp')(total_field, support, grid)[:2]
        local = fault.local(local, scan)
        text = 'tkd:threshold=0.05' if fault.chain == 'streaks' else 'wh'
        return STEPS['dipole'].choose(text)(local, mask, grid), mask, local
    text = 'sstv:weight=0.003' if fault.chain == 'smooth' else 'sstv'
    solve = partial(STEPS['onestep'].choose(text), weight_map=inverse_noise(noise, support))
    chi = solve(total_field, support, grid)
    return chi, support, field_of(chi, support, grid)


if __name__ == '__main__':
    main()
