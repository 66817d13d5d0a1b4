"""The works that bidsqsm cites: read from ``data/boilerplate.bib``, printed as references."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_ENTRY = re.compile(r'^@\w+\{(?P<key>[\w-]+),\n(?P<body>.*?)^\}', re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r'^\s*(?P<name>\w+)\s*=\s*\{(?P<value>.*)\},?$', re.MULTILINE)
_CITATION = re.compile(r'@([\w-]+)')


@dataclass(frozen=True)
class Work:
    """One cited work."""

    key: str
    fields: Mapping[str, str]
    source: str

    @property
    def short(self) -> str:
        """First author's family name and year, as put between parentheses in a text."""
        names = self.fields['author'].split(' and ')
        first = names[0].partition(',')[0]
        more = {1: '', 2: f' and {names[-1].partition(",")[0]}'}.get(len(names), ' et al.')
        return f'{first}{more}, {self.fields["year"]}'

    @property
    def doi(self) -> str:
        """Digital object identifier, without the resolver's address."""
        return self.fields.get('doi', '')

    def printed(self) -> str:
        """Authors, title, journal, volume, pages and year, as one line; the DOI is apart."""
        names = [_initials(name) for name in self.fields['author'].split(' and ')]
        authors = ', '.join(names) if len(names) <= 3 else f'{names[0]} et al'
        title = self.fields['title']
        kinds = ('journal', 'booktitle', 'publisher')
        where = next((self.fields[kind] for kind in kinds if kind in self.fields), '')
        place = ':'.join(self.fields[key] for key in ('volume', 'pages') if key in self.fields)
        parts = [f'{authors}.', title if title.endswith('?') else f'{title}.', where, place]
        return ' '.join(filter(None, parts)) + f' ({self.fields["year"]}).'


@cache
def works() -> dict[str, Work]:
    """Every work of the bibliography, by key.

    Examples
    --------
    >>> works()['shmueli2009'].short, works()['shmueli2009'].doi
    ('Shmueli et al., 2009', '10.1002/mrm.22135')

    """
    text = (files('bidsqsm') / 'data' / 'boilerplate.bib').read_text(encoding='utf-8')
    found = {}
    for entry in _ENTRY.finditer(text):
        fields = {m['name']: _plain(m['value']) for m in _FIELD.finditer(entry['body'])}
        found[entry['key']] = Work(entry['key'], fields, entry[0])
    return found


def printed_references() -> dict[str, str]:
    """A printable reference for every key.

    Examples
    --------
    >>> printed_references()['shmueli2009'].endswith('doi:10.1002/mrm.22135')
    True

    """
    return {
        key: f'{work.printed()} doi:{work.doi}' if work.doi else work.printed()
        for key, work in works().items()
    }


def cited(text: str) -> list[str]:
    """Keys cited in a text as ``[@key; @other]``, each once, in order of appearance.

    Examples
    --------
    >>> cited('Phase was unwrapped [@dymerska2021] and inverted [@milovic2019; @dymerska2021].')
    ['dymerska2021', 'milovic2019']

    """
    groups = re.findall(r'\[(@[^\]]+)\]', text)
    return list(dict.fromkeys(key for group in groups for key in _CITATION.findall(group)))


def bibtex(keys: Iterable[str]) -> str:
    """The entries of some keys, as they stand in the bibliography.

    Examples
    --------
    >>> bibtex(['shmueli2009']).startswith('@article{shmueli2009,')
    True

    """
    known = works()
    return '\n\n'.join(known[key].source for key in keys if key in known) + '\n'


def _initials(name: str) -> str:
    # 'van Zijl, Peter' -> 'van Zijl P'; a group of authors without a comma stays whole
    family, _, given = name.partition(', ')
    return f'{family} {"".join(part[0] for part in re.split("[ -]", given) if part)}'.strip()


def _plain(value: str) -> str:
    # doubled braces keep capitals in BibTeX and mean nothing on a page
    return re.sub(r'[{}]', '', value).replace('--', '-').replace(r'\&', '&')
