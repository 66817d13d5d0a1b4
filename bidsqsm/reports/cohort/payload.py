"""What the script of the cohort's page works on: numbers, words and pictures as JSON."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from bidsqsm.cohort.columns import Column
from bidsqsm.cohort.flags import CohortFlags
from bidsqsm.cohort.gather import Cohort
from bidsqsm.cohort.outliers import Compared
from bidsqsm.cohort.run_files import CohortRun, number
from bidsqsm.files.tsv_files import NOTHING

#: Bytes that all pictures of a page may have together, before they are written as text
PICTURES = 7_000_000
_REASONS = 12  # of one run that are told
_VALUES_OF_CHOICE = 24  # different values that a column of choices has at most
_CODES_OF_COLUMN = 6  # different whole numbers that are codes rather than amounts


def page_data(cohort: Cohort, judged: CohortFlags) -> dict[str, Any]:
    """Runs, people, protocols and columns of numbers, each as parallel lists."""
    protocols = sorted(
        {str(p) for p, run in zip(judged.protocols, cohort.runs, strict=True) if run.acquisition}
    )
    return {
        'runs': _runs(cohort, judged, protocols),
        'protocols': protocols,
        'people': [_person(cohort, name) for name in cohort.people.columns],
        'columns': [
            _column(column, compared)
            for column, compared in zip(judged.columns, judged.compared, strict=True)
        ],
    }


def _runs(cohort: Cohort, judged: CohortFlags, protocols: Sequence[str]) -> dict[str, list[Any]]:
    rows = [_run(cohort, judged, protocols, *item) for item in enumerate(cohort.runs)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _run(
    cohort: Cohort, judged: CohortFlags, protocols: Sequence[str], place: int, run: CohortRun
) -> dict[str, Any]:
    rated = cohort.ratings.get(run.name)
    flags = judged.flags[place]
    return {
        'name': run.name,
        'status': run.status,
        'reason': run.reason,
        'warnings': list(run.warnings),
        'rating': rated.rating if rated else '',
        'comments': '; '.join([*rated.comments, *filter(None, [rated.disagreement])])
        if rated
        else '',
        'flags': len(flags),
        'score': round(judged.score(place), 2),
        'why': [flag.text for flag in flags[:_REASONS]],
        'protocol': protocols.index(str(judged.protocols[place])) if run.acquisition else None,
        'page': run.page,
        'viewer': run.viewer,
    }


def _person(cohort: Cohort, name: str) -> dict[str, Any]:
    texts = [cohort.people.of(run.subject, run.session)[name] for run in cohort.runs]
    numbers = [_number(text) for text in texts]
    known = [text for text in texts if text != NOTHING]
    levels = set(known)
    numeric = bool(known) and all(
        n is not None for n, t in zip(numbers, texts, strict=True) if t != NOTHING
    )
    codes = len(levels) <= _CODES_OF_COLUMN and all(text.lstrip('-').isdigit() for text in levels)
    if numeric and not codes:
        return {'name': name, 'kind': 'number', 'values': numbers}
    kind = 'choice' if len(levels) <= _VALUES_OF_CHOICE else 'text'
    return {'name': name, 'kind': kind, 'values': texts}


def _number(text: str) -> float | None:
    value = number(text)
    return value if math.isfinite(value) else None


def _column(column: Column, compared: Compared) -> dict[str, Any]:
    out = np.flatnonzero(compared.outliers(column.measure.better))
    low, high = column.published
    return {
        'key': column.key,
        'title': column.title,
        'unit': column.unit,
        'group': column.group,
        'about': column.about,
        'better': column.measure.better,
        'side': column.side,
        'range': [low, high] if math.isfinite(low) else None,
        'values': [_short(value) for value in column.values],
        'z': {int(run): round(float(compared.z[run]), 1) for run in out},
    }


def _short(value: float) -> float | None:
    """A number with four digits, which are enough for a plot and take little room."""
    return float(f'{value:.4g}') if math.isfinite(value) else None


def pictures(runs: Sequence[CohortRun], limit: int = PICTURES) -> list[str]:
    """Thumbnail of every run as base64, empty where there is none that can be read.

    Parameters
    ----------
    runs
        In the order of the page.
    limit
        Bytes that they may have together; beyond it all are made smaller.
    """
    read = [_bytes(run) for run in runs]
    total = sum(map(len, read))
    if total > limit:
        scale = math.sqrt(limit / total)
        read = [_smaller(picture, scale) for picture in read]
    return [base64.b64encode(picture).decode() for picture in read]


def _bytes(run: CohortRun) -> bytes:
    try:
        content = run.thumbnail.read_bytes() if run.thumbnail else b''
    except OSError:
        return b''
    # what is no picture would only show as a broken one
    return content if content[:4] == b'RIFF' and content[8:12] == b'WEBP' else b''


def _smaller(picture: bytes, scale: float) -> bytes:
    try:
        with Image.open(io.BytesIO(picture)) as image:
            size = [max(1, round(scale * length)) for length in image.size]
            shrunk = image.convert('L').resize((size[0], size[1]), Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError):
        return b''
    stream = io.BytesIO()
    shrunk.save(stream, 'WEBP', quality=70)
    return stream.getvalue()


def as_script(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON that no text in it can end early, wherever it stands in a page."""
    text = json.dumps(content, ensure_ascii=False, separators=(',', ':'), allow_nan=False)
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')
