"""What participants.tsv says of a subject."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import unquote, urlparse

from bidsqsm.io.json_files import load_json
from bidsqsm.io.tsv_files import read_rows


def ages_of(root: Path) -> dict[str, float]:
    """Age of every participant of a dataset, from the ``age`` column of participants.tsv.

    Parameters
    ----------
    root
        Folder of a dataset. A derivative dataset without the file is asked for that of the dataset
        it was made from, where its description links one as ``raw``.

    Returns
    -------
    ages
        In years, by the label of the participant; who has no age that is a number is left out.

    """
    for folder in (root, _raw_of(root)):
        path = folder and folder / 'participants.tsv'
        if path and path.is_file():
            found = {
                f'{row.get("participant_id")}'.removeprefix('sub-'): _years(row.get('age'))
                for row in read_rows(path)
            }
            return {label: age for label, age in found.items() if math.isfinite(age)}
    return {}


def _years(text: str | None) -> float:
    try:
        return float((text or '').strip())
    except ValueError:  # n/a, or 89+ for whom the age is withheld
        return math.nan


def _raw_of(root: Path) -> Path | None:
    try:
        about = load_json(root / 'dataset_description.json')
        address = about['DatasetLinks']['raw']
    except (OSError, ValueError, KeyError, TypeError):
        return None
    parts = urlparse(f'{address}')
    if parts.scheme not in ('', 'file'):
        return None
    return root / unquote(parts.path)


__all__ = ['ages_of']
