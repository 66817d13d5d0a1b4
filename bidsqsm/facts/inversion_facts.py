"""How masks were made, and susceptibility of the field in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bidsqsm.facts.record import StepFacts
from bidsqsm.qsm.spectra.spectra_table import SpectraTable


@dataclass(frozen=True, kw_only=True)
class MaskFacts(StepFacts):
    """What the masks are.

    Attributes
    ----------
    source
        ``made``, or the file that was given.
    mask_sources
        Of ``brain`` and ``qsm``: what each was made of, or the file.
    template_dice
        Dice of the brain in the magnitude and that of the template, 0 to 1.
    brain_ml, qsm_ml
        Volumes of the masks, in mL.

    """

    steps: ClassVar[tuple[str, ...]] = ('mask',)
    source: str | None = None
    mask_sources: Mapping[str, str] | None = None
    template_dice: float | None = None
    brain_ml: float | None = None
    qsm_ml: float | None = None


@dataclass(frozen=True, kw_only=True)
class BackgroundFacts(StepFacts):
    """How the background field was removed.

    Attributes
    ----------
    kept
        Share of the mask that remains, 0 to 1.
    rounds
        Times it was removed.

    """

    steps: ClassVar[tuple[str, ...]] = ('background',)
    kept: float | None = None
    rounds: int | None = None


@dataclass(frozen=True, kw_only=True)
class DipoleFacts(StepFacts):
    """How the local field was inverted.

    Attributes
    ----------
    digest
        SHA-256 of the network, where one was used.
    weights
        Regularisation weights that were found in the field, by name, in the unit of the parameter.
    spectra
        Amplitudes of noise and susceptibility that the field shows, over the spatial frequency.

    """

    steps: ClassVar[tuple[str, ...]] = ('dipole',)
    digest: str | None = None
    weights: Mapping[str, float] | None = None
    spectra: SpectraTable | None = field(default=None, metadata={'kind': SpectraTable})


@dataclass(frozen=True, kw_only=True)
class OneStepFacts(StepFacts):
    """How the total field, or the phase, was inverted.

    Attributes
    ----------
    weights
        Regularisation weights that were found in the field, by name, in the unit of the parameter.
    spectra
        Amplitudes of noise and susceptibility that the field shows, over the spatial frequency.

    """

    steps: ClassVar[tuple[str, ...]] = ('onestep',)
    weights: Mapping[str, float] | None = None
    spectra: SpectraTable | None = field(default=None, metadata={'kind': SpectraTable})


@dataclass(frozen=True, kw_only=True)
class HolesFacts(StepFacts):
    """What was cut out of a mask.

    Attributes
    ----------
    holes
        Number of voxels.

    """

    holes: int | None = None


@dataclass(frozen=True, kw_only=True)
class TwoPassFacts(StepFacts):
    """How the maps of two passes became one.

    Attributes
    ----------
    two_pass
        True.
    filled_voxels, filled_share
        Number of voxels from the whole mask, and their share of it, 0 to 1.
    shift_of_filled
        What was added to them, in ppm.

    """

    steps: ClassVar[tuple[str, ...]] = ('two_pass',)
    two_pass: bool | None = None
    filled_voxels: int | None = None
    filled_share: float | None = None
    shift_of_filled: float | None = None


@dataclass(frozen=True, kw_only=True)
class JointFacts(StepFacts):
    """How a head was turned between its measurements.

    Attributes
    ----------
    orientations
        Names of the runs, the reference first.
    angles
        Between the main fields of each pair, in degrees.
    condition_number
        Of the inversion by all of them.
    b0_directions
        Unit vectors in the axes of the reference.
    rotations
        Of the head from the reference, in degrees.
    overlap
        Share of the reference's mask that each mask covers, 0 to 1.

    """

    steps: ClassVar[tuple[str, ...]] = ('joint',)
    orientations: tuple[str, ...] | None = None
    angles: tuple[float, ...] | None = None
    condition_number: float | None = None
    b0_directions: tuple[tuple[float, ...], ...] | None = None
    rotations: tuple[float, ...] | None = None
    overlap: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceFacts(StepFacts):
    """What susceptibility is relative to.

    Attributes
    ----------
    reference
        Name of the region, ``none`` for none.
    value
        Mean of the region, which was subtracted, in ppm.
    sd
        Standard deviation in the region, in ppm.
    reach
        99th percentile of the size of the susceptibility, in ppm.

    """

    steps: ClassVar[tuple[str, ...]] = ('reference',)
    reference: str | None = None
    value: float | None = None
    sd: float | None = None
    reach: float | None = None
