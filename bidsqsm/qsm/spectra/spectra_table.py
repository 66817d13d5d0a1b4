"""Spectra as a short table of numbers, for JSON and for whoever wants them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.qsm.spectra.shells import STEP, Profile, Shells


@dataclass(frozen=True, kw_only=True)
class SpectraTable:
    """Amplitudes of noise and susceptibility over the spatial frequency, to three digits.

    Attributes
    ----------
    frequency
        Middle of each shell, in cycles/mm of the object.
    noise, susceptibility
        Square roots of N and S, in ppb: the standard deviation that white noise of this power has.
    count
        Frequencies in each shell.

    """

    frequency: tuple[float, ...] = ()
    noise: tuple[float, ...] = ()
    susceptibility: tuple[float, ...] = ()
    count: tuple[float, ...] = ()

    @classmethod
    def of(cls, spectra: FieldSpectra) -> SpectraTable:
        """The table of some spectra."""
        return cls(
            frequency=_rounded(spectra.shells.middle / spectra.shells.grid.body_scale),
            noise=_rounded(1e3 * np.sqrt(spectra.noise)),
            susceptibility=_rounded(1e3 * np.sqrt(spectra.susceptibility)),
            count=tuple(spectra.count.tolist()),
        )

    @property
    def unexplained(self) -> float:
        """Share of the field's power that the dipole model cannot explain, 0 to 1."""
        # it hangs on powers and counts alone: any grid will do
        return self.spectra(Grid((2, 2, 2), (1.0, 1.0, 1.0))).unexplained

    def spectra(self, grid: Grid) -> FieldSpectra:
        """The spectra of the table, on any grid of the same field.

        Examples
        --------
        >>> from bidsqsm.qsm.phantom.sphere import make_sphere
        >>> from bidsqsm.qsm.spectra.field_spectra import field_spectra
        >>> sphere = make_sphere()
        >>> spectra = field_spectra(sphere.local_field, sphere.mask, sphere.grid)
        >>> again = SpectraTable.of(spectra).spectra(sphere.grid)
        >>> bool(abs(again.mean_noise / spectra.mean_noise - 1) < 0.01)
        True

        """
        noise, chi = (
            (1e-3 * np.asarray(one, float)) ** 2 for one in (self.noise, self.susceptibility)
        )
        shells = Shells(grid, grid.body_scale * self.frequency[0] / STEP**0.5)
        return FieldSpectra(shells, noise, chi, np.asarray(self.count, float))


def _rounded(values: Profile) -> tuple[float, ...]:
    return tuple(float(f'{value:.3g}') for value in values)
