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

    """

    total_field: Volume
    noise: Volume
    residual: Volume
    offset: Volume
