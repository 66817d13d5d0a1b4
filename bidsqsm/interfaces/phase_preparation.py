"""From the files of a run to magnitude, and to phase in radians that is ready for unwrapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.errors import DatasetError
from bidsqsm.facts.field_facts import PhaseFacts
from bidsqsm.files.nifti import channel_file_loader, channel_loader, load_stored, load_volumes
from bidsqsm.files.voxel_checks import check_volumes, clip_negative, negative_sentence
from bidsqsm.inputs.metadata import readout_of
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.conventions import PhaseScale
from bidsqsm.qsm.phase.jumps import find_turn, unwrapped_evidence
from bidsqsm.qsm.phase.prepare import prepare
from bidsqsm.qsm.phase.scaling import decide_scale, polar, scale_phase
from bidsqsm.qsm.phase.terms import PhaseFilter

Reader = Callable[[int], Volume]


@dataclass(frozen=True)
class PreparedRun:
    """Phase (rad) and magnitude, both (n_echoes, nx, ny, nz) float32, and how they came to be."""

    phase: Volume
    magnitude: Volume
    facts: PhaseFacts


def prepare_run(
    run: GreRun,
    *,
    coil: Choice,
    unwrap: Choice,
    corrections: Mapping[str, Any],
    force: Sequence[str] = (),
) -> PreparedRun:
    """Read a run, scale its phase, combine its channels and remove receive and readout phase.

    Parameters
    ----------
    run
        Files and metadata.
    coil
        Method that combines channels; not used where they are combined.
    unwrap
        Method that the removal of the receive phase unwraps with.
    corrections
        ``alternation``, ``bipolar`` and ``offset``, each ``auto``, ``yes`` or ``no``.
    force
        ``filtered-phase`` goes on with phase that looks high-pass filtered.

    Raises
    ------
    DatasetError
        Where the values cannot be phase, or the phase was filtered.

    """
    try:
        if run.n_channels > 1:
            phase, magnitude, facts = _combine(run, coil, unwrap)
        else:
            phase, magnitude, facts = _read(run)
        done = prepare(
            phase,
            magnitude,
            None,
            run.echo_times,
            run.body_grid,
            **corrections,
            readout=readout_of(run.metadata),
            echo_numbers=run.echo_numbers,
            unwrap=unwrap,
        )
    except DatasetError:
        raise
    except ValueError as error:  # of the values, which the numerics know but not their files
        raise DatasetError(f'{_phase_file(run)}: {error}') from error
    forced = _forced(run, done.filtered, force)
    facts = replace(
        facts,
        alternation=done.alternation,
        bipolar=done.bipolar,
        filtered=done.filtered,
        offset=done.offset,
        warnings=(*run.warnings, *facts.warnings, *done.warnings, *forced),
    )
    return PreparedRun(done.phase, magnitude, facts)


def _forced(run: GreRun, filtered: PhaseFilter, force: Sequence[str]) -> list[str]:
    """Refuse phase that looks high-pass filtered, or warn that the user went on."""
    if not filtered.found:
        return []
    if 'filtered-phase' not in force:
        advice = 'export unfiltered phase, or go on at your own risk with --force filtered-phase'
        raise DatasetError(
            f'{_phase_file(run)}: {filtered.sentence} No total field can be had from it: {advice}'
        )
    return [f'{filtered.sentence} The run was forced.']


def read_magnitude(run: GreRun) -> tuple[Volume, PhaseFacts]:
    """Read a run without phase: magnitude (n_echoes, nx, ny, nz) float32, and facts.

    Raises
    ------
    DatasetError
        Where the values cannot be a magnitude.

    """
    facts = PhaseFacts(parts='magnitude')
    said = [*run.warnings]
    if run.n_channels > 1:
        load, negative = _magnitudes(run)
        squares = load(0) ** 2
        for index in range(1, run.n_channels):
            squares += load(index) ** 2
        magnitude = np.sqrt(squares)
        said += [negative_sentence(sum(negative.values()))] * any(negative.values())
        facts = replace(facts, channels=run.n_channels)
        said.append(
            f'The magnitudes of {run.n_channels} receive channels were combined as the root of '
            'their sum of squares, whose noise floor is higher than the fit of R2* takes it for.'
        )
    else:
        magnitude = load_volumes(run.magnitude)
    names = _called(run, run.magnitude)
    # what holds of a pair of images holds of one twice
    said += check_volumes(magnitude, magnitude, phase_name=names, magnitude_name=names)
    return magnitude, replace(facts, warnings=tuple(said))


def _read(run: GreRun) -> tuple[Volume, Volume, PhaseFacts]:
    if run.real:
        phase, magnitude = polar(load_volumes(run.real), load_volumes(run.imag))
        said = check_volumes(phase, magnitude, **_names(run))
        scaling = 'Phase and magnitude were computed from real and imaginary images.'
        return phase, magnitude, PhaseFacts(scaling=scaling, warnings=tuple(said))
    stored, slope, inter = load_stored(run.phase)
    magnitude = load_volumes(run.magnitude)
    said = check_volumes(stored, magnitude, **_names(run))
    phase, scale = scale_phase(
        stored, slope, inter, _text(run, 'Units'), _text(run, 'Manufacturer')
    )
    said += [scale.sentence] * scale.unusual
    return phase, magnitude, PhaseFacts(scaling=scale.sentence, warnings=tuple(said))


def _combine(run: GreRun, coil: Choice, unwrap: Choice) -> tuple[Volume, Volume, PhaseFacts]:
    load, scaling, negative = _channels(run)
    phase, magnitude = coil(load, run.n_channels, run.echo_times, run.body_grid, unwrap)
    # files of single channels are not checked by themselves
    said = check_volumes(phase, magnitude, **_names(run))
    said += [negative_sentence(sum(negative.values()))] * any(negative.values())
    facts = PhaseFacts(
        scaling=scaling,
        channels=run.n_channels,
        coil=coil.method.name,
        warnings=tuple(said),
    )
    return phase, magnitude, facts


def _channels(
    run: GreRun,
) -> tuple[Callable[[int], npt.NDArray[np.complex64]], str, Mapping[int, int]]:
    """A reader of one channel at a time as complex numbers, and what its phase was taken for.

    Then how many magnitudes of each channel were below zero, once it has been read.
    """
    if run.real:
        real, imag = _reader(run, run.real), _reader(run, run.imag)

        def join(index: int) -> npt.NDArray[np.complex64]:
            part = real(index)
            channel = np.empty(part.shape, np.complex64)
            channel.real, channel.imag = part, imag(index)
            return channel

        return join, 'Channels were read as real and imaginary images.', {}
    phase, (magnitude, negative) = _reader(run, run.phase), _magnitudes(run)
    scale = _scale_of_channels(run, phase)

    def load(index: int) -> npt.NDArray[np.complex64]:
        channel: npt.NDArray[np.complex64] = np.exp(np.complex64(1j) * scale.apply(phase(index)))
        channel *= magnitude(index)
        return channel

    return load, scale.sentence, negative


def _reader(run: GreRun, paths: Sequence[Path]) -> Reader:
    if run.layout == 'channel-files':
        return channel_file_loader(paths, run.n_channels)
    return channel_loader(paths)


def _magnitudes(run: GreRun) -> tuple[Reader, Mapping[int, int]]:
    """A reader of the magnitude of a channel, and how many voxels of each it found below zero."""
    read = _reader(run, run.magnitude)
    negative: dict[int, int] = {}

    def load(index: int) -> Volume:
        size = read(index)
        negative[index] = clip_negative(size, f'{run.magnitude[0].name}, channel {index + 1},')
        return size

    return load, negative


def _scale_of_channels(run: GreRun, read: Reader) -> PhaseScale:
    """Decide on the range of all channels; wraps are looked for in the first."""
    low, high, whole = np.inf, -np.inf, True
    first: Volume | None = None
    for index in range(run.n_channels):
        values = read(index)
        first = values if first is None else first
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            whole = whole and bool(np.all(finite == np.rint(finite)))
    if first is None or not np.isfinite(low):
        raise ValueError('the phase holds no finite value, expected a phase in every voxel')
    turn = find_turn(first, low, high)
    units, maker = _text(run, 'Units'), _text(run, 'Manufacturer')
    unwrapped = '' if whole else unwrapped_evidence(first)
    return decide_scale(low, high, whole, 1.0, 0.0, units, maker, turn, unwrapped)


def _text(run: GreRun, key: str) -> str | None:
    value = run.metadata.get(key)
    return value if isinstance(value, str) else None


def _phase_file(run: GreRun) -> str:
    return (run.phase or run.real)[0].name


def _names(run: GreRun) -> dict[str, str | list[str]]:
    """How to call the volumes: by the file of each echo, or by the one file of all echoes."""
    files = {'phase_name': run.phase or run.real, 'magnitude_name': run.magnitude or run.real}
    return {key: _called(run, paths) for key, paths in files.items()}


def _called(run: GreRun, paths: Sequence[Path]) -> str | list[str]:
    return [path.name for path in paths] if len(paths) == run.n_echoes else paths[0].name
