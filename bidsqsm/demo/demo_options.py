"""What a demo dataset is to contain."""

from __future__ import annotations

from dataclasses import dataclass, field

from bidsqsm.demo.scanner_conventions import convention
from bidsqsm.qsm.grid import Triple
from bidsqsm.qsm.phantom.model_errors import ModelErrors
from bidsqsm.qsm.phantom.signal_simulation import Sequence

#: Turns of the head in the scanner, as far as a head coil lets a person turn.
NODS: tuple[tuple[tuple[str, float], ...], ...] = (
    (),
    (('x', 25.0),),
    (('y', 25.0),),
    (('x', -20.0), ('y', 10.0)),
    (('y', -25.0),),
    (('x', 15.0), ('y', -15.0)),
)


@dataclass(frozen=True)
class DemoOptions:
    """What the demo is to contain; see ``bidsqsm demo --help``.

    Parameters
    ----------
    subjects
        How many.
    voxel_size
        In mm.
    tilts
        Turns of the volume: axis and degrees.
    orientations
        How often each head is measured, turned in the scanner; ``acq-1`` is upright.
    shape
        Voxels of the volume; None for 192 x 224 x 192 mm.
    field_strength
        In T.
    sequence
        Echo times (s), SNR, coils, bipolar readout.
    phase_convention
        One of :data:`~bidsqsm.demo.scanner_conventions.CONVENTIONS`.
    t1w
        Whether there is a T1w image.
    group
        Whether ages spread and every other subject is a patient.
    seed
        Of everything random.
    model_errors
        What the field and the signal hold beside the field of one susceptibility.

    """

    subjects: int = 1
    voxel_size: Triple = (2.0, 2.0, 2.0)
    tilts: tuple[tuple[str, float], ...] = ()
    orientations: int = 1
    shape: tuple[int, int, int] | None = None
    field_strength: float = 3.0
    sequence: Sequence = field(default_factory=Sequence)
    phase_convention: str = 'radians'
    t1w: bool = True
    group: bool = False
    seed: int = 0
    model_errors: ModelErrors = field(default_factory=ModelErrors)

    def __post_init__(self) -> None:
        convention(self.phase_convention)
        if self.subjects < 1:
            raise ValueError(f'there must be at least one subject, got {self.subjects}')
        if not 1 <= self.orientations <= len(NODS):
            raise ValueError(f'a head has 1 to {len(NODS)} orientations, got {self.orientations}')
        if min(self.voxel_size) < 0.3 or max(self.voxel_size) > 10:
            raise ValueError(f'voxel sizes must be 0.3 to 10 mm, got {self.voxel_size}')
        if self.shape is not None and min(self.shape) < 8:
            raise ValueError(f'a volume needs 8 voxels or more along each axis, got {self.shape}')
        if not 0.2 <= self.field_strength <= 12:
            raise ValueError(f'the field must be 0.2 to 12 T, got {self.field_strength}')

    @property
    def steps(self) -> int:
        """How often the report is called."""
        each = 2 + len(self.sequence.echo_times)
        return 1 + self.subjects * (1 + self.orientations * each + self.t1w)
