"""Limits of a method's parameters, written in its signature."""

from typing import NamedTuple


class Between(NamedTuple):
    """An open interval."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low < value < self.high

    def __str__(self) -> str:
        return f'between {self.low:g} and {self.high:g}'


class OneOf(NamedTuple):
    """A closed set of words."""

    words: tuple[str, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.words

    def __str__(self) -> str:
        return 'out of ' + ', '.join(self.words)
