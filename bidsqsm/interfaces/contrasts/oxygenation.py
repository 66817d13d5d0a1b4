"""Venous oxygenation as a Nipype interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.facts.contrasts_facts import OxygenationFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    affine_of,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.oxygenation.vein_measures import Vein
from bidsqsm.rois.region_table import write_table
from bidsqsm.rois.vein_table import vein_columns, vein_table

_VEIN_ENTITIES = {'desc': 'vein'}


class _MeasureVeinsInputSpec(StepInputSpec):
    in_file = File(exists=True, mandatory=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='voxels that have one')
    r2star = File(exists=True, desc='R2*, in 1/s')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. susceptometry')


class _MeasureVeinsOutputSpec(StepOutputSpec):
    veins = File(exists=True, desc='voxels of veins; not set where there is none')
    vein_labels = File(exists=True, desc='number of the vein')
    extras = traits.List(traits.Dict, desc='labels and table, to be written')


class MeasureVeins(StepInterface):
    """Find veins and the oxygen in them, by any method of the catalogue."""

    input_spec = _MeasureVeinsInputSpec
    output_spec = _MeasureVeinsOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        measure = self.choice('oxygenation')
        chi, mask = read_volume(self.inputs.in_file), read_mask(self.inputs.in_mask)
        with threads(self.inputs.num_threads):
            found = measure(
                chi,
                mask,
                self.grid(self.inputs.in_file),
                read_optional_volume(self.given('r2star')),
            )
        self._results['facts'] = facts_of(found.table)
        self._results['extras'] = []
        if found.table:
            self.save(
                runtime,
                self.inputs.in_file,
                veins=found.veins,
                vein_labels=found.labels.astype(np.float32),
            )
            self._results['extras'] = self._extras(runtime, found.table)
        return runtime

    def _extras(self, runtime: Any, veins: Sequence[Vein]) -> list[dict[str, Any]]:
        scale = self.body.scale
        table = vein_table(
            [replace(v, volume=v.volume * scale**3, length=v.length * scale) for v in veins],
            affine_of(self.inputs.in_file),
        )
        path = write_table(table, Path(runtime.cwd, 'veins.tsv'))
        content = {
            'Description': 'Veins, numbered from branch to branch, the largest first; the table '
            'beside has a row for each.',
            'Decisions': self._results['facts'].decided(),
            **vein_columns(),
        }
        labels = Path(self._results['vein_labels'])
        return [
            ExtraFile(labels, _VEIN_ENTITIES, 'dseg', '.nii.gz', content).as_dict(),
            ExtraFile(path, _VEIN_ENTITIES, 'dseg', '.tsv').as_dict(),
        ]


def facts_of(veins: Sequence[Vein]) -> OxygenationFacts:
    """Saturation and extraction over all veins that tell one, each by its core, and what is odd."""
    told = [vein for vein in veins if np.isfinite(vein.svo2)]
    facts = OxygenationFacts(veins=len(veins), veins_with_saturation=len(told))
    if not veins:
        sentence = (
            'oxygenation was left out: found no vein in the susceptibility map, expected some as '
            'bright tubes: look at the map, or lower min_contrast'
        )
        return replace(facts, left_out=sentence, warnings=(f'{sentence}.',))
    if not told:
        sentence = (
            f'No saturation can be told: of {len(veins)} veins none has a core of voxels that hold '
            'blood alone, expected one that is three voxels wide or more: scan with smaller voxels, '
            'or lower min_core.'
        )
        return replace(facts, warnings=(sentence,))
    weights = [vein.n_core for vein in told]
    svo2 = float(np.average([vein.svo2 for vein in told], weights=weights))
    oef = float(np.average([vein.oef for vein in told], weights=weights))
    warnings = []
    if not 0 < svo2 < 1:
        warnings.append(
            f'The venous oxygen saturation of {svo2:.2f} is impossible, expected 0 to 1: look at '
            'the veins in the report, and check the haematocrit and the constants of the method.'
        )
    return replace(facts, svo2=round(svo2, 4), oef=round(oef, 4), warnings=tuple(warnings))
