"""An atlas: labels in the space of a template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bidsqsm.atlases.structures import Label


@dataclass(frozen=True)
class Template:
    """A brain to register to.

    Attributes
    ----------
    name
        As in BIDS ``space-<name>``.
    t1w
        T1-weighted image.
    mask
        Brain mask on its grid, if there is one.
    resolution
        Number of the template's grid where one was asked for, as in ``res-<number>``.
    chi, r2star
        Maps in its world coordinates, any unit, if there are any.

    """

    name: str
    t1w: Path
    mask: Path | None
    resolution: int | None = None
    chi: Path | None = None
    r2star: Path | None = None


@dataclass(frozen=True)
class Atlas:
    """Labels in the space of a template.

    Attributes
    ----------
    name
        As in ``atlas-<name>``: letters and digits.
    template
        What the labels lie on; the grids may differ, the world coordinates are the same.
    dseg
        Label image; values without a label in ``labels`` are left out.
    labels
        Its labels.
    license, source
        As the atlas states them.
    warnings
        What was found odd, a sentence each.

    """

    name: str
    template: Template
    dseg: Path
    labels: tuple[Label, ...]
    license: str
    source: str
    warnings: tuple[str, ...] = ()
