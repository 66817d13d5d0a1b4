"""The sources below the size of a voxel as a Nipype interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.facts.contrasts_facts import DecomposeFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_volume,
)
from bidsqsm.qsm.decompose.own_phase import own_phase
from bidsqsm.qsm.decompose.three_pool import Pools
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads

_UNFITTED_SHARE = 0.05  # share of voxels without a fit that is worth a warning


class _DecomposeInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='voxels that have one')
    magnitude = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    imaging_frequency = traits.Float(mandatory=True, desc='in MHz')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. three-pool')


class _DecomposeOutputSpec(StepOutputSpec):
    paramagnetic = File(exists=True, desc='susceptibility of paramagnetic sources, in ppm')
    diamagnetic = File(exists=True, desc='susceptibility of diamagnetic sources, in ppm')


class Decompose(StepInterface):
    """Take the sources of each voxel apart, by any method of the catalogue."""

    input_spec = _DecomposeInputSpec
    output_spec = _DecomposeOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        fit = self.choice('decompose')
        chi, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        times, frequency = self.inputs.echo_times, self.inputs.imaging_frequency
        with threads(self.inputs.num_threads):
            found = fit(
                own_phase(chi, times, frequency),
                read_echoes(self.inputs.magnitude),
                mask,
                times,
                frequency,
            )
        self._results['facts'] = facts_of(found, chi, mask)
        if found.fitted.any():
            parts = {'paramagnetic': found.paramagnetic, 'diamagnetic': found.diamagnetic}
            self.save(runtime, self.inputs.in_file, **parts)
        return runtime


def facts_of(found: Pools, chi: Volume, mask: Mask) -> DecomposeFacts:
    """How many voxels were fitted, how well, and how far the sum of the parts is from the map."""
    whole, fitted = int(mask.sum()), int(found.fitted.sum())
    lost = (
        f'decompose: {whole - fitted} of {whole} voxels have no positive, unsaturated magnitude '
        'in every echo or a susceptibility beyond max_chi'
    )
    if not fitted:
        sentence = f'{lost}: there is nothing to decompose; check the magnitude.'
        return DecomposeFacts(left_out=sentence, warnings=(sentence,))
    inside = found.fitted
    off = (found.paramagnetic + found.diamagnetic - chi)[inside].astype(np.float64)
    return DecomposeFacts(
        fitted_voxels=fitted,
        lost_voxels=whole - fitted,
        median_misfit=_rounded(float(np.median(found.error[inside]))),
        sum_less_chi={'mean': _rounded(off.mean()), 'sd': _rounded(off.std())},
        warnings=(f'{lost}; they are zero.',) if whole - fitted > _UNFITTED_SHARE * whole else (),
    )


def _rounded(value: float) -> float:
    return round(float(value), 5)
