"""What the maps besides susceptibility come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bidsqsm.facts.record import StepFacts


@dataclass(frozen=True, kw_only=True)
class RelaxometryFacts(StepFacts):
    """How R2* was fitted.

    Attributes
    ----------
    magnitude_noise
        Standard deviation, in the unit of the magnitude.
    mean_echoes_used
        Over the voxels that were fitted.
    unfitted_voxels, saturated_voxels
        Number of voxels of the brain without a rate, and of those that are saturated.

    """

    steps: ClassVar[tuple[str, ...]] = ('relaxometry',)
    magnitude_noise: float | None = None
    mean_echoes_used: float | None = None
    unfitted_voxels: int | None = None
    saturated_voxels: int | None = None


@dataclass(frozen=True, kw_only=True)
class R2PrimeFacts(StepFacts):
    """Where R2 came from.

    Attributes
    ----------
    r2_from
        ``R2map``, ``T2map`` or ``spin echoes``.
    spin_echoes_used
        Number of echoes that were fitted.
    r2_placed_by
        ``header`` or ``rigid registration``.
    overlap
        Of the two brains after a registration, 0 to 1.
    median_r2
        In the brain, in 1/s.
    negative_r2prime
        Share of the brain where R2 is above R2*, 0 to 1.

    """

    steps: ClassVar[tuple[str, ...]] = ('r2prime',)
    r2_from: str | None = None
    spin_echoes_used: int | None = None
    r2_placed_by: str | None = None
    overlap: float | None = None
    median_r2: float | None = None
    negative_r2prime: float | None = None


@dataclass(frozen=True, kw_only=True)
class ConcentrationFacts(StepFacts):
    """How susceptibility became a concentration.

    Attributes
    ----------
    substance
        ``iron`` or ``gadolinium``.
    coefficient
        Susceptibility that a unit of it makes, as the method takes it.
    baseline
        Susceptibility without it, in ppm.
    below
        Share of the mask that lies below the baseline, 0 to 1.

    """

    steps: ClassVar[tuple[str, ...]] = ('concentration',)
    substance: str | None = None
    coefficient: float | None = None
    baseline: float | None = None
    below: float | None = None


@dataclass(frozen=True, kw_only=True)
class SwiFacts(StepFacts):
    """How a magnitude was weighted.

    Attributes
    ----------
    slice_axis
        ``i``, ``j`` or ``k``.
    slab_slices
        Number of slices of a projection.
    voxels_without_signal
        Number of voxels of the brain.
    filter_widths
        Of the high-pass filter in the slice, in voxels.

    """

    steps: ClassVar[tuple[str, ...]] = ('swi', 'clear_swi', 'true_swi')
    slice_axis: str | None = None
    slab_slices: int | None = None
    voxels_without_signal: int | None = None
    filter_widths: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class DecomposeFacts(StepFacts):
    """How the sources of each voxel were told apart.

    Attributes
    ----------
    fitted_voxels, lost_voxels
        Number of voxels with and without a fit.
    median_misfit
        Of the fit, relative to the signal.
    sum_less_chi
        ``mean`` and ``sd`` of the sum of the parts less the map, in ppm.

    """

    steps: ClassVar[tuple[str, ...]] = ('decompose',)
    fitted_voxels: int | None = None
    lost_voxels: int | None = None
    median_misfit: float | None = None
    sum_less_chi: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class SeparationFacts(StepFacts):
    """How susceptibility was split by the sign of its sources.

    Attributes
    ----------
    rate
        By which it was split, in words.
    relaxivities
        ``paramagnetic`` and ``diamagnetic``, in 1/s per ppm.
    sum_rms
        Root mean square by which the sum of the parts is off the map, in ppm.
    one_kind
        Share of voxels that hold sources of one sign only, 0 to 1.
    bad_voxels
        Number of voxels of the mask without a rate.

    """

    steps: ClassVar[tuple[str, ...]] = ('separation',)
    rate: str | None = None
    relaxivities: Mapping[str, float] | None = None
    sum_rms: float | None = None
    one_kind: float | None = None
    bad_voxels: int | None = None


@dataclass(frozen=True, kw_only=True)
class OxygenationFacts(StepFacts):
    """The oxygen in veins.

    Attributes
    ----------
    veins, veins_with_saturation
        Number of veins, and of those that tell a saturation.
    svo2
        Venous oxygen saturation, 0 to 1.
    oef
        Oxygen extraction fraction, 0 to 1.

    """

    steps: ClassVar[tuple[str, ...]] = ('oxygenation',)
    veins: int | None = None
    veins_with_saturation: int | None = None
    svo2: float | None = None
    oef: float | None = None
