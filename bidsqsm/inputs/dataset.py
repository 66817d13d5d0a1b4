"""Which anatomical images a dataset has, for the asked subjects and sessions only.

The folders of the asked subjects are listed directly, which takes milliseconds where a PyBIDS
index takes seconds to minutes. PyBIDS serves those who keep a database of a dataset on a slow
file system: it is then asked instead of the folders.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import read_json
from bidsqsm.inputs.names import IMAGE, BidsFile, listed, natural, parse

DATABASE = 'layout_index.sqlite'
GRE = ('MEGRE', 'T2starw')  # always meant for this app; a T1w only where it comes with its phase
PHASE = ('phase', 'real', 'imag')


def check_dataset(bids_dir: Path) -> None:
    """Refuse what is not the root of a BIDS dataset, saying what is missing."""
    if not bids_dir.is_dir():
        what = 'is not a folder' if bids_dir.exists() else 'does not exist'
        raise DatasetError(f'{bids_dir} {what}, expected the root folder of a BIDS dataset')
    description = bids_dir / 'dataset_description.json'
    if not description.is_file():
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
    """Labels of the folders that start with a prefix, in natural order; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.startswith(prefix) and e.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((name.removeprefix(prefix) for name in names), key=natural)


def select_subjects(bids_dir: Path, wanted: Sequence[str]) -> list[str]:
    """Labels of the asked subjects, or of all, in natural order.

    Raises
    ------
    DatasetError
        Where an asked one does not exist; it names those that do.

    """
    there = labels(bids_dir, 'sub-')
    asked = {label.removeprefix('sub-') for label in wanted}
    if missing := sorted(asked - set(there), key=natural):
        raise DatasetError(
            f'no participant {listed(missing)} in {bids_dir}; there are: {listed(there)}'
        )
    if not there:
        raise DatasetError(f'{bids_dir} has no sub-<label> folders, expected at least one')
    return [label for label in there if not asked or label in asked]


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
    bids_dir: Path, subjects: Sequence[str], sessions: set[str], database_dir: Path | None = None
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
    database_dir
        Folder of a PyBIDS database to ask instead of the folders; it is made if absent.

    """
    if database_dir is None:
        paths = [path for subject in subjects for path in _walk(bids_dir, subject)]
    else:
        paths = _ask_database(bids_dir, subjects, database_dir)
    files = [file for path in paths if (file := parse(path)) and file.extension in IMAGE]
    wanted = [f for f in files if not sessions or f.entities.get('ses') in sessions]
    return sorted(wanted, key=lambda file: natural(str(file.path)))


def _walk(bids_dir: Path, subject: str) -> list[Path]:
    folder = bids_dir / f'sub-{subject}'
    places = [folder, *(folder / f'ses-{label}' for label in labels(folder, 'ses-'))]
    return [path for place in places for path in (place / 'anat').glob(f'sub-{subject}_*')]


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
