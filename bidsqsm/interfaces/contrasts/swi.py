"""Susceptibility-weighted images as a Nipype interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.facts.contrasts_facts import SwiFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_volume,
)
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.swi.highpass import filter_widths
from bidsqsm.qsm.swi.projection import slice_axis, slices_of

#: What each step makes.
SWI_IMAGES = {
    'swi': ('swi', 'swi_diamagnetic', 'minip', 'minip_diamagnetic'),
    'clear_swi': ('clear_swi', 'clear_minip'),
    'true_swi': ('true_swi', 'true_minip'),
}


class _WeightMagnitudeInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='magnitude, echoes last')
    in_map = File(
        exists=True,
        mandatory=True,
        desc='phase or unwrapped phase in rad, echoes last; or susceptibility in ppm',
    )
    in_mask = File(exists=True, mandatory=True, desc='the brain')
    sign = traits.Int(desc='+1 or -1, by which a phase as it was stored grows with the field')
    echo_times = traits.List(traits.Float, mandatory=True, desc='echo times, in s')
    step = traits.Enum(*SWI_IMAGES, mandatory=True, desc='step of the catalogue')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. phase-mask:power=2')


class _WeightMagnitudeOutputSpec(StepOutputSpec):
    swi = File(exists=True, desc='dark where the phase shows a stronger field')
    swi_diamagnetic = File(exists=True, desc='dark where the phase shows a weaker field')
    minip = File(exists=True, desc='minimum of the first over a slab')
    minip_diamagnetic = File(exists=True, desc='minimum of the second over a slab')
    clear_swi = File(exists=True, desc='dark where the unwrapped phase shows a stronger field')
    clear_minip = File(exists=True, desc='its minimum over a slab')
    true_swi = File(exists=True, desc='dark where the susceptibility is high')
    true_minip = File(exists=True, desc='its minimum over a slab')


class WeightMagnitude(StepInterface):
    """Darken a magnitude by its phase or susceptibility, by any method of a step of the catalogue."""

    input_spec = _WeightMagnitudeInputSpec
    output_spec = _WeightMagnitudeOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        given, weigh = self.inputs, self.choice(self.inputs.step)
        magnitude, mask = read_echoes(given.in_file), read_mask(given.in_mask)
        grid = self.grid(given.in_file)
        facts = self._results['facts'] = facts_of(magnitude, mask, grid, weigh.settings())
        if facts.left_out is not None:
            return runtime
        shown = (
            read_volume(given.in_map) if given.step == 'true_swi' else read_echoes(given.in_map)
        )
        if (sign := self.given('sign')) is not None:
            shown = shown * sign
        with threads(given.num_threads):
            found = weigh(magnitude, shown, mask, grid, given.echo_times)
        self.save(runtime, given.in_file, **found._asdict())
        return runtime


def facts_of(magnitude: Volume, mask: Mask, grid: Grid, settings: Mapping[str, Any]) -> SwiFacts:
    """Slab and filter in voxels, brain without signal, or why there can be no image at all."""
    sound = np.isfinite(magnitude) & (magnitude > 0)
    empty = int((mask & ~sound.any(axis=0)).sum())
    # a method without a high-pass filter has no such parameter
    size = settings.get('filter_size')
    facts = SwiFacts(
        slice_axis='ijk'[slice_axis(grid)],
        slab_slices=slices_of(settings['slab'], grid),
        voxels_without_signal=empty,
        filter_widths=None if size is None else tuple(filter_widths(grid, size).values()),
    )
    if empty < mask.sum():
        return facts
    text = (
        'The magnitude holds no value above zero in the brain, expected a signal: look at the '
        'magnitude, else leave the susceptibility-weighted image out (--products).'
    )
    return replace(facts, left_out=text, warnings=(text,))
