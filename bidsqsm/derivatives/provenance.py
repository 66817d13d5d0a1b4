"""How runs were processed, read back from the sidecars of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bidsqsm.derivatives.products import PRODUCTS, Product
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.json_files import load_json
from bidsqsm.steps import in_run_order

#: What a run is known by: its map, else the magnitude that every run has.
_MAP, _MAGNITUDE = '_Chimap.json', '_part-mag_desc-rss_T2starw.json'


def sidecars_of_runs(output_dir: Path) -> list[Path]:
    """The sidecar of every run of a dataset from which its processing is read."""
    maps = [
        path
        for path in _of_runs(output_dir, _MAP)
        if '_desc-' not in path.name or path.name.endswith('_desc-cosmos_Chimap.json')
    ]
    known = {path.with_name(path.name.replace(_MAP, _MAGNITUDE)) for path in maps}
    return sorted(
        [*maps, *(path for path in _of_runs(output_dir, _MAGNITUDE) if path not in known)]
    )


def _of_runs(output_dir: Path, ending: str) -> list[Path]:
    folders = ('sub-*/anat', 'sub-*/ses-*/anat')
    found = (path for folder in folders for path in output_dir.glob(f'{folder}/*{ending}'))
    return [path for path in found if '_space-' not in path.name]


def read_provenance(path: Path) -> dict[str, Any]:
    """What the methods text needs of a run, from its sidecars."""
    content = load_json(path)
    run = path.name.removesuffix(_MAP).removesuffix(_MAGNITUDE)
    beside = [path.with_name(f'{run}_{_tail(product)}.json') for product in PRODUCTS.values()]
    labels = sorted(path.parent.glob(f'{run}_atlas-*_dseg.json'))
    steps: dict[str, Any] = dict(content.get('Processing', {}))
    for other in (*filter(Path.is_file, beside), *labels):
        found = load_json(other)
        steps |= found.get('Processing', {})
    return {
        'Name': run,
        'Acquisition': content,
        'Processing': {step: steps[step] for step in in_run_order(steps)},
        'Decisions': RunFacts.of(content.get('Decisions')),
        **{key: content[key] for key in _MEASURED_KEYS if key in content},
    }


def _tail(product: Product) -> str:
    """What follows the name of a run in that of a product, without its ending."""
    named = {'part': product.part, 'desc': product.desc}
    return '_'.join([*(f'{key}-{text}' for key, text in named.items() if text), product.suffix])


_MEASURED_KEYS = ('WholeBrainMean', 'ReferenceStandardDeviation')
