"""What ``--products`` chooses between: products that are made, and left out, together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bidsqsm.catalog import STEPS
from bidsqsm.inputs.names import listed
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.method import Choice
from bidsqsm.qsm.decompose.three_pool import FEWEST_ECHOES
from bidsqsm.qsm.relaxometry.decay import evenly_spaced
from bidsqsm.steps import RUN_STEPS

#: From a run and the methods to what it lacks, as one sentence without its full stop, or ''.
Condition = Callable[[GreRun, Mapping[str, Choice]], str]


def _phase(run: GreRun, _choices: Mapping[str, Choice]) -> str:
    return '' if run.has_phase else f'{run.name} has no phase'


def _decay(run: GreRun, choices: Mapping[str, Choice]) -> str:
    if run.n_echoes == 1:
        return f'{run.name} has one echo, which shows no decay'
    if choices['relaxometry'].method.name == 'arlo' and not evenly_spaced(run.echo_times):
        times = ', '.join(f'{1000 * time:g}' for time in run.echo_times)
        return (
            f'{run.name} has echoes at {times} ms, and --relaxometry arlo needs three or more at '
            'equal distances; choose auto'
        )
    return ''


def _r2(run: GreRun, _choices: Mapping[str, Choice]) -> str:
    if run.r2_source is not None:
        return ''
    return (
        f'{run.name} has no R2, expected an R2map or T2map among --derivatives or three or more '
        'spin echoes (_MESE) in the session'
    )


def _many_echoes(run: GreRun, _choices: Mapping[str, Choice]) -> str:
    few = run.n_echoes < FEWEST_ECHOES
    return (
        f'it needs {FEWEST_ECHOES} echoes or more, and {run.name} has {run.n_echoes}'
        if few
        else ''
    )


@dataclass(frozen=True)
class Group:
    """Products of one name.

    Attributes
    ----------
    title
        What they are, for the help and the documentation.
    step
        Step of the catalogue that only they need, or ''.
    needs
        What a run must have for them.

    """

    title: str
    step: str = ''
    needs: tuple[Condition, ...] = ()

    def lacking(self, run: GreRun, choices: Mapping[str, Choice]) -> str:
        """Why a run cannot have them, as one sentence without its full stop, or ''."""
        return next((said for need in self.needs if (said := need(run, choices))), '')


#: What a run must have, by the names that the steps have for it.
CONDITIONS: Mapping[str, Condition] = {
    'phase': _phase,
    'decay': _decay,
    'r2': _r2,
    'four_echoes': _many_echoes,
}


def _group(name: str) -> Group:
    steps = [step for step in RUN_STEPS.values() if step.group == name]
    (told,) = (step for step in steps if step.group_title)
    # of several steps, some are needed by others too, as R2* is by the sign of the phase
    alone = told.name if len(steps) == 1 and told.name in STEPS else ''
    return Group(told.group_title, alone, tuple(CONDITIONS[need] for need in told.run_needs))


#: In the order in which their steps run.
GROUPS: Mapping[str, Group] = {
    name: _group(name)
    for name in dict.fromkeys(step.group for step in RUN_STEPS.values() if step.group)
}
DEFAULT_GROUPS = ('qsm', 'r2star')


def idle_steps(groups: Iterable[str]) -> set[str]:
    """Steps of the catalogue that no group of these needs, though another one does."""
    groups = set(groups)
    return {group.step for name, group in GROUPS.items() if group.step and name not in groups}


def skip_without_products(
    found: Sequence[GreRun | Skipped], choices: Mapping[str, Choice], groups: Sequence[str]
) -> list[GreRun | Skipped]:
    """Skip the runs that can have none of the wanted groups; the reason tells why of each."""
    return [
        Skipped(run.entities, reason, run.suffix)
        if isinstance(run, GreRun) and (reason := _nothing_of(run, choices, groups))
        else run
        for run in found
    ]


def _nothing_of(run: GreRun, choices: Mapping[str, Choice], groups: Sequence[str]) -> str:
    reasons: dict[str, list[str]] = {}
    for name in groups:
        reasons.setdefault(GROUPS[name].lacking(run, choices), []).append(name)
    if '' in reasons:
        return ''
    told = '; '.join(f'{listed(names)} ({reason})' for reason, names in reasons.items())
    return (
        f'{run.name} can have none of the products that were asked for: {told}; choose others with '
        '--products, or add what is missing'
    )
