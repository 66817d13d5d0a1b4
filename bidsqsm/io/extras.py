"""Files of a run that are no fixed product: labels and tables of atlases, transforms, other spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from bidsqsm.io.names import in_order, join
from bidsqsm.io.products import folder_of

FOLDER = 'anat'


@dataclass(frozen=True)
class Extra:
    """A file to be written beside the products.

    Attributes
    ----------
    source
        Where it lies now; images are compressed on the way.
    entities
        Those that it has besides the run's.
    suffix, extension
        Of its BIDS name; the extension with its dot.
    content
        What its JSON says besides what all of them say; no JSON where it is None.

    """

    source: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str
    content: Mapping[str, Any] | None = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Extra:
        """Make it from a dictionary of its attributes."""
        return cls(**{**values, 'source': Path(values['source'])})

    def path(self, run_entities: Mapping[str, str]) -> PurePosixPath:
        """Where it goes, relative to the derivative dataset."""
        named = join(in_order({**run_entities, **self.entities}))
        return folder_of(run_entities) / FOLDER / f'{named}_{self.suffix}{self.extension}'
