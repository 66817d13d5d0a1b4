"""Quality metrics of a run as a Nipype interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.derivatives import metrics_files
from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.facts.inversion_facts import DipoleFacts
from bidsqsm.facts.record import StepFacts
from bidsqsm.files.atomic import write_text
from bidsqsm.files.json_files import write_json
from bidsqsm.inputs.names import parse
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    read_echoes,
    read_mask,
    read_volume,
)
from bidsqsm.qsm.quality.maps import QUALITY_IMAGES, Maps
from bidsqsm.qsm.quality.measure import alarms, in_lengths_of, in_order, measure
from bidsqsm.rois.quality import iron_rich_labels, region_metrics
from bidsqsm.rois.region_table import read_table

#: Images that are read from files of their own; the nuclei come from labels and table.
FILES = tuple(name for name in QUALITY_IMAGES if name != 'nuclei')
_SERIES = ('magnitude', 'unwrapped')


class _MeasureQualityInputSpec(StepInputSpec):
    about = traits.Dict(mandatory=True, desc='what the metrics belong to')
    echo_times = traits.List(traits.Float, mandatory=True, desc='in s')
    labels = File(exists=True, desc='regions on the grid of the maps')
    table = File(exists=True, desc='what was measured in them')
    inversion_facts = traits.Dict(desc='what the inversion decided, with the spectra')


for _name in FILES:
    _MeasureQualityInputSpec.add_class_trait(_name, File(exists=True, desc=f'{_name} of the run'))


class _MeasureQualityOutputSpec(StepOutputSpec):
    metrics = File(exists=True, desc='JSON')
    extras = traits.List(traits.Dict, desc='JSON and table, to be written')


class MeasureQuality(StepInterface):
    """Measure the quality of a run on its images and its table of regions."""

    input_spec = _MeasureQualityInputSpec
    output_spec = _MeasureQualityOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        table = self.given('table') and read_table(Path(self.inputs.table))
        values = in_lengths_of(self.body, measure(self._maps(table)))
        if spectra := DipoleFacts.of(self.given('inversion_facts')).spectra:
            values |= {'unexplained_field': 100 * spectra.unexplained}
        if table is not None:
            values |= region_metrics(table)
        values = in_order(values)
        content = metrics_files.content(self.inputs.about, values)
        path, listed = Path(runtime.cwd, 'metrics.json'), Path(runtime.cwd, 'metrics.tsv')
        write_json(path, content)
        write_text(listed, metrics_files.as_tsv(values))
        # the name of a set of runs has an entity of its own
        named = parse(Path(f'{content["Run"]}_{metrics_files.SUFFIX}.tsv'))
        entities = named.entities if named else {}
        extra = ExtraFile(
            listed, entities, metrics_files.SUFFIX, '.tsv', {**metrics_files.columns(), **content}
        )
        self._results['metrics'] = str(path)
        self._results['extras'] = [extra.as_dict()]
        self._results['facts'] = StepFacts(warnings=tuple(alarms(values, self.body)))
        return runtime

    def _maps(self, table: Any) -> Maps:
        given = {name: self.given(name) for name in FILES}
        images = {name: _read(name, path) for name, path in given.items() if path}
        like = next(path for path in given.values() if path)
        if table is not None and self.given('labels'):
            labels, _ = load_labels(self.inputs.labels, none=True)
            images['nuclei'] = np.isin(labels, iron_rich_labels(table))
        return Maps(grid=self.grid(like), echo_times=tuple(self.inputs.echo_times), **images)


def _read(name: str, path: str) -> Any:
    if name in _SERIES:
        return read_echoes(path)
    return read_mask(path) if name.endswith('mask') or name == 'support' else read_volume(path)
