"""Which anatomical images a dataset has, for the asked subjects and sessions only.

The folders of the asked subjects are listed directly, which takes milliseconds where a PyBIDS
index takes seconds to minutes. PyBIDS serves those who keep a database of a dataset on a slow
file system: it is then asked instead of the folders.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import read_json
from bidsqsm.files.plain_text import escaped
from bidsqsm.files.regular_files import told, unreadable, why_unreadable
from bidsqsm.inputs.names import IMAGE, LABEL, BidsFile, listed, natural, parse
from bidsqsm.inputs.run import Skipped

DATABASE = 'layout_index.sqlite'
GRE = ('MEGRE', 'T2starw')  # always meant for this app; a T1w only where it comes with its phase
_ROOT = 'the root folder of a BIDS dataset'
PHASE = ('phase', 'real', 'imag')


def check_dataset(bids_dir: Path) -> None:
    """Refuse what is not the root of a BIDS dataset, saying what is missing."""
    try:
        is_folder = stat.S_ISDIR(bids_dir.stat().st_mode)
        names = os.listdir(bids_dir) if is_folder else []  # noqa: PTH208 - names are wanted
    except FileNotFoundError as error:
        why = why_unreadable(bids_dir, error)
        raise DatasetError(f'{bids_dir} {why}, expected {_ROOT}') from error
    except (OSError, ValueError) as error:
        raise unreadable(bids_dir, error, _ROOT) from error
    if not is_folder:
        raise DatasetError(f'{bids_dir} is not a folder, expected {_ROOT}')
    description = bids_dir / 'dataset_description.json'
    if description.name not in names:
        above = bids_dir.absolute().parent
        hint = (
            f'give {above}'
            if (above / 'dataset_description.json').is_file()
            else 'give the folder that holds it, or write one with Name and BIDSVersion'
        )
        raise DatasetError(
            f'{bids_dir} is not a BIDS dataset: it has no dataset_description.json; {hint}'
        )
    content = read_json(description)
    if missing := [field for field in ('Name', 'BIDSVersion') if field not in content]:
        raise DatasetError(
            f'{description} lacks {" and ".join(missing)}, expected both Name and BIDSVersion: '
            'add what is missing'
        )


def labels(folder: Path, prefix: str) -> list[str]:
    """Labels of the folders that start with a prefix, in natural order; none where it cannot be listed."""
    try:
        return labelled_folders(folder, prefix)[0]
    except OSError:
        return []


def labelled_folders(folder: Path, prefix: str) -> tuple[list[str], dict[str, str]]:
    """Labels of the folders that start with a prefix, in natural order, and of those out of reach.

    Returns
    -------
    there
        Labels.
    lost
        Labels to a sentence each: links that lead nowhere or back to themselves.

    Raises
    ------
    OSError
        Where the folder itself cannot be listed; one that does not exist has nothing.

    """
    there, lost = [], {}
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if entry.name.startswith(prefix)]
    except FileNotFoundError:
        return [], {}
    for entry in entries:
        label, path = entry.name.removeprefix(prefix), Path(entry.path)
        try:
            if stat.S_ISDIR(path.stat().st_mode) if entry.is_symlink() else entry.is_dir():
                there.append(label)
        except OSError as error:
            lost[label] = f'{path} {why_unreadable(path, error)}'
    return sorted(there, key=natural), lost


def select_subjects(bids_dir: Path, wanted: Sequence[str], troubles: list[Skipped]) -> list[str]:
    """Labels of the asked subjects, or of all, in natural order.

    Parameters
    ----------
    bids_dir
        Root of the dataset.
    wanted
        Labels; all where empty.
    troubles
        Takes the subjects that cannot be looked at.

    Raises
    ------
    DatasetError
        Where an asked one does not exist; it names those that do.

    """
    try:
        there, lost = labelled_folders(bids_dir, 'sub-')
    except OSError as error:
        raise unreadable(bids_dir, error, _ROOT) from error
    asked = {label.removeprefix('sub-') for label in wanted}
    if missing := sorted(asked - {*there, *lost}, key=natural):
        raise DatasetError(
            f'no participant {listed(missing)} in {bids_dir}; there are: {listed(there)}'
        )
    if not there and not lost:
        raise DatasetError(f'{bids_dir} has no sub-<label> folders, expected at least one')
    usable = _usable(bids_dir, 'sub-', there, lost)
    troubles += [
        Skipped({'sub': escaped(label)}, why)
        for label, why in lost.items()
        if not asked or label in asked
    ]
    return [label for label in usable if not asked or label in asked]


def _usable(folder: Path, prefix: str, there: Sequence[str], lost: dict[str, str]) -> list[str]:
    """Leave out folders whose labels no name of a file may have, which are lost."""
    for label in there:
        if not LABEL.fullmatch(label):
            lost[label] = (
                f'{folder / (prefix + label)} is left out, its label is {label!r}, expected '
                'letters, digits and + only: rename it and its files'
            )
    return [label for label in there if label not in lost]


def select_sessions(bids_dir: Path, subjects: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """Labels of the asked sessions, an empty set for all (and for subjects without sessions).

    Raises
    ------
    DatasetError
        Where none of the subjects has an asked one; it names those that they have.

    """
    asked = {label.removeprefix('ses-') for label in wanted}
    if not asked:
        return asked
    there = {ses for sub in subjects for ses in labels(bids_dir / f'sub-{sub}', 'ses-')}
    if missing := sorted(asked - there, key=natural):
        raise DatasetError(
            f'no session {listed(missing)} in {bids_dir} for the asked participants; '
            f'there are: {listed(sorted(there, key=natural))}'
        )
    return asked


def anatomical_images(
    bids_dir: Path,
    subjects: Sequence[str],
    sessions: set[str],
    troubles: list[Skipped],
    database_dir: Path | None = None,
) -> list[BidsFile]:
    """Every image in the ``anat`` folders of these subjects and sessions, in natural order.

    Parameters
    ----------
    bids_dir
        Root of the dataset.
    subjects
        Labels.
    sessions
        Labels; all where empty.
    troubles
        Takes the subjects and sessions whose folders cannot be listed.
    database_dir
        Folder of a PyBIDS database to ask instead of the folders; it is made if absent.

    """
    if database_dir is None:
        paths = [
            path for subject in subjects for path in _walk(bids_dir, subject, sessions, troubles)
        ]
    else:
        with told(database_dir / DATABASE, 'a database of PyBIDS'):
            paths = _ask_database(bids_dir, subjects, database_dir)
    files = [file for path in paths if (file := parse(path)) and file.extension in IMAGE]
    wanted = [f for f in files if not sessions or f.entities.get('ses') in sessions]
    return sorted(wanted, key=lambda file: natural(str(file.path)))


def _walk(bids_dir: Path, subject: str, sessions: set[str], troubles: list[Skipped]) -> list[Path]:
    folder = bids_dir / f'sub-{subject}'
    paths: list[Path] = []
    try:
        there, lost = labelled_folders(folder, 'ses-')
    except OSError as error:
        why = f'{folder} {why_unreadable(folder, error)}'
        troubles.append(Skipped({'sub': subject}, why))
        return []
    places = [] if sessions else [({'sub': subject}, folder)]
    usable = _usable(folder, 'ses-', there, lost)
    asked = {label for label in (*usable, *lost) if not sessions or label in sessions}
    places += [
        ({'sub': subject, 'ses': label}, folder / f'ses-{label}')
        for label in usable
        if label in asked
    ]
    for entities, place in places:
        try:
            paths += _listing(place / 'anat', f'sub-{subject}_')
        except OSError as error:
            anat = place / 'anat'
            why = f'{anat} {why_unreadable(anat, error)}'
            troubles.append(Skipped(entities, why))
    troubles += [
        Skipped({'sub': subject, 'ses': escaped(label)}, why)
        for label, why in lost.items()
        if label in asked
    ]
    return paths


def _listing(folder: Path, prefix: str) -> list[Path]:
    """What is in a folder and starts with a prefix; nothing where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.name.startswith(prefix)]
    except FileNotFoundError:
        if folder.is_symlink():
            raise
        return []


