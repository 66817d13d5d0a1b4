"""How the echoes of a susceptibility-weighted image become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume

COMBINATIONS = ('t2star', 'rss', 'single')


class Combination(NamedTuple):
    """A mean over echoes, or the root of a sum of squares.

    Attributes
    ----------
    weights : (n_echoes,) float32 array
        Not negative; those of a mean sum to 1.
    squared
        Whether the weighted squares are added and their root taken.

    """

    weights: Volume
    squared: bool

    def of(self, echoes: Volume) -> Volume:
        """Combine magnitudes, echoes first."""
        total = np.zeros(echoes.shape[1:], np.float32)
        for weight, echo in zip(self.weights, echoes, strict=True):
            if weight > 0:
                total += weight * (echo * echo if self.squared else echo)
        return np.sqrt(total) if self.squared else total


def combination(
    echo_times: Sequence[float], kind: str, echo_time: float, t2star: float
) -> Combination:
    r"""Weights of the echoes.

    ``single`` takes the echo nearest to a time, ``rss`` the root of the sum of squares, ``t2star``
    the mean that shows a small change of T2* with the best ratio of contrast to noise,
    :math:`w_n \propto TE_n e^{-TE_n / T_2^*}`.

    Parameters
    ----------
    echo_times
        In s.
    kind
        One of :data:`COMBINATIONS`.
    echo_time
        Of the single echo, in s.
    t2star
        Of the tissue that the mean suits, in s.

    """
    times = np.asarray(echo_times, float)
    if kind == 'single':
        weights = (np.arange(times.size) == np.abs(times - echo_time).argmin()).astype(float)
    elif kind == 'rss':
        weights = np.ones(times.size)
    else:
        weights = times * np.exp(-times / t2star)
        weights /= weights.sum()
    return Combination(weights.astype(np.float32), kind == 'rss')


def checked(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Volume:
    """Magnitude without values that are negative or not finite, once it fits times and mask."""
    if magnitude.shape != (len(echo_times), *mask.shape):
        raise ValueError(
            f'magnitude has shape {magnitude.shape}, but {len(echo_times)} echo times and a mask of '
            f'{mask.shape} ask for {(len(echo_times), *mask.shape)}: put echoes first'
        )
    sound: Volume = np.where(np.isfinite(magnitude) & (magnitude > 0), magnitude, np.float32(0))
    return sound


def summed(echoes: Volume, factors: Volume) -> Volume:
    """Sum over echoes, each times its factor, in the same order whatever the threads."""
    total = np.zeros(echoes.shape[1:], np.float32)
    for echo, factor in zip(echoes, factors, strict=True):
        total += echo * factor
    return total
