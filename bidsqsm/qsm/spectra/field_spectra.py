r"""Spectra of the noise and of the susceptibility, found in a local field on and off the magic angle.

On the cone where the dipole kernel D is zero, a field holds nothing of susceptibility: what is there
is noise and all that the model does not explain. With the mean power P over a shell of |k|, on the
cone and off it,

.. math:: N(k) = P_{on}, \quad S(k) = (P_{off} - N) / \langle D^2 \rangle_{off}.

A mask blurs the spectrum, so that power from off the cone leaks onto it. What a first inversion
explains of the field is therefore taken off before the power on the cone is read once more.

All powers are scaled such that white noise has the power of its variance, in ppm^2 per voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft, ndimage

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.shells import Profile, Shells
from bidsqsm.qsm.window import Window

#: Dipole kernel below which a frequency counts as on the cone; wider where too few are
CONES = (0.03, 0.06, 0.1)
#: Dipole kernel from which on a frequency counts as off the cone
OFF_CONE = 0.1
#: Frequencies on the cone that a shell must have to be read by itself
LEAST_FREQUENCIES = 12
#: Inversions after which the noise is read anew from what they leave
PASSES = 2
MARGIN = 10.0  # mm, of the window
PERIODS = 3.0  # over the longest edge of the mask, of the slowest frequencies that are read
TAPER = 6.0  # mm over which the edge of the mask is made smooth
#: What leaks onto the cone after all, as a share of the amplitude of the susceptibility
LEAK = 0.03
#: Shares of the power off the cone below which noise, and susceptibility, are not told apart from it
FLOOR_NOISE, FLOOR_SUSCEPTIBILITY = 1e-3, 1e-2


@dataclass(frozen=True)
class FieldSpectra:
    """Power of noise and of susceptibility per shell of the spatial frequency.

    Attributes
    ----------
    shells
        The shells, of n different lengths of k.
    noise : (n,) float64 array
        N, in ppm^2: the variance that white noise of this power has in a voxel.
    susceptibility : (n,) float64 array
        S, in ppm^2, of the same kind.
    count : (n,) float64 array
        Frequencies of the window in each shell.

    """

    shells: Shells
    noise: Profile
    susceptibility: Profile
    count: Profile

    @property
    def mean_noise(self) -> float:
        """Noise in ppm^2, the mean over all frequencies: its variance in a voxel."""
        return float(np.average(self.noise, weights=self.count))

    @property
    def gradient(self) -> float:
        """Root mean square of the gradient of chi, in ppm/mm."""
        squared = (2 * np.pi * self.shells.middle) ** 2 * self.susceptibility
        return float(np.sqrt(np.average(squared, weights=self.count)))

    @cached_property
    def unexplained(self) -> float:
        """Share of the field's power that the dipole model cannot explain, 0 to 1."""
        # the mean of D^2 over all directions is 4/45
        explained = np.sum(self.susceptibility * self.count) * 4 / 45
        noise = np.sum(self.noise * self.count)
        return float(noise / (noise + explained))


def field_spectra(field: Volume, mask: Mask, grid: Grid, *, leak: float = LEAK) -> FieldSpectra:
    """Spectra of the noise and of the susceptibility behind a local field.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is known.
    grid
        Voxel size and field direction.
    leak
        Amplitude of what leaks onto the cone after all, as a share of that of the susceptibility.

    Returns
    -------
    spectra
        Per shell, from the extent of the mask to the voxels.

    Raises
    ------
    ValueError
        If no frequency of the mask's window is near the magic angle.

    References
    ----------
    .. [li2015ilsqr] Li et al., NeuroImage 108:111-122 (2015). doi:10.1016/j.neuroimage.2014.12.043
       (the cone of small D, whose content is not susceptibility)

    Examples
    --------
    White noise is found as it was made:

    >>> import numpy as np
    >>> mask = np.ones((48, 48, 48), bool)
    >>> noise = np.random.default_rng(0).standard_normal(mask.shape).astype(np.float32)
    >>> spectra = field_spectra(0.01 * noise, mask, Grid(mask.shape, (1.0, 1.0, 1.0)))
    >>> 0.009 < spectra.mean_noise**0.5 < 0.011
    True

    """
    window = Window.around(mask, grid, MARGIN)
    return windowed_spectra(window.cut(field), window.cut_mask(), window, leak=leak)


