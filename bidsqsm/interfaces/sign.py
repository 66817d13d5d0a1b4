"""The sign of the phase as a Nipype interface."""

from __future__ import annotations

from bidsqsm.interfaces.base import (
    File,
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    echoes,
    grid_of,
    mask_of,
    traits,
    volume,
)
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phase.sign import SignDecision, decide_sign


class _DecideSignInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='total field, in ppm, sign of the phase')
    unwrapped = File(exists=True, mandatory=True, desc='unwrapped phase, in rad, echoes last')
    in_mask = File(exists=True, mandatory=True, desc='mask of trusted voxels')
    r2star = File(exists=True, desc='R2*, in 1/s')
    phase_sign = traits.Enum('auto', '+1', '-1', usedefault=True, desc='what the user forces')


class _DecideSignOutputSpec(StepOutputSpec):
    total_field = File(exists=True, desc='total field, in ppm, positive where it is stronger')
    unwrapped = File(exists=True, desc='unwrapped phase that grows with the field, in rad')


class DecideSign(StepInterface):
    """Make phase and field grow with the true field, as the data shows or as the user says."""

    input_spec = _DecideSignInputSpec
    output_spec = _DecideSignOutputSpec

    def _run_interface(self, runtime):
        field, mask = volume(self.inputs.in_file), mask_of(self.inputs.in_mask)
        r2star = volume(self.given('r2star'))
        with threads(self.inputs.num_threads):
            seen = decide_sign(field, mask, grid_of(self.inputs.in_file), r2star)
        facts = settle(seen, self.inputs.phase_sign)
        phase = echoes(self.inputs.unwrapped) * facts['sign']
        total_field = field * facts['sign']
        self.save(runtime, self.inputs.in_file, total_field=total_field, unwrapped=phase)
        self._results['facts'] = facts
        return runtime


def settle(seen: SignDecision, wanted: str) -> dict[str, object]:
    """The sign to apply and how it was found; a forced one wins, with a warning if data differ."""
    warnings = []
    sign = seen.sign if wanted == 'auto' else int(wanted)
    if sign != seen.sign and seen.sure:
        warnings.append(
            f'--phase-sign {wanted} was taken, but veins and iron look paramagnetic with '
            f'{seen.sign:+d} (evidence {seen.evidence:+.2f} of 1): check the sign of the map'
        )
    if wanted == 'auto' and not seen.sure:
        # an unsure vote must not turn a map over
        sign = 1
        warnings.append(
            f'the sign of the phase could not be read from the data (evidence '
            f'{seen.evidence:+.2f} of 1) and was taken as stored: check that veins are bright in '
            'the map, else give --phase-sign -1'
        )
    how = 'forced by the user' if wanted != 'auto' else 'decided from the data'
    if wanted == 'auto' and not seen.sure:
        how = 'as stored, the data being undecided'
    evidence = round(float(seen.evidence), 3)
    return {'sign': sign, 'how': how, 'sign_evidence': evidence, 'warnings': warnings}
