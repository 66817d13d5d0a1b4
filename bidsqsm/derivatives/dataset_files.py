"""The files at the root of a derivative dataset; the same bytes from every job that writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bidsqsm import __version__
from bidsqsm.derivatives.products import JOINT_PRODUCTS, PRODUCTS
from bidsqsm.derivatives.sidecars import absolute
from bidsqsm.errors import DatasetError
from bidsqsm.files.atomic import write_text
from bidsqsm.files.json_files import as_json, read_json
from bidsqsm.files.tsv_files import as_tsv

BIDS_VERSION = '1.10.0'
CODE_URL = 'https://pypi.org/project/bidsqsm/'

#: Reports, logs and products that the schema does not know yet. A pattern with a trailing
#: slash (``figures/``) does not silence a folder, a bare name does.
BIDSIGNORE = (
    '*.html',
    'logs',
    'log',
    'figures',
    '*_xfm.*',
    '*_swi.*',
    '*_minIP.*',
    '*_ironmap.*',
    '*_gadoliniummap.*',
    '*_metrics.*',
    '*_ratings.tsv',
    'ratings',
    'group_*.tsv',
    'group_*.json',
)

_MEANINGS = {
    'total': 'Field from all sources, background included',
    'local': 'Field from sources inside the mask, background removed',
    'noise': 'Standard deviation of the total field',
    'rss': 'Root of the sum of squares over echoes',
    'rmse': 'Error of the fit',
    'prime': 'Reversible part of the relaxation',
    'nechoes': 'Number of echoes that were used',
    'unwrapped': 'Phase without wraps, receive offset removed',
    'residual': 'Part of the signal that the field fit leaves unexplained',
    'quality': 'Quality of the phase, 0 to 1, or where it is good',
    'water': 'Signal of water',
    'fat': 'Signal of fat',
    'fatfraction': 'Share of fat in the signal, 0 to 1',
    'diamagnetic': 'Of diamagnetic sources, such as calcium and myelin',
    'clear': 'Evenly bright magnitude, weighted by unwrapped phase',
    'true': 'Magnitude weighted by susceptibility',
    'waterfat': 'Fitted together with water and fat',
    'brain': 'Brain',
    'magnitude': 'Brain as the magnitude shows it',
    'template': 'Brain of a template, carried over by registration',
    'qsm': 'Voxels that have a susceptibility',
    'cosmos': 'From several orientations of the head',
    'cosmosreference': 'Region whose mean is zero in the map from several orientations',
    'paramagnetic': 'Of paramagnetic sources, such as iron',
    'decomposeparamagnetic': 'Of paramagnetic sources, by DECOMPOSE',
    'decomposediamagnetic': 'Of diamagnetic sources, by DECOMPOSE',
    'holed': 'Voxels whose susceptibility comes from a mask with holes',
    'reference': 'Region whose mean susceptibility is zero by definition',
    'vein': 'Large veins',
}

_README = """\
# bidsqsm derivatives

Quantitative susceptibility maps and what they were made from, one folder per subject.
Open `sub-<label>.html` for a visual report of a subject, `logs/CITATION.md` for a methods
section that can be pasted into a paper, and the JSON beside an image for its unit, its sources
and every parameter of the processing.
"""


def write_dataset_files(output_dir: Path, links: Mapping[str, Path]) -> None:
    """Make ``output_dir`` a BIDS derivative dataset; ``links`` names the datasets it came from."""
    products = (*PRODUCTS.values(), *JOINT_PRODUCTS.values())
    # a label that several products share has words of its own
    meanings = {one.desc: one.description.rstrip('.') for one in products if one.desc} | _MEANINGS
    labels = sorted({product.desc for product in products if product.desc})
    rows = [(f'desc-{label}', meanings[label]) for label in labels]
    contents = {
        'dataset_description.json': as_json(_description(output_dir, links)),
        'descriptions.tsv': as_tsv(('desc_id', 'description'), rows),
        '.bidsignore': _bidsignore(),
        'README.md': _README,
    }
    for name, content in contents.items():
        _write_if_new(output_dir / name, content)


def write_bidsignore(output_dir: Path) -> None:
    """Tell validators which files of a derivative dataset the schema does not know."""
    _write_if_new(output_dir / '.bidsignore', _bidsignore())


def _bidsignore() -> str:
    return '\n'.join(BIDSIGNORE) + '\n'


def _write_if_new(path: Path, content: str) -> None:
    # an equal file is left alone, so that parallel jobs do not even rename over each other
    if not path.is_file() or path.read_bytes() != content.encode():
        write_text(path, content)


def dataset_name(root: Path) -> str:
    """Name of a dataset as its description has it, or else as its folder is called."""
    try:
        name = read_json(root / 'dataset_description.json').get('Name')
    except DatasetError:
        name = None
    return name.strip() if isinstance(name, str) and name.strip() else root.name


def _description(output_dir: Path, links: Mapping[str, Path]) -> dict[str, object]:
    made_by: dict[str, object] = {'Name': 'bidsqsm', 'Version': __version__, 'CodeURL': CODE_URL}
    image = os.environ.get('BIDSQSM_CONTAINER', '')
    if image:
        made_by['Container'] = {'Type': image.partition('://')[0], 'URI': image}
    addresses = {name: _address(path, output_dir) for name, path in links.items()}
    return {
        'Name': 'bidsqsm: quantitative susceptibility maps',
        'BIDSVersion': BIDS_VERSION,
        'DatasetType': 'derivative',
        'License': 'As the source dataset',
        'GeneratedBy': [made_by],
        'DatasetLinks': addresses,
        'SourceDatasets': [{'URL': address} for address in addresses.values()],
    }


def _address(path: Path, output_dir: Path) -> str:
    # relative where the output lies inside its source and moves with it, absolute elsewhere
    source, output = absolute(path), absolute(output_dir)
    if output.is_relative_to(source):
        return os.path.relpath(source, output)
    return source.as_uri()
