"""The table of regions as a Nipype interface."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nipype.interfaces.base import File, traits

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.atlases.structures import Label
from bidsqsm.facts.inversion_facts import DipoleFacts
from bidsqsm.facts.region_facts import RegionsFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_mask,
    read_optional_volume,
    read_volume,
)
from bidsqsm.qsm.grid import Volume
from bidsqsm.rois.literature import check
from bidsqsm.rois.map_files import csf_value, in_hz, in_ppm
from bidsqsm.rois.region_columns import MEASURED_MAPS, OPTIONAL_MAPS
from bidsqsm.rois.region_table import roi_table, write_table
from bidsqsm.rois.regions import with_unnamed


class _MeasureRoisInputSpec(StepInputSpec):
    labels = File(exists=True, mandatory=True, desc='label image on the grid of the maps')
    names = traits.List(traits.Dict, mandatory=True, desc='labels of the atlas, as dictionaries')
    chi = File(exists=True, desc='susceptibility, in ppm')
    in_mask = File(exists=True, mandatory=True, desc='where it is known; the brain without it')
    r2star = File(exists=True, desc='R2*, in 1/s')
    t2star = File(exists=True, desc='T2*, in s')
    local_field = File(exists=True, desc='local field, in ppm')
    total_field = File(exists=True, desc='total field, in ppm')
    noise = File(exists=True, desc='noise of the field, in ppm')
    deviation = File(exists=True, desc='standard deviation of susceptibility, in ppm')
    inversion_facts = traits.Dict(desc='what the inversion decided, with the spectra')
    imaging_frequency = traits.Float(mandatory=True, desc='in MHz')
    reference_region = traits.Str(desc='what was taken for zero')
    age = traits.Float(desc='in years')
    judged = traits.Bool(
        True, usedefault=True, desc='whether means are held against the literature'
    )


for _name in OPTIONAL_MAPS:
    _map = File(exists=True, desc=f'{MEASURED_MAPS[_name].title}, in {MEASURED_MAPS[_name].units}')
    _MeasureRoisInputSpec.add_class_trait(_name, _map)


class _MeasureRoisOutputSpec(StepOutputSpec):
    table = File(exists=True, desc='a row for each region')


class MeasureRois(StepInterface):
    """Measure all maps in every region of an atlas."""

    input_spec = _MeasureRoisInputSpec
    output_spec = _MeasureRoisOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        labels, _ = load_labels(self.inputs.labels, none=True)
        names, warnings = with_unnamed(labels, [Label(**label) for label in self.inputs.names])
        maps = {name: read_volume(path) for name in MEASURED_MAPS if (path := self.given(name))}
        frequency = self.inputs.imaging_frequency
        if 'local_field' in maps:
            maps['local_field'] = in_hz(maps['local_field'], frequency)
        noise, total = (self._as_written(name) for name in ('noise', 'total_field'))
        mask, grid = read_mask(self.inputs.in_mask), self.grid(self.inputs.in_mask)
        told = DipoleFacts.of(self.given('inversion_facts')).spectra
        csf = csf_value(maps.get('chi'), mask, grid, maps.get('r2star'))
        table = roi_table(
            labels,
            names,
            maps,
            mask,
            grid.body_voxel_size,
            noise=noise,
            grid=grid,
            deviation=read_optional_volume(self.given('deviation')),
            spectra=told.spectra(grid) if told else None,
            total_field=total,
            csf=csf,
            # nothing that is published of the regions of adults holds of other bodies
            age=self.given('age') if self.body.is_adult else math.nan,
        )
        self._results['table'] = str(write_table(table, Path(runtime.cwd, 'roi.tsv')))
        judged = self.inputs.judged and 'chi' in maps and self.body.is_adult
        self._results['facts'] = RegionsFacts(
            map_reference=self.given('reference_region'),
            csf=csf,
            age=self.given('age'),
            warnings=(*warnings, *(check(table, self.given('age')) if judged else ())),
        )
        return runtime

    def _as_written(self, name: str) -> Volume | None:
        """A field in ppm, as it is read back from the file in Hz that is written."""
        field, frequency = (
            read_optional_volume(self.given(name)),
            self.inputs.imaging_frequency,
        )
        return None if field is None else in_ppm(in_hz(field, frequency), round(frequency, 6))
