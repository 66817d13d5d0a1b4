"""Convolution kernels of susceptibility physics, in k-space."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume

#: Share of a sphere in a mask that counts as all of it
WHOLE_SPHERE_SHARE = np.float32(1 - 1e-4)
POINTS_PER_EDGE = 10  # of a voxel, at which is sampled what a sphere covers of it


def dipole_kernel(grid: Grid) -> Volume:
    r"""Field of a unit point of susceptibility.

    .. math:: D(k) = \frac{1}{3} - \frac{(k \cdot \hat{b}_0)^2}{|k|^2}, \quad D(0) = 0

    On a tilted grid :math:`k_x k_y` and its like jump where the sampled spectrum repeats itself,
    and the jump would ring through the volume. A voxel near the Nyquist frequency N holds both k and
    its alias, k - 2N, whose terms have opposite signs: at the edge of a tissue, where the spectrum of
    voxel means falls with the third power of k, they leave of the mixed terms the share
    :math:`t(k) = (1 - r) / (1 + r)`, :math:`r = (|k| / (2N - |k|))^3`, along each of the two axes.

    Parameters
    ----------
    grid
        The grid to sample the kernel on.

    Returns
    -------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum, in the layout of :func:`scipy.fft.rfftn`. Dimensionless: ppm of
        susceptibility in, ppm of B0 out.

    References
    ----------
    .. [salomir2003] Salomir et al., Concepts Magn Reson B 19:26-34 (2003).
       doi:10.1002/cmr.b.10083
    .. [marques2005] Marques and Bowtell, Concepts Magn Reson B 25:65-78 (2005).
       doi:10.1002/cmr.b.20034

    Examples
    --------
    >>> from bidsqsm.qsm.grid import Grid
    >>> kernel = dipole_kernel(Grid((16, 16, 16), (1.0, 1.0, 1.0)))

    Along the field it is -2/3, across it 1/3, and zero at the origin:

    >>> [round(float(kernel[place]), 3) for place in ((0, 0, 4), (4, 0, 0), (0, 0, 0))]
    [-0.667, 0.333, 0.0]

    """
    k = grid.frequencies()
    along, unmixed = np.float32(0), np.float32(0)
    for d, b, ki in zip(grid.voxel_size, grid.b0_direction, k, strict=True):
        ratio = np.minimum(np.abs(ki) / (1 / d - np.abs(ki)), 1) ** 3
        taper = (1 - ratio) / (1 + ratio)
        along = along + np.float32(b) * taper * ki
        unmixed = unmixed + (np.float32(b) * ki) ** 2 * (1 - taper**2)
    k2 = np.asarray(k[0] ** 2 + k[1] ** 2 + k[2] ** 2)
    k2[0, 0, 0] = np.inf
    kernel: Volume = np.float32(1 / 3) - (along**2 + unmixed) / k2
    kernel[0, 0, 0] = 0
    return kernel


def sphere_kernel(grid: Grid, radius: float) -> Volume:
    r"""Mean over a sphere (spherical mean value), with the sphere's edge shared out by volume.

    A voxel weighs what the sphere covers of it. The weights are then tilted by a polynomial in
    :math:`x^2, y^2, z^2` until their second moments are the same along all axes, so that the mean
    of every harmonic polynomial up to the third degree is its value at the centre, as it is for a
    true sphere, on anisotropic voxels as well.

    Parameters
    ----------
    grid
        The grid to sample the kernel on.
    radius
        Radius of the sphere in mm, at least the longest edge of a voxel.

    Returns
    -------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum, in the layout of :func:`scipy.fft.rfftn`; one at k = 0.

    References
    ----------
    .. [schweser2011] Schweser et al., NeuroImage 54:2789-2807 (2011).
       doi:10.1016/j.neuroimage.2010.10.070

    Examples
    --------
    >>> from bidsqsm.qsm.grid import Grid
    >>> kernel = sphere_kernel(Grid((16, 16, 16), (1.0, 1.0, 1.0)), radius=3.0)

    It keeps a constant and takes away what changes from voxel to voxel:

    >>> round(float(kernel[0, 0, 0]), 3), bool(abs(kernel[8, 8, 8]) < 0.05)
    (1.0, True)

    """
    if radius < max(grid.voxel_size) * (1 - 1e-5):  # an affine's voxel may be a hair longer
        raise ValueError(
            f'a sphere of {radius:g} mm is smaller than a voxel of {grid.voxel_size} mm: '
            'choose a radius of at least the longest edge'
        )
    weights = sphere_weights(radius, grid.voxel_size)
    volume = np.zeros(grid.shape, np.float32)
    reach = [(n - 1) // 2 for n in weights.shape]
    places = [np.arange(-r, r + 1) % n for r, n in zip(reach, grid.shape, strict=True)]
    np.add.at(volume, np.ix_(*places), weights)
    spectrum: Volume = fft.rfftn(volume).real
    return np.ascontiguousarray(spectrum)


def fits_inside(sphere: Volume, inside: Mask, spectrum: Volume) -> Mask:
    """Voxels of a mask, given with its spectrum, around which all of a sphere lies in it.

    Parameters
    ----------
    sphere : (nx, ny, nz // 2 + 1) float32 array
        Of :func:`sphere_kernel`.
    inside : (nx, ny, nz) bool array
        The mask.
    spectrum : (nx, ny, nz // 2 + 1) complex64 array
        Of the mask, which is the same for spheres of all sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import fft
    >>> from bidsqsm.qsm.grid import Grid
    >>> mask = np.zeros((16, 16, 16), bool)
    >>> mask[4:11, 4:11, 4:11] = True
    >>> sphere = sphere_kernel(Grid(mask.shape, (1.0, 1.0, 1.0)), radius=3.0)
    >>> np.argwhere(fits_inside(sphere, mask, fft.rfftn(mask.astype('f4')))).tolist()
    [[7, 7, 7]]

    """
    share = fft.irfftn(sphere * spectrum, s=inside.shape, overwrite_x=True)
    fits: Mask = share > WHOLE_SPHERE_SHARE
    fits &= inside
    return fits


def sphere_weights(radius: float, voxel_size: Triple) -> Volume:
    """Weights of :func:`sphere_kernel` in its own small box, centre in the middle, sum one.

    Slivers, of which the sphere covers less than a tenth, are left out: they would make the sphere
    reach further into the edge of a mask than its size asks for.

    Examples
    --------
    >>> weights = sphere_weights(2.0, (1.0, 1.0, 1.0))
    >>> weights.shape, round(float(weights.sum()), 3)
    ((5, 5, 5), 1.0)

    """
    reach = [int(np.ceil(radius / d - 0.5)) for d in voxel_size]
    centres = [np.arange(r + 1) * d for r, d in zip(reach, voxel_size, strict=True)]
    parts = POINTS_PER_EDGE
    within = (np.arange(parts) + 0.5) / parts - 0.5
    fine = [
        ((c[:, None] + within * d) ** 2).ravel() for c, d in zip(centres, voxel_size, strict=True)
    ]
    covered = np.add.outer(np.add.outer(fine[0], fine[1]), fine[2]) < radius**2
    nx, ny, nz = (r + 1 for r in reach)
    octant = covered.reshape(nx, parts, ny, parts, nz, parts).mean(axis=(1, 3, 5))
    octant[octant < 0.1] = 0
    for axis in range(3):  # the other seven octants mirror this one
        mirror = np.take(octant, range(octant.shape[axis] - 1, 0, -1), axis=axis)
        octant = np.concatenate([mirror, octant], axis=axis)
    return _even_moments(octant, voxel_size).astype(np.float32)


def _even_moments(weights: Volume, voxel_size: Triple) -> Volume:
    # w <- w (a + b x^2 + c y^2 + d z^2) with sum one and second moments that are equal
    axes = [(np.arange(n) - n // 2) * d for n, d in zip(weights.shape, voxel_size, strict=True)]
    squares = np.broadcast_arrays(*np.meshgrid(*(a**2 for a in axes), indexing='ij', sparse=True))
    basis = np.stack([np.ones(weights.size), *(s.ravel() for s in squares)])
    moments = (basis * weights.ravel()) @ basis.T
    target = moments[0, 1:].mean() / moments[0, 0]
    tilt = np.linalg.solve(moments, [1, target, target, target])
    tilted: Volume = weights * (tilt @ basis).reshape(weights.shape)
    return tilted


def convolve(volume: Volume, kernel: Volume) -> Volume:
    """Circular convolution of a volume with a kernel given by its real spectrum.

    Examples
    --------
    >>> from bidsqsm.qsm.kernels import dipole_kernel
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> field = convolve(sphere.chi, dipole_kernel(sphere.grid))

    Positive beyond the poles of the sphere, negative around its equator:

    >>> bool(field[12, 12, 17] > 0 > field[17, 12, 12])
    True

    """
    spectrum = fft.rfftn(volume)
    spectrum *= kernel
    result: Volume = fft.irfftn(spectrum, s=volume.shape, overwrite_x=True)
    return result
