"""Filter files: which images of a dataset to take, by their entities."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import LONG_NAMES, BidsFile

LOGGER = logging.getLogger(__name__)
Query = Mapping[str, Any]
QUERIES = ('megre', 't1w')
NOT_ENTITIES = ('suffix', 'extension', 'datatype')
ANY = ('*', 'Query.ANY')
NO_ENTITY = (None, 'Query.NONE')


def check_filters(filters: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Bring filters to short entity names, refusing what makes no sense.

    Parameters
    ----------
    filters
        ``{query: {entity: value}}``. Queries are ``megre`` (the gradient echoes, whatever their
        suffix) and ``t1w``; others are for other apps and only give a warning. Entities go by
        their short (``acq``) or PyBIDS name (``acquisition``). A value is a label, a list of
        labels, null for "absent" or "*" for "present, whatever it is".

    Examples
    --------
    >>> check_filters({'megre': {'acquisition': 'qsm', 'run': None}})
    {'megre': {'acq': 'qsm', 'run': None}}

    """
    checked: dict[str, dict[str, Any]] = {}
    for query, wanted in (filters or {}).items():
        if query not in QUERIES:
            LOGGER.warning('filter has no use for query %r; used are: %s', query, QUERIES)
        elif not isinstance(wanted, Mapping):
            raise DatasetError(
                f'filter {query!r} is {wanted!r}, expected an object {{entity: value}}'
            )
        else:
            checked[query] = {_short(key): _value(key, value) for key, value in wanted.items()}
    return checked


def matches(file: BidsFile, query: Query) -> bool:
    """Say whether a file has what a checked query wants."""
    return all(_has(file, key, wanted) for key, wanted in query.items())


def _short(key: str) -> str:
    if key in LONG_NAMES or key in NOT_ENTITIES:
        return key
    short = {long: short for short, long in LONG_NAMES.items()}
    if key in short:
        return short[key]
    close = get_close_matches(key, [*short, *LONG_NAMES, *NOT_ENTITIES], n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'there are: {", ".join(short)}'
    raise DatasetError(f'filter has no entity {key!r}; {hint}')


def _value(key: str, value: Any) -> Any:
    for one in value if isinstance(value, list) else [value]:
        if one is not None and not isinstance(one, str | int):
            raise DatasetError(
                f'filter has {key} = {one!r}, expected a label, a list of labels, null or "*"'
            )
    return value


def _has(file: BidsFile, key: str, wanted: Any) -> bool:
    if key == 'datatype':
        found: str | None = file.path.parent.name
    elif key in NOT_ENTITIES:
        found = getattr(file, key)
    else:
        found = file.entities.get(key)
    options = wanted if isinstance(wanted, list) else [wanted]
    return any(_equal(key, found, option) for option in options)


def _equal(key: str, found: str | None, option: Any) -> bool:
    if option == 'Query.OPTIONAL':
        return True
    if option in NO_ENTITY:
        return found is None
    if option in ANY:
        return found is not None
    if found is None:
        # a magnitude may lack its part
        return key == 'part' and option == 'mag'
    label = str(option).removeprefix(f'{key}-')
    if found.isdecimal() and label.isdecimal() and key not in {'sub', 'ses'}:
        return int(found) == int(label)
    return found == label
