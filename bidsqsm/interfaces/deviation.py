"""The standard deviation of a map, from the spectra of the field that it was made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.qsm.spectra.spectra_table import SpectraTable
from bidsqsm.qsm.spectra.standard_deviation import standard_deviation

UNKNOWN = 'The standard deviation of susceptibility is not known: {}.'


def deviation_of(
    chi: Volume, mask: Mask, read: Callable[[], FieldSpectra], background_share: float = 0.0
) -> tuple[Volume, SpectraTable | None, tuple[str, ...]]:
    """Standard deviation in ppm, the spectra that it follows from, and a warning where there are none.

    Where the spectra cannot be read, the map is NaN in the mask. Otherwise it is that of an
    inversion which knows the spectra, whatever the method of the map.
    """
    try:
        spectra = read()
    except ValueError as error:
        nothing = np.where(mask, np.float32(np.nan), np.float32(0))
        return nothing, None, (UNKNOWN.format(error),)
    deviation = standard_deviation(chi, mask, spectra, background_share=background_share)
    return deviation, SpectraTable.of(spectra), ()
