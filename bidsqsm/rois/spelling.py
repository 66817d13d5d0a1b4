"""Names of structures and labels as people write them."""

from __future__ import annotations

import re

_SIDES = ('left', 'right', 'l', 'r', 'lh', 'rh')


def spelled(structure: str) -> str:
    """A structure as people write it.

    Examples
    --------
    >>> spelled('red_nucleus')
    'red nucleus'

    """
    return structure.replace('_', ' ')


def with_side(structure: str, hemisphere: str) -> str:
    """A structure and its side as people write them; both sides together are not named.

    Examples
    --------
    >>> with_side('red_nucleus', 'L'), with_side('red_nucleus', 'B')
    ('left red nucleus', 'red nucleus')

    """
    side = {'L': 'left ', 'R': 'right '}.get(hemisphere, '')
    return f'{side}{spelled(structure)}'


def without_side(name: str) -> str:
    """A label's name less the words that tell its side.

    Examples
    --------
    >>> without_side('left_red_nucleus'), without_side('GPe-L')
    ('red nucleus', 'GPe')

    """
    words = [word for word in re.split(r'[\s_-]+', name) if word]
    kept = [word for word in words if word.lower() not in _SIDES]
    return ' '.join(kept or words)
