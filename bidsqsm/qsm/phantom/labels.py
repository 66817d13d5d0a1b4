"""Names of the values in a label map."""

from __future__ import annotations

from bidsqsm.qsm.phantom.painting import LABEL_CALCIFICATION, LABEL_MICROBLEED, LABEL_VEIN
from bidsqsm.qsm.phantom.sampling import LABEL_CSF, LABEL_GRAY, LABEL_WHITE
from bidsqsm.qsm.phantom.tissue import NUCLEI

#: Value and name of every label; nuclei come left, then right
LABELS: dict[int, str] = {
    2 * index + 1 + side: f'{("left", "right")[side]}_{name}'
    for index, name in enumerate(NUCLEI)
    for side in range(2)
} | {
    LABEL_WHITE: 'white_matter',
    LABEL_GRAY: 'gray_matter',
    LABEL_CSF: 'csf',
    LABEL_VEIN: 'vein',
    LABEL_CALCIFICATION: 'calcification',
    LABEL_MICROBLEED: 'microbleed',
}
LESIONS = (LABEL_CALCIFICATION, LABEL_MICROBLEED)
NUCLEUS_VALUES = tuple(range(1, 2 * len(NUCLEI) + 1))
