"""What a method is: its parameters, bounds and help are read off its signature and docstring."""

from __future__ import annotations

import hashlib
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from bidsqsm.qsm.bounds import Between, From, OneOf, Readable
from bidsqsm.qsm.echo_signal import Echoes

#: Keyword with which some functions are told their threads; no result depends on it
THREADS = 'num_threads'


@dataclass(frozen=True)
class Parameter:
    """A tunable keyword of a method, as its signature and docstring give it."""

    name: str
    type: type
    default: Any
    bounds: Between | From | OneOf | Readable | None
    help: str

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    def parse(self, text: str) -> Any:
        """Turn command-line text into a value, or say what was expected."""
        if self.type is bool:
            if text.lower() not in ('yes', 'no'):
                raise ValueError(f'{self.name}: expected yes or no, got {text!r}')
            return text.lower() == 'yes'
        if isinstance(self.bounds, Readable):
            path = Path(text).expanduser().absolute()  # a step runs in a folder of its own
            self.bounds.read(path)
            return path
        try:
            value = self.type(text)
        except ValueError:
            raise ValueError(f'{self.name}: expected {self.type.__name__}, got {text!r}') from None
        if self.bounds and value not in self.bounds:
            raise ValueError(f'{self.name}: expected a value {self.bounds}, got {text}')
        return value


@dataclass(frozen=True)
class Method:
    """An algorithm under its command-line name, with the works to cite for it.

    ``makes`` are products (see :data:`bidsqsm.derivatives.products.PRODUCTS`) that a run has by
    this method only. ``phrase`` ends the sentence of its step in the methods text; where it is not
    given, the title does.
    """

    name: str
    function: Callable[..., Any]
    cite: tuple[str, ...]
    makes: tuple[str, ...] = ()
    phrase: str = ''

    @property
    def doc(self) -> str:
        """The docstring, unindented."""
        return inspect.getdoc(self.function) or ''

    @property
    def title(self) -> str:
        """First line of the docstring, without its full stop."""
        return self.doc.split('\n', 1)[0].rstrip('.')

    @property
    def clause(self) -> str:
        """What ends the sentence of its step in the methods text."""
        return self.phrase or within_sentence(self.title)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Keyword-only arguments of the function, in order; neither data (weights, echoes) nor threads."""
        hints = get_type_hints(self.function, include_extras=True)
        found = {}
        for name, arg in inspect.signature(self.function).parameters.items():
            hint = hints[name]
            if arg.kind is not arg.KEYWORD_ONLY or name == THREADS or _is_data(hint):
                continue
            notes = getattr(hint, '__metadata__', ())
            kinds = Between | From | OneOf | Readable
            bounds = next((n for n in notes if isinstance(n, kinds)), None)
            # one text may explain several, as in 'first, second'
            heading = rf'^(?:\w+, )*{name}(?:, \w+)*\n'
            text = re.search(rf'{heading}((?:    .*\n)+)', self.doc, re.MULTILINE)
            found[name] = Parameter(
                name,
                getattr(hint, '__origin__', hint),
                arg.default,
                bounds,
                ' '.join(text[1].split()) if text else '',
            )
        return found

    def takes(self, keyword: str) -> bool:
        """Whether the function has this keyword, e.g. ``weight_map``."""
        return keyword in inspect.signature(self.function).parameters


@dataclass(frozen=True)
class Step:
    """A stage of the pipeline and the methods that can fill it.

    ``replaces`` names the steps whose place it takes, unless one of them was chosen. A step of
    ``several`` runs takes what they made, where they were asked to be brought together.
    """

    name: str
    takes: str
    gives: str
    default: str
    methods: tuple[Method, ...]
    replaces: tuple[str, ...] = ()
    several: bool = False

    @property
    def option(self) -> str:
        """Name on the command line, without its dashes."""
        return self.name.replace('_', '-')

    def __getitem__(self, name: str) -> Method:
        for method in self.methods:
            if method.name == name:
                return method
        known = ', '.join(m.name for m in self.methods)
        raise ValueError(f'no {self.option} method {name!r}; there are: {known}')

    def choose(self, text: str) -> Choice:
        """Read a choice such as ``tkd`` or ``tkd:threshold=0.1,rescale=no``."""
        name, _, rest = text.partition(':')
        method = self[name]
        values = {}
        for item in filter(None, rest.split(',')):
            key, _, value = item.partition('=')
            if key not in method.parameters:
                known = ', '.join(method.parameters) or 'none'
                raise ValueError(f'{name} has no parameter {key!r}; it has: {known}')
            values[key] = method.parameters[key].parse(value)
        for key, parameter in method.parameters.items():
            if parameter.required and key not in values:
                raise ValueError(f'{name} needs {key}: write {name}:{key}=VALUE')
        return Choice(self.name, method, values)


@dataclass(frozen=True)
class Choice:
    """A method with the values its parameters were given."""

    step: str
    method: Method
    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **arrays: Any) -> Any:
        """What the method makes; a ValueError where a number in its arrays is not finite."""
        result = self.method.function(*args, **arrays, **self.values)
        for name, array in _arrays_of(result):
            if wrong := array.size - np.count_nonzero(np.isfinite(array)):
                raise ValueError(
                    f'{self.step.replace("_", "-")} {self.method.name} made NaN or infinity of {wrong} of '
                    f'{array.size} values{name}: check its input for wild values inside the mask, or take '
                    'another method or other parameters'
                )
        return result

    def __str__(self) -> str:
        pairs = [f'{k}={as_text(v)}' for k, v in self.values.items()]
        return ':'.join(filter(None, [self.method.name, ','.join(pairs)]))

    def settings(self) -> dict[str, Any]:
        """Every parameter with the value it takes in this run; a path is a text."""
        known = {n: self.values.get(n, p.default) for n, p in self.method.parameters.items()}
        return {n: f'{v}' if isinstance(v, Path) else v for n, v in known.items()}

    def digest(self) -> str:
        """SHA-256 over the content of the files among the values; empty where there are none."""
        files = [
            path
            for name, parameter in self.method.parameters.items()
            if isinstance(parameter.bounds, Readable)
            for path in parameter.bounds.read(self.values[name])
        ]
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return hashlib.sha256(' '.join(sums).encode()).hexdigest() if sums else ''


def within_sentence(title: str) -> str:
    """A title as it stands within a sentence: small at its start, unless it starts with an acronym.

    Examples
    --------
    >>> within_sentence('Total field inversion (TFI)'), within_sentence('HD-QSM')
    ('total field inversion (TFI)', 'HD-QSM')

    """
    return title if title[1:2].isupper() or not title else title[0].lower() + title[1:]


def as_text(value: Any) -> str:
    """Write a value as the command line takes it."""
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else f'{value}'


def _arrays_of(result: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    # arrays of numbers with a part behind the point, and where they are in the result
    if isinstance(result, np.ndarray):
        parts = {'': result}
    elif is_dataclass(result):
        parts = {f' of {f.name}': getattr(result, f.name) for f in fields(result)}
    elif isinstance(result, tuple):
        names = getattr(result, '_fields', range(1, len(result) + 1))
        parts = {f' of {name}': part for name, part in zip(names, result, strict=True)}
    else:
        parts = {}
    for name, part in parts.items():
        if isinstance(part, np.ndarray) and np.issubdtype(part.dtype, np.inexact):
            yield name, part


def _is_data(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType, Sequence):
        return any(_is_data(h) for h in get_args(hint))
    return get_origin(hint) is np.ndarray or hint in (np.ndarray, Echoes)
