"""The form in which a person rates the runs of a page, and what was rated before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsqsm.cohort.ratings import AgreedRating, read_ratings, settle

#: In the order of the form.
CHOICES: Mapping[str, str] = {'keep': 'Keep', 'unsure': 'Unsure', 'exclude': 'Exclude'}


@dataclass(frozen=True)
class EarlierRatings:
    """Ratings that lie in a derivative dataset, by the name of the run, and files in doubt."""

    settled: Mapping[str, AgreedRating] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def earlier_ratings(output_dir: Path) -> EarlierRatings:
    """Read the ratings of a dataset; a file that cannot be read is told, and the others used."""
    ratings, troubles = read_ratings(output_dir)
    return EarlierRatings(settle(ratings), tuple(troubles))
