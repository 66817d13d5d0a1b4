"""From files of the work folder to BIDS derivatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.derivatives.products import PRODUCTS, Product
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.outputs import WriteDerivatives, facts_field
from bidsqsm.method import Choice
from bidsqsm.steps import RUN_STEPS
from bidsqsm.workflows.connections import Link, Makers, makers, outputs_of


def init_outputs_wf(
    *,
    run: GreRun,
    output_dir: Path,
    choices: Mapping[str, Choice],
    products: Sequence[str],
    steps: Sequence[str],
    links: Mapping[str, Path] | None = None,
    extras: int = 0,
    shown: Sequence[str] = (),
    unavailable: Sequence[str] = (),
    mem_gb: float = 2.0,
    name: str = 'outputs_wf',
) -> pe.Workflow:
    """Write the derivatives of a run, all of them or none.

    Parameters
    ----------
    run
        The run, for its name and metadata.
    output_dir
        Root of the derivative dataset.
    choices
        The methods that the run goes through, with their parameters.
    products
        Keys of :data:`bidsqsm.derivatives.products.PRODUCTS`; each is a field of the input node.
    steps
        Steps that have facts; ``facts_<step>`` is a field of the input node.
    links
        Datasets by their name in ``DatasetLinks``.
    extras
        How many steps make files that are no products: ``extras1`` and so on are fields of the
        input node.
    shown
        What the report shows besides, which is not written: each is a field of the input node.
    unavailable
        A sentence for each product that was asked for and that the run cannot have.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    The products, what is shown, ``facts_<step>`` of the steps and ``extras<number>``.

    Outputs
    -------
    out_files
        The images written.

    """
    workflow = pe.Workflow(name=name)
    fields = [*products, *(facts_field(step) for step in steps)]
    others = [f'extras{number + 1}' for number in range(extras)]
    inputnode = pe.Node(niu.IdentityInterface(fields=[*fields, *shown, *others]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=['out_files']), name='outputnode')

    write_derivatives = pe.Node(
        WriteDerivatives(
            run=run.to_json(),
            output_dir=str(output_dir),
            methods={step: str(choice) for step, choice in choices.items()},
            links={key: str(path) for key, path in (links or {}).items()},
            unavailable=[*unavailable],
        ),
        name='write_derivatives',
        mem_gb=mem_gb,
    )

    workflow.connect(
        [
            (inputnode, write_derivatives, [(field, field) for field in fields]),
            (write_derivatives, outputnode, [('out_files', 'out_files')]),
        ]
    )
    if others:
        merge_extras = pe.Node(niu.Merge(extras), name='merge_extras')
        workflow.connect(
            [
                (inputnode, merge_extras, [(f, f'in{n}') for n, f in enumerate(others, start=1)]),
                (merge_extras, write_derivatives, [('out', 'extras')]),
            ]
        )
    return workflow


#: What the report shows besides the products: the workflow of a run that makes it, and its output there.
REPORT_INPUTS: Mapping[str, tuple[str, str]] = {
    'phase': ('phase_wf', 'phase'),
    'registered': ('joint_wf', 'registered'),
    'roi_labels': ('rois_wf', 'shown_labels'),
    'roi_table': ('rois_wf', 'shown_table'),
    'own_t1w': ('overlay_wf', 'own_t1w'),
    'template_t1w': ('overlay_wf', 'template_t1w'),
    'metrics': ('quality_wf', 'metrics'),
}


@dataclass(frozen=True)
class Saved:
    """What goes to the outputs of a run: under each key, the workflow and the output it comes from."""

    products: Mapping[str, tuple[pe.Workflow, str]]
    shown: Mapping[str, tuple[pe.Workflow, str]]
    facts: Mapping[str, tuple[pe.Workflow, str]]
    extras: Sequence[pe.Workflow]

    def links_to(self, outputs_wf: pe.Workflow) -> list[Link]:
        """Links to the workflow that writes the outputs."""
        named = {**self.products, **self.shown}
        named |= {facts_field(step): source for step, source in self.facts.items()}
        return [
            *((maker, outputs_wf, [(output, key)]) for key, (maker, output) in named.items()),
            *(
                (maker, outputs_wf, [('extras', f'extras{number}')])
                for number, maker in enumerate(self.extras, start=1)
            ),
        ]


def saved_outputs(
    made: Mapping[str, pe.Workflow],
    products: Mapping[str, Product],
    silent: Collection[str] = (),
) -> Saved:
    """What is written and shown of a run.

    Parameters
    ----------
    made
        The workflows that the run is made of, by name.
    products
        What such a run can have.
    silent
        Workflows whose products were not asked for; what they decided is told all the same.

    """
    heard = {name: workflow for name, workflow in made.items() if name not in silent}
    of_products = {
        key: (RUN_STEPS[product.maker].outer_workflow, product.output or key)
        for key, product in products.items()
        if product.maker
    }
    of_report = {key: source for key, source in REPORT_INPUTS.items() if key not in products}
    of_facts = {
        name: (step.outer_workflow, step.facts_output)
        for name, step in RUN_STEPS.items()
        if step.facts
    }
    writing = dict.fromkeys(s.outer_workflow for s in RUN_STEPS.values() if s.writes_files)
    return Saved(
        products=_there(heard, of_products),
        shown=_there(made, of_report),
        facts=_there(made, of_facts),
        extras=[heard[name] for name in writing if name in heard],
    )


def _there(
    made: Mapping[str, pe.Workflow], wanted: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[pe.Workflow, str]]:
    """Workflow and output of each key, of those that were made and have it."""
    return {
        key: (made[name], output)
        for key, (name, output) in wanted.items()
        if name in made and output in outputs_of(made[name])
    }


def made_by_nodes(run_wf: pe.Workflow) -> tuple[Makers, Makers]:
    """Which nodes of a run make its products and what is shown of it, and which its facts.

    Products go by their keys, facts by their steps.
    """
    facts = {facts_field(name): name for name, step in RUN_STEPS.items() if step.facts}
    keys = {key: key for key in (*PRODUCTS, *REPORT_INPUTS)}
    return makers(run_wf, 'outputs_wf', keys), makers(run_wf, 'outputs_wf', facts)
