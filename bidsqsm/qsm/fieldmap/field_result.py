"""What a field fit returns."""

from __future__ import annotations

from typing import NamedTuple

from bidsqsm.qsm.grid import Volume


class FieldFit(NamedTuple):
    """The field and how well the echoes agree on it; all (nx, ny, nz) float32, zero off the mask.

    Attributes
    ----------
    total_field
        Field in ppm of B0; positive where the phase grows with the echo time.
    noise
        Standard deviation of the field in ppm, from the noise of the complex signal.
    residual
        Root of the magnitude-weighted mean of |data - model|^2 over |data|^2: 0 is a perfect fit.
    offset
        Phase at echo time zero in rad; zero where it was not fitted.
    water, fat
        Signal of either at echo time zero, unit of the magnitude; None where a method does not
        part the two.
    fat_fraction
        fat / (water + fat), 0 to 1; None like those.
    r2star
        R2* of water and fat in 1/s; None like those.
    phase_sign
        +1 where the phase grows with the field, as the spectrum of fat was taken to tell, -1
        where it falls; None where a method does not ask.

    """

    total_field: Volume
    noise: Volume
    residual: Volume
    offset: Volume
    water: Volume | None = None
    fat: Volume | None = None
    fat_fraction: Volume | None = None
    r2star: Volume | None = None
    phase_sign: int | None = None
