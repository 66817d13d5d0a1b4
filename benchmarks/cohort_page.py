"""Time and size of the cohort's page: ``python benchmarks/cohort_page.py [--save TABLE.tsv]``.

A dataset and its output folder are made up, with a status, metrics, a table of 17 regions on both sides,
a thumbnail and an entry of participants.tsv (age, sex, group) for every run; the runs come from two
scanners whose numbers differ, and in six of them something is amiss. Then the level ``group``
reads it. Columns: number of runs, seconds that the level takes, size of the page (MB), seconds until headless
Chromium has it open with its table laid out (where Chromium is installed), places of the six runs in the list
of runs to look at, and how many that list has.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bidsqsm.qsm.quality.metric import Metric
from bidsqsm.qsm.quality.metric_table import METRICS

STRUCTURES = (
    'caudate',
    'putamen',
    'pallidum',
    'thalamus',
    'substantia_nigra',
    'red_nucleus',
    'dentate_nucleus',
    'subthalamic_nucleus',
    'accumbens',
    'amygdala',
    'hippocampus',
    'claustrum',
    'habenula',
    'periaqueductal_gray',
    'ventral_tegmental_area',
    'internal_capsule',
    'pallidum_externa',
)
CHI = dict(zip(STRUCTURES, (0.045, 0.055, 0.12, 0.005, 0.11, 0.09, 0.09, 0.08), strict=False))
N_ECHOES = 5
SCANNERS = (('Siemens', 'Prisma', 1.0, 0.0), ('Philips', 'Ingenia', 1.6, 0.01))
#: Six runs that something is amiss with: their numbers, and by how many spreads, up or down
FAULTS: dict[str, dict[str, float]] = {
    'noisy': {'field_noise': 9, 'field_noise_seen': 9, 'chi_noise': 8, 'snr': -9, 'cnr': -6},
    'moved': {'echo_shift': 12, 'sharpness': -7, 'decay_misfit': 9, 'ghosting': 6},
    'cut': {'mask_volume': -9, 'mask_missed': 12, 'mask_cut': 12},
    'streaks': {'streaking': 10, 'inversion_misfit': 8},
    'sign': {'regions': -2.0, 'nuclei_in_range': -12, 'chi_r2star_correlation': -14},
    'leaking': {'background_leakage': 12, 'edge_excess': 9},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make cohorts, write their pages and tell time and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--runs', type=int, nargs='+', default=[200, 2000])
    parser.add_argument('--keep', type=Path, metavar='DIR', help='make them here and leave them')
    parser.add_argument('--save', type=Path, metavar='TABLE.tsv')
    args = parser.parse_args(arguments)
    room = args.keep or Path(tempfile.mkdtemp())
    try:
        rows = [measured(room / f'{number}', number) for number in args.runs]
    finally:
        if not args.keep:
            shutil.rmtree(room)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if args.save:
        table.to_csv(args.save, sep='\t', index=False)


def measured(room: Path, number: int) -> dict[str, str]:
    """Row of one cohort."""
    faulty = simulate(room, number)
    command = [sys.executable, '-m', 'bidsqsm', str(room / 'bids'), str(room / 'out'), 'group']
    started = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - started
    page = room / 'out' / 'group.html'
    order, flagged = places(room / 'out', faulty)
    return {
        'runs': f'{number}',
        'level group (s)': f'{seconds:.1f}',
        'page (MB)': f'{page.stat().st_size / 1e6:.1f}',
        'open (s)': opened(page),
        'places of the six': ' '.join(map(str, order)),
        'flagged': f'{flagged}',
    }


def simulate(room: Path, n: int, seed: int = 0) -> dict[str, str]:
    """Write a dataset and its output with ``n`` runs; returns the faulty ones and their faults."""
    random = np.random.default_rng(seed)
    names = [f'sub-{number:04d}' for number in range(1, n + 1)]
    faulty = dict(
        zip(random.choice(names, len(FAULTS), replace=False).tolist(), FAULTS, strict=True)
    )
    bids, out = room / 'bids', room / 'out'
    _write(
        bids / 'dataset_description.json',
        json.dumps({'Name': 'Simulated', 'BIDSVersion': '1.10.0'}),
    )
    people = ['participant_id\tage\tsex\tgroup']
    for place, name in enumerate(names):
        _write(bids / name / 'anat' / f'{name}_echo-1_part-phase_MEGRE.nii.gz', '')
        age = f'{random.uniform(20, 85):.0f}'
        people.append(
            f'{name}\t{age}\t{random.choice(["F", "M"])}\t{random.choice(["control", "patient"])}'
        )
        if place % 97 == 41:
            continue  # missing
        _run(
            out, name, SCANNERS[place % 2], FAULTS[faulty[name]] if name in faulty else {}, random
        )
        if place % 83 == 29 and name not in faulty:
            _status(
                out, name, 'failed', 'the step reference ran out of memory: give more with --mem'
            )
    _write(bids / 'participants.tsv', '\n'.join(people) + '\n')
    return faulty


def _run(
    out: Path,
    name: str,
    scanner: tuple[str, str, float, float],
    fault: dict[str, float],
    random: np.random.Generator,
) -> None:
    maker, model, factor, shift = scanner
    metrics: dict[str, float] = {}
    for metric in METRICS.values():
        for echo in range(1, N_ECHOES + 1) if metric.per_echo else (0,):
            key = f'{metric.name}_echo{echo}' if echo else metric.name
            z = random.normal() + fault.get(metric.name, 0)
            metrics[key] = _value(metric, z, factor * (1 + 0.1 * echo))
    acquisition = {
        'Suffix': 'MEGRE',
        'MagneticFieldStrength': 3.0,
        'VoxelSize': [1.0, 1.0, 1.0],
        'EchoTime': [0.004 * (1 + echo) for echo in range(N_ECHOES)],
        'TiltAngle': 0.0,
        'Manufacturer': maker,
        'ManufacturersModelName': model,
    }
    content = {
        'Run': name,
        'SoftwareVersion': '0.1.0',
        'Acquisition': acquisition,
        'Metrics': metrics,
    }
    _write(out / name / 'anat' / f'{name}_metrics.json', json.dumps(content))
    _write(out / name / 'anat' / f'{name}_atlas-Made_dseg.tsv', _regions(fault, shift, random))
    _write(out / f'{name}.html', f'<h2 id="{name}">{name}</h2>')
    _status(out, name, 'ok', None)
    picture = out / name / 'figures' / f'{name}_desc-thumbnail_Chimap.webp'
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(_picture(random))


def _value(metric: Metric, z: float, factor: float) -> float:
    """A made-up number that a metric may have, ``z`` spreads from what is usual."""
    if metric.low != 0:
        return float(np.clip(0.6 + 0.04 * z, metric.low, metric.high))
    if metric.better == 'lower' and metric.alarm < math.inf:
        return float(0.2 * metric.alarm * np.exp(0.25 * z))
    if math.isinf(metric.high):
        return float(8 * factor * np.exp(0.12 * z))
    usual = -3.0 if metric.better == 'lower' else 3.0
    return float(metric.high / (1 + np.exp(-(usual + 0.3 * factor + 0.25 * z))))


def _regions(fault: dict[str, float], shift: float, random: np.random.Generator) -> str:
    columns = [
        'index',
        'name',
        'hemisphere',
        'structure',
        'n_voxels',
        'volume',
        'coverage',
        'mean',
        'sd',
        'se',
        'mean_wholebrain',
        'chi_range_low',
        'chi_range_high',
        'chi_in_range',
        'r2star_mean',
    ]
    lines, person = ['\t'.join(columns)], random.normal(0, 0.004)
    for number, structure in enumerate(STRUCTURES):
        for place, (side, word) in enumerate((('L', 'left_'), ('R', 'right_'), ('B', ''))):
            usual = CHI.get(structure, 0.02) + shift
            chi = usual * (1 + fault.get('regions', 0)) + person + random.normal(0, 0.004)
            index = 1000 + 10 * number if side == 'B' else 2 * number + place + 1
            cells = [
                index,
                f'{word}{structure}',
                side,
                structure,
                400,
                400,
                1,
                f'{chi:.9g}',
                0.01,
                0.0004,
                f'{chi:.9g}',
                'n/a',
                'n/a',
                'n/a',
                f'{25 + 100 * usual + random.normal(0, 1.5):.9g}',
            ]
            lines.append('\t'.join(map(str, cells)))
    return '\n'.join(lines) + '\n'


def _status(out: Path, name: str, status: str, reason: str | None) -> None:
    content = {'name': name, 'status': status, 'reason': reason, 'warnings': [], 'seconds': 60}
    call = f'2025010{1 + (status != "ok")}-120000_0000'
    _write(out / name / 'log' / call / f'{name}_status.json', json.dumps(content))


def _picture(random: np.random.Generator) -> bytes:
    """A slice of a made-up head, as big as the thumbnails that reports make."""
    y, x = np.mgrid[-1:1:96j, -1:1:80j]
    head = (x**2 + y**2 < 0.85).astype(float)
    coarse = Image.fromarray(random.normal(0.5, 0.2, (32, 27)).astype(np.float32)).resize((80, 96))
    nuclei = sum(np.exp(-((x - dx) ** 2 + (y - 0.1) ** 2) / 0.01) for dx in (-0.3, 0.3))
    gray = head * (np.asarray(coarse) + 0.4 * nuclei + random.normal(0, 0.03, head.shape))
    stream = io.BytesIO()
    image = Image.fromarray((255 * np.clip(gray, 0, 1)).astype(np.uint8))
    image.save(stream, 'WEBP', quality=80)
    return stream.getvalue()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def opened(page: Path) -> str:
    """Seconds until headless Chromium has read, run and laid out the page, by its own clock."""
    program = shutil.which('chromium') or shutil.which('google-chrome')
    if program is None:
        return 'not measured, Chromium is not installed'
    watch = (
        # asking for a height makes the browser lay the whole page out first
        '<script>document.body.offsetHeight; document.title = "opened " + Math.round(performance.now())'
        ' + " " + document.querySelectorAll("#rows tbody tr").length</script></body>'
    )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / 'group.html'
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', '', page.read_text())
        copy.write_text(text.replace('</body>', watch))
        command = [
            program,
            '--headless=new',
            '--no-sandbox',
            '--disable-gpu',
            '--timeout=15000',
            f'--user-data-dir={folder}/profile',
            '--window-size=1280,900',
            '--dump-dom',
            copy.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r'<title>opened (\d+) (\d+)', done.stdout)
    return f'{int(found[1]) / 1000:.2f}' if found and found[2] == '100' else 'it did not open'


def places(out: Path, faulty: dict[str, str]) -> tuple[list[int], int]:
    """Where the faulty runs stand among those to look at, and how many these are."""
    rows = (out / 'group_outliers.tsv').read_text(encoding='utf-8').splitlines()[1:]
    order = list(dict.fromkeys(row.split('\t')[0] for row in rows))
    return sorted(order.index(name) + 1 for name in faulty if name in order), len(order)


if __name__ == '__main__':
    main()
