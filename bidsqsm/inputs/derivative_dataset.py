"""Which files of a derivative dataset were made of a run, and which of its T1w."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import read_json
from bidsqsm.files.regular_files import unreadable
from bidsqsm.inputs.names import BidsFile, in_order, natural, parse
from bidsqsm.inputs.run import GreRun

# entities that say what a derivative is, not of which image it was made
DERIVATIVE_ENTITIES = (
    'desc',
    'atlas',
    'seg',
    'label',
    'res',
    'den',
    'echo',
    'part',
    'from',
    'to',
    'mode',
)
SELF = 'bidsqsm'


@dataclass(frozen=True)
class DerivativeDataset:
    """What a derivative dataset has of the subject of a run.

    Parameters
    ----------
    name, folder
        Of the dataset.
    makers
        Names of the apps that made it, as far as it says so.
    run
        The run.
    t1w
        Entities of its T1w as it was found; None where it has none.
    files
        All that have a BIDS name, one folder deep, in the folders of the subject, of the session
        of the run and of that of its T1w; those with most entities first.

    """

    name: str
    folder: Path
    makers: tuple[str, ...]
    run: GreRun
    t1w: Mapping[str, str] | None
    files: tuple[BidsFile, ...]

    @classmethod
    def of(
        cls, name: str, folder: Path, run: GreRun, t1w: Mapping[str, str] | None
    ) -> DerivativeDataset:
        """Look through a dataset."""
        places = _places(folder, run, t1w)
        files = _parsed(path for place in places for path in _below(place))
        return cls(name, folder, _makers(folder), run, t1w, files)

    @property
    def is_own(self) -> bool:
        """Whether an earlier call of this app made it."""
        return SELF in self.makers

    def of_run(self, file: BidsFile) -> bool:
        """Whether all entities of a file are those of the run, and it is in its space."""
        in_space = file.entities.get('space', 'orig') == 'orig'
        return in_space and origin(file).items() <= self.run.entities.items()

    def of_t1w(self, file: BidsFile) -> bool:
        """Whether a file may be in the space of the T1w.

        All its entities are those of the T1w, or those of the run as long as none contradicts
        the T1w; in a dataset of this app they are those of the run.
        """
        own = origin(file).items()
        if file.entities.get('space', 'T1w') != 'T1w':
            return False
        if self.t1w is None or self.is_own:
            return own <= self.run.entities.items()
        agrees = all(self.t1w.get(key, value) == value for key, value in own)
        return own <= self.t1w.items() or (own <= self.run.entities.items() and agrees)

    def subject_names(self) -> list[str]:
        """What FreeSurfer may call the subject: with the session of the T1w, or without."""
        subject = f'sub-{self.run.entities["sub"]}'
        session = (self.run.entities if self.t1w is None else self.t1w).get('ses')
        return [f'{subject}_ses-{session}', subject] if session else [subject]

    def loose(self, word: str) -> list[BidsFile]:
        """Images anywhere below the subject that have a word in their names, BIDS or not.

        Their entities are the pairs among the words of the name, and the session's folder; the
        suffix is the first word that is no pair.
        """
        subject = self.folder / f'sub-{self.run.entities["sub"]}'
        paths = sorted(subject.rglob(f'*{word}*.nii*'), key=lambda path: natural(str(path)))
        return [_loosely(path, subject) for path in paths]


def origin(file: BidsFile) -> dict[str, str]:
    """Entities that say of which image a derivative was made."""
    space = () if file.entities.get('space') not in ('orig', 'T1w') else ('space',)
    return {
        key: v for key, v in file.entities.items() if key not in (*DERIVATIVE_ENTITIES, *space)
    }


def _places(folder: Path, run: GreRun, t1w: Mapping[str, str] | None) -> list[Path]:
    subject = folder / f'sub-{run.entities["sub"]}'
    sessions = dict.fromkeys(e['ses'] for e in (run.entities, t1w or {}) if 'ses' in e)
    return [*(subject / f'ses-{label}' for label in sessions), subject]


def _below(place: Path) -> Iterator[Path]:
    """What is in the folders of a folder, where there is one."""
    try:
        for entry in place.iterdir() if place.exists() else ():
            if entry.is_dir():
                yield from entry.iterdir()
    except OSError as error:
        raise unreadable(Path(error.filename or place), error, 'a folder') from error


def _parsed(paths: Iterable[Path]) -> tuple[BidsFile, ...]:
    files: Sequence[BidsFile] = [file for path in paths if (file := parse(path))]
    return tuple(sorted(files, key=lambda f: (-len(origin(f)), natural(f.name))))


def _makers(folder: Path) -> tuple[str, ...]:
    description = folder / 'dataset_description.json'
    try:
        made_by = read_json(description).get('GeneratedBy', []) if description.is_file() else []
    except DatasetError:
        return ()  # nothing but the maker's name is wanted of it
    entries = made_by if isinstance(made_by, list) else []
    return tuple(str(entry.get('Name', '')) for entry in entries if isinstance(entry, dict))


def _loosely(path: Path, subject: Path) -> BidsFile:
    stem, dot, rest = path.name.partition('.')
    words = stem.split('_')
    pairs = {'sub': subject.name.removeprefix('sub-')}
    for word in (*path.relative_to(subject).parts[:-1], *words):
        key, dash, label = word.partition('-')
        if dash and (key == 'ses' or word in words):
            pairs[key] = label
    suffix = next((word for word in words if '-' not in word), '')
    return BidsFile(path, in_order(pairs), suffix, dot + rest)
