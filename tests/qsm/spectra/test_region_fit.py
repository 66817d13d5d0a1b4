"""Values planted in regions are found again, however dull the map."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.dipole.tikhonov import tikhonov
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.region_fit import fit_regions

NOISE = 2e-3  # ppm
PLANTED = {1: 0.12, 2: -0.06, 3: 0.08, 4: 0.05}  # ppm
CENTRES = [(-9, 0, 0), (9, 0, 0), (0, 11, 3), (0, 0, -12)]  # mm
UPRIGHT = Grid((72, 76, 68), (1.0, 1.0, 1.0))
TILTED = Grid((72, 77, 45), (1.0, 1.0, 1.5), (0.4, -0.3, float(np.sqrt(0.75))))


class Scene:
    """Balls of known susceptibility in a textured brain, and a strong source outside of it."""

    def __init__(self, grid):
        self.grid = grid
        random = np.random.default_rng(5)
        places = [
            (np.arange(n) - n / 2 + 0.5) * d
            for n, d in zip(grid.shape, grid.voxel_size, strict=True)
        ]
        x, y, z = np.ix_(*places)
        self.mask = x**2 + y**2 + z**2 < 30**2
        self.labels = np.zeros(grid.shape, np.uint8)
        for value, centre in zip(PLANTED, CENTRES, strict=True):
            away = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
            self.labels[away < 5**2] = value
        texture = random.standard_normal(grid.shape).astype(np.float32)
        smooth = convolve(texture, np.exp(-sum((3 * k) ** 2 for k in grid.frequencies()) * 10))
        self.chi = 0.01 * smooth / smooth.std()
        for value, planted in PLANTED.items():
            own = self.labels == value
            self.chi[own] += np.float32(planted - self.chi[own].mean())
        self.chi *= self.mask
        self.local = field_of(self.chi, self.mask, grid)
        self.local += self.mask * NOISE * random.standard_normal(grid.shape, np.float32)
        outside = np.zeros(grid.shape, np.float32)
        outside[2:6, 30:36, 20:26] = 9.0
        self.background = convolve(outside, dipole_kernel(grid)) * self.mask

    def means(self, chi):
        """Of the regions, less that of the whole."""
        chi = chi - chi[self.mask].mean()
        return np.array([chi[self.labels == value].mean() for value in PLANTED])

    def fit(self, chi, field=None, labels=None):
        spectra = field_spectra(self.local, self.mask, self.grid)
        field = self.local if field is None else field
        labels = self.labels if labels is None else labels
        return fit_regions(field, chi, labels, [*PLANTED], self.mask, self.grid, spectra)


@pytest.fixture(scope='module', params=[UPRIGHT, TILTED], ids=['upright', 'tilted'])
def scene(request):
    return Scene(request.param)


@pytest.fixture(scope='module')
def dull(scene):
    return tikhonov(scene.local, scene.mask, scene.grid, weight=0.03)


@pytest.mark.parametrize('method', [tikhonov, tv], ids=['closed form', 'edges kept'])
def test_a_dull_map_gets_its_regions_back(scene, method):
    weight = {tikhonov: 0.03, tv: 2e-3}[method]
    chi = method(scene.local, scene.mask, scene.grid, weight=weight)
    true, plain = scene.means(scene.chi), scene.means(chi)
    found = plain + scene.fit(chi).lacking
    assert np.all(plain / true < 0.85)
    assert np.polyfit(true, plain, 1)[0] < 0.8
    assert np.polyfit(true, found, 1)[0] == pytest.approx(1, abs=0.13)
    assert np.abs(found - true).max() < 0.45 * np.abs(plain - true).max()


def test_the_background_does_not_count(scene, dull):
    assert np.abs(scene.background[scene.mask]).max() > 0.1
    alone, with_background = scene.fit(dull), scene.fit(dull, scene.local + scene.background)
    assert np.allclose(alone.lacking, with_background.lacking, atol=1.5e-3)


def test_a_true_map_lacks_nothing(scene):
    fit = scene.fit(scene.chi)
    assert np.abs(fit.lacking).max() < 2e-3


def test_a_wrong_sign_or_direction_is_seen(scene, dull):
    true = scene.means(scene.chi)
    turned = fit_regions(
        scene.local,
        dull,
        scene.labels,
        [*PLANTED],
        scene.mask,
        Grid(scene.grid.shape, scene.grid.voxel_size, (1.0, 0.0, 0.0)),
        field_spectra(scene.local, scene.mask, scene.grid),
    )
    assert np.abs(scene.means(dull) + turned.lacking - true).max() > 0.02
    assert np.abs(scene.means(dull) + scene.fit(dull, -scene.local).lacking - true).max() > 0.02


def test_the_mean_of_several_regions_is_that_of_their_voxels(scene, dull):
    fit = scene.fit(dull)
    lacking, deviation = fit.of([100, 300, 0, 0])
    assert lacking == pytest.approx(0.25 * fit.lacking[0] + 0.75 * fit.lacking[1])
    share = np.array([0.25, 0.75])
    assert deviation**2 == pytest.approx(share @ fit.covariance[:2, :2] @ share)
    assert np.isnan(fit.of([0, 0, 0, 0])[0])


def test_a_region_at_the_rim_of_the_mask_has_no_value(scene, dull):
    labels = scene.labels.copy()
    labels[labels == 4] = 0
    inside = np.argwhere(scene.mask)
    rim = inside[inside[:, 1] < inside[:, 1].min() + 2]
    labels[tuple(rim.T)] = 4
    fit = scene.fit(dull, labels=labels)
    assert np.isnan(fit.lacking).tolist() == [False, False, False, True]
    assert np.isnan(fit.of([0, 0, 10, 10])[0])
