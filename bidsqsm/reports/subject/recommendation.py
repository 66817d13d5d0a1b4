"""How an acquisition stands to one item of the recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Known = Mapping[str, Any]

#: Verdicts, the best first; the last one says nothing of the acquisition.
MET, PARTLY, MISSED, UNKNOWN = 'met', 'partly', 'missed', 'unknown'
NOT_RECORDED = 'not recorded'


@dataclass(frozen=True)
class Advice:
    """An item of the recommendations, and how an acquisition stands to it.

    Parameters
    ----------
    item, found, wanted, reason
        In words: what it is about, what the acquisition has, what is recommended and why.
    verdict
        ``met``, ``partly``, ``missed`` or ``unknown``.
    practice
        Whether the figures are those of common practice rather than of the consensus.

    """

    item: str
    verdict: str
    found: str
    wanted: str
    reason: str
    practice: bool = False
