"""Heads made of label maps of real anatomy, for `anatomy.py`; not a benchmark by itself.

A label image of FreeSurfer's values with the outside of the brain (502 to 530) becomes a T1w and a
multi-echo magnitude: each label is a tissue of the simulated heads, with the signal of their
sequences, textured, blurred by partial volumes, under a smooth bias and noise. Susceptibility and
R2* are class means (each nucleus of each head differs a little from the published mean) with
texture; what stands in for the measured maps has noise as well, but no artefact of a reconstruction.
The tissues outside the brain are guessed from where the labels lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from bidsqsm.demo.simulate import default_shape
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.masking.morphology import close
from bidsqsm.qsm.phantom.head import gre_signal
from bidsqsm.qsm.phantom.tissue import TISSUES, Tissue, inversion_signal, nucleus, nucleus_chi
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.qsm.resampling import resample, resample_through

#: Where label maps and atlas lie beside the checkout
DATA = Path(__file__).resolve().parents[2] / 'shared' / 'data'
#: FreeSurfer's values of what is scored: left, right
TRUTH: Mapping[str, tuple[int, int]] = {
    'caudate': (11, 50),
    'putamen': (12, 51),
    'pallidum': (13, 52),
    'thalamus': (10, 49),
}
_T1 = {'thalamus': 1.10, 'pallidum': 0.95}  # s: more myelin than in the striatum
_CLASSES: Mapping[str, tuple[int, ...]] = {
    'white_matter': (2, 41, 7, 46, 85, 16, 28, 60),
    'gray_matter': (3, 42, 8, 47, 17, 53, 18, 54, 26, 58, 25, 57, 136, 137, 163, 164),
    'csf': (4, 43, 5, 44, 14, 15, 24, 72, 506),
    'vein': (30, 62),
    'bone': (515, 516),
    'fat': (511,),
    'muscle': (502, 507, 508, 509, 512, 514, 530),
}
_FLUID = 24  # in the sulci and around the brain
_OUTSIDE = 500
_SPREAD = 0.10  # SD of a nucleus's chi and R2* between heads, relative
_TEXTURE = {'signal': 0.03, 'chi': 0.006, 'r2star': 0.05}  # relative, ppm, relative
_NOISE = {'t1w': 0.012, 'magnitude': 0.012, 'chi': 0.012, 'r2star': 1.0}
TIMES = (0.004, 0.008, 0.012, 0.016, 0.020)  # s


@dataclass(frozen=True)
class LabelHead:
    """A head: volumes on the run's grid, and its T1w on a grid and in a pose of its own."""

    affine: Volume
    magnitude: Volume  # echo first
    chi: Volume
    true_chi: Volume
    r2star: Volume
    mask: Mask
    truth: Labels
    t1w: Volume
    t1w_affine: Volume


def label_head(path: Path, size: float, pose: Volume, seed: int) -> LabelHead:
    """Images of a head from its labels; ``pose`` (mm, 4 x 4) takes the run's world to the T1w's."""
    image = nib.load(path)
    labels, affine = np.asanyarray(image.dataobj).astype(np.int32), image.affine
    random = np.random.default_rng([seed, 21])
    tissues = _tissues(random)
    texture = ndimage.gaussian_filter(random.standard_normal(labels.shape, np.float32), 1.4)
    texture /= texture.std()
    head = _Painter(labels, affine, tissues, texture, random)
    spacing = (size, size, size)
    shape = default_shape(spacing)
    onto = _centred(shape, size, head.middle)
    truth = resample_through(labels, affine, affine_transform(np.eye(4)), shape, onto, 'labels')
    mask = _brain(truth, onto)
    chi = head.paint(lambda t: t.chi, _TEXTURE['chi'], onto, shape, relative=False)
    r2star = head.paint(lambda t: t.r2star(3.0), _TEXTURE['r2star'], onto, shape)
    signal = head.paint(gre_signal, _TEXTURE['signal'], onto, shape)
    echoes = [head.scanned(signal * np.exp(-t * r2star), _NOISE['magnitude']) for t in TIMES]
    side = max(1.0, size)
    t1w_shape = default_shape((side, side, side))
    # the head has moved: its voxels lie elsewhere in the labels
    t1w_affine = _centred(t1w_shape, side, (pose @ [*head.middle, 1])[:3])
    placed = np.linalg.inv(pose) @ t1w_affine
    t1w = head.paint(inversion_signal, _TEXTURE['signal'], placed, t1w_shape)
    return LabelHead(
        onto,
        np.stack(echoes),
        np.where(mask, chi + head.noise(shape, _NOISE['chi']), 0),
        np.where(mask, chi, 0),
        np.where(mask, np.maximum(r2star + head.noise(shape, _NOISE['r2star']), 0), 0),
        mask,
        np.where(np.isin(truth, np.ravel([*TRUTH.values()])), truth, 0),
        head.scanned(t1w, _NOISE['t1w']),
        t1w_affine,
    )


