"""Checksums of TemplateFlow's files: whether they still hold what was published or fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from bidsqsm.atlases.templateflow import home, is_there
from bidsqsm.files.json_files import load_json, write_json

#: MD5 that TemplateFlow publishes, in the git-annex keys of github.com/templateflow/tpl-SUIT, and
#: of tables as the package templateflow brings them.
PUBLISHED_MD5: Mapping[str, str] = {
    'tpl-SUIT_T1w.nii.gz': 'b5d02f6ea8533953ee7d8eeafcb3e795',
    'tpl-SUIT_atlas-Diedrichsen2009_dseg.nii.gz': '262bae4eac672d9b0d15c99446b0343c',
    'tpl-SUIT_atlas-Diedrichsen2009_dseg.tsv': '78bc9fad43f9c02ecfac74a03de44144',
    'tpl-MNI152NLin2009cAsym_res-01_atlas-MASSP20_dseg.tsv': 'cce9fafdc2a56b507b7fb7b54003b85d',
}
_RECORD = 'bidsqsm_checksums.json'


def record_fetched(files: Iterable[Path]) -> None:
    """Write down what fetched files hold, in TemplateFlow's home; it goes before what is published."""
    fetched = {file.name: _md5(file) for file in files}
    if fetched:
        write_json(home() / _RECORD, {**_recorded(), **fetched})


def is_as_known(file: Path) -> bool:
    """Whether a file holds what it did when it was fetched, or what is published of it."""
    known = {**PUBLISHED_MD5, **_recorded()}.get(file.name)
    return known is None or _md5(file) == known


def is_as_published(file: Path) -> bool:
    """Whether a file holds what is published of it, as far as that is known."""
    return PUBLISHED_MD5.get(file.name) in (None, _md5(file))


def changed_files(files: Iterable[Path]) -> list[str]:
    """A sentence for each of these files of TemplateFlow's home that holds something else."""
    root = home()
    return [
        f'{file} does not hold what TemplateFlow gave (its MD5 is {_md5(file)}): remove it and get it '
        'anew with bidsqsm fetch-templates, unless it was changed on purpose.'
        for file in dict.fromkeys(files)
        if file.is_relative_to(root) and is_there(file) and not is_as_known(file)
    ]


def _recorded() -> dict[str, str]:
    try:
        content = load_json(home() / _RECORD)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _md5(file: Path) -> str:
    # what TemplateFlow publishes; who may write to its home may write to the record as well
    with file.open('rb') as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
