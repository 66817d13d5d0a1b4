"""What each step of a run decided or measured: a small frozen type for every step.

Between steps and on disk (``Decisions`` of a sidecar) facts are plain JSON; :meth:`Record.plain`
makes it and :meth:`Record.of` reads it, whoever wrote it: what is missing is None, what is not
known is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, Self

from bidsqsm.qsm.phase.terms import Alternation, PhaseFilter, ReadoutPhase, ReceivePhase


@dataclass(frozen=True, kw_only=True)
class Record:
    """Something that is told in JSON, key by key; what is None is not told.

    Attributes
    ----------
    unknown
        Keys that another version of the app wrote, as they were.

    """

    unknown: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _frozen(getattr(self, one.name)))

    @classmethod
    def of(cls, plain: object) -> Self:
        """Read what :meth:`plain` gave; never fails, as files may come from elsewhere."""
        left = dict(plain) if isinstance(plain, Mapping) else {}
        known = {
            one.name: _read(one, left.pop(_key(one)))
            for one in fields(cls)
            if one.name != 'unknown' and _key(one) in left
        }
        return cls(
            **{name: value for name, value in known.items() if value is not None}, unknown=left
        )

    def plain(self) -> dict[str, Any]:
        """Plain JSON types, in the order of the fields; those that all steps have come last."""
        told = {
            _key(one): _thawed(getattr(self, one.name))
            for one in sorted(fields(self), key=_place)
            if one.name != 'unknown' and self._tells(one)
        }
        return {**told, **self.unknown}

    def _tells(self, one: Field[Any]) -> bool:
        value = getattr(self, one.name)
        return value is not None and not (value == () and one.default == ())


#: Fields of all steps, in the order in which they end the JSON.
_CLOSING_FIELDS = ('left_out', 'convergence', 'warnings', 'unknown')


def _place(one: Field[Any]) -> int:
    return 1 + _CLOSING_FIELDS.index(one.name) if one.name in _CLOSING_FIELDS else 0


def _key(one: Field[Any]) -> str:
    return str(one.metadata.get('key', one.name))


def _read(one: Field[Any], value: object) -> object:
    """The value of a field from JSON; None where it is nothing of that kind."""
    kind, kinds = one.metadata.get('kind'), one.metadata.get('kinds')
    if kind is not None:
        return _made(kind, value) if isinstance(value, Mapping) else None
    if kinds is not None:
        listed = value if isinstance(value, list | tuple) else ()
        return tuple(kinds.of(member) for member in listed if isinstance(member, Mapping))
    return value


def _made(kind: type[Any], plain: Mapping[str, Any]) -> object:
    """Make a type of the numerics, which knows nothing of JSON; foreign keys are dropped."""
    names = [one.name for one in fields(kind) if one.name in plain]
    return kind(**{name: _frozen(plain[name]) for name in names})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _thawed(one) for key, one in value.items()}
    if is_dataclass(value):
        told = {one.name: _thawed(getattr(value, one.name)) for one in fields(value)}
        return {name: one for name, one in told.items() if one is not None}
    return [_thawed(one) for one in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, kw_only=True)
class SolverFacts(Record):
    """How one iteration came to its end.

    Attributes
    ----------
    solver
        Its name.
    iterations
        Number of steps that it made.
    last
        What it measured after the last step, in the unit of ``tolerance``.
    changes
        The same after steps at equal distances; not in sidecars.
    tolerance
        Where it was to stop; None where it makes a fixed number of steps.
    converged
        Whether it came there.

    """

    solver: str | None = None
    iterations: int | None = None
    last: float | None = None
    changes: tuple[float, ...] | None = None
    tolerance: float | None = None
    converged: bool | None = None

    def _tells(self, one: Field[Any]) -> bool:
        # no tolerance is told as well
        return one.name in {'last', 'tolerance'} or super()._tells(one)


@dataclass(frozen=True, kw_only=True)
class StepFacts(Record):
    """What any step may tell.

    Attributes
    ----------
    warnings
        Sentences for the person who runs the app; not in sidecars.
    left_out
        Why the product of this step was left out; None where it is there.
    convergence
        Of each iteration of the step.

    """

    warnings: tuple[str, ...] = ()
    left_out: str | None = None
    convergence: tuple[SolverFacts, ...] = field(default=(), metadata={'kinds': SolverFacts})

    def decided(self) -> dict[str, Any]:
        """What a reader of the product is told: all in plain JSON but the warnings."""
        return replace(self, warnings=()).plain()

    def without_histories(self) -> Self:
        """The same without what the iterations measured on their way: hundreds of lines of JSON."""
        short = tuple(replace(one, changes=None) for one in self.convergence)
        return replace(self, convergence=short)


@dataclass(frozen=True, kw_only=True)
class PhaseFacts(StepFacts):
    """How the images of a run were read.

    Attributes
    ----------
    parts
        ``magnitude`` where there is no phase.
    scaling
        How the stored phase became radians, in words.
    channels
        Number of receive channels.
    coil
        Method that combined them.
    alternation, bipolar, filtered, offset
        What there was in the phase that is neither field nor noise.

    """

    parts: str | None = None
    scaling: str | None = None
    channels: int | None = None
    coil: str | None = None
    alternation: Alternation | None = field(default=None, metadata={'kind': Alternation})
    bipolar: ReadoutPhase | None = field(default=None, metadata={'kind': ReadoutPhase})
    filtered: PhaseFilter | None = field(default=None, metadata={'kind': PhaseFilter})
    offset: ReceivePhase | None = field(default=None, metadata={'kind': ReceivePhase})


@dataclass(frozen=True, kw_only=True)
class UnwrapFacts(StepFacts):
    """The unwrapping has nothing to tell but warnings."""


@dataclass(frozen=True, kw_only=True)
class FieldFacts(StepFacts):
    """How the total field was fitted.

    Attributes
    ----------
    phase_sign_of_fat
        +1 or -1, by which the phase grows with the field, as the spectrum of fat shows.

    """

    phase_sign_of_fat: int | None = None


@dataclass(frozen=True, kw_only=True)
class ContrastFacts(StepFacts):
    """What was made ready for registration.

    Attributes
    ----------
    contrast
        In words.

    """

    contrast: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationFacts(StepFacts):
    """How one registration went.

    Attributes
    ----------
    given
        File of the transform, where it was given and not computed.
    overlap
        Of the two brains, 0 to 1.
    failure
        Why its transforms cannot be used; None where they can.
    likeness
        Correlation of the two images, -1 to 1.
    jacobian
        Least and largest relative change of volume.
    folded
        Share of the brain that is folded, 0 to 1.
    smoothing
        Standard deviations of the smoothing of update and field, as the method took them.
    contrasts
        By which it was registered, where more than one could be.

    """

    given: str | None = None
    overlap: float | None = None
    failure: str | None = field(default=None, metadata={'key': 'failed'})
    likeness: float | None = None
    jacobian: tuple[float, ...] | None = None
    folded: float | None = None
    smoothing: tuple[float, ...] | None = None
    contrasts: tuple[str, ...] | None = None

    def _tells(self, one: Field[Any]) -> bool:
        # a registration of images without smoothing tells so
        return (one.name == 'smoothing' and self.likeness is not None) or super()._tells(one)


@dataclass(frozen=True, kw_only=True)
class RegistrationSummary(StepFacts):
    """How the registrations of a run went.

    Attributes
    ----------
    pairs
        Each of them by ``<moving> to <fixed>``.

    """

    pairs: Mapping[str, RegistrationFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: object) -> Self:
        """Read what :meth:`plain` gave."""
        found = plain if isinstance(plain, Mapping) else {}
        return cls(
            pairs={
                pair: RegistrationFacts.of(told)
                for pair, told in found.items()
                if isinstance(told, Mapping)
            },
            unknown={key: told for key, told in found.items() if not isinstance(told, Mapping)},
        )

    def plain(self) -> dict[str, Any]:
        """Plain JSON types by pair; each registration told its warnings itself."""
        told = {pair: facts.decided() for pair, facts in self.pairs.items()}
        return {**told, **self.unknown}


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

    source: str | None = None
    mask_sources: Mapping[str, str] | None = None
    template_dice: float | None = None
    brain_ml: float | None = None
    qsm_ml: float | None = None


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

    r2_from: str | None = None
    spin_echoes_used: int | None = None
    r2_placed_by: str | None = None
    overlap: float | None = None
    median_r2: float | None = None
    negative_r2prime: float | None = None


@dataclass(frozen=True, kw_only=True)
class SignFacts(StepFacts):
    """The sign of the phase.

    Attributes
    ----------
    sign
        +1 or -1, by which the stored phase grows with the field.
    how
        How it was found, in words.
    sign_evidence
        What the data show, from -1 to 1.

    """

    sign: int | None = None
    how: str | None = None
    sign_evidence: float | None = None


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

    kept: float | None = None
    rounds: int | None = None


@dataclass(frozen=True, kw_only=True)
class DipoleFacts(StepFacts):
    """How the local field was inverted.

    Attributes
    ----------
    digest
        SHA-256 of the network, where one was used.

    """

    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class OneStepFacts(StepFacts):
    """How the total field, or the phase, was inverted."""


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

    reference: str | None = None
    value: float | None = None
    sd: float | None = None
    reach: float | None = None


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

    veins: int | None = None
    veins_with_saturation: int | None = None
    svo2: float | None = None
    oef: float | None = None


@dataclass(frozen=True, kw_only=True)
class LabelsFacts(StepFacts):
    """How labels came to a run.

    Attributes
    ----------
    failure
        Why they did not: a registration on the way failed.

    """

    failure: str | None = field(default=None, metadata={'key': 'registration_failed'})


@dataclass(frozen=True, kw_only=True)
class RefinementFacts(StepFacts):
    """How the borders of regions were settled.

    Attributes
    ----------
    roi_refine
        Method.
    overlap_with_atlas
        Dice of each region with what it was, by its value, 0 to 1.

    """

    roi_refine: str | None = None
    overlap_with_atlas: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class RegionsFacts(StepFacts):
    """What the values of a table of regions are relative to, and in whom.

    Attributes
    ----------
    map_reference
        Name of the region that was taken for zero.
    csf
        Susceptibility of the cerebrospinal fluid, in ppm.
    age
        In years.

    """

    map_reference: str | None = None
    csf: float | None = None
    age: float | None = None


#: The type of the facts of every step.
TYPES: Mapping[str, type[StepFacts]] = {
    'phase': PhaseFacts,
    'unwrap': UnwrapFacts,
    'field': FieldFacts,
    'registration': RegistrationSummary,
    'mask': MaskFacts,
    'relaxometry': RelaxometryFacts,
    'r2prime': R2PrimeFacts,
    'sign': SignFacts,
    'background': BackgroundFacts,
    'dipole': DipoleFacts,
    'onestep': OneStepFacts,
    'two_pass': TwoPassFacts,
    'joint': JointFacts,
    'reference': ReferenceFacts,
    'concentration': ConcentrationFacts,
    'swi': SwiFacts,
    'clear_swi': SwiFacts,
    'true_swi': SwiFacts,
    'decompose': DecomposeFacts,
    'separation': SeparationFacts,
    'alignment': RegistrationSummary,
    'oxygenation': OxygenationFacts,
}


class RunFacts(dict[str, Any]):
    """The facts of the steps of a run: ``facts['r2prime'].median_r2``.

    A step that the run did not go through has facts too, and they tell nothing.

    Examples
    --------
    >>> facts = RunFacts.of({'sign': {'sign': -1, 'how': 'forced by the user'}})
    >>> facts['sign'].sign
    -1
    >>> facts['r2prime'].median_r2 is None
    True
    >>> facts.plain()
    {'sign': {'sign': -1, 'how': 'forced by the user'}}

    """

    def __missing__(self, step: str) -> StepFacts:
        return TYPES.get(step, StepFacts)()

    @classmethod
    def of(cls, plain: object) -> RunFacts:
        """Read JSON by step, whoever wrote it."""
        found = plain if isinstance(plain, Mapping) else {}
        return cls({step: TYPES.get(step, StepFacts).of(told) for step, told in found.items()})

    def plain(self) -> dict[str, Any]:
        """All facts in plain JSON types."""
        return {step: facts.plain() for step, facts in self.items()}

    def decided(self) -> dict[str, Any]:
        """What the reader of a product is told, step by step; a step with nothing to tell is left out."""
        told = {step: facts.decided() for step, facts in self.items()}
        return {step: found for step, found in told.items() if found}

    def without_histories(self) -> RunFacts:
        """The same without what iterations measured on their way."""
        return RunFacts({step: facts.without_histories() for step, facts in self.items()})
