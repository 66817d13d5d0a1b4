"""Files of a run that are no fixed product: labels and tables of atlases, transforms, other spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bidsqsm.derivatives.products import folder_of
from bidsqsm.inputs.names import in_order, join


@dataclass(frozen=True)
class ExtraFile:
    """A file to be written beside the products.

    Attributes
    ----------
    source
        Where it lies now; an image is compressed on the way.
    entities
        Those that it has besides the run's.
    suffix, extension
        Of its BIDS name; the extension with its dot.
    content
        What its JSON says besides what every JSON does; no JSON where it is None.
    product
        The product that it shows in another space, whose JSON it shares; empty for none.
    at_root
        Whether it belongs to the dataset, not to the run: its entities are all that it has.

    """

    source: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str
    content: Mapping[str, Any] | None = None
    product: str = ''
    at_root: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ExtraFile:
        """Make it from a dictionary of its attributes."""
        return cls(**{**values, 'source': Path(values['source'])})

    def as_dict(self) -> dict[str, Any]:
        """Its attributes in plain types; :meth:`of` gives it back."""
        return {**asdict(self), 'source': str(self.source)}

    def path(self, run_entities: Mapping[str, str]) -> PurePosixPath:
        """Where it goes, relative to the derivative dataset."""
        if self.at_root:
            return PurePosixPath(f'{join(self.entities)}_{self.suffix}{self.extension}')
        named = join(in_order({**run_entities, **self.entities}))
        return folder_of(run_entities) / 'anat' / f'{named}_{self.suffix}{self.extension}'
