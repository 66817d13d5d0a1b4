"""All model errors of one scan together, ready to be laid over its signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.blood_flow import BloodFlow, blood_flow
from bidsqsm.qsm.phantom.fibres import Fibres, make_fibres
from bidsqsm.qsm.phantom.head import Head
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.kspace_errors import (
    Encoding,
    displaced,
    kspace_factor,
    through_kspace,
)
from bidsqsm.qsm.phantom.model_errors import ModelErrors
from bidsqsm.qsm.phantom.myelin_water import myelin_phase
from bidsqsm.qsm.phantom.receive_errors import open_fringe, slice_phases
from bidsqsm.qsm.phantom.skull_fat import marrow_share, marrow_signal
from bidsqsm.qsm.phantom.unexplained_field import unexplained_field
from bidsqsm.qsm.phantom.white_matter_fields import (
    anisotropic_field,
    exchange_shift,
    lorentz_shift,
)
from bidsqsm.qsm.units import TURN_RAD, imaging_frequency_of

Complex = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Disturbance:
    """What one scan of a head holds beside the field of its susceptibility.

    Attributes
    ----------
    errors
        Sizes.
    head
        What is scanned.
    echo_times
        In s.
    encoding
        How k-space is filled.
    seed
        Of breath, fringe and slices.
    field : (nx, ny, nz) float32 array
        Shifts that do not change with the echo time, in ppm; zero outside the brain but for the
        field of the anisotropic tissue.
    fibres, flow, marrow
        Where the errors that need them are on.

    """

    errors: ModelErrors
    head: Head
    echo_times: tuple[float, ...]
    encoding: Encoding
    seed: int
    field: Volume
    fibres: Fibres | None
    flow: BloodFlow | None
    marrow: Volume | None

    def turn(self, echo_time: float) -> float:
        """Phase per ppm at an echo time, in rad."""
        return TURN_RAD * imaging_frequency_of(self.head.field_strength) * echo_time

    def signal(self, number: int, water: Complex, fat: Complex) -> Complex:
        """Signal of an echo: what happens in the head.

        Parameters
        ----------
        number
            Of the echo, from 0.
        water, fat : (nx, ny, nz) complex64 array
            Its signal without errors.

        """
        echo_time, errors = self.echo_times[number], self.errors
        turn = self.turn(echo_time)
        if self.flow is not None:
            last = self.echo_times[-1]
            water = self.flow.apply(water, errors.flow, self.head, turn, echo_time, last)
        phase = turn * self.field
        if errors.myelin and self.fibres is not None:
            sine2 = self.fibres.sine2(self.head.grid.b0_direction)
            phase = phase + myelin_phase(errors.myelin, sine2, self.fibres.white, turn, echo_time)
        if self.marrow is not None:
            fat = fat + marrow_signal(self.marrow, self.head, turn, echo_time)
        if errors.fat_shift:
            fat = displaced(fat, errors.fat_shift, self.encoding.readout, self.encoding)
        signal = np.asarray((water + fat) * np.exp(1j * phase), np.complex64)
        if errors.echo_motion and len(self.echo_times) > 1:
            way = errors.echo_motion * number / (len(self.echo_times) - 1)
            signal = displaced(signal, way, self.encoding.phase_axes[1], self.encoding)
        return signal

    def receive(self, profiles: Complex) -> Complex:
        """Receive profiles (n_coils, nx, ny, nz) with the errors that all echoes share."""
        if self.errors.fringe:
            profiles = profiles * open_fringe(self.errors.fringe, self.head, self.seed)
        if self.errors.slice_offsets:
            phases = slice_phases(self.errors.slice_offsets, self.head.grid.shape[2], self.seed)
            profiles = profiles * np.exp(1j * phases).astype(np.complex64)
        return profiles

    def reconstruct(self, number: int, images: Complex) -> Complex:
        """Images (n_coils, nx, ny, nz) of an echo as its k-space was filled and filtered."""
        factor = kspace_factor(
            self.errors,
            self.encoding,
            self.echo_times[number],
            self.head.field_strength,
            self.seed,
        )
        return through_kspace(images, factor)


def disturb(
    errors: ModelErrors,
    head: Head,
    anatomy: Anatomy,
    subject: Subject,
    echo_times: tuple[float, ...],
    readout: int,
    seed: int,
    pose: Volume | None = None,
) -> Disturbance:
    """Prepare the model errors of a scan.

    Parameters
    ----------
    errors
        Sizes.
    head
        Made by :func:`~bidsqsm.qsm.phantom.head.make_head`.
    anatomy, subject, pose
        What the head was made from.
    echo_times
        In s.
    readout
        Voxel axis of the readout.
    seed
        Of what differs from scan to scan.

    """
    fibres = None
    if errors.anisotropy or errors.lorentz or errors.myelin or errors.exchange:
        fibres = make_fibres(head, anatomy, subject, pose)
    flow = blood_flow(head, anatomy, subject, pose, readout) if errors.flow else None
    return Disturbance(
        errors,
        head,
        echo_times,
        Encoding(head.grid, readout),
        seed,
        _field(errors, head, fibres, subject),
        fibres,
        flow,
        marrow_share(errors.marrow, head) if errors.marrow else None,
    )


def _field(errors: ModelErrors, head: Head, fibres: Fibres | None, subject: Subject) -> Volume:
    field = np.zeros(head.grid.shape, np.float32)
    if fibres is not None:
        field += anisotropic_field(errors.anisotropy, fibres, head.grid)
        field += lorentz_shift(errors.lorentz, fibres, head.grid)
        field += exchange_shift(errors.exchange, fibres)
    if errors.unexplained:
        size = errors.unexplained
        field += unexplained_field(size, head.chi, head.mask, head.grid, subject.seed)
    return field
