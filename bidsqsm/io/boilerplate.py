"""Methods text: what was measured, what was done to it and what was decided, ready to paste.

It covers the minimum reporting list of the consensus on QSM [bilgic2024]_ (its
tables 3 to 5) as far as the input's metadata go, and names what they lack.

.. [bilgic2024] doi:10.1002/mrm.30006
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.io.acquisition import describe_acquisition
from bidsqsm.io.atomic import write_text
from bidsqsm.io.bibliography import bibtex, cited, works

_STEPS = {
    'coil': 'Receive channels were combined by',
    'phase': 'Phase was prepared by',
    'unwrap': 'Phase was unwrapped by',
    'field': 'Echoes were combined into one map of the total field by',
    'mask': 'The brain was masked by',
    'background': 'The background field was removed by',
    'dipole': 'The local field was inverted to susceptibility by',
    'reference': 'Susceptibility was referenced by',
    'relaxometry': 'The relaxation rate R2* was fitted by',
}

_TOOLS = (
    'Files were read and written in the Brain Imaging Data Structure [@gorgolewski2016] with '
    'PyBIDS [@yarkoni2019] and NiBabel [@nibabel]. The graph of processing steps ran in Nipype '
    '[@gorgolewski2011]; the numerics use NumPy [@harris2020], SciPy [@virtanen2020] and Numba '
    '[@lam2015], the figures Matplotlib [@hunter2007].'
)


def methods_text(provenances: Sequence[Mapping[str, Any]]) -> str:
    """Write the methods of some runs; works are cited as ``[@key]``.

    Parameters
    ----------
    provenances
        Of every run, what :func:`bidsqsm.io.sidecars.provenance` gives. Runs that were measured
        and processed alike share a paragraph.

    Returns
    -------
    text
        Paragraphs with an empty line between them.

    """
    opening = (
        f'Susceptibility maps were made with bidsqsm {__version__}, which follows the consensus '
        'recommendations for quantitative susceptibility mapping of the brain [@bilgic2024].'
    )
    paragraphs = [opening]
    parts = (
        (describe_acquisition, _varying),
        (lambda run: describe_processing(run['Processing']), None),
        (describe_decisions, _reference_values),
    )
    for describe, numbers in parts:
        groups = _grouped(provenances, describe)
        for text, members in groups:
            lead = f'{_names(members)}: ' if len(groups) > 1 else ''
            whole = text + (numbers(members) if numbers else '')
            if whole:
                paragraphs.append(lead + whole)
    return '\n\n'.join([*paragraphs, _TOOLS])


def describe_processing(processing: Mapping[str, Mapping[str, Any]]) -> str:
    """One sentence for each step: method, works to cite, every parameter."""
    sentences = []
    for step, method in processing.items():
        lead = _STEPS.get(step, f'For the step {step} was used')
        cites = '; '.join(f'@{key}' for key in method['Cite'])
        given = ', '.join(f'{k} = {_as_text(v)}' for k, v in method['Parameters'].items())
        about = ', '.join(filter(None, [f'`{method["Name"]}`', given]))
        text = f'{lead} {_lower(method["Title"])} ({about})'
        sentences.append(text + (f' [{cites}].' if cites else '.'))
    return ' '.join(sentences)


def describe_decisions(provenance: Mapping[str, Any]) -> str:
    """Scale and sign of the phase and the reference, as they were decided for a run."""
    found = _flat(provenance)
    sentences = []
    if isinstance(found.get('scaling'), str):
        sentences.append(_sentence(f'Stored phase was scaled to radians: {found["scaling"]}'))
    if found.get('sign') is not None:
        kept = 'kept' if float(found['sign']) > 0 else 'inverted'
        how = found.get('how', 'decided from the data')
        sentences.append(_sentence(f'The sign of the phase was {kept} ({how})'))
    sentences.append(_reference(found))
    return ' '.join(filter(None, sentences))


def write_citation(output_dir: Path) -> list[Path]:
    """Write ``logs/CITATION.md`` and ``.bib`` for every susceptibility map of a dataset.

    The text is a function of the maps that are there, so that parallel jobs agree
    on it whatever the order in which they end: each looks again after it wrote,
    and writes again if another map has come in between.
    """
    folder = output_dir / 'logs'
    known: list[Path] = []
    while (found := _sidecars(output_dir)) != known:
        known = found
        text = methods_text([_read(path) for path in known])
        write_text(folder / 'CITATION.md', as_markdown(text))
        write_text(folder / 'CITATION.bib', bibtex(cited(text)))
    return [folder / 'CITATION.md', folder / 'CITATION.bib']


def as_markdown(text: str) -> str:
    """The methods with a heading before them and a readable list of the cited works after."""
    known = works()
    listed = [
        f'- [@{key}] {known[key].printed()} https://doi.org/{known[key].doi}'
        for key in cited(text)
        if key in known
    ]
    note = (
        'This text may be used word for word in a paper (CC0). Keys in brackets are entries of '
        '`CITATION.bib`.'
    )
    return '\n'.join(['# Methods', '', note, '', text, '', '# References', '', *listed, ''])


def _sidecars(output_dir: Path) -> list[Path]:
    return sorted(
        path
        for pattern in ('sub-*/anat/*_Chimap.json', 'sub-*/ses-*/anat/*_Chimap.json')
        for path in output_dir.glob(pattern)
        if '_space-' not in path.name and '_desc-' not in path.name
    )


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding='utf-8'))
    return {
        'Name': path.name.removesuffix('_Chimap.json'),
        'Acquisition': content,
        'Processing': content.get('Processing', {}),
        'Decisions': content.get('Decisions', {}),
        **{key: content[key] for key in _MEASURED if key in content},
    }


_MEASURED = ('WholeBrainMean', 'ReferenceStandardDeviation')


def _grouped(
    provenances: Sequence[Mapping[str, Any]], describe: Any
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for provenance in provenances:
        groups.setdefault(describe(provenance), []).append(provenance)
    return list(groups.items())


def _names(members: Iterable[Mapping[str, Any]]) -> str:
    names = [member['Name'] for member in members]
    if len(names) > 6:
        return f'{", ".join(names[:5])} and {len(names) - 5} more'
    return ', '.join(names)


def _varying(members: Sequence[Mapping[str, Any]]) -> str:
    # these differ from head to head, and the consensus asks for them all the same: a "3 T"
    # magnet may have 2.89 T
    found = [member['Acquisition'] for member in members]
    frequency = _mean_and_spread([item.get('ImagingFrequency') for item in found], '.6g', '.2g')
    angles = [float(item['TiltAngle']) for item in found if item.get('TiltAngle') is not None]
    text = f' The centre frequency was {frequency} MHz.' if frequency else ''
    if angles and max(angles) < 0.5:
        text += ' The main field lay along an image axis.'
    elif angles:
        low, high = f'{min(angles):.1f}', f'{max(angles):.1f}'
        span = low if low == high else f'{low} to {high}'
        text += f' The main field lay {span}° from the nearest image axis (oblique slices).'
    return text


def _reference(found: Mapping[str, Any]) -> str:
    region = found.get('reference')
    if region is None:
        return ''
    if region == 'none':
        return 'Susceptibility is given in ppm without a reference region.'
    return f'Susceptibility is given in ppm relative to the mean over the {_words(region)}.'


def _reference_values(members: Sequence[Mapping[str, Any]]) -> str:
    found = [_flat(member) for member in members]
    if any(item.get('reference') in (None, 'none') for item in found):
        return ''
    value = _mean_and_spread([item.get('value') for item in found], '+.4f', '.4f')
    text = f' {value} ppm was subtracted.' if value else ''
    within = _mean_and_spread(
        [member.get('ReferenceStandardDeviation') for member in members], '.4f', '.4f'
    )
    if within:
        text += f' The SD within the region was {within} ppm.'
    if all(_words(item['reference']) == 'whole brain' for item in found):
        return text
    means = [member.get('WholeBrainMean') for member in members]
    offset = _mean_and_spread([-mean for mean in means if mean is not None], '+.4f', '.4f')
    if offset:
        text += f' Relative to the whole-brain mask the region has a mean of {offset} ppm.'
    return text


def _mean_and_spread(values: Iterable[Any], form: str, spread_form: str) -> str:
    known = [float(value) for value in values if value is not None]
    if not known:
        return ''
    mean = sum(known) / len(known)
    if len(known) == 1:
        return f'{mean:{form}}'
    spread = (sum((value - mean) ** 2 for value in known) / (len(known) - 1)) ** 0.5
    return f'{mean:{form}} ± {spread:{spread_form}} (mean ± SD over {len(known)} runs)'


def _flat(provenance: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for facts in provenance.get('Decisions', {}).values():
        found.update(facts)
    return found


def _words(name: str) -> str:
    return {'csf': 'cerebrospinal fluid'}.get(
        str(name), str(name).replace('_', ' ').replace('-', ' ')
    )


def _as_text(value: Any) -> str:
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else f'{value}'


def _lower(title: str) -> str:
    # 'Thresholded k-space' -> 'thresholded k-space', but 'ROMEO ...' and 'R2* ...' stay
    word = title.split(' ', 1)[0]
    return title if not word[1:].islower() else title[:1].lower() + title[1:]


def _sentence(text: str) -> str:
    return text if text.endswith('.') else f'{text}.'
