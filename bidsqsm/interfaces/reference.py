"""Referencing of the susceptibility map as a Nipype interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.facts.inversion_facts import ReferenceFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads

#: In a brain, only few voxels of large bleeds or calcifications are beyond.
PLAUSIBLE_PPM = 0.5


class _ReferenceChiInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='mask of the map')
    r2star = File(exists=True, desc='R2*, in 1/s')
    magnitude = File(exists=True, desc='magnitude of the scan, for methods that tell voids by it')
    labels = File(exists=True, desc='label image on the same grid')
    fluid = traits.List(traits.Int(), desc='values of the labels of fluid; all but 0 if not set')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. whole-brain')


class _ReferenceChiOutputSpec(StepOutputSpec):
    chi = File(exists=True, desc='susceptibility relative to the region, in ppm')
    region = File(exists=True, desc='the region whose mean is zero')
    region_name = traits.Str(desc='its name, none for none')


class ReferenceChi(StepInterface):
    """Subtract the mean of a region from a susceptibility map, by any method of the catalogue."""

    input_spec = _ReferenceChiInputSpec
    output_spec = _ReferenceChiOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        refer = self.choice('reference')
        chi, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        r2star = read_optional_volume(self.given('r2star'))
        labels: Volume | Mask | None = read_optional_volume(self.given('labels'))
        if labels is not None and (fluid := self.given('fluid')):
            labels = np.isin(labels, fluid)
        data = {}
        if refer.method.takes('magnitude'):
            data['magnitude'] = read_optional_volume(self.given('magnitude'))
        with threads(self.inputs.num_threads):
            found = refer(chi, mask, self.grid(self.inputs.in_file), r2star, labels, **data)
        self.save(runtime, self.inputs.in_file, chi=found.chi, region=found.region)
        self._results['region_name'] = refer.method.name
        reach = reach_of(found.chi, mask)
        self._results['facts'] = ReferenceFacts(
            reference=refer.method.name,
            value=float(found.value),
            sd=float(found.spread),
            reach=round(reach, 4),
            warnings=implausible(reach) if self.body.has_brain else (),
        )
        return runtime


def reach_of(chi: Volume, mask: Mask) -> float:
    """How far a map reaches, in ppm: all but 1 % of the voxels lie within."""
    return float(np.percentile(np.abs(chi[mask]), 99))


def implausible(reach: float) -> tuple[str, ...]:
    """A warning where a map reaches further (ppm) than that of any brain."""
    if reach <= PLAUSIBLE_PPM:
        return ()
    text = (
        f'The susceptibility is implausible: 1 % of the voxels lie beyond +-{reach:.2f} ppm, '
        f'expected {PLAUSIBLE_PPM} ppm at most in a brain: look at unwrapped phase, total field '
        'and mask in the report, and check echo times and field strength.'
    )
    return (text,)
