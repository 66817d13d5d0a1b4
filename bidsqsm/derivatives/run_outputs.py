"""The files of a run in a derivative dataset, of whatever call they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from bidsqsm.derivatives.metrics_files import SUFFIX as METRICS
from bidsqsm.derivatives.products import JOINT_PRODUCTS, PRODUCTS, Product, folder_of
from bidsqsm.inputs.names import BidsFile, listed, parse

_PICTURES = 'figures'
_PICTURE_ENDINGS = ('.png', '.webp')
_NAMES_IN_WORDS = 3


def outputs_of_run(
    output_dir: Path, entities: Mapping[str, str], *, joint: bool = False
) -> list[Path]:
    """Images, tables, transforms and their sidecars that this app wrote for a run.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset.
    entities
        Of the run, all of them: files of a run that has more are not among those of one that has
        fewer.
    joint
        Whether it is a set of orientations, whose files have its own ``desc``.

    """
    products = (JOINT_PRODUCTS if joint else PRODUCTS).values()
    kinds = {(one.folder, one.suffix, one.part, one.desc) for one in products}
    found = []
    for folder in sorted({product.folder for product in products}):
        for path in _files(output_dir / folder_of(entities) / folder):
            file = parse(path)
            more = _besides(file, entities) if file else None
            if file and more is not None and _is_ours(file, folder, more, kinds, joint=joint):
                found.append(path)
    return found


def pictures_of_run(output_dir: Path, entities: Mapping[str, str], *, joint: bool) -> list[Path]:
    """Pictures of a run, as its report has them."""
    folder = output_dir / folder_of({'sub': entities['sub']}) / _PICTURES
    found = []
    for path in _files(folder):
        file = parse(path)
        more = _besides(file, entities) if file and file.extension in _PICTURE_ENDINGS else None
        if more and {*more} == {'desc'} and _is_joint(more['desc']) is joint:
            found.append(path)
    return found


def left_over(found: Iterable[Path], written: Iterable[Path]) -> list[Path]:
    """Those of the files found that neither were written by this call nor belong beside these."""
    stems = {_stem(path) for path in written}
    return [path for path in found if _stem(path) not in stems]


def leftover_sentence(paths: list[Path]) -> str:
    """Say that files of an earlier call lie beside those of this one."""
    names = listed((path.name for path in paths), _NAMES_IN_WORDS)
    verb = 'file' if len(paths) == 1 else 'files'
    return (
        f'{len(paths)} {verb} of an earlier call, which this one did not make, are still among those '
        f'of the run and may come from other settings: {names}. --clean-output removes them.'
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _besides(file: BidsFile, entities: Mapping[str, str]) -> dict[str, str] | None:
    """Entities that a file has besides the run's; None where it is not of the run."""
    if not entities.items() <= file.entities.items():
        return None
    return {key: value for key, value in file.entities.items() if key not in entities}


def _is_ours(
    file: BidsFile,
    folder: str,
    more: Mapping[str, str],
    kinds: set[tuple[str, str, str, str]],
    *,
    joint: bool,
) -> bool:
    desc, keys = more.get('desc', ''), {*more}
    if keys <= {'echo', 'part', 'desc', 'space', 'res'}:
        named = (folder, file.suffix, more.get('part', ''), desc)
        if named in kinds or (file.suffix == METRICS and keys <= {'desc'}):
            return _is_joint(desc) is joint
    if joint:
        return False
    if file.suffix == 'xfm':
        return {'from', 'to'} <= keys <= {'from', 'to', 'mode'}
    if file.suffix == 'dseg':
        return more == {'desc': 'vein'} or {'atlas'} <= keys <= {'atlas', 'desc'}
    return False


@cache
def _joint_descs() -> frozenset[str]:
    made: Iterable[Product] = JOINT_PRODUCTS.values()
    return frozenset(one.desc for one in made)


def _is_joint(desc: str) -> bool:
    return any(desc.startswith(known) for known in _joint_descs())


def _stem(path: Path) -> str:
    return f'{path.parent}/{path.name.partition(".")[0]}'
