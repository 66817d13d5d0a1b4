"""Under which heading of a run each picture stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bidsqsm.reports.panels import Panel

#: Headings in the order of the processing, with what the keys of their panels start with.
STAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    'acquisition': ('Acquisition', ('magnitude', 'raw')),
    'phase': ('Phase', ('phase', 'prepared', 'unwrapped', 'wraps')),
    'field': ('Total field', ('total', 'fat', 'field', 'noise', 'residual', 'reliability')),
    'masks': ('Masks', ('mask',)),
    'susceptibility': (
        'Local field and susceptibility',
        ('registered', 'background', 'local', 'chi', 'levels', 'vessels', 'calcification'),
    ),
    'regions': ('Regions', ('registration', 'flicker', 'edges', 'regions', 'values')),
    'contrasts': (
        'Other contrasts',
        (
            *('r2star', 'r2prime', 'concentration', 'swi', 'clear_swi', 'true_swi', 'minip'),
            *('veins', 'oxygenation', 'decompose', 'separation'),
        ),
    ),
    'quality': ('Quality', ('quality', 'convergence', 'histogram')),
    'further': ('Further pictures', ()),
}


def stage_of(key: str) -> str:
    """The heading of a panel: the one with the longest start of its key, else the last."""
    fitting = [
        (len(start), stage)
        for stage, (_, starts) in STAGES.items()
        for start in starts
        if key.startswith(start)
    ]
    return max(fitting)[1] if fitting else 'further'


def by_stage(panels: Sequence[Panel]) -> dict[str, list[Panel]]:
    """The panels of every heading, in the order in which they were drawn; it may have none."""
    found: dict[str, list[Panel]] = {stage: [] for stage in STAGES}
    for panel in panels:
        found[stage_of(panel.key)].append(panel)
    return found


__all__ = ['STAGES', 'by_stage', 'stage_of']
