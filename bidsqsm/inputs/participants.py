"""What participants.tsv and the sessions.tsv of a dataset say, every column as it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlparse

from bidsqsm.files.json_files import load_json
from bidsqsm.files.regular_files import why_unreadable
from bidsqsm.files.tsv_files import NOTHING, read_rows
from bidsqsm.inputs.names import listed

PARTICIPANTS = 'participants.tsv'
Row = Mapping[str, str]


@dataclass(frozen=True)
class Participants:
    """Participants and their sessions.

    Attributes
    ----------
    columns
        Of both tables, the one that names the participant or session left out.
    participants
        Rows by the label of the participant.
    sessions
        Rows by the labels of participant and session.

    """

    columns: tuple[str, ...] = ()
    participants: Mapping[str, Row] = field(default_factory=dict)
    sessions: Mapping[tuple[str, str], Row] = field(default_factory=dict)

    def of(self, subject: str, session: str = '') -> dict[str, str]:
        """Every column of a participant; what the session's row says comes first."""
        own = dict(self.participants.get(subject, {}))
        row = self.sessions.get((subject, session), {})
        own.update({name: value for name, value in row.items() if value != NOTHING})
        return {name: own.get(name, NOTHING) for name in self.columns}


def read_participants(
    bids_dir: Path, subjects: Iterable[str], troubles: list[str]
) -> Participants:
    """Read participants.tsv, and the sessions.tsv of these subjects where there are any.

    Parameters
    ----------
    bids_dir
        Root of the dataset.
    subjects
        Labels of those whose sessions are looked for.
    troubles
        Takes a sentence for each file that cannot be read; the others are.

    """
    participants = {
        row['participant_id'].removeprefix('sub-'): row
        for row in _rows(bids_dir / PARTICIPANTS, 'participant_id', troubles)
    }
    sessions = {
        (subject, row['session_id'].removeprefix('ses-')): row
        for subject in subjects
        for row in _rows(
            bids_dir / f'sub-{subject}' / f'sub-{subject}_sessions.tsv', 'session_id', troubles
        )
    }
    rows = [*participants.values(), *sessions.values()]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = tuple(n for n in names if n not in ('participant_id', 'session_id', ''))
    return Participants(columns, participants, sessions)


def _rows(path: Path, key: str, troubles: list[str]) -> Sequence[Row]:
    try:
        read = read_rows(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError) or path.is_symlink():
            troubles.append(f'{path} {why_unreadable(path, error)}')
        return []
    except ValueError as error:
        troubles.append(f'{path} cannot be read ({error}), expected a table in UTF-8: mend it')
        return []
    rows = [{f'{k}': (v or '').strip() or NOTHING for k, v in row.items() if k} for row in read]
    if rows and key not in rows[0]:
        troubles.append(
            f'{path} has the columns {listed(rows[0])}, expected {key} among them: name it so'
        )
        return []
    return rows


def ages_of(root: Path, troubles: list[str]) -> dict[str, float]:
    """Age of every participant of a dataset, from the ``age`` column of participants.tsv.

    Parameters
    ----------
    root
        Folder of a dataset. A derivative dataset without the file is asked for that of the dataset
        it was made from, where its description links one as ``raw``.
    troubles
        Takes a sentence where the table cannot be read.

    Returns
    -------
    ages
        In years, by the label of the participant; who has no age that is a number is left out.

    """
    for folder in (root, _raw_of(root)):
        rows = [] if folder is None else _rows(folder / PARTICIPANTS, 'participant_id', troubles)
        if rows or troubles:
            found = {
                row['participant_id'].removeprefix('sub-'): _years(row.get('age')) for row in rows
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
