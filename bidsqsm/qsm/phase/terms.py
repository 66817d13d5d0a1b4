"""Terms of the phase that are neither field nor noise, as they were found and removed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Alternation:
    """A sign of the phase that changes from slice to slice.

    Attributes
    ----------
    removed
        Whether it was made even.
    axes
        Along which it alternates, counted from 0.
    mean_steps
        Mean cosine of the step from voxel to voxel along each axis.
    sentence
        The same in words.

    """

    removed: bool | None = None
    axes: tuple[int, ...] | None = None
    mean_steps: tuple[float, ...] | None = None
    sentence: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReadoutPhase:
    """The phase difference between even and odd echoes of a bipolar readout.

    Attributes
    ----------
    removed
        Whether it was removed.
    constant_rad
        Where the position is zero, in rad.
    gradient_rad_per_mm
        Along each axis, in rad/mm.
    across_head_rad
        How far it goes over the head along each axis, in rad.
    sentence
        The same in words.
    warning
        Where metadata and data disagree.

    """

    removed: bool | None = None
    constant_rad: float | None = None
    gradient_rad_per_mm: tuple[float, ...] | None = None
    across_head_rad: tuple[float, ...] | None = None
    sentence: str | None = None
    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class PhaseFilter:
    """Whether the stored phase was high-pass filtered.

    Attributes
    ----------
    found
        Whether it looks so.
    sentence
        The same in words.

    """

    found: bool | None = None
    sentence: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReceivePhase:
    """The phase that the receiver adds to all echoes.

    Attributes
    ----------
    removed
        Whether it was removed.
    echoes
        From which two it was estimated, counted from 1.
    spread_rad
        Its circular standard deviation over the head, in rad.
    slice_axis
        Along which slices have phases of their own, counted from 0; None where they have not.
    slice_steps_rad
        By how much the step from slice to slice changes, root mean square, in rad.
    fringe_ends
        Share of the head near lines that the phase turns about; None where there are none.
    sentence
        The same in words.
    warning
        Where slices have phases of their own, or fringes end in the head.

    """

    removed: bool | None = None
    echoes: tuple[int, ...] | None = None
    spread_rad: float | None = None
    slice_axis: int | None = None
    slice_steps_rad: float | None = None
    fringe_ends: float | None = None
    sentence: str | None = None
    warning: str | None = None
