"""What a template does to the mask, and what two passes do to the map, on simulated heads at 2 mm.

Run ``python benchmarks/masks.py template`` or ``python benchmarks/masks.py passes``; both take a few
minutes. The tables are those of the page on masks. For ``template`` the true brain under a smooth
warp stands for the template. For ``passes`` one head has a large bleed and a large calcification
besides the demo's small lesions; scores of the map are taken 5 mm and more away from lesions, streaks
are the error within 12 mm of them.
"""

from __future__ import annotations

import argparse
from unittest import mock

import numpy as np
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import SimulatedScan, simulate
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.qsm import lesion_scores, metrics
from bidsqsm.qsm.fieldmap.field_result import FieldFit
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.masking.combined import combined
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.phantom import vessels
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.labels import LESIONS, NUCLEUS_VALUES
from bidsqsm.qsm.phantom.painting import LABEL_VEIN
from bidsqsm.qsm.phantom.signal_simulation import Sequence
from bidsqsm.qsm.two_pass import combine, holed_mask

SIZE = (2.0, 2.0, 2.0)
TILTED = (('x', 20.0), ('y', 15.0))
CHAINS = ('sstv', 'lbv+wh', 'lbv+tv', 'vsharp+rts', 'vsharp+tkd')
_SMALL = vessels.lesions


def large_lesions(
    anatomy: Anatomy, subject: Subject, microbleeds: int = 6
) -> list[vessels.Lesion]:
    """The demo's lesions with six microbleeds, a large bleed and a large calcification."""
    bleed = vessels.Lesion((-30.0, -30.0, 30.0), 6.0, 'microbleed')
    stone = vessels.Lesion((28.0, 10.0, 38.0), 4.0, 'calcification')
    return [*_SMALL(anatomy, subject, max(microbleeds, 6)), bleed, stone]


def measured(scan: SimulatedScan) -> tuple[Volume, FieldFit]:
    """Phase quality and field of a head, by the default methods."""
    times, magnitude = scan.sequence.echo_times, scan.magnitude.astype(np.float32)
    phase, mask = scan.phase.astype(np.float32), head_mask(magnitude)
    unwrapped = STEPS['unwrap'].choose('romeo')(phase, magnitude, mask, times)
    fit = STEPS['field'].choose('nonlinear')
    field = fit(unwrapped.phase, magnitude, mask, times, 3 * 42.577478518)
    return unwrapped.quality, field


def warped(mask: Mask, rms: float, seed: int) -> Mask:
    """A mask under a smooth random warp of so many mm (RMS)."""
    random, moved = np.random.default_rng(seed), []
    for axis, size in zip(np.indices(mask.shape, dtype=float), SIZE, strict=True):
        shift = ndimage.gaussian_filter(random.normal(size=mask.shape), 16 / size, mode='wrap')
        moved.append(axis + shift * rms / size / np.sqrt(3 * np.mean(shift**2)))
    return np.asarray(ndimage.map_coordinates(mask.astype(float), moved, order=1) > 0.5)


def score_template() -> None:
    """Print what of the brain is in the masks and what beyond it, in percent of the brain."""
    print('seed  rms tolerance  brain: in  beyond    QSM: in  beyond')
    for seed, tilts in ((41, ()), (42, TILTED)):
        scan = simulate(SIZE, subject=Subject(seed=seed), tilts=tilts)
        quality, field = measured(scan)
        arrays = scan.magnitude.astype(np.float32), quality, field.residual, scan.head.grid
        true = scan.head.mask
        for rms, tolerance in ((0, 0), *((r, t) for r in (1, 2) for t in (2, 3, 4, 5, 6, 8))):
            known = {'template_mask': warped(true, rms, seed), 'tolerance': tolerance}
            masks = combined(*arrays, **(known if rms else {}))
            shares = [
                100 * float((mask & side).sum() / true.sum())
                for mask in (masks.brain, masks.qsm)
                for side in (true, ~true)
            ]
            print(
                f'{seed:4d} {rms:4d} {tolerance:9d}'
                + '{:11.2f}{:8.2f}'.format(*shares[:2])
                + '{:11.2f}{:8.2f}'.format(*shares[2:]),
                flush=True,
            )


def invert(chain: str, scan: SimulatedScan, field: FieldFit, mask: Mask) -> tuple[Volume, Mask]:
    """A map in one step, or in two named as ``background+dipole``, and where it has values."""
    grid = scan.head.grid
    if '+' not in chain:
        weights = inverse_noise(field.noise, mask)
        run = STEPS['onestep'].choose(chain)
        return run(field.total_field, mask, grid, weight_map=weights), mask
    first, last = (
        STEPS[step].choose(name)
        for step, name in zip(('background', 'dipole'), chain.split('+'), strict=True)
    )
    local, trusted = first(field.total_field, mask, grid)
    if not last.method.takes('weight_map'):
        return last(local, trusted, grid), trusted
    return last(local, mask, grid, weight_map=inverse_noise(field.noise, trusted)), mask


def score_passes() -> None:
    """Print NRMSE (%), XSIM, error of the nuclei (ppb) and streaks (ppb) of one pass and of two."""
    print('seed  chain        passes   nrmse    xsim  nuclei streaks lesions')
    for seed, lesions in ((41, large_lesions), (42, _SMALL)):
        with mock.patch.object(vessels, 'lesions', lesions):
            scan = simulate(SIZE, subject=Subject(seed=seed), sequence=Sequence(offset=0))
        quality, field = measured(scan)
        grid = scan.head.grid
        mask = combined(scan.magnitude.astype(np.float32), quality, field.residual, grid).qsm
        holed = holed_mask(mask, quality, field.residual, grid.voxel_size)
        for chain in CHAINS:
            whole, kept = invert(chain, scan, field, mask)
            first, left = invert(chain, scan, field, holed)
            both, _ = combine(whole, first, kept, left & kept)
            for passes, chi in ((1, whole), (2, both)):
                cells = ''.join(f'{x:8.3g}' for x in scores(scan, chi, mask & ~holed))
                print(f'{seed:4d}  {chain:12s} {passes:6d}{cells}', flush=True)


def scores(scan: SimulatedScan, chi: Volume, holes: Mask) -> list[float]:
    """See :func:`score_passes`; the last is the RMS error in lesions, in ppb."""
    head = scan.head
    lesion = head.mask & np.isin(head.labels, LESIONS)
    away = lesion_scores.away_from(head.mask, head.labels, LESIONS, head.grid, 5.0)
    found = metrics.score(chi, head.chi, head.labels, away, NUCLEUS_VALUES)
    distance = ndimage.distance_transform_edt(~lesion, head.grid.voxel_size)
    near = head.mask & (distance > 2) & (distance <= 12) & (head.labels != LABEL_VEIN) & ~holes
    error = 1000 * (chi - head.chi)
    error -= np.median(error[head.mask])
    in_lesions = float(np.sqrt(np.mean(error[lesion] ** 2)))
    streaks = float(error[near].std())
    return [found['nrmse'], found['xsim'], found['roi_error'], streaks, in_lesions]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('what', choices=['template', 'passes'])
    {'template': score_template, 'passes': score_passes}[parser.parse_args().what]()
