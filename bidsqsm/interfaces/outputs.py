"""Writing of the derivatives of a run as a Nipype interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import File, InputMultiObject, traits

from bidsqsm.catalog import STEPS
from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.derivatives.writer import write_run
from bidsqsm.facts.record import StepFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.orientation_set import run_from_json
from bidsqsm.interfaces.step_interface import StepInputSpec, StepInterface, StepOutputSpec
from bidsqsm.steps import RUN_STEPS

#: Steps whose facts can be connected, as ``facts_<step>``, in the order in which they run.
FACTS = tuple(name for name, step in RUN_STEPS.items() if step.facts)


def facts_field(step: str) -> str:
    """Name of the input for the facts of a step."""
    return f'facts_{step}'


class _WriteDerivativesInputSpec(StepInputSpec):
    output_dir = traits.Str(mandatory=True, nohash=True, desc='root of the derivative dataset')
    run = traits.Str(mandatory=True, desc='the run, as JSON')
    methods = traits.Dict(
        traits.Str, traits.Str, desc='choice of every step, e.g. {"dipole": "tv:weight=0.001"}'
    )
    links = traits.Dict(traits.Str, traits.Str, desc='name and folder of the datasets drawn on')
    unavailable = traits.List(traits.Str, desc='sentences on products that the run cannot have')
    extras = InputMultiObject(
        traits.Dict,
        desc='files that are none of the products, see bidsqsm.derivatives.extra_files.ExtraFile',
    )


# one input for every product and for the facts of every step: the tables stay the only lists
for _name, _product in PRODUCTS.items():
    _WriteDerivativesInputSpec.add_class_trait(_name, File(exists=True, desc=_product.description))
for _name in FACTS:
    _WriteDerivativesInputSpec.add_class_trait(facts_field(_name), traits.Dict())


class _WriteDerivativesOutputSpec(StepOutputSpec):
    out_files = traits.List(File(exists=True), desc='the images that were written')


class WriteDerivatives(StepInterface):
    """Write every product that is connected, all of them or none."""

    input_spec = _WriteDerivativesInputSpec
    output_spec = _WriteDerivativesOutputSpec
    # the images lie outside the work folder: a stored result does not tell that they are there
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        methods = self.given('methods') or {}
        facts = {step: self.given(facts_field(step)) for step in FACTS}
        products = {name: self.given(name) for name in PRODUCTS}
        written = write_run(
            Path(self.inputs.output_dir),
            run_from_json(self.inputs.run),
            {name: Path(path) for name, path in products.items() if path},
            RunFacts.of({step: found for step, found in facts.items() if found}),
            {step: STEPS[step].choose(text) for step, text in methods.items()},
            {name: Path(path) for name, path in (self.given('links') or {}).items()},
            [ExtraFile.of(extra) for extra in self.given('extras') or []],
        )
        self._results['facts'] = StepFacts(warnings=tuple(self.given('unavailable') or ()))
        self._results['out_files'] = [str(path) for path in written]
        return runtime
