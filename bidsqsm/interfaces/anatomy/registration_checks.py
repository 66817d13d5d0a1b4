"""How well a registration did, as facts: fine, odd or a failure."""

from __future__ import annotations

from dataclasses import replace

from bidsqsm.facts.registration_facts import RegistrationFacts
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.registration.alignment import Alignment, likeness
from bidsqsm.qsm.registration.greedy import FOLDED_SHARE
from bidsqsm.qsm.registration.head_image import HeadImage, shape_of
from bidsqsm.qsm.registration.start import is_part
from bidsqsm.qsm.resampling import carry_mask

#: Of the two brains: below the first a failure, below the second odd.
BRAIN_OVERLAPS = (0.70, 0.85)
#: Correlation with the template: of heads in place 0.8 or more, out of place 0.3.
TEMPLATE_CORRELATION = 0.5


def verdict(
    found: Alignment, head: HeadImage, template: HeadImage, name: str
) -> RegistrationFacts:
    """How well a registration did: overlap of the brains within the field of view, folding."""
    carried = carry_mask(
        template.mask, template.affine, found.to_template, shape_of(head.mask), head.affine
    )
    # of a template of the cerebellum, only the head can hold all
    share = float((carried & head.mask).sum()) / max(int(carried.sum()), 1)
    overlap = share if is_part(template, head) else dice(carried, head.mask)
    alike = likeness(found, head, template)
    facts = replace(
        judged(overlap, what=name),
        likeness=round(alike, 3),
        jacobian=tuple(found.jacobian),
        folded=found.folded,
        smoothing=tuple(found.smoothing) if found.smoothing else None,
    )
    if alike < TEMPLATE_CORRELATION and facts.failure is None:
        facts = failed(
            f'{name} are not alike after registration (correlation {alike:.2f}, expected {TEMPLATE_CORRELATION} '
            'or more)',
            facts,
        )
    if found.folded > FOLDED_SHARE and facts.failure is None:
        facts = failed(
            f'the registration of {name} folds {found.folded:.1%} of the brain (volume changes '
            f'down to {found.jacobian[0]:.2f})',
            facts,
        )
    elif found.jacobian[0] <= 0:
        text = (
            f'The registration of {name} has a few folded voxels (volume changes down to '
            f'{found.jacobian[0]:.2f}): look at the outlines of the regions in the report.'
        )
        facts = replace(facts, warnings=(*facts.warnings, text))
    return facts


def judged(overlap: float, what: str) -> RegistrationFacts:
    """Facts of an overlap: fine, odd or a failure."""
    facts = RegistrationFacts(overlap=round(overlap, 3))
    least, fine = BRAIN_OVERLAPS
    if overlap < least:
        return failed(
            f'the brains of {what} overlap by {overlap:.2f} only, expected {fine} or more', facts
        )
    if overlap < fine:
        text = (
            f'The brains of {what} overlap by {overlap:.2f}, expected {fine} or more: '
            'look at the outlines of the regions in the report.'
        )
        return replace(facts, warnings=(text,))
    return facts


def failed(reason: str, facts: RegistrationFacts | None = None) -> RegistrationFacts:
    """Facts of a registration that cannot be used; its warning is the failure alone."""
    sentence = (
        f'{reason[0].upper()}{reason[1:]}: no region of an atlas is measured; check orientation and '
        'field of view of the images, or give a transform (--derivatives).'
    )
    return replace(facts or RegistrationFacts(), failure=reason, warnings=(sentence,))
