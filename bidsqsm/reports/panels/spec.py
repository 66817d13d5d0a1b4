"""What a panel is, and what is known of it before it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bidsqsm.reports.drawing.figure import Pictures
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.steps import RUN_STEPS, Heading


@dataclass(frozen=True)
class Panel:
    """A picture with its words; ``error`` stands in for a picture that could not be made.

    ``layers`` holds pictures that take each other's place, by the words that choose them, where
    there are several; ``image`` is the first of them.
    """

    key: str
    suffix: str
    title: str
    caption: str
    alt: str
    image: bytes = b''
    error: str = ''
    layers: Mapping[str, bytes] = field(default_factory=dict)
    heading: Heading = Heading.FURTHER


@dataclass(frozen=True, kw_only=True)
class PanelSpec:
    """A panel: drawn where any of what it needs is there, under the heading of its step.

    Attributes
    ----------
    key
        Name of the panel, in the page and in the names of its files.
    step
        Whose result it shows.
    needs
        Products, ``stored`` or ``stored phase``, what was measured of one run, or ``decisions``.
    suffix
        Suffix of the names of its files.
    title
        Of the panel.
    caption
        What it shows, and what to look for.
    alt
        What it shows, for those who do not see it; the name of the run ends it.
    draw
        Draws the picture; an empty one where there is nothing to show.

    """

    key: str
    step: str
    needs: tuple[str, ...]
    suffix: str
    title: str
    caption: str
    alt: str
    draw: Callable[[RunImages], bytes | Pictures]

    @property
    def heading(self) -> Heading:
        """Heading of the report under which it stands."""
        return RUN_STEPS[self.step].heading
