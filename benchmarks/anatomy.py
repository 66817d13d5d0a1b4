"""Regions of an atlas on heads of different anatomy: where they come to lie and what they measure.

Run ``python benchmarks/anatomy.py --room DIR`` (1 mm; about two hours on 2 cores; ``--voxel-size 2``
takes a quarter of that, and a second call finds its heads in the room). ``--part`` chooses between
the cohort, the test-retest and the cost; ``--heads`` between heads; ``--save`` writes the tables that
the documentation shows.

Four heads are those of the simulator (their warps, sizes, ages and sexes differ, one was measured in
an oblique volume) with the atlas of its average head; their susceptibility is that of ``sstv`` from
the total field with the noise of the signal, within the true brain. Three heads are made of label
maps of real anatomy (``--labels``; see ``label_heads.py``) with the CIT168 atlas (``--atlas-data``),
where susceptibility and R2* are class means with texture and noise. CIT168 draws caudate, putamen
and pallidum otherwise than FreeSurfer, from which the truth of these heads comes, and has no
thalamus; so the last two of them are run with the first as an atlas as well, whose labels have one
definition with the truth.

The T1w shows the head in another pose. Labels are carried to the run by the interfaces of the app,
through the T1w or, without one, from magnitude and susceptibility, and refined by its default (``--ways masked``:
through the T1w with its true brain as a mask, as fMRIPrep gives one). For each nucleus,
the mean over left and right is given of: the overlap (Dice) with the truth; the absolute error
(ppb) of its mean susceptibility against the mean over the true region of the same map; and the same
against the true susceptibility, both less the mean of the brain.

Test-retest: one head, two tilts of the volume, four seeds of the noise each. Cost: CPU seconds (2
threads) and peak memory of a whole registration of a head of 1 mm, in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from cohort_heads import HEADS, Case, Room
from label_heads import DATA as SHARED
from nipype.interfaces.base import isdefined

from bidsqsm.atlases.atlas import Atlas
from bidsqsm.atlases.structures import PARTS_OF_STRUCTURE
from bidsqsm.catalog import STEPS
from bidsqsm.facts.registration_facts import RegistrationFacts
from bidsqsm.interfaces.anatomy.multicontrast_registration import RegisterContrasts
from bidsqsm.interfaces.anatomy.refinement import RefineRois
from bidsqsm.interfaces.anatomy.registration import MakeContrast, RegisterT1w, RegisterTemplate
from bidsqsm.interfaces.anatomy.resampling import ResampleLabels, chained, lost
from bidsqsm.qsm.grid import Labels
from bidsqsm.qsm.registration.itk import points_through
from bidsqsm.workflows.anatomy.multicontrast_registration import preliminary

DOCS = Path(__file__).resolve().parents[1] / 'docs' / 'data'
THREADS = 2
WAYS = ('T1w', 'masked', 'none')
LEAST = dict.fromkeys(('caudate', 'putamen', 'pallidum', 'thalamus'), 0.80) | dict.fromkeys(
    ('red_nucleus', 'substantia_nigra', 'dentate_nucleus'), 0.65
)
MOST, STEADY = 5.0, 3.0  # ppb: error of a mean, SD of repeated ones
CHEAP = (90.0, 2.0)  # CPU s, GB
SIDES = ('L', 'R')


def main() -> None:
    """Make the heads and print every table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--room', type=Path, help='folder to keep heads in')
    parser.add_argument('--voxel-size', type=float, default=1.0)
    parser.add_argument('--heads', nargs='+', choices=HEADS, default=list(HEADS))
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=['T1w', 'none'])
    parser.add_argument('--part', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--labels', type=Path, default=SHARED / 'labels', help='label maps')
    parser.add_argument('--atlas-data', type=Path, default=SHARED / 'cit168', help='CIT168')
    parser.add_argument('--save', action='store_true', help='write the tables of the docs')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (args.room or Path(scratch)).resolve()
        room = Room(folder, args.voxel_size, args.labels, args.atlas_data)
        for part in args.part:
            for name, table in PARTS[part](room, args):
                print(f'\n{name}\n{table.round(3).to_string(index=False)}', flush=True)
                if args.save:
                    size = 1 if name == 'cost' else args.voxel_size
                    file = DOCS / f'anatomy_{name}_{size:g}mm.tsv'
                    table.round(3).to_csv(file, sep='\t', index=False)


def cohort(room: Room, args: argparse.Namespace) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every head by every way: each nucleus, and what that means for the goals."""
    rows: list[dict[str, Any]] = []
    for name in args.heads:
        case = room.head(name)
        for atlas, way in itertools.product(room.atlases(name), args.ways):
            found = carried(case, atlas, way, room.folder / 'work' / f'{name}-{way}')
            told = scores(case, atlas, found)
            new = [{'head': name, 'atlas': atlas.name, 'way': way, **row} for row in told]
            print(said(new, found), flush=True)
            rows += new
    yield 'heads', pd.DataFrame(rows)
    yield 'summary', summary(pd.DataFrame(rows))


def retest(room: Room, args: argparse.Namespace) -> Iterator[tuple[str, pd.DataFrame]]:
    """SD of each nucleus's mean over tilts and seeds of one head, in ppb."""
    atlas, cases, rows = room.demo_atlas(), room.sessions(), []
    for way, case in itertools.product(args.ways, cases):
        found = carried(case, atlas, way, room.folder / 'work' / f'retest-{way}')
        for structure, values in case.nuclei.items():
            for side, value in zip(SIDES, values, strict=True):
                index = members(atlas, structure, side)
                means = {
                    'true region': mean_of(case, case.load('truth') == value),
                    'before': mean_of(case, np.isin(found.before, index)),
                    'after': mean_of(case, np.isin(found.after, index)),
                }
                place = {'way': way, 'nucleus': structure, 'side': side}
                rows.append(place | {'tilted': 'tilted' in case.name} | means)
    table, columns = pd.DataFrame(rows), ['true region', 'before', 'after']
    variance = table.groupby(['way', 'nucleus', 'side'], sort=False)[columns].var()
    within = table.groupby(['way', 'nucleus', 'side', 'tilted'], sort=False)[columns].var()
    by = ['way', 'nucleus']
    spread = variance.groupby(by, sort=False).mean() ** 0.5
    spread['after, same tilt'] = within['after'].groupby(by, sort=False).mean() ** 0.5
    spread['goal'] = np.where(spread['after'] <= STEADY, 'met', 'missed')
    yield 'retest', spread.reset_index()


def cost(room: Room, args: argparse.Namespace) -> Iterator[tuple[str, pd.DataFrame]]:
    """CPU seconds and peak memory of a whole registration at 1 mm."""
    room = replace(room, size=1.0)
    case, atlas, rows = room.head('real-01'), room.cit168(), []
    for way in args.ways:
        folder = room.folder / 'work' / f'cost-{way}'
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            rows.append({'way': way, **pool.apply(measured, (case, atlas, way, folder))})
    yield 'cost', pd.DataFrame(rows)


def measured(case: Case, atlas: Atlas, way: str, folder: Path) -> dict[str, Any]:
    """CPU seconds of every step and of all, and the memory of this process."""
    found = carried(case, atlas, way, folder, refine=False)
    total = sum(found.seconds.values())
    # unlike that of getrusage, this peak is not that of the parent
    status = Path('/proc/self/status').read_text()
    memory = float(status.partition('VmHWM:')[2].split()[0]) / 2**20
    met = not found.failed and total <= CHEAP[0] and memory <= CHEAP[1]
    figures = {**found.seconds, 'CPU s': total, 'GB': memory}
    return {'rigid': 0.0} | figures | {'goal': 'met' if met else 'missed'}


@dataclass(frozen=True)
class Carried:
    """Labels on the grid of the run before and after refinement, and what they took."""

    before: Labels
    after: Labels
    seconds: Mapping[str, float]
    overlap: Mapping[str, float]
    rigid_error: float | None
    failed: str


def carried(case: Case, atlas: Atlas, way: str, folder: Path, *, refine: bool = True) -> Carried:
    """Bring the labels of an atlas to a head as the app does."""
    seconds: dict[str, float] = {}

    def run(name: str, interface: Callable[..., Any], **inputs: Any) -> Any:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        found = interface(num_threads=THREADS, **inputs).run(cwd=str(place)).outputs
        seconds[name] = time.process_time() - start
        return found

    own = run('contrast', MakeContrast, in_file=case.path('magnitude'))
    steps, template = [], {'template': str(atlas.template.t1w)}
    template |= {'method': 'greedy', 'template_name': atlas.template.name}
    if atlas.template.mask:
        template['template_mask'] = str(atlas.template.mask)
    inputs = {'in_file': own.contrast, 'in_mask': own.brain}
    if way == 'none':
        alone = preliminary(STEPS['registration'].choose('greedy'))
        first = run('template', RegisterTemplate, **inputs, **(template | {'method': str(alone)}))
        more = {'chi': case.path('chi'), 'qsm_mask': case.path('mask')}
        more |= {'labels': [str(atlas.dseg)], 'names': [[asdict(one) for one in atlas.labels]]}
        found = {'first_forward': first.forward, 'first_backward': first.backward}
        found['first_facts'] = [first.facts]
        steps.append(run('contrasts', RegisterContrasts, **inputs, **template, **more, **found))
    else:
        t1w, brain = case.path('t1w'), case.path('t1w_mask')
        known = {'t1w_mask': brain} if way == 'masked' else {}
        steps.append(run('rigid', RegisterT1w, **inputs, **known, t1w=t1w))
        known = {'given_mask': brain} if way == 'masked' else {'in_mask': steps[0].brain}
        steps.append(run('template', RegisterTemplate, in_file=t1w, **known, **template))
    carry = run(
        'carry',
        ResampleLabels,
        in_file=str(atlas.dseg),
        keep=[label.index for label in atlas.labels],
        reference=own.contrast,
        transforms=[step.backward for step in steps if isdefined(step.backward)],
        registrations=[step.facts for step in steps],
    )
    chi, mask, r2star = (case.path(name) for name in ('chi', 'mask', 'r2star'))
    inputs = {'labels': carry.labels, 'chi': chi, 'in_mask': mask, 'r2star': r2star}
    after = run('refine', RefineRois, method='border', **inputs) if refine else carry
    names = ('T1w', 'template')[-len(steps) :]
    registrations = [RegistrationFacts.of(step.facts) for step in steps]
    return Carried(
        *(np.asanyarray(nib.load(one.labels).dataobj).astype(np.int32) for one in (carry, after)),
        {name: round(value, 1) for name, value in seconds.items()},
        {n: one.overlap or 0.0 for n, one in zip(names, registrations, strict=True)},
        off(case, steps[0]) if way != 'none' and isdefined(steps[0].backward) else None,
        lost(registrations) or '',
    )


def off(case: Case, rigid: Any) -> float:
    """How far (mm) the rigid step puts places of the brain from where they are, on average."""
    mask = nib.load(case.path('mask'))
    voxels = np.argwhere(np.asanyarray(mask.dataobj) > 0)[::5000]
    places = voxels @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    pose = np.loadtxt(case.folder / 'pose.txt')
    true = places @ pose[:3, :3].T + pose[:3, 3]
    found = points_through(chained([rigid.backward]), places)
    return float(np.linalg.norm(found - true, axis=1).mean())


def scores(case: Case, atlas: Atlas, found: Carried) -> list[dict[str, Any]]:
    """Of every nucleus that both atlas and truth have: overlap and errors (ppb), mean of the sides."""
    truth, rows = case.load('truth'), []
    for structure, values in case.nuclei.items():
        sides = []
        for side, value in zip(SIDES, values, strict=True):
            index, true = members(atlas, structure, side), truth == value
            if not index or not true.any():
                continue
            told: dict[str, float] = {}
            for when, labels in (('before', found.before), ('after', found.after)):
                region = np.isin(labels, index)
                told[f'Dice {when}'] = 2 * (region & true).sum() / (region.sum() + true.sum())
                mean = mean_of(case, region)
                told[f'error {when}'] = abs(mean - mean_of(case, true))
                told[f'from truth {when}'] = abs(mean - mean_of(case, true, 'true_chi'))
            told['map'] = abs(mean_of(case, true) - mean_of(case, true, 'true_chi'))
            sides.append(told)
        if sides:
            rows.append({'nucleus': structure, **pd.DataFrame(sides).mean(skipna=False)})
    return rows


def members(atlas: Atlas, structure: str, side: str) -> list[int]:
    """Values of an atlas that make up a structure on one side."""
    wanted = (structure, *PARTS_OF_STRUCTURE.get(structure, ()))
    return [
        label.index
        for label in atlas.labels
        if label.structure in wanted and label.hemisphere == side
    ]


def mean_of(case: Case, region: np.ndarray, name: str = 'chi') -> float:
    """Mean (ppb) of a map over a region within the brain, less that of the brain."""
    values, brain = case.load(name), case.load('mask') > 0
    inside = region & brain
    if not inside.any():
        return float('nan')
    return 1000 * float(values[inside].mean(dtype=float) - values[brain].mean(dtype=float))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means and worst cases over heads of each atlas, way and nucleus, beside the goals."""
    rows = []
    for (atlas, way, nucleus), part in table.groupby(['atlas', 'way', 'nucleus'], sort=False):
        row = {'atlas': atlas, 'way': way, 'nucleus': nucleus, 'heads': len(part)}
        for when in ('before', 'after'):
            row[f'Dice {when}'] = part[f'Dice {when}'].mean()
        row['lowest after'] = part['Dice after'].min()
        for when in ('before', 'after'):
            row[f'error {when}'] = part[f'error {when}'].mean()
        row['largest after'] = part['error after'].max()
        near = row['lowest after'] >= LEAST.get(nucleus, 0)
        row['Dice'] = '' if nucleus not in LEAST else 'met' if near else 'missed'
        row['error'] = 'met' if row['largest after'] <= MOST else 'missed'
        rows.append(row)
    return pd.DataFrame(rows)


def said(rows: list[dict[str, Any]], found: Carried) -> str:
    """One head by one way, and its nuclei."""
    place = ' '.join(rows[0][name] for name in ('head', 'atlas', 'way'))
    table = pd.DataFrame(rows).drop(columns=['head', 'atlas', 'way']).round(3)
    dice = table[['Dice before', 'Dice after']].mean().to_numpy()
    rigid = '' if found.rigid_error is None else f', rigid off by {found.rigid_error:.2f} mm'
    failed = f'; failed: {found.failed}' if found.failed else ''
    return (
        f'{place}: Dice {dice[0]:.3f} -> {dice[1]:.3f}, brains {found.overlap}{rigid}, '
        f'CPU s {found.seconds}{failed}\n{table.to_string(index=False)}'
    )


PARTS = {'cohort': cohort, 'retest': retest, 'cost': cost}

if __name__ == '__main__':
    main()
