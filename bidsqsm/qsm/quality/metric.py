"""What is told of a quality metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: Stages of the processing that metrics belong to, in their order, and what a page calls them.
METRIC_STAGES: Mapping[str, str] = {
    'acquisition': 'Signal',
    'phase': 'Phase',
    'field': 'Total field',
    'mask': 'Masks and coverage',
    'local': 'Local field',
    'chi': 'Susceptibility',
    'regions': 'Regions',
}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure of quality.

    Attributes
    ----------
    name, title
        In files and on pages.
    unit
        Of the value; empty for a ratio.
    better
        ``higher`` or ``lower`` values are; empty where the value should be near that of other runs.
    low, high
        Bounds of what is possible.
    stage
        One of :data:`METRIC_STAGES`.
    about
        What it is and what moves it.
    per_echo
        Whether there is one for each echo, with the number of the echo at the end of its key.
    alarm
        A value beyond which, on the worse side, something is amiss in any run; none where NaN.
    warning
        What a person is told then, as the sentence's beginning.
    of_brain
        Whether the alarm holds of brains only, with their veins and nuclei.

    """

    name: str
    title: str
    unit: str = ''
    better: str = ''
    low: float = 0.0
    high: float = math.inf
    stage: str = 'acquisition'
    about: str = ''
    per_echo: bool = False
    alarm: float = math.nan
    warning: str = ''
    of_brain: bool = False

    @property
    def of_length(self) -> int:
        """Power of a length that the unit has."""
        return {'mm': 1, 'ml': 3, 'ppb/mm': -1}.get(self.unit, 0)

    @property
    def spoken(self) -> str:
        """The title as it stands within a sentence."""
        return f'{self.title[0].lower()}{self.title[1:]}'

    def alarm_text(self, value: str) -> str:
        """What is amiss where a value, given with its unit, lies beyond :attr:`alarm`."""
        most = 'at least' if self.better == 'higher' else 'at most'
        return f'{self.warning}: {self.spoken} {value}, expected {most} {self.alarm:g}'

    def alarming(self, value: float) -> bool:
        """Whether a value lies beyond :attr:`alarm`."""
        return value < self.alarm if self.better == 'higher' else value > self.alarm
