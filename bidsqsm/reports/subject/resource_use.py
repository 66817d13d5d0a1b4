"""What the steps of a run took, as a table for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: Steps that took less are told together, in seconds.
SHORT_STEP_S = 0.1


@dataclass(frozen=True)
class StepUse:
    """What a step took: wall and processor seconds, peak memory in GB.

    Parameters
    ----------
    step
        What it does, in words.
    seconds, cpu_seconds, peak_gb
        Of the call in which it ran; zero where that is not known.
    reused
        Whether its result is that of an earlier call.

    """

    step: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_gb: float = 0.0
    reused: bool = False


def with_earlier(
    used: Mapping[str, StepUse], earlier: Mapping[str, Mapping[str, Any]]
) -> dict[str, StepUse]:
    """Tell of the steps that were reused what they took when they ran."""
    return {
        node: replace(use, **{**earlier[node], 'reused': True})
        if use.reused and node in earlier
        else use
        for node, use in used.items()
    }


def resource_table(used: Sequence[StepUse]) -> dict[str, Any]:
    """Rows and a total in words; empty where nothing is known.

    The total counts what the call ran itself, its peak being that of the largest step. Steps that
    took next to nothing share a row.
    """
    if not used:
        return {}
    ran, reused = ([use for use in used if use.reused is known] for known in (False, True))
    rows = [_cells(use, use.step) for use in used if use.seconds >= SHORT_STEP_S]
    for name, kind in (('short steps', ran), ('short steps, reused', reused)):
        short = [use for use in kind if use.seconds < SHORT_STEP_S]
        if short:
            rows.append(_cells(_together(short), f'{len(short)} {name}'))
    total = _together(ran)
    return {'rows': rows, 'total': _cells(total, 'Total of the call'), 'reused': len(reused)}


def _together(uses: Sequence[StepUse]) -> StepUse:
    return StepUse(
        '',
        sum(use.seconds for use in uses),
        sum(use.cpu_seconds for use in uses),
        max((use.peak_gb for use in uses), default=0.0),
        all(use.reused for use in uses) and bool(uses),
    )


def _cells(use: StepUse, name: str) -> dict[str, Any]:
    return {
        'step': name[:1].upper() + name[1:],
        'seconds': f'{use.seconds:.1f}',
        'cpu_seconds': f'{use.cpu_seconds:.1f}',
        'peak_gb': f'{use.peak_gb:.2f}',
        'reused': use.reused,
    }
