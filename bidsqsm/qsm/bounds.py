"""Limits of a method's parameters, written in its signature."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Between(NamedTuple):
    """An open interval."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low < value < self.high

    def __str__(self) -> str:
        return f'between {self.low:g} and {self.high:g}'


class From(NamedTuple):
    """An interval that holds its lower limit, but not the upper one."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value < self.high

    def __str__(self) -> str:
        return f'from {self.low:g} to below {self.high:g}'


class OneOf(NamedTuple):
    """A closed set of words."""

    words: tuple[str, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.words

    def __str__(self) -> str:
        return 'out of ' + ', '.join(self.words)


class Readable(NamedTuple):
    """A file that can be read as what it is meant to be.

    ``read`` raises ValueError where it cannot; it returns all the files that decide the result.
    """

    what: str
    read: Callable[[Path], tuple[Path, ...]]

    def __contains__(self, value: object) -> bool:
        try:
            return isinstance(value, Path) and bool(self.read(value))
        except ValueError:
            return False

    def __str__(self) -> str:
        return f'that is the path of {self.what}'
