"""Methods text: what was measured, what was done to it and what was decided, ready to paste.

It covers the minimum reporting list of the consensus on QSM [bilgic2024]_ (its
tables 3 to 5) as far as the input's metadata go, and names what they lack.

.. [bilgic2024] doi:10.1002/mrm.30006
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.catalog import STEPS
from bidsqsm.derivatives.acquisition_text import describe_acquisition
from bidsqsm.derivatives.bibliography import bibtex, cited, works
from bidsqsm.derivatives.decisions_text import as_sentence, describe_decisions, region_in_words
from bidsqsm.derivatives.provenance import read_provenance, sidecars_of_runs
from bidsqsm.facts.inversion_facts import ReferenceFacts
from bidsqsm.files.atomic import write_text
from bidsqsm.method import as_text, within_sentence
from bidsqsm.steps import RUN_STEPS, in_run_order

#: Steps that make susceptibility.
_INVERSION_STEPS = {'dipole', 'onestep', 'joint'}

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
        Of every run, what :func:`bidsqsm.derivatives.sidecars.provenance` gives. Runs that were
        measured and processed alike share a paragraph.

    Returns
    -------
    text
        Paragraphs with an empty line between them.

    """
    opening = f'Images were processed with bidsqsm {__version__}.'
    of_brains = [one for one in provenances if one['Acquisition'].get('Body') != 'none']
    if any(_INVERSION_STEPS & {*one['Processing']} for one in of_brains):
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
    scaling = _scaling(provenances)
    return '\n\n'.join([*paragraphs, *filter(None, [scaling]), _TOOLS])


def _scaling(provenances: Sequence[Mapping[str, Any]]) -> str:
    # the sentence tells the range of the values, which differs from run to run
    said = dict.fromkeys(one['Decisions']['phase'].scaling for one in provenances)
    known = [text for text in said if isinstance(text, str)]
    if len(known) > 1:
        return (
            'Stored phase was scaled to radians as each map tells in its sidecar (`PhaseScaling`).'
        )
    return as_sentence(f'Scaling of the stored phase to radians: {known[0]}') if known else ''


def describe_processing(processing: Mapping[str, Mapping[str, Any]]) -> str:
    """One sentence for each step, in the order of the run: method, parameters, works to cite."""
    return ' '.join(_of_step(step, processing[step]) for step in in_run_order(processing))


def _of_step(step: str, method: Mapping[str, Any]) -> str:
    lead = RUN_STEPS[step].lead if step in RUN_STEPS else f'The step {step} was done by'
    given = [f'{name} = {as_text(value)}' for name, value in method['Parameters'].items()]
    about = ', '.join([f'`{method["Name"]}`', *given])
    cites = '; '.join(f'@{key}' for key in method['Cite'])
    return f'{lead} {_clause(step, method)} ({about})' + (f' [{cites}].' if cites else '.')


def _clause(step: str, method: Mapping[str, Any]) -> str:
    # a sidecar may be of another version, which had other methods
    known = STEPS[step].methods if step in STEPS else ()
    clauses = [one.clause for one in known if one.name == method['Name']]
    return clauses[0] if clauses else within_sentence(method['Title'])


def write_citation(output_dir: Path) -> list[Path]:
    """Write ``logs/CITATION.md`` and ``.bib`` for every susceptibility map of a dataset.

    The text is a function of the maps that are there, so that parallel jobs agree
    on it whatever the order in which they end: each looks again after it wrote,
    and writes again if another map has come in between.
    """
    folder = output_dir / 'logs'
    known: list[Path] = []
    while (found := sidecars_of_runs(output_dir)) != known:
        known = found
        text = methods_text([read_provenance(path) for path in known])
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
    frequency = _mean_and_spread(
        [item.get('ImagingFrequency') for item in found], '.6g', '.2g', 'MHz'
    )
    angles = [float(item['TiltAngle']) for item in found if item.get('TiltAngle') is not None]
    text = f' The centre frequency was {frequency}.' if frequency else ''
    if angles and max(angles) < 0.5:
        text += ' The main field lay along an image axis.'
    elif angles:
        low, high = f'{min(angles):.1f}', f'{max(angles):.1f}'
        span = low if low == high else f'{low} to {high}'
        text += f' The main field lay {span}° from the nearest image axis (oblique slices).'
    return text


def _reference_values(members: Sequence[Mapping[str, Any]]) -> str:
    found: list[ReferenceFacts] = [member['Decisions']['reference'] for member in members]
    if any(facts.reference in {None, 'none'} for facts in found):
        return ''
    value = _mean_and_spread([facts.value for facts in found], '+.4f', '.4f', 'ppm')
    text = f' {value} was subtracted.' if value else ''
    within = _mean_and_spread(
        [
            member.get('ReferenceStandardDeviation', facts.sd)
            for member, facts in zip(members, found, strict=True)
        ],
        '.4f',
        '.4f',
        'ppm',
    )
    if within:
        text += f' The SD within the region was {within}.'
    if all(region_in_words(f'{facts.reference}') == 'whole brain' for facts in found):
        return text
    means = [member.get('WholeBrainMean') for member in members]
    offset = _mean_and_spread([-mean for mean in means if mean is not None], '+.4f', '.4f', 'ppm')
    if offset:
        text += f' Relative to the whole-brain mask the region has a mean of {offset}.'
    return text


def _mean_and_spread(values: Iterable[Any], form: str, spread_form: str, unit: str) -> str:
    known = [float(value) for value in values if value is not None]
    if not known:
        return ''
    mean = sum(known) / len(known)
    if len(known) == 1:
        return f'{mean:{form}} {unit}'
    spread = (sum((value - mean) ** 2 for value in known) / (len(known) - 1)) ** 0.5
    return f'{mean:{form}} ± {spread:{spread_form}} {unit} (mean ± SD over {len(known)} runs)'
