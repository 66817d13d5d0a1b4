"""Inversion of the total field, or of the phase, in one step as a Nipype interface."""

from __future__ import annotations

from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.facts.inversion_facts import OneStepFacts
from bidsqsm.interfaces.deviation import deviation_of
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    convergence,
    not_converged,
    read_echoes,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.interfaces.weights import rounded_weights, weights_for
from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.spectra.standard_deviation import BACKGROUND_SHARE
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import found_weights


class _InvertTotalFieldInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='total field, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='mask of trusted voxels')
    noise = File(exists=True, mandatory=True, desc='noise of the total field, in ppm')
    magnitude = File(exists=True, desc='root of the sum of squares of the echoes')
    r2star = File(exists=True, desc='R2*, in 1/s')
    phase = File(exists=True, mandatory=True, desc='phase as stored, in rad, echoes last')
    sign = traits.Int(mandatory=True, desc='+1 or -1, by which the phase grows with the field')
    echoes = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    imaging_frequency = traits.Float(mandatory=True, desc='frequency of the scanner, in MHz')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. sstv:weight=0.001')


class _InvertTotalFieldOutputSpec(StepOutputSpec):
    chi = File(exists=True, desc='susceptibility, in ppm, not yet referenced')
    mask = File(exists=True, desc='voxels that have a susceptibility')
    deviation = File(exists=True, desc='standard deviation of susceptibility, in ppm')
    local_field = File(exists=True, desc='field that the map makes in the mask, in ppm')


class InvertTotalField(StepInterface):
    """Turn a total field into a susceptibility map, by any method of the catalogue."""

    input_spec = _InvertTotalFieldInputSpec
    output_spec = _InvertTotalFieldOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        invert, given = self.choice('onestep'), self.inputs
        field, mask, grid = (
            read_volume(given.in_file),
            read_mask(given.in_mask),
            self.grid(given.in_file),
        )
        data: dict[str, Any] = weights_for(invert, given.noise, mask) | {
            name: read_optional_volume(self.given(name))
            for name in ('magnitude', 'r2star', 'noise')
            if invert.method.takes(name)
        }
        if invert.method.takes('echoes'):
            data['echoes'] = self._echoes()
        with threads(given.num_threads), watched() as endings, found_weights() as found:
            chi = invert(field, mask, grid, **data)
            local_field = field_of(chi, mask, grid)
            deviation, spectra, doubts = deviation_of(
                chi, mask, lambda: spectra_behind(field, mask, grid), BACKGROUND_SHARE
            )
        self.save(
            runtime,
            given.in_file,
            chi=chi,
            mask=mask,
            deviation=deviation,
            local_field=local_field,
        )
        self._results['facts'] = OneStepFacts(
            weights=rounded_weights(found),
            spectra=spectra,
            convergence=convergence(endings),
            warnings=(*not_converged(endings), *doubts),
        )
        return runtime

    def _echoes(self) -> Echoes:
        given = self.inputs
        phase = read_echoes(given.phase) * given.sign
        return Echoes(phase, read_echoes(given.echoes), given.echo_times, given.imaging_frequency)
