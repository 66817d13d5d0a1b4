"""What a call brings its runs together with: atlases, and templates whose space is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from bidsqsm.io.atlases import Atlas, Template


@dataclass(frozen=True)
class Anatomy:
    """Atlases and output spaces of a call, found before any compute.

    Attributes
    ----------
    atlases
        Labels to carry to every run.
    spaces
        Templates onto whose grids maps are brought.

    """

    atlases: tuple[Atlas, ...] = ()
    spaces: tuple[Template, ...] = ()

    @property
    def templates(self) -> tuple[Template, ...]:
        """What to register to, one template for each name, the atlases' first."""
        every = (*(atlas.template for atlas in self.atlases), *self.spaces)
        found: dict[str, Template] = {}
        for template in every:
            found.setdefault(template.name, template)
        return tuple(found.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the atlases."""
        return tuple(said for atlas in self.atlases for said in atlas.warnings)


NONE = Anatomy()
