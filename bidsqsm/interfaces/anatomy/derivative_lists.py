"""What the steps of the anatomy made, gathered for writing and for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.facts.region_facts import RegionsFacts
from bidsqsm.facts.registration_facts import RegistrationFacts, RegistrationSummary
from bidsqsm.files.json_files import write_json
from bidsqsm.interfaces.step_interface import StepInputSpec, StepInterface, StepOutputSpec
from bidsqsm.rois.region_columns import columns_of


class _CollectInputSpec(StepInputSpec):
    about = traits.List(traits.Dict, mandatory=True, desc='of each member: names and JSON content')
    all_facts = InputMultiObject(traits.Dict, desc='facts of each member')


class _CollectOutputSpec(StepOutputSpec):
    extras = traits.List(traits.Dict, desc='files to be written')


class _CollectTransformsOutputSpec(_CollectOutputSpec):
    summary = traits.Dict(desc='how each registration went')


class _CollectTransformsInputSpec(_CollectInputSpec):
    forward = InputMultiObject(traits.Any, desc='of each member; the identity where it failed')
    backward = InputMultiObject(traits.Any, desc='of each member; the identity where it failed')


class CollectTransforms(StepInterface):
    """Name the transforms that were computed, and tell how the registrations went."""

    input_spec = _CollectTransformsInputSpec
    output_spec = _CollectTransformsOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        extras: list[dict[str, Any]] = []
        pairs: dict[str, RegistrationFacts] = {}
        members = zip(self.inputs.about, self.inputs.all_facts, strict=True)
        for number, (about, told) in enumerate(members):
            moving, fixed = about['moving'], about['fixed']
            facts = pairs[f'{moving} to {fixed}'] = RegistrationFacts.of(told)
            if facts.given is not None or facts.failure is not None or not about['written']:
                continue
            for path, (start, end) in (
                (self.inputs.forward[number], (moving, fixed)),
                (self.inputs.backward[number], (fixed, moving)),
            ):
                named = {'from': start, 'to': end, 'mode': 'image'}
                extras.append(ExtraFile(Path(path), named, 'xfm', Path(path).suffix).as_dict())
        self._results['extras'] = extras
        self._results['facts'] = self._results['summary'] = RegistrationSummary(pairs=pairs)
        return runtime


class _CollectRoisInputSpec(_CollectInputSpec):
    labels = InputMultiObject(File(exists=True), mandatory=True, desc='of each member')
    tables = InputMultiObject(File(exists=True), mandatory=True, desc='of each member')


class _CollectRoisOutputSpec(_CollectOutputSpec):
    shown_labels = File(exists=True, desc='labels of the first member, for the report')
    shown_table = File(exists=True, desc='its table')


class CollectRois(StepInterface):
    """Name the label images and tables of all atlases."""

    input_spec = _CollectRoisInputSpec
    output_spec = _CollectRoisOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        extras = []
        members = zip(
            self.inputs.about,
            self.inputs.labels,
            self.inputs.tables,
            self.inputs.all_facts,
            strict=True,
        )
        for about, labels, table, told in members:
            entities, known = about['entities'], RegionsFacts.of(told).decided()
            described = columns_of(Path(table))
            content = {**about['content'], 'Decisions': known, **described}
            extras += [
                ExtraFile(Path(labels), entities, 'dseg', '.nii.gz', content).as_dict(),
                ExtraFile(Path(table), entities, 'dseg', '.tsv').as_dict(),
            ]
            if 'description' in about:
                extras.append(self._description(runtime, entities['atlas'], about['description']))
        self._results['extras'] = extras
        self._results['shown_labels'] = self.inputs.labels[0]
        self._results['shown_table'] = self.inputs.tables[0]
        return runtime

    def _description(self, runtime: Any, name: str, content: dict[str, Any]) -> dict[str, Any]:
        path = write_json(Path(runtime.cwd, f'{name}.json'), content)
        extra = ExtraFile(path, {'atlas': name}, 'description', '.json', at_root=True)
        return extra.as_dict()
