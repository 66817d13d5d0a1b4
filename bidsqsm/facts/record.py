"""What is told in JSON, key by key, and what any step may tell.

Between steps and on disk (``Decisions`` of a sidecar) facts are plain JSON; :meth:`Record.plain`
makes it and :meth:`Record.of` reads it, whoever wrote it: what is missing is None, what is not
known is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Record:
    """Something that is told in JSON, key by key; what is None is not told.

    Attributes
    ----------
    unknown
        Keys that another version of the app wrote, as they were.

    """

    unknown: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _frozen(getattr(self, one.name)))

    @classmethod
    def of(cls, plain: object) -> Self:
        """Read what :meth:`plain` gave; never fails, as files may come from elsewhere."""
        left = dict(plain) if isinstance(plain, Mapping) else {}
        known = {
            one.name: _read(one, left.pop(_key(one)))
            for one in fields(cls)
            if one.name != 'unknown' and _key(one) in left
        }
        return cls(
            **{name: value for name, value in known.items() if value is not None}, unknown=left
        )

    def plain(self) -> dict[str, Any]:
        """Plain JSON types, in the order of the fields; those that all steps have come last."""
        told = {
            _key(one): _thawed(getattr(self, one.name))
            for one in sorted(fields(self), key=_place)
            if one.name != 'unknown' and self._tells(one)
        }
        return {**told, **self.unknown}

    def _tells(self, one: Field[Any]) -> bool:
        value = getattr(self, one.name)
        return value is not None and not (value == () and one.default == ())


#: Fields of all steps, in the order in which they end the JSON.
_CLOSING_FIELDS = ('left_out', 'convergence', 'warnings', 'unknown')


def _place(one: Field[Any]) -> int:
    return 1 + _CLOSING_FIELDS.index(one.name) if one.name in _CLOSING_FIELDS else 0


def _key(one: Field[Any]) -> str:
    return str(one.metadata.get('key', one.name))


def _read(one: Field[Any], value: object) -> object:
    """The value of a field from JSON; None where it is nothing of that kind."""
    kind, kinds = one.metadata.get('kind'), one.metadata.get('kinds')
    if kind is not None:
        return _made(kind, value) if isinstance(value, Mapping) else None
    if kinds is not None:
        listed = value if isinstance(value, list | tuple) else ()
        return tuple(kinds.of(member) for member in listed if isinstance(member, Mapping))
    return value


def _made(kind: type[Any], plain: Mapping[str, Any]) -> object:
    """Make a type of the numerics, which knows nothing of JSON; foreign keys are dropped."""
    names = [one.name for one in fields(kind) if one.name in plain]
    return kind(**{name: _frozen(plain[name]) for name in names})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _thawed(one) for key, one in value.items()}
    if is_dataclass(value):
        told = {one.name: _thawed(getattr(value, one.name)) for one in fields(value)}
        return {name: one for name, one in told.items() if one is not None}
    return [_thawed(one) for one in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, kw_only=True)
class SolverFacts(Record):
    """How one iteration came to its end.

    Attributes
    ----------
    solver
        Its name.
    iterations
        Number of steps that it made.
    last
        What it measured after the last step, in the unit of ``tolerance``.
    changes
        The same after steps at equal distances; not in sidecars.
    tolerance
        Where it was to stop; None where it makes a fixed number of steps.
    converged
        Whether it came there.

    """

    solver: str | None = None
    iterations: int | None = None
    last: float | None = None
    changes: tuple[float, ...] | None = None
    tolerance: float | None = None
    converged: bool | None = None

    def _tells(self, one: Field[Any]) -> bool:
        # no tolerance is told as well
        return one.name in {'last', 'tolerance'} or super()._tells(one)


@dataclass(frozen=True, kw_only=True)
class StepFacts(Record):
    """What any step may tell.

    Attributes
    ----------
    steps
        Names of the steps that tell this; none where it is told within those of a step.
    warnings
        Sentences for the person who runs the app; not in sidecars.
    left_out
        Why the product of this step was left out; None where it is there.
    convergence
        Of each iteration of the step.

    """

    steps: ClassVar[tuple[str, ...]] = ()

    warnings: tuple[str, ...] = ()
    left_out: str | None = None
    convergence: tuple[SolverFacts, ...] = field(default=(), metadata={'kinds': SolverFacts})

    def decided(self) -> dict[str, Any]:
        """What a reader of the product is told: all in plain JSON but the warnings."""
        return replace(self, warnings=()).plain()

    def without_histories(self) -> Self:
        """The same without what the iterations measured on their way: hundreds of lines of JSON."""
        short = tuple(replace(one, changes=None) for one in self.convergence)
        return replace(self, convergence=short)