@dataclass
class _Painter:
    """Maps of tissue properties on the grid of the labels, sampled on others."""

    labels: Labels
    affine: Volume
    tissues: Mapping[int, Tissue]
    texture: Volume
    random: np.random.Generator

    @property
    def middle(self) -> Volume:
        inside = (self.labels > 0) & (self.labels < _OUTSIDE)
        place = np.array(ndimage.center_of_mass(inside))
        return np.asarray(self.affine[:3, :3] @ place + self.affine[:3, 3])

    def paint(
        self,
        value: Callable[[Tissue], float],
        texture: float,
        onto: Volume,
        shape: tuple[int, int, int],
        *,
        relative: bool = True,
    ) -> Volume:
        table = np.zeros(int(self.labels.max()) + 1, np.float32)
        for label, tissue in self.tissues.items():
            if label < table.size:
                table[label] = value(tissue)
        values = table[self.labels]
        change = texture * self.texture
        values = values * (1 + change) if relative else values + change * (self.labels > 0)
        soft = ndimage.gaussian_filter(values, 0.5)
        to_labels = np.linalg.inv(self.affine) @ onto
        return resample(soft, to_labels[:3, :3], to_labels[:3, 3], shape, order=1)

    def noise(self, shape: tuple[int, int, int], size: float) -> Volume:
        rough = ndimage.gaussian_filter(self.random.standard_normal(shape, np.float32), 0.6)
        return np.asarray(size * rough / rough.std(), np.float32)

    def scanned(self, signal: Volume, noise: float) -> Volume:
        """Signal under the sensitivity of a receive coil, with the noise of a magnitude."""
        x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in signal.shape), indexing='ij')
        bias = 0.85 + 0.30 * (x * x + y * y + 0.8 * z * z) + 0.08 * y
        real, imaginary = noise * self.random.standard_normal((2, *signal.shape), np.float32)
        return np.hypot(signal * bias + real, imaginary).astype(np.float32)


def _tissues(random: np.random.Generator) -> dict[int, Tissue]:
    found = {label: TISSUES[name] for name, values in _CLASSES.items() for label in values}
    # bone and fat shape no field here: outside the brain nothing is scored
    for name, sides in TRUTH.items():
        iron = nucleus_chi(name, 50.0) * (1 + _SPREAD * random.standard_normal())
        tissue = nucleus(iron)
        for label in sides:
            found[label] = replace(tissue, t1=_T1.get(name, tissue.t1))
    return found


def _brain(labels: Labels, affine: Volume) -> Mask:
    """Tissue with the sulci between it."""
    tissue = (labels > 0) & (labels < _OUTSIDE) & (labels != _FLUID)
    grid = Grid.from_affine(labels.shape, affine)
    closed = close(tissue, 4.0, grid.voxel_size)
    return np.asarray(ndimage.binary_fill_holes(closed & (labels < _OUTSIDE)))


def _centred(shape: tuple[int, int, int], size: float, middle: Any) -> Volume:
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = np.asarray(middle) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine
