"""What the JSON beside every image says: the acquisition, the processing and what was decided."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.catalog import STEPS
from bidsqsm.derivatives.products import products_of
from bidsqsm.facts.record import StepFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.qsm.body import ADULT

#: Parameters of the acquisition that are copied when the input has them; serial numbers, dates
#: and places are left behind, since a derivative may be shared more widely than its source.
ACQUISITION_KEYS = (
    'MagneticFieldStrength',
    'ImagingFrequency',
    'Manufacturer',
    'ManufacturersModelName',
    'SoftwareVersions',
    'ReceiveCoilName',
    'ReceiveCoilActiveElements',
    'GradientSetType',
    'MRAcquisitionType',
    'PulseSequenceType',
    'ScanningSequence',
    'SequenceVariant',
    'ScanOptions',
    'SequenceName',
    'PulseSequenceDetails',
    'NonlinearGradientCorrection',
    'RepetitionTime',
    'FlipAngle',
    'PixelBandwidth',
    'DwellTime',
    'AcquisitionVoxelSize',
    'ParallelAcquisitionTechnique',
    'ParallelReductionFactorInPlane',
    'ParallelReductionFactorOutOfPlane',
    'PartialFourier',
    'PartialFourierDirection',
    'PhaseEncodingDirection',
    'InPlanePhaseEncodingDirectionDICOM',
    'ReadoutPolarity',
    'FlowCompensation',
    'MTState',
    'SpoilingState',
    'SpoilingType',
    'MultibandAccelerationFactor',
)


def acquisition(run: GreRun) -> dict[str, Any]:
    """What is known of how a run was measured; echo times in s, sizes in mm, B0 in voxel axes."""
    known = {key: run.metadata[key] for key in ACQUISITION_KEYS if key in run.metadata}
    grid, body = run.grid, run.body
    # an adult's lengths are what they are
    scaled = {} if body == ADULT else {'Body': body.name, 'BodyScale': body.scale}
    return {
        **known,
        **scaled,
        'MagneticFieldStrength': _rounded(run.field_strength),
        'ImagingFrequency': _rounded(run.imaging_frequency),
        'EchoTime': list(run.echo_times),
        'VoxelSize': [_rounded(size) for size in grid.voxel_size],
        'MatrixSize': list(grid.shape),
        'B0Direction': [_rounded(b) for b in grid.b0_direction],
        'TiltAngle': _rounded(grid.tilt, 2),
        'NumberOfReceiveChannels': run.n_channels,
    }


def processing(choices: Mapping[str, Choice], steps: Iterable[str] = STEPS) -> dict[str, Any]:
    """Name, every parameter and the citations of the method of each step, in the order of the run."""
    wanted = set(steps)
    return {
        step: {
            'Name': choices[step].method.name,
            'Title': choices[step].method.title,
            'Parameters': choices[step].settings(),
            'Cite': list(choices[step].method.cite),
        }
        for step in STEPS
        if step in wanted and step in choices
    }


def provenance(
    run: GreRun, facts: Mapping[str, StepFacts], choices: Mapping[str, Choice]
) -> dict[str, Any]:
    """All that the methods text needs to know of one run; ``Decisions`` are facts, step by step."""
    return {
        'Name': run.name,
        'Acquisition': acquisition(run),
        'Processing': processing(choices),
        'Decisions': RunFacts(facts),
    }


def sidecar(
    key: str,
    run: GreRun,
    facts: RunFacts,
    choices: Mapping[str, Choice],
    links: Mapping[str, Path],
    bibliography: Mapping[str, str],
    statistics: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Fill the JSON of one product.

    ``bibliography`` gives a printed reference for each key, ``statistics`` what was
    measured on a susceptibility map (see :func:`bidsqsm.derivatives.writer.reference_statistics`).
    """
    product = products_of(run)[key]
    steps = processing(choices, product.steps)
    content: dict[str, Any] = {'Description': product.description}
    if product.units:
        content['Units'] = product.units
    if product.mask_type:
        content['Type'] = product.mask_type
    else:
        content['SkullStripped'] = product.stripped
    content['Sources'] = sources(run, links, with_r2='r2prime' in product.steps)
    if product.suffix in ('mask', 'probseg'):
        content['SpatialReference'] = content['Sources'][0]
    candidates = [*(step for step in product.made_by if step in steps), *reversed(steps)]
    if candidates:
        made_by = candidates[0]
        content['EstimationAlgorithm'] = steps[made_by]['Title']
        content['EstimationReference'] = '; '.join(
            bibliography.get(key, key) for key in steps[made_by]['Cite']
        )
    content.update(acquisition(run))
    content.update(_particulars(key, facts))
    if key == 'chi':
        content.update(statistics or {})
    content['Processing'] = steps
    # what iterations measured on their way is drawn in the report
    content['Decisions'] = facts.without_histories().decided()
    content['GeneratedBySoftware'] = {'Name': 'bidsqsm', 'Version': __version__}
    return content


def _particulars(key: str, facts: RunFacts) -> dict[str, Any]:
    """What a reader must know to use the values at all: at the top, not among the details."""
    known: dict[str, Any] = {}
    if key == 'chi':
        known = {
            'ReferenceRegion': facts['reference'].reference,
            'ReferenceValue': facts['reference'].value,
            'PhaseScaling': facts['phase'].scaling,
            'PhaseSign': facts['sign'].sign,
        }
    if key in {'chi_paramagnetic', 'chi_diamagnetic'}:
        known = {
            'ReferenceRegion': facts['reference'].reference,
            'RelaxationRate': facts['separation'].rate,
        }
    return {name: value for name, value in known.items() if value is not None}


def sources(run: GreRun, links: Mapping[str, Path], *, with_r2: bool = False) -> list[str]:
    """Input files of a run as BIDS URIs; a file outside every linked dataset keeps its path.

    ``with_r2`` adds those that R2 comes from.
    """
    images = list(run.files)
    for one in run.runs:
        images += [path for path in (one.mask, one.labels, one.t1w_mask) if path is not None]
        images += [*one.transforms.values(), *(given.path for given in one.segmentations)]
    if with_r2 and run.r2_source is not None:
        images += run.r2_source.files
    return [bids_uri(path, links) for path in dict.fromkeys(map(Path, images))]


def bids_uri(path: Path, links: Mapping[str, Path]) -> str:
    """``bids:<dataset>:<path>`` for a file of a linked dataset, else a ``file://`` address."""
    whole = absolute(path)
    # the innermost dataset wins, where derivatives lie inside the raw dataset
    roots = sorted(
        ((name, absolute(root)) for name, root in links.items()),
        key=lambda item: -len(item[1].parts),
    )
    for name, root in roots:
        if whole.is_relative_to(root):
            return f'bids:{name}:{whole.relative_to(root).as_posix()}'
    return whole.as_uri()


def absolute(path: Path) -> Path:
    """A path from the root, without ``..``; links stay, as a dataset may be full of them."""
    return Path(os.path.abspath(path))  # noqa: PTH100, Path.resolve would follow the links


def dataset_root(run: GreRun) -> Path:
    """Folder of the dataset that holds a run: the one above its ``sub-`` folder."""
    image = run.files[0]
    subject = f'sub-{run.entities["sub"]}'
    for folder in image.parents:
        if folder.name == subject:
            return folder.parent
    raise ValueError(f'{image} lies in no folder {subject}; move it into a BIDS dataset')


def _rounded(value: float, digits: int = 6) -> float:
    return round(float(value), digits) + 0.0
