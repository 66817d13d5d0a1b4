"""Which runs were acquired alike, so that they may be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """What runs must share to be compared.

    Attributes
    ----------
    suffix
        Of the images, such as ``MEGRE``.
    field_strength
        In T, rounded to the half tesla (below 1 T, to the hundredth): 2.89 T is called 3 T.
    voxel_size
        In mm, rounded to the tenth.
    n_echoes
        How many.
    last_echo
        The last echo time in ms, rounded.
    scanner
        Manufacturer and model, as far as they are recorded.

    """

    suffix: str = ''
    field_strength: float | None = None
    voxel_size: tuple[float, ...] = ()
    n_echoes: int = 0
    last_echo: int = 0
    scanner: str = ''

    @property
    def coarse(self) -> tuple[str, float | None]:
        """What even runs of different protocols should share: kind of image and field strength."""
        return self.suffix, self.field_strength

    def __str__(self) -> str:
        """Give the protocol in words.

        Examples
        --------
        >>> str(Protocol('MEGRE', 3.0, (1.0, 1.0, 1.2), 5, 24, 'Siemens Prisma'))
        'MEGRE, 3 T, 1 × 1 × 1.2 mm, 5 echoes to 24 ms, Siemens Prisma'

        """
        size = ' \u00d7 '.join(f'{length:g}' for length in self.voxel_size)
        echoes = f'{self.n_echoes} echoes to' if self.n_echoes > 1 else 'echo at'
        parts = (
            self.suffix,
            '' if self.field_strength is None else f'{self.field_strength:g} T',
            size and f'{size} mm',
            f'{echoes} {self.last_echo} ms' if self.n_echoes else '',
            self.scanner,
        )
        return ', '.join(filter(None, parts)) or 'acquisition not recorded'


def protocol_of(acquisition: Mapping[str, Any]) -> Protocol:
    """Read the protocol off what a run records of its acquisition.

    Parameters
    ----------
    acquisition
        ``Suffix``, ``MagneticFieldStrength`` (T), ``VoxelSize`` (mm), ``EchoTime`` (s),
        ``Manufacturer`` and ``ManufacturersModelName``, as far as they are there; what is of
        another kind than expected counts as not recorded.

    """
    times = _numbers(acquisition.get('EchoTime'))
    strength = _numbers(acquisition.get('MagneticFieldStrength'))
    return Protocol(
        suffix=_word(acquisition.get('Suffix')),
        field_strength=_rounded_strength(strength[0]) if strength else None,
        voxel_size=tuple(round(length, 1) for length in _numbers(acquisition.get('VoxelSize'))),
        n_echoes=len(times),
        last_echo=round(1000 * max(times)) if times else 0,
        scanner=_scanner(acquisition),
    )


def _scanner(acquisition: Mapping[str, Any]) -> str:
    maker = _word(acquisition.get('Manufacturer'))
    model = _word(acquisition.get('ManufacturersModelName'))
    # some models begin with the name of their maker
    return (
        model if model.lower().startswith(maker.lower()) and model else f'{maker} {model}'.strip()
    )


def _rounded_strength(tesla: float) -> float:
    return round(2 * tesla) / 2 if tesla >= 1 else round(tesla, 2)


def _word(value: Any) -> str:
    return ' '.join(value.split()) if isinstance(value, str) else ''


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list | tuple) else [value]
    return [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
