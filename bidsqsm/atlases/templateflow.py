"""Files of TemplateFlow: their names, where they lie, and which of them are not there.

The look-up goes by names in TemplateFlow's home and not through its library, which writes to the
home when it is imported, indexes ten thousand names for seconds and goes to the network for a
file that is not there. The library is left for fetching (:mod:`bidsqsm.atlases.fetch`).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from bidsqsm.errors import DatasetError


class MissingTemplate(DatasetError):  # noqa: N818 - it names what is missing
    """Files of templates or atlases that must be fetched before the run; ``files`` names them."""

    def __init__(self, files: Iterable[Path], command: str) -> None:
        self.files = tuple(dict.fromkeys(files))
        names = ', '.join(f'{file.relative_to(home())}' for file in self.files)
        super().__init__(
            f"TemplateFlow's home {home()} lacks {names}: fetch with '{command}' where there is "
            'a network, set TEMPLATEFLOW_HOME to a folder that has them, or go without '
            '(--atlases none)'
        )


@dataclass(frozen=True)
class FlowAtlas:
    """An atlas of TemplateFlow; ``dseg`` is its name without ending, ``kept`` are its labels (all if empty)."""

    template: str
    dseg: str
    license: str
    source: str
    kept: tuple[int, ...] = ()


#: Atlases that are known by name
FLOW_ATLASES: Mapping[str, FlowAtlas] = {
    'MASSP20': FlowAtlas(
        'MNI152NLin2009cAsym',
        'tpl-MNI152NLin2009cAsym_res-01_atlas-MASSP20_dseg',
        'as in tpl-MNI152NLin2009cAsym/LICENSE of TemplateFlow',
        'MASSP 2.0, doi:10.1162/imag_a_00560',
    ),
    'SUIT': FlowAtlas(
        'SUIT',
        'tpl-SUIT_atlas-Diedrichsen2009_dseg',
        'CC BY-NC 3.0: not for commercial use',
        'doi:10.1016/j.neuroimage.2009.01.045, doi:10.1016/j.neuroimage.2010.10.035',
        (29, 30),  # the dentate nuclei; the others are lobules and nuclei without iron of note
    ),
}
DEFAULT_ATLAS = 'MASSP20'
_WITHOUT_RESOLUTION = ('SUIT', 'MNI305', 'MNIColin27')
_WITHOUT_MASK = ('SUIT',)


def home() -> Path:
    """Where TemplateFlow keeps its files: TEMPLATEFLOW_HOME, else ``~/.cache/templateflow``."""
    if given := os.environ.get('TEMPLATEFLOW_HOME'):
        return Path(given).absolute()
    # containers may run without a home
    cache = os.environ.get('XDG_CACHE_HOME') or Path(os.environ.get('HOME', '/')) / '.cache'
    return Path(cache).absolute() / 'templateflow'


def is_there(file: Path) -> bool:
    """Whether a file was fetched; until then it is empty, or a link to nothing, or absent."""
    return file.is_file() and file.stat().st_size > 0


def parse_space(spec: str) -> tuple[str, int | None]:
    """Template and resolution of ``NAME`` or ``NAME:res-N``.

    Examples
    --------
    >>> parse_space('MNI152NLin2009cAsym:res-2'), parse_space('MNI152NLin6Asym')
    (('MNI152NLin2009cAsym', 2), ('MNI152NLin6Asym', None))

    """
    name, colon, rest = spec.partition(':')
    found = re.fullmatch(r'res-0*([1-9]\d?)', rest)
    if not re.fullmatch(r'[A-Za-z0-9]+', name) or (colon and not found):
        raise DatasetError(
            f'{spec} is neither a folder nor a template of TemplateFlow, expected a folder with '
            'template.nii.gz, or NAME or NAME:res-N such as MNI152NLin2009cAsym:res-2'
        )
    return name, int(found[1]) if found else None


def template_files(name: str, resolution: int | None = None) -> tuple[Path, Path | None]:
    """T1w and brain mask of a template, whether they are there or not.

    Parameters
    ----------
    name
        As TemplateFlow has it.
    resolution
        Number of the template's grid, its first where not given.

    Returns
    -------
    t1w : Path
    mask : Path or None
        None for a template that has none.

    """
    folder = home() / f'tpl-{name}'
    number = 1 if resolution is None else resolution
    stems = [f'tpl-{name}_res-{number:02d}', f'tpl-{name}_res-{number}']
    if resolution is None:
        plain = f'tpl-{name}'
        stems = [plain, *stems] if name in _WITHOUT_RESOLUTION else [*stems, plain]
    t1w = [folder / f'{stem}_T1w.nii.gz' for stem in stems]
    # templates differ in the digits of res-; an empty placeholder tells which name it is
    chosen = next((file for file in t1w if file.exists()), t1w[0])
    mask = Path(f'{chosen}'.replace('_T1w.', '_desc-brain_mask.'))
    has_mask = mask.exists() if chosen.exists() else name not in _WITHOUT_MASK
    return chosen, mask if has_mask else None


def atlas_files(name: str) -> tuple[Path, Path]:
    """Label image and label table of a known atlas, whether they are there or not."""
    atlas = FLOW_ATLASES[name]
    folder = home() / f'tpl-{atlas.template}'
    return folder / f'{atlas.dseg}.nii.gz', folder / f'{atlas.dseg}.tsv'


def files_of(atlases: Iterable[str], spaces: Iterable[str]) -> list[Path]:
    """Every file of TemplateFlow that known atlases and output spaces need."""
    files: list[Path | None] = []
    for atlas in atlases:
        files += [*template_files(FLOW_ATLASES[atlas].template), *atlas_files(atlas)]
    for space in spaces:
        files += template_files(*parse_space(space))
    return [file for file in dict.fromkeys(files) if file is not None]


def check_there(atlases: Iterable[str] = (), spaces: Iterable[str] = ()) -> None:
    """Raise MissingTemplate with all files that are not there and the command that gets them."""
    atlases, spaces = list(atlases), list(spaces)
    missing = [file for file in files_of(atlases, spaces) if not is_there(file)]
    if missing:
        raise MissingTemplate(missing, fetch_command(atlases, spaces))


def fetch_command(atlases: Iterable[str], spaces: Iterable[str]) -> str:
    """Give the words that fetch what atlases and spaces need.

    Examples
    --------
    >>> fetch_command(['MASSP20'], [])
    'bidsqsm fetch-templates --atlases MASSP20'

    """
    words = ['bidsqsm', 'fetch-templates']
    for option, names in (('--atlases', atlases), ('--output-spaces', spaces)):
        chosen = list(names)
        words += [option, *chosen] if chosen else []
    return shlex.join(words)


def unknown_atlas(spec: str) -> DatasetError:
    """What is said of an atlas that is neither a known name nor a folder."""
    near = get_close_matches(spec.upper(), FLOW_ATLASES, 1, 0.5)
    meant = f'did you mean {near[0]}?' if near else 'choose one of these'
    return DatasetError(
        f'no atlas {spec}, expected {", ".join(FLOW_ATLASES)} or a folder with template.nii.gz, '
        f'dseg.nii.gz and dseg.tsv: {meant}'
    )
