"""Referencing of the susceptibility map as a Nipype interface."""

from __future__ import annotations

from nipype.interfaces.base import File, traits

from bidsqsm.interfaces.base import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    grid_of,
    mask_of,
    volume,
)
from bidsqsm.qsm.jit import threads


class _ReferenceChiInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='mask of the map')
    r2star = File(exists=True, desc='R2*, in 1/s')
    labels = File(exists=True, desc='label image on the same grid')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. whole-brain')


class _ReferenceChiOutputSpec(StepOutputSpec):
    chi = File(exists=True, desc='susceptibility relative to the region, in ppm')
    region = File(exists=True, desc='the region whose mean is zero')


class ReferenceChi(StepInterface):
    """Subtract the mean of a region from a susceptibility map, by any method of the catalogue."""

    input_spec = _ReferenceChiInputSpec
    output_spec = _ReferenceChiOutputSpec

    def _run_interface(self, runtime):
        refer = self.choice('reference')
        chi, mask = volume(self.inputs.in_file), mask_of(self.inputs.in_mask)
        r2star, labels = volume(self.given('r2star')), volume(self.given('labels'))
        with threads(self.inputs.num_threads):
            found = refer(chi, mask, grid_of(self.inputs.in_file), r2star, labels)
        self.save(runtime, self.inputs.in_file, chi=found.chi, region=found.region)
        self._results['facts'] = {
            'reference': refer.method.name,
            'value': float(found.value),
            'sd': float(found.spread),
        }
        return runtime
