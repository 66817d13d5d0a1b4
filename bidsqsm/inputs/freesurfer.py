"""What the values of FreeSurfer's, FastSurfer's and SynthSeg's label images mean, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bidsqsm.atlases.structures import Label, make_label

# value on the left, on the right, name in FreeSurferColorLUT.txt less its side
_PAIRS = (
    (4, 43, 'Lateral-Ventricle'),
    (10, 49, 'Thalamus'),
    (11, 50, 'Caudate'),
    (12, 51, 'Putamen'),
    (13, 52, 'Pallidum'),
    (17, 53, 'Hippocampus'),
    (18, 54, 'Amygdala'),
    (26, 58, 'Accumbens-area'),
    (28, 60, 'VentralDC'),
)
_MIDLINE_STRUCTURES = ((14, '3rd-Ventricle'), (15, '4th-Ventricle'), (16, 'Brain-Stem'))

#: Deep gray matter, ventricles and brain stem: the structures that are measured
MEASURED_LABELS: tuple[Label, ...] = tuple(
    sorted(
        (
            *(make_label(left, f'Left-{name}') for left, _, name in _PAIRS),
            *(make_label(right, f'Right-{name}') for _, right, name in _PAIRS),
            *(make_label(value, name) for value, name in _MIDLINE_STRUCTURES),
        ),
        key=lambda label: label.index,
    )
)

#: Values with a meaning but no row: white matter (2, 41), cortex (3, 42 and from 1000 up),
#: cerebellum (7, 8, 46, 47), fluid (24), choroid plexus, vessels, hypointensities, callosum
_VALUES_WITHOUT_ROW = (
    0,
    2,
    3,
    5,
    7,
    8,
    24,
    30,
    31,
    41,
    42,
    44,
    46,
    47,
    62,
    63,
    72,
    77,
    78,
    79,
    80,
    81,
    82,
    85,
    *range(251, 256),
    *range(1000, 1036),
    *range(2000, 2036),
    *range(3000, 3036),
    *range(4000, 4036),
    5001,
    5002,
    *range(11100, 11176),
    *range(12100, 12176),
)
KNOWN_VALUES = frozenset((*_VALUES_WITHOUT_ROW, *(label.index for label in MEASURED_LABELS)))

#: Below a subject's folder: name of the segmentation and its file, the better first
SEGMENTATIONS = (
    ('FastSurfer', 'mri/aparc.DKTatlas+aseg.deep.mgz'),
    ('FreeSurfer', 'mri/aseg.mgz'),
)
MASKS = ('mri/mask.mgz', 'mri/brainmask.mgz')


def subject_folders(folder: Path, names: Sequence[str]) -> list[Path]:
    """Folders of a subject in a dataset that is, or holds, a FreeSurfer subjects folder.

    Parameters
    ----------
    folder
        The dataset.
    names
        What the subject may be called, such as ``sub-01_ses-a`` and ``sub-01``; the best first.

    """
    roots = (folder, folder / 'sourcedata' / 'freesurfer')
    return [root / name for root in roots for name in names if (root / name / 'mri').is_dir()]
