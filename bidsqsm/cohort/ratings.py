"""What people decided about runs when they looked at their pages: keep, exclude or unsure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.files.regular_files import read_text

#: From the best to the worst.
RATINGS = ('keep', 'unsure', 'exclude')

#: Columns of a file of ratings, in the order in which a page writes them.
COLUMNS = ('run', 'rating', 'comment', 'rater', 'date')


@dataclass(frozen=True)
class Rating:
    """What one person decided about one run on one day.

    Parameters
    ----------
    run
        Name of the run, such as ``sub-01_ses-1_run-2``.
    rating
        One of ``RATINGS``.
    comment, rater
        Empty where nothing was written.
    date
        ``yyyy-mm-dd``.

    """

    run: str
    rating: str
    comment: str = ''
    rater: str = ''
    date: str = ''


@dataclass(frozen=True)
class AgreedRating:
    """What all raters of a run come to.

    Parameters
    ----------
    run
        Name of the run.
    rating
        The worst that a rater gave.
    ratings
        The newest rating of each rater, in the order of their names.

    """

    run: str
    rating: str
    ratings: tuple[Rating, ...]

    @property
    def comments(self) -> tuple[str, ...]:
        """What was written, with the name of who wrote it where there is one."""
        return tuple(
            f'{one.rater}: {one.comment}' if one.rater else one.comment
            for one in self.ratings
            if one.comment
        )

    @property
    def disagreement(self) -> str:
        """Who gave what where raters do not agree, else empty."""
        if len({one.rating for one in self.ratings}) < 2:
            return ''
        return ', '.join(f'{one.rater or "no name"}: {one.rating}' for one in self.ratings)


def read_ratings(output_dir: Path, named: Iterable[Path] = ()) -> tuple[list[Rating], list[str]]:
    """Read every file of ratings of a derivative dataset.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset: ``*_ratings.tsv`` in it and in its folder ``ratings``.
    named
        Files from elsewhere, under any name.

    Returns
    -------
    ratings
        Row by row; see :func:`settle`. A file that is named twice is read once.
    troubles
        A sentence for each file of the dataset that cannot be read.

    Raises
    ------
    DatasetError
        Where one of the named files cannot be read.

    """
    ratings, troubles = [], []
    given = {path.resolve(): path for path in named}
    for path in given.values():
        ratings += read_rating_file(path)
    for path in rating_files(output_dir):
        if path.resolve() in given:
            continue
        try:
            ratings += read_rating_file(path)
        except DatasetError as error:
            troubles.append(f'{error}: it was left out')
    return ratings, troubles


def rating_files(output_dir: Path) -> list[Path]:
    """The files of ratings that lie in a derivative dataset."""
    folders = (output_dir, output_dir / 'ratings')
    return [path for folder in folders for path in sorted(folder.glob('*_ratings.tsv'))]


def read_rating_file(path: Path) -> list[Rating]:
    """Read one file of ratings; empty lines are left out."""
    try:
        lines = read_text(path).split('\n')
    except (OSError, ValueError) as error:
        raise DatasetError(
            f'{path} cannot be read ({error}), expected a table of ratings in UTF-8'
        ) from error
    rows = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    head = rows[0][1] if rows else []
    if sorted(head) != sorted(COLUMNS):
        raise DatasetError(
            f'{path} has {", ".join(head) or "no rows"}, expected exactly the columns '
            f'{", ".join(COLUMNS)}, parted by tabs: write them into its first line'
        )
    return [_rating(head, cells, f'{path}, line {number}') for number, cells in rows[1:]]


def settle(ratings: Sequence[Rating]) -> Mapping[str, AgreedRating]:
    """What the raters of every run come to.

    Of each rater the newest rating counts, the worse one of two of the same day; of all raters,
    the worst. A rating without a name is that of one more rater.

    Parameters
    ----------
    ratings
        As :func:`read_ratings` gives them, in any order.

    Returns
    -------
    settled
        By the name of the run, sorted.

    Examples
    --------
    >>> told = settle([Rating('sub-01', 'exclude', '', 'Ada', '2025-01-01'),
    ...                Rating('sub-01', 'keep', '', 'Ada', '2025-02-01'),
    ...                Rating('sub-01', 'unsure', 'streaks', 'Ben', '2025-01-01')])
    >>> told['sub-01'].rating, told['sub-01'].disagreement
    ('unsure', 'Ada: keep, Ben: unsure')

    """
    newest: dict[tuple[str, str], Rating] = {}
    for one in sorted(ratings, key=lambda one: (one.date, RATINGS.index(one.rating), one.comment)):
        newest[one.run, one.rater] = one
    by_run: dict[str, list[Rating]] = {}
    for (run, _), one in sorted(newest.items()):
        by_run.setdefault(run, []).append(one)
    return {
        run: AgreedRating(run, max((one.rating for one in own), key=RATINGS.index), tuple(own))
        for run, own in by_run.items()
    }


def _cells(line: str) -> list[str]:
    return [_unquoted(cell.strip()) for cell in line.split('\t')]


def _unquoted(cell: str) -> str:
    # a page writes no quotes around a cell, a spreadsheet may
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', cell)
    return quoted[1].replace('""', '"').strip() if quoted else cell


def _rating(head: Sequence[str], cells: Sequence[str], where: str) -> Rating:
    if len(cells) > len(head):
        raise DatasetError(
            f'{where} has {len(cells)} cells, expected {len(head)}: take tabs out of the comment'
        )
    row = dict.fromkeys(head, '') | dict(zip(head, cells, strict=False))
    row = {name: '' if cell.lower() == 'n/a' else cell for name, cell in row.items()}
    if not row['run']:
        raise DatasetError(f'{where} names no run, expected one such as sub-01: write its name')
    row['rating'] = row['rating'].lower()
    if row['rating'] not in RATINGS:
        raise DatasetError(
            f'{where} has the rating {row["rating"]!r}, expected keep, unsure or exclude: mend it'
        )
    if not _is_day(row['date']):
        raise DatasetError(
            f'{where} has the date {row["date"]!r}, expected one such as 2025-03-31: mend it'
        )
    return Rating(**row)


def _is_day(text: str) -> bool:
    if not re.fullmatch(r'\d{4}-\d{2}-\d{2}', text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
