"""Sentences of the methods text on what was decided for a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    return as_sentence(f'The sign of the phase was {kept} ({how})')


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
    return (
        f'Susceptibility is given in ppm relative to the mean over the {region_in_words(region)}.'
    )


def region_in_words(name: str) -> str:
    return {'csf': 'cerebrospinal fluid'}.get(
        str(name), str(name).replace('_', ' ').replace('-', ' ')
    )


def as_sentence(text: str) -> str:
    return text if text.endswith('.') else f'{text}.'
