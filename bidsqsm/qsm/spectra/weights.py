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


#: Of a total variation whose data are whitened; found by sweeps, as the powers are
WHITENED_FACTOR, UNEXPLAINED_POWER = 0.45, 0.35


def whitened_variation_weight(spectra: FieldSpectra, colour: float) -> float:
    r"""Weight of a total variation beside errors that are whitened to the power c.

    .. math:: \lambda = 0.45\, u^{-0.35} \frac{\bar N^{1-c} N_{min}^c}{g}

    with the share u of the field's power that the model does not explain: the more it explains, the
    more of the quick changes that the weight suppresses are noise.

    Returns
    -------
    weight
        In ppm mm, where the noise is that of the quietest shell.

    """
    quiet = float(spectra.noise.min())
    level = spectra.noise_level ** (1 - colour) * quiet**colour
    factor = WHITENED_FACTOR * spectra.unexplained**-UNEXPLAINED_POWER
    return float(factor * level / spectra.gradient)


def variation_weight(spectra: FieldSpectra, factor: float) -> float:
    r"""Weight of a total variation beside a squared misfit: :math:`c \bar N / g`, in ppm mm.

    Parameters
    ----------
    spectra
        Of the field.
    factor
        c, dimensionless; a method's own.

    """
    return note_weight(factor * spectra.noise_level / spectra.gradient)
