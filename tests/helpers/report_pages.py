"""A page as tests look at it: its tags and its text; and what a page is made from."""

from __future__ import annotations

from html.parser import HTMLParser

from bidsqsm.config import settled_methods
from bidsqsm.derivatives.sidecars import provenance
from bidsqsm.reports.subject.run_record import RunRecord

HOSTILE = '<script>alert("x")</script> & "quotes"'


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ''
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def record(run, products, facts, **status) -> RunRecord:
    choices = settled_methods()
    content = {'name': run.name, 'status': 'ok', 'warnings': [], **status}
    return RunRecord(run, content, products, provenance(run, facts, choices))
