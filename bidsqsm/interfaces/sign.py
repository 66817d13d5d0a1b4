"""The sign of the phase as a Nipype interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.field_facts import SignFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phase.sign import SignDecision, decide_sign


class _DecideSignInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='total field, in ppm, sign of the phase')
    unwrapped = File(exists=True, mandatory=True, desc='unwrapped phase, in rad, echoes last')
    in_mask = File(exists=True, mandatory=True, desc='mask of trusted voxels')
    r2star = File(exists=True, desc='R2*, in 1/s')
    expected = traits.Enum(0, 1, -1, usedefault=True, desc='sign the maker uses, 0: not known')
    phase_sign = traits.Enum('auto', '+1', '-1', usedefault=True, desc='what the user forces')


class _DecideSignOutputSpec(StepOutputSpec):
    total_field = File(exists=True, desc='total field, in ppm, positive where it is stronger')
    unwrapped = File(exists=True, desc='unwrapped phase that grows with the field, in rad')
    sign = traits.Int(desc='+1 or -1, by which the stored phase grows with the field')


class DecideSign(StepInterface):
    """Make phase and field grow with the true field, as the data shows or as the user says."""

    input_spec = _DecideSignInputSpec
    output_spec = _DecideSignOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        field, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        r2star = read_optional_volume(self.given('r2star'))
        seen = None
        if self.body.has_brain:
            with threads(self.inputs.num_threads):
                seen = decide_sign(field, mask, self.grid(self.inputs.in_file), r2star)
        settle = (self.inputs.phase_sign, self.inputs.expected)
        sign, facts = settled_sign(seen, *settle) if seen else sign_without_brain(*settle)
        phase = read_echoes(self.inputs.unwrapped) * sign
        total_field = field * sign
        self.save(runtime, self.inputs.in_file, total_field=total_field, unwrapped=phase)
        self._results['sign'] = sign
        self._results['facts'] = facts
        return runtime


def settled_sign(seen: SignDecision, phase_sign: str, expected: int = 0) -> tuple[int, SignFacts]:
    """Choose the sign to apply, and say how it was found.

    Parameters
    ----------
    seen
        What the data shows.
    phase_sign
        ``auto``, or ``+1`` or ``-1``, which win over all else.
    expected
        Sign that the maker of the scanner uses, taken where the data is undecided; 0 where it is
        not known.

    """
    sign, how = seen.sign, 'decided from the data'
    if phase_sign != 'auto':
        sign, how = int(phase_sign), 'forced by the user'
    elif not seen.sure and expected:
        sign, how = expected, 'as the maker of the scanner stores it, the data being undecided'
    elif not seen.sure:
        sign, how = 1, 'as stored, the data being undecided'
    shown = f'veins and iron look paramagnetic with {seen.sign:+d}, evidence {seen.evidence:+.2f}'
    warnings = []
    if not seen.sure and phase_sign == 'auto':
        warnings.append(
            f'The sign of the phase could not be read from the data ({shown} of 1) and was taken '
            f'as {sign:+d}: check that veins are bright in the map, else give '
            f'--phase-sign {-sign:+d}.'
        )
    if seen.sure and sign != seen.sign:
        warnings.append(f'The sign {sign:+d} was forced, but in the data {shown}: check the map.')
    if seen.sure and expected and expected != seen.sign and phase_sign == 'auto':
        warnings.append(
            f'The maker of the scanner stores phase with sign {expected:+d}, but in the data '
            f'{shown}; the data was believed: check that veins are bright in the map.'
        )
    evidence = round(float(seen.evidence), 3)
    facts = SignFacts(sign=sign, how=how, sign_evidence=evidence, warnings=tuple(warnings))
    return sign, facts


def sign_without_brain(phase_sign: str, expected: int = 0) -> tuple[int, SignFacts]:
    """Choose the sign for an object without veins and iron, whose map does not tell it.

    Parameters
    ----------
    phase_sign, expected
        As of :func:`settled_sign`.

    """
    if phase_sign != 'auto':
        return int(phase_sign), SignFacts(sign=int(phase_sign), how='forced by the user')
    if expected:
        how = 'as the maker of the scanner stores it'
        return expected, SignFacts(sign=expected, how=how)
    text = (
        'The sign of the phase is not known, as Manufacturer names no scanner whose sign is, and was '
        'taken as +1: check that what is paramagnetic is bright in the map, else give --phase-sign -1.'
    )
    return 1, SignFacts(sign=1, how='as stored, the maker being unknown', warnings=(text,))


def expected_sign(metadata: Mapping[str, Any]) -> int:
    """Sign with which the maker of the scanner stores phase; 0 where it is not known.

    GE scanners count phase the other way round than Siemens and Philips.
    """
    maker = str(metadata.get('Manufacturer', '')).lower()
    if maker.startswith('ge ') or maker == 'ge' or 'general electric' in maker:
        return -1
    return int('siemens' in maker or 'philips' in maker)