def windowed_spectra(
    field: Volume, mask: Mask, window: Window, *, leak: float = LEAK
) -> FieldSpectra:
    """The spectra of a field that lies in a window already; see :func:`field_spectra`."""
    grid = window.grid
    dipole, edge = dipole_kernel(grid), _taper(mask, grid)
    shells = Shells(grid, _lowest(window))
    cone = _wide_enough(shells, dipole)
    sums = _power(field, edge, shells, dipole, cone)
    count = sums[:, 2].sum(axis=0)
    off = np.where(sums[1, 2] > 0, sums[1, 2], np.nan)
    power, squared = _filled(sums[1, 0] / off), _filled(sums[1, 1] / off)
    noise = _on_cone(sums, power)
    spectrum = fft.rfftn(field)
    for _ in range(PASSES):
        chi = _susceptibility(power, noise, squared)
        left = _unexplained(field, mask, spectrum, dipole, shells.on_grid(noise / chi))
        noise = np.minimum(_on_cone(_power(left, edge, shells, dipole, cone), power), noise)
    chi = _susceptibility(power, noise, squared)
    # no less than in the quietest shell: thermal noise is white
    noise = np.maximum(noise - leak**2 * chi, noise.min())
    return FieldSpectra(shells, noise, chi, count)


def _lowest(window: Window) -> float:
    """Frequency of the first shell: some periods over the longest edge of the mask's box, in 1/mm."""
    lengths = [
        (part.stop - part.start) * d
        for part, d in zip(window.box, window.grid.voxel_size, strict=True)
    ]
    return float(min(PERIODS / max(lengths), 0.25 / min(window.grid.voxel_size)))


def _taper(mask: Mask, grid: Grid) -> Volume:
    """The mask with a smooth edge inside itself, which leaks less power than a sharp one."""
    size = [1 + 2 * round(TAPER / d / 2) for d in grid.voxel_size]
    smooth = ndimage.uniform_filter(mask.astype(np.float32), size, mode='constant')
    edge = np.clip(2 * smooth - 1, 0, 1)
    return np.asarray(edge if edge.any() else mask.astype(np.float32))


def _wide_enough(shells: Shells, dipole: Volume) -> float:
    """The narrowest cone that has enough frequencies for one shell at least."""
    for cone in CONES:
        if 2 * np.count_nonzero(np.abs(dipole) < cone) > 2 * LEAST_FREQUENCIES:
            return cone
    raise ValueError(
        f'a grid of {shells.grid.shape} voxels has too few frequencies near the magic angle to tell '
        'its noise: give a larger mask, or a weight of your own'
    )


def _power(image: Volume, edge: Volume, shells: Shells, dipole: Volume, cone: float) -> Profile:
    """Sums over the shells of an image's power, scaled so that white noise has its variance."""
    mean = (image * edge).sum(dtype=np.float64) / edge.sum(dtype=np.float64)
    spectrum = fft.rfftn((image - np.float32(mean)) * edge)
    sums = shells.sums(spectrum, dipole, cone, OFF_CONE)
    sums[:, 0] /= np.square(edge, dtype=np.float64).sum()
    return sums


def _on_cone(sums: Profile, power: Profile) -> Profile:
    """Mean power on the cone; where a shell has too few frequencies, from its neighbours' share."""
    on, expected = sums[0], power * sums[0, 2]
    shells = len(power)
    share = np.empty(shells)
    for n in range(shells):
        reach = 0
        near = slice(n, n + 1)
        while on[2, near].sum() < LEAST_FREQUENCIES and reach < shells:
            reach += 1
            near = slice(max(0, n - reach), n + reach + 1)
        share[n] = on[0, near].sum() / max(expected[near].sum(), 1e-30)
    return np.maximum(share, FLOOR_NOISE) * power


def _susceptibility(power: Profile, noise: Profile, squared: Profile) -> Profile:
    return np.maximum(power - noise, FLOOR_SUSCEPTIBILITY * power) / squared


def _unexplained(
    field: Volume, mask: Mask, spectrum: Spectrum, dipole: Volume, ratio: Volume
) -> Volume:
    """What an inversion in closed form, with noise over susceptibility as given, leaves of the field."""
    chi = fft.irfftn(spectrum * (dipole / (dipole**2 + ratio)), s=field.shape)
    chi -= np.float32(chi[mask].mean(dtype=np.float64))
    chi *= mask
    model = fft.irfftn(fft.rfftn(chi) * dipole, s=field.shape)
    return np.asarray((field - model) * mask)


def _filled(values: Profile) -> Profile:
    """Values with that of the nearest shell where there is none."""
    good = np.isfinite(values) & (values > 0)
    if not good.any():
        raise ValueError('the field is zero in its mask: give one that is not')
    places = np.arange(len(values))
    nearest = np.abs(places[:, None] - places[good]).argmin(axis=1)
    return np.asarray(values[good][nearest])
