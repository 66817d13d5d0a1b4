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
from bidsqsm.derivatives.provenance import read_provenance, sidecars_of_runs
from bidsqsm.facts.contrasts_facts import R2PrimeFacts, SeparationFacts
from bidsqsm.facts.field_facts import PhaseFacts, SignFacts
from bidsqsm.facts.inversion_facts import (
    BackgroundFacts,
    JointFacts,
    MaskFacts,
    ReferenceFacts,
    TwoPassFacts,
)
from bidsqsm.facts.registration_facts import RegistrationSummary
from bidsqsm.files.atomic import write_text
from bidsqsm.method import as_text, within_sentence
from bidsqsm.steps import RUN_STEPS, in_run_order

#: Steps that make susceptibility.
_INVERSION_STEPS = {'dipole', 'onestep', 'joint'}

#: Terms of the phase that are neither field nor noise, and what is said where they were removed.
_REMOVED_TERMS = {
    'alternation': 'The sign of the phase, which alternated from slice to slice, was made even.',
    'bipolar': 'The phase difference between even and odd echoes of the bipolar readout was '
    'removed as a linear function of position [@li2015].',
    'offset': 'The receive phase was estimated from two echoes, smoothed and removed '
    '(MCPC-3D-S) [@eckstein2018].',
}

#: Where R2 comes from.
_SPIN = {
    'R2map': 'a given map of R2',
    'T2map': 'a given map of T2',
    'spin echoes': 'spin echoes, the first left out where there were four or more [@milford2015]',
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
        Of every run, what :func:`bidsqsm.derivatives.sidecars.provenance` gives. Runs that were measured
        and processed alike share a paragraph.

    Returns
    -------
    text
        Paragraphs with an empty line between them.

    """
    opening = f'Images were processed with bidsqsm {__version__}.'
    if any(_INVERSION_STEPS & {*one['Processing']} for one in provenances):
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
    return _sentence(f'Scaling of the stored phase to radians: {known[0]}') if known else ''


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


def describe_decisions(provenance: Mapping[str, Any]) -> str:
    """Terms removed from the phase, its sign and the reference, as decided for a run."""
    facts = provenance['Decisions']
    sentences = [
        *_of_phase(facts['phase']),
        _rounds(facts['background']),
        _passes(facts['two_pass']),
        *_of_mask(facts['mask']),
        _alignment(facts['alignment']),
        _sign(facts['sign']),
        _r2(facts['r2prime']),
        _orientations(facts['joint']),
        _separation(facts['separation']),
        _reference(facts['reference']),
    ]
    return ' '.join(filter(None, sentences))


def _of_phase(facts: PhaseFacts) -> list[str]:
    sentences = [_without_phase(facts)] if facts.parts == 'magnitude' else []
    terms = {term: getattr(facts, term) for term in _REMOVED_TERMS}
    sentences += [_REMOVED_TERMS[term] for term, told in terms.items() if told and told.removed]
    if facts.filtered is not None and facts.filtered.found:
        sentences.append('The stored phase seems to have been high-pass filtered.')
    return sentences


def _without_phase(facts: PhaseFacts) -> str:
    combined = (
        f', that of {facts.channels} receive channels being combined as the root of the sum of '
        'their squares'
        if facts.channels is not None
        else ''
    )
    return f'There was no phase, so that only the magnitude was used{combined}.'


def _rounds(facts: BackgroundFacts) -> str:
    if facts.rounds is None or facts.rounds <= 1:
        return ''
    return (
        f'Background removal and inversion were done {facts.rounds} times, each time with '
        'the field of the map before set aside while the background was removed.'
    )


def _passes(facts: TwoPassFacts) -> str:
    if not facts.two_pass:
        return ''
    return (
        'This was done in two passes [@stewart2022]: once with a mask that leaves out voxels of '
        'unreliable phase and once with the whole mask, whose map was used in the holes of the '
        f'first only ({facts.filled_voxels} voxels), after a shift to the same mean around '
        'them.'
    )


def _of_mask(facts: MaskFacts) -> list[str]:
    sentences = []
    if facts.source not in {None, 'made'}:
        sentences.append('The brain mask was given and not computed.')
    if facts.template_dice is not None:
        sentences.append(
            'The brain in the magnitude and the brain of the template, carried over by '
            f'registration, overlapped with a Dice coefficient of {facts.template_dice:.2f}.'
        )
    return sentences


def _sign(facts: SignFacts) -> str:
    if facts.sign is None:
        return ''
    kept = 'kept' if float(facts.sign) > 0 else 'inverted'
    how = facts.how or 'decided from the data'
    return _sentence(f'The sign of the phase was {kept} ({how})')


def _r2(facts: R2PrimeFacts) -> str:
    if facts.median_r2 is None or facts.left_out is not None or facts.r2_from not in _SPIN:
        return ''
    return f'R2 came from {_SPIN[facts.r2_from]}, placed by {facts.r2_placed_by}.'


def _separation(facts: SeparationFacts) -> str:
    return '' if facts.rate is None else f'Sources were separated by {facts.rate}.'


def _alignment(facts: RegistrationSummary) -> str:
    words = {'chi': 'susceptibility', 'r2star': 'R2*'}
    used = [one for told in facts.pairs.values() for one in told.contrasts or ()]
    beside = dict.fromkeys(words[one] for one in used if one in words)
    if not beside:
        return ''
    return (
        'Once the maps were there, the head was registered with the template once more with '
        f'{" and ".join(beside)} beside the magnitude.'
    )


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


def _orientations(facts: JointFacts) -> str:
    if facts.condition_number is None or not (facts.angles and facts.orientations):
        return ''
    low, high = min(facts.angles), max(facts.angles)
    return (
        f'The head was measured in {len(facts.orientations)} orientations, whose main fields '
        f'differ by {low:.0f}° to {high:.0f}° (condition number {facts.condition_number:.1f}). They '
        'were registered rigidly to the first by mutual information [@mattes2003] with SimpleITK '
        '[@lowekamp2013].'
    )


def _reference(facts: ReferenceFacts) -> str:
    region = facts.reference
    if region is None:
        return ''
    if region == 'none':
        return 'Susceptibility is given in ppm without a reference region.'
    return f'Susceptibility is given in ppm relative to the mean over the {_words(region)}.'


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
    if all(_words(f'{facts.reference}') == 'whole brain' for facts in found):
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


def _words(name: str) -> str:
    return {'csf': 'cerebrospinal fluid'}.get(
        str(name), str(name).replace('_', ' ').replace('-', ' ')
    )


def _sentence(text: str) -> str:
    return text if text.endswith('.') else f'{text}.'
