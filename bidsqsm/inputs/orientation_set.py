"""Runs of a head in several orientations, brought together by an entity of their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import LONG_NAMES, join, listed, natural
from bidsqsm.inputs.run import GreRun, Skipped

FEWEST_ORIENTATIONS = 3  # two kernels are both zero somewhere
ENTITIES = tuple(key for key in LONG_NAMES if key not in {'sub', 'echo', 'part', 'space', 'desc'})


@dataclass(frozen=True)
class OrientationSet(GreRun):
    """Runs of one head in several orientations; all else is that of the first, the reference.

    Parameters
    ----------
    runs
        The runs, the reference first.
    entity
        In which they differ; the entities of the set lack it.

    """

    runs: tuple[GreRun, ...] = ()
    entity: str = ''

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.runs) < FEWEST_ORIENTATIONS:
            raise DatasetError(too_few(self.entity, self.runs))

    @classmethod
    def of(
        cls, runs: Sequence[GreRun], entity: str, warnings: Sequence[str] = ()
    ) -> OrientationSet:
        """Bring runs together; the first is the reference."""
        first = {item.name: getattr(runs[0], item.name) for item in fields(GreRun)}
        first['entities'] = _without(runs[0].entities, entity)
        return cls(**{**first, 'warnings': tuple(warnings)}, runs=tuple(runs), entity=entity)

    @property
    def name(self) -> str:
        """How its derivatives start, such as ``sub-01_desc-cosmos``."""
        return name_of(self.entities)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of every run."""
        return tuple(path for run in self.runs for path in run.files)

    @property
    def own_parts(self) -> tuple[str, ...]:
        """None: every part belongs to one of its runs."""
        return ()

    @property
    def idle_steps(self) -> set[str]:
        """Steps that its data leave without work, or that its runs went through."""
        done = {'dipole', 'gradient_correction', 'relaxometry'}
        return (super().idle_steps | done) - {'joint'}

    @property
    def plan(self) -> str:
        """What will be done with it, in a few words."""
        labels = listed(f'{self.entity}-{run.entities[self.entity]}' for run in self.runs)
        return f'one map of {labels}'

    @classmethod
    def _values(cls, values: dict[str, Any]) -> dict[str, Any]:
        runs = tuple(GreRun.from_json(json.dumps(run)) for run in values['runs'])
        return {**super()._values({**values, 'runs': ()}), 'runs': runs}


def run_from_json(text: str) -> GreRun:
    """A run, or a set of them, from what its ``to_json`` wrote."""
    return (OrientationSet if 'runs' in json.loads(text) else GreRun).from_json(text)


def read_orientations(text: str) -> tuple[str, tuple[str, ...]]:
    """Take apart ``ENTITY`` or ``ENTITY=LABEL,LABEL,...``.

    Examples
    --------
    >>> read_orientations('acq=supine,left,right')
    ('acq', ('supine', 'left', 'right'))
    >>> read_orientations('ses')
    ('ses', ())

    """
    entity, equals, rest = text.partition('=')
    labels = tuple(label.removeprefix(f'{entity}-') for label in rest.split(',')) if equals else ()
    if entity not in ENTITIES:
        raise ValueError(f'no entity {entity!r}; there are: {", ".join(ENTITIES)}')
    if equals and (
        len(set(labels)) < len(labels) or not all(labels) or len(labels) < FEWEST_ORIENTATIONS
    ):
        raise ValueError(
            f'expected {FEWEST_ORIENTATIONS} different labels or more after {entity}=, got {rest!r}'
        )
    return entity, labels


def orientation_sets(
    found: Sequence[GreRun | Skipped], entity: str, labels: Sequence[str] = ()
) -> list[OrientationSet | Skipped]:
    """Bring together the runs that differ in one entity only.

    Parameters
    ----------
    found
        Runs and skipped acquisitions of any subjects.
    entity
        Short key, such as ``acq``.
    labels
        Which of its labels, the reference first; all, in natural order, where empty.

    Returns
    -------
    For every subject at least one set, or the reason why there is none. A run in trouble is left
    out of its set with a warning, as long as three are left.

    """
    groups: dict[tuple[Any, ...], list[GreRun | Skipped]] = {}
    for run in found:
        label = run.entities.get(entity)
        if label is not None and (not labels or label in labels):
            key = (run.suffix, *_without(run.entities, entity).items())
            groups.setdefault(key, []).append(run)
    made = [_made(group, entity, labels) for group in groups.values()]
    served = {one.entities['sub'] for one in made}
    for subject in dict.fromkeys(run.entities['sub'] for run in found):
        if subject not in served:
            asked = f'{entity}-{labels[0]} or another that was asked for' if labels else entity
            made.append(
                _unfit(
                    {'sub': subject},
                    f'sub-{subject} has no run with {asked}, expected {FEWEST_ORIENTATIONS} or more '
                    'orientations: name another entity in --orientations',
                )
            )
    return sorted(made, key=lambda one: natural(one.name))


def _made(
    group: Sequence[GreRun | Skipped], entity: str, labels: Sequence[str]
) -> OrientationSet | Skipped:
    entities = _without(group[0].entities, entity)
    by_label = {run.entities[entity]: run for run in sorted(group, key=lambda r: natural(r.name))}
    order = labels or [*by_label]
    fit = {x: run for x, run in by_label.items() if isinstance(run, GreRun) and run.has_phase}
    runs = [fit[label] for label in order if label in fit]
    lost = [f'{entity}-{x}{_why(by_label.get(x))}' for x in order if x not in fit]
    if len(runs) < FEWEST_ORIENTATIONS or order[0] != runs[0].entities[entity]:
        return _unfit(entities, too_few(entity, runs, lost), group[0].suffix)
    notes = [f'{listed(lost)} could not be used and was left out.'] if lost else []
    return OrientationSet.of(runs, entity, notes)


def _why(run: GreRun | Skipped | None) -> str:
    return ' (no phase)' if isinstance(run, GreRun) else ''


def too_few(entity: str, runs: Sequence[GreRun], lost: Sequence[str] = ()) -> str:
    """Why some runs make no set."""
    there = listed(f'{entity}-{run.entities[entity]}' for run in runs)
    without = f', without {listed(lost)}' if lost else ''
    return (
        f'COSMOS found the orientations {there}{without}, expected {FEWEST_ORIENTATIONS} or more, the reference '
        'among them: add runs, or leave out --orientations'
    )


def name_of(entities: Mapping[str, str]) -> str:
    """How the derivatives of a set start."""
    return f'{join(entities)}_desc-cosmos'


@dataclass(frozen=True)
class UnfitSet(Skipped):
    """Orientations that cannot be brought together."""

    @property
    def name(self) -> str:
        return name_of(self.entities)


def _unfit(entities: Mapping[str, str], reason: str, suffix: str = '') -> UnfitSet:
    return UnfitSet(entities, reason, suffix)


def _without(entities: Mapping[str, str], entity: str) -> dict[str, str]:
    return {key: label for key, label in entities.items() if key != entity}
