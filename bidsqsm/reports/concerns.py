"""What to look at in a run, the gravest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A run that ended early; doubts about the susceptibility map as such; about a part; the input.
FAILURE, MAP, PART, INPUT = range(4)

#: Where a warning comes from, in words, with its weight; the order is that of the page: what turns
#: the whole map wrong before what blurs it.
_SOURCES: Mapping[str, tuple[int, str]] = {
    'phase_wf': (MAP, 'Phase'),
    'sign_wf': (MAP, 'Sign of the phase'),
    'reference_wf': (MAP, 'Susceptibility'),
    'anatomical_wf': (MAP, 'Registration'),
    'alignment_wf': (MAP, 'Registration'),
    'dipole_wf': (MAP, 'Inversion'),
    'onestep_wf': (MAP, 'Inversion'),
    'joint_wf': (MAP, 'Inversion'),
    'background_wf': (MAP, 'Background'),
    'fieldmap_wf': (MAP, 'Total field'),
    'masking_wf': (MAP, 'Masks'),
    'quality_wf': (MAP, 'Quality'),
    'rois_wf': (PART, 'Regions'),
    'relaxometry_wf': (PART, 'R2*'),
    'r2prime_wf': (PART, "R2'"),
    'separation_wf': (PART, 'Separation of sources'),
    'decompose_wf': (PART, 'DECOMPOSE'),
    'swi_wf': (PART, 'SWI'),
    'clear_swi_wf': (PART, 'CLEAR-SWI'),
    'true_swi_wf': (PART, 'True SWI'),
    'oxygenation_wf': (PART, 'Oxygenation'),
    'concentration_wf': (PART, 'Concentration'),
    'passes_wf': (PART, 'Two passes'),
}
_RANKS = {source: rank for rank, source in enumerate(_SOURCES)}


@dataclass(frozen=True)
class Concern:
    """One thing to look at.

    Parameters
    ----------
    weight
        ``FAILURE``, ``MAP``, ``PART`` or ``INPUT``.
    about
        What it is about, in a word or two.
    text
        A sentence.
    rank
        Its place among those of the same weight.

    """

    weight: int
    about: str
    text: str
    rank: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """What concerns are sorted by: the gravest first."""
        return self.weight, self.rank


def concerns(status: Mapping[str, Any], noticed: Sequence[str] = ()) -> list[Concern]:
    """Everything to look at in a run that was made, once each, in order.

    Parameters
    ----------
    status
        Content of the status file: warnings, and which workflow each came from.
    noticed
        What was noticed of the input.

    """
    sources = status.get('warned_by', {})
    found = [
        _of(str(text), sources.get(text, ''))
        for text in status.get('warnings', ())
        if text and text not in noticed
    ]
    found += [Concern(INPUT, 'Input', str(text)) for text in noticed]
    return sorted(dict.fromkeys(found), key=lambda concern: concern.order)


def _of(text: str, source: str) -> Concern:
    weight, about = _SOURCES.get(source, (PART, 'Processing'))
    return Concern(weight, about, text, _RANKS.get(source, len(_RANKS)))


__all__ = ['FAILURE', 'INPUT', 'MAP', 'PART', 'Concern', 'concerns']
