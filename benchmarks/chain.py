"""Score the whole chain, default options, against the truth of demo heads.

Run ``python benchmarks/chain.py`` (2 mm, every variant) or, for the figures at full size,
``python benchmarks/chain.py --voxel-size 1 1 1 --only straight tilted anisotropic odd``.

Every variant is the same head (same seed), written by ``bidsqsm demo`` and run from wrapped phase
by ``bidsqsm``. Scores are taken on the true brain mask without what lies within 5 mm of a lesion,
whatever part of it was reported (voxels without a value count as zero); ``cover`` is the share of
it that was. ``change`` is the RMS over the nuclei of the difference in their means from the first
variant, in ppb; it is given where the grid is the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from bidsqsm.qsm import lesion_scores, mask_overlap, metrics
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.phantom.labels import LESIONS, NUCLEUS_VALUES

TILT = ['--tilt', 'x', '20', '--tilt', 'y', '15']
VARIANTS: Mapping[str, list[str]] = {
    'straight': [],
    'tilted': TILT,
    'anisotropic': ['--voxel-size', '0.8', '0.8', '2'],
    'odd': ['--odd'],
    'siemens': ['--phase-convention', 'siemens'],
    'siemens-signed': ['--phase-convention', 'siemens-signed'],
    'philips': ['--phase-convention', 'philips'],
    'ge': ['--phase-convention', 'ge'],
    'opposite': ['--phase-convention', 'opposite'],
    'bipolar': ['--bipolar'],
    'coils': ['--coils', '8'],
}
COLUMNS = ('cover', 'nrmse', 'xsim', 'nuclei', 'slope', 'hfen', 'median', 'off', 'change')
LESION_MARGIN = 5.0  # mm


def main() -> None:
    """Make, run and score every variant asked for; print one line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', nargs=3, default=['2', '2', '2'], metavar=('X', 'Y', 'Z'))
    parser.add_argument('--seed', default='5')
    parser.add_argument('--only', nargs='+', choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument('--keep', type=Path, help='folder to keep datasets and outputs in')
    parser.add_argument('--option', action='append', default=[], help='passed on to bidsqsm')
    args = parser.parse_args()
    print(f'{"variant":15s}' + ''.join(f'{name:>9s}' for name in COLUMNS))
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        first: dict[int, float] = {}
        for name in args.only:
            dataset, output = make(root / name, variant(name, args.voxel_size, args.seed))
            run(dataset, output, root / 'work' / name, args.option)
            scores, nuclei = score(dataset, output)
            if name not in ('tilted', 'anisotropic', 'odd'):
                first = first or nuclei
                gaps = [nuclei[value] - first[value] for value in nuclei]
                scores['change'] = float(np.sqrt(np.mean(np.square(gaps))))
            cells = (f'{scores[c]:9.3f}' if c in scores else f'{"":9s}' for c in COLUMNS)
            print(f'{name:15s}' + ''.join(cells), flush=True)


def variant(name: str, voxel_size: list[str], seed: str) -> list[str]:
    """Options of ``bidsqsm demo`` for a variant."""
    options = VARIANTS[name]
    size = [] if '--voxel-size' in options else ['--voxel-size', *voxel_size]
    if options == ['--odd']:
        cover = (191, 223, 187)
        shape = [int(c / float(v)) // 2 * 2 + 1 for c, v in zip(cover, voxel_size, strict=True)]
        options = ['--shape', *map(str, shape)]
    return [*size, '--no-t1w', '--seed', seed, *options]


def make(folder: Path, options: list[str]) -> tuple[Path, Path]:
    """Write the dataset, unless it is there; name its output."""
    dataset = folder / 'bids'
    if not dataset.exists():
        call('demo', str(dataset), *options)
    return dataset, folder / 'out'


def run(dataset: Path, output: Path, work: Path, options: list[str]) -> None:
    """Run the app as a user would."""
    call(
        str(dataset),
        str(output),
        'participant',
        '-w',
        str(work),
        '--skip-bids-validation',
        '--atlases',
        str(dataset / 'derivatives/atlas'),
        *options,
    )


def call(*words: str) -> None:
    """Call the command line in a process of its own, quietly unless it fails."""
    done = subprocess.run(
        [sys.executable, '-m', 'bidsqsm', *words], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f'bidsqsm {" ".join(words)} failed:\n{done.stdout}{done.stderr}')


def score(dataset: Path, output: Path) -> tuple[dict[str, float], dict[int, float]]:
    """Scores of one output, and the mean of every nucleus less that of the brain, in ppb."""
    truth, found = dataset / 'derivatives/truth/sub-01', output / 'sub-01'
    true_chi, affine = load(truth / 'anat/sub-01_Chimap.nii.gz')
    chi, _ = load(found / 'anat/sub-01_Chimap.nii.gz')
    brain = load(truth / 'anat/sub-01_desc-brain_mask.nii.gz')[0] > 0
    labels = load(truth / 'anat/sub-01_dseg.nii.gz')[0].astype(int)
    reported = load(found / 'anat/sub-01_desc-qsm_mask.nii.gz')[0] > 0
    grid = Grid.from_affine(chi.shape, affine)
    mask = lesion_scores.away_from(brain, labels, LESIONS, grid, LESION_MARGIN)
    full = metrics.score(chi, true_chi, labels, mask, NUCLEUS_VALUES)
    hertz = [
        load(folder / 'fmap/sub-01_desc-total_fieldmap.nii.gz')[0][brain]
        for folder in (found, truth)
    ]
    error = np.abs(hertz[0] - hertz[1]) / (3 * 42.577478518)
    scores = {
        'cover': mask_overlap.coverage(reported, mask),
        'nrmse': full['nrmse'],
        'xsim': full['xsim'],
        'nuclei': full['roi_error'],
        'slope': full['slope'],
        'hfen': full['hfen'],
        'median': 1000 * float(np.median(error)),
        'off': 100 * float(np.mean(error > 0.1)),
    }
    zero = np.zeros_like(chi)
    means = metrics.roi_errors(chi, zero, labels, mask, NUCLEUS_VALUES)
    return scores, {value: 1000 * mean for value, mean in means.items()}


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values and affine of an image."""
    image = nib.load(path)
    return image.get_fdata(dtype=np.float32), image.affine


if __name__ == '__main__':
    main()