def _ask_database(bids_dir: Path, subjects: Sequence[str], database_dir: Path) -> list[Path]:
    from bids import BIDSLayout

    if not (database_dir / DATABASE).is_file():
        _make_database(bids_dir, database_dir)
    layout = BIDSLayout(bids_dir, validate=False, database_path=database_dir)
    root = Path(layout.root)
    try:
        if not root.is_dir() or not root.samefile(bids_dir):
            raise DatasetError(
                f'{database_dir} indexes {root}, expected {bids_dir}: choose another '
                '--bids-database-dir, or delete this one'
            )
        names = layout.get(subject=list(subjects), datatype='anat', return_type='filename')
    finally:
        layout.connection_manager.session.close()
    return [bids_dir / Path(name).relative_to(root) for name in names]


def _make_database(bids_dir: Path, database_dir: Path) -> None:
    """Index the names of all subjects' anatomical files, and let no one see half a database."""
    from bids import BIDSLayout, BIDSLayoutIndexer

    others = r'^/(?!(sub-[^/]+|dataset_description\.json)(/|$))'
    modalities = r'^/sub-[^/]+/(ses-[^/]+/)?(?!(anat|ses-[^/]+)(/|$))'
    indexer = BIDSLayoutIndexer(
        validate=False,
        index_metadata=False,
        ignore=[re.compile(others), re.compile(modalities)],
    )
    try:
        database_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=database_dir) as folder:
            layout = BIDSLayout(bids_dir, validate=False, database_path=folder, indexer=indexer)
            layout.connection_manager.session.close()
            (Path(folder) / DATABASE).replace(database_dir / DATABASE)
    except OSError as error:
        raise DatasetError(
            f'{database_dir} cannot hold the PyBIDS database ({error.strerror}), expected a '
            'folder that can be written: choose another --bids-database-dir'
        ) from error
