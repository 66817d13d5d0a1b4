"""Run the chain on a real crop of a brain: ``python benchmarks/real_crop.py DIR``.

Makes a BIDS dataset from ``../shared/data/romeo_small`` (51x51x41 voxels of 0.469x0.469x1 mm, three
echoes; MIT licence) and runs bidsqsm on it; look at ``DIR/out/sub-crop.html``. The files do not
record echo times or field strength: 4, 8 and 12 ms (their README's) at 7 T are assumed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib

CROP = Path(__file__).parents[2] / 'shared/data/romeo_small'
ECHO_TIMES = (0.004, 0.008, 0.012)


def main() -> int:
    """Write the dataset, run it."""
    root = Path(sys.argv[1])
    anat = root / 'bids/sub-crop/anat'
    anat.mkdir(parents=True)
    about = {'Name': 'Crop of a brain', 'BIDSVersion': '1.10.0'}
    (root / 'bids/dataset_description.json').write_text(json.dumps(about))
    for part, name in (('mag', 'Mag'), ('phase', 'Phase')):
        image = nib.load(CROP / f'{name}.nii.gz')
        for echo, time in enumerate(ECHO_TIMES, 1):
            stem = anat / f'sub-crop_echo-{echo}_part-{part}_MEGRE'
            image.slicer[..., echo - 1].to_filename(f'{stem}.nii.gz')
            facts = {'EchoTime': time, 'MagneticFieldStrength': 7.0, 'RepetitionTime': 0.03}
            Path(f'{stem}.json').write_text(json.dumps(facts))
    words = [str(root / 'bids'), str(root / 'out'), 'participant', '--skip-bids-validation']
    words += ['--atlases', 'none']  # too small a part of a brain to be registered
    return subprocess.run([sys.executable, '-m', 'bidsqsm', *words], check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
