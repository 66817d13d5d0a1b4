r"""Regularisation weights that follow from the spectra of noise and susceptibility.

A total variation of gradients whose size is g, beside data with noise of power N, is most probable
for a weight in proportion to N / g. The factors were found by sweeps on simulated heads, plain and
with the errors of models that fields of people hold, at 1 and 2 mm; see ``docs/benchmarks.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from bidsqsm.qsm.spectra.field_spectra import FieldSpectra

LOGGER = logging.getLogger(__name__)

_FOUND: ContextVar[dict[str, float] | None] = ContextVar('found', default=None)


@contextmanager
def found_weights() -> Iterator[dict[str, float]]:
    """Collect the weights that methods find in their data within this block."""
    found: dict[str, float] = {}
    token = _FOUND.set(found)
    try:
        yield found
    finally:
        _FOUND.reset(token)


def note_weight(value: float, name: str = 'weight') -> float:
    """Make a weight that was found in the data known to the log and to whoever collects."""
    LOGGER.info('%s %.3g, from the noise and the susceptibility that the field shows', name, value)
    if (found := _FOUND.get()) is not None:
        found[name] = value
    return value


#: Of a total variation beside a squared misfit, and with a harmonic field that takes up slow errors
VARIATION_FACTOR, HARMONIC_FACTOR = 0.38, 0.3
#: Of one behind a total field whose harmonic part is given back to the field of the map (TFI)
GIVEN_BACK_FACTOR = 0.23
#: Of one beside a plain misfit, and beside a map that is known where D is large (RTS)
PLAIN_FACTOR, KNOWN_FACTOR = 0.6, 0.11
#: Of the threshold of a filter that raises small D to it, and of one that leaves them out
FLOOR_FACTOR, ZERO_FACTOR = 1.5, 1.0
#: Noise over susceptibility that the truncation of the field by its mask stands for
EDGE_RATIO = 0.003
#: Of a total variation whose data are whitened: beside a local field, and behind spheres (SSTV)
WHITENED_FACTOR, SPHERES_FACTOR = 0.25, 0.2
#: Powers of the share that is not explained, beside squared and beside plain misfits
UNEXPLAINED_POWER, PLAIN_POWER = 0.45, 0.2


def whitened_variation_weight(
    spectra: FieldSpectra, colour: float, factor: float = WHITENED_FACTOR
) -> float:
    r"""Weight of a total variation beside errors that are whitened to the power c.

    .. math:: \lambda = b\, u^{-0.45} \frac{\langle N \rangle^{1-c} N_{min}^c}{g}

    See :func:`variation_weight`, whose law it is for c = 0 but for the factor b, a method's own.

    Returns
    -------
    weight
        In ppm mm, where the noise is that of the quietest shell.

    """
    quiet = float(spectra.noise.min())
    level = spectra.mean_noise ** (1 - colour) * quiet**colour
    share = spectra.unexplained**-UNEXPLAINED_POWER
    return float(factor * share * level / spectra.gradient)


def variation_weight(spectra: FieldSpectra, factor: float = VARIATION_FACTOR) -> float:
    r"""Weight of a total variation beside a squared misfit, in ppm mm.

    .. math:: \lambda = c\, u^{-0.45} \langle N \rangle / g

    with the mean noise over all frequencies, the gradient g of chi, and the share u of the field's
    power that the model does not explain: the more it explains, the more of the quick changes that
    the weight suppresses are noise.

    Parameters
    ----------
    spectra
        Of the local field.
    factor
        c, dimensionless; a method's own.

    """
    share = spectra.unexplained**-UNEXPLAINED_POWER
    return note_weight(factor * share * spectra.mean_noise / spectra.gradient)


def plain_variation_weight(
    spectra: FieldSpectra, factor: float = PLAIN_FACTOR, name: str = 'weight'
) -> float:
    r"""Weight beside a plain, not squared, misfit: :math:`c\, u^{-0.2} \langle N \rangle^{1/2} / g`, in mm.

    See :func:`variation_weight`.
    """
    share = spectra.unexplained**-PLAIN_POWER
    return note_weight(
        factor * share * float(np.sqrt(spectra.mean_noise)) / spectra.gradient, name
    )


def filter_threshold(spectra: FieldSpectra, factor: float) -> float:
    r"""Value of :math:`|D|` up to which noise outweighs susceptibility: :math:`c r^{1/2}`.

    r is that of :func:`noise_ratio`; the result is dimensionless and below 2/3, the largest
    :math:`|D|`.
    """
    return note_weight(min(factor * float(np.sqrt(noise_ratio(spectra))), 0.6), 'threshold')


def noise_ratio(spectra: FieldSpectra) -> float:
    r"""Noise over susceptibility, :math:`\langle N \rangle / \langle S \rangle`, of all frequencies.

    It is what a filter with one number for all frequencies adds to :math:`D^2`. The edge of a mask
    alone asks for :data:`EDGE_RATIO`.
    """
    noise = spectra.mean_noise
    return float(noise / np.average(spectra.susceptibility, weights=spectra.count) + EDGE_RATIO)
