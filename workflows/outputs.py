"""From files of the work folder to BIDS derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.outputs import WriteDerivatives
from bidsqsm.io.inputs import GreRun
from bidsqsm.methods import Choice


def init_outputs_wf(
    *,
    run: GreRun,
    output_dir: Path,
    choices: Mapping[str, Choice],
    products: Sequence[str],
    steps: Sequence[str],
    links: Mapping[str, Path] | None = None,
    extras: int = 0,
    left_out: Sequence[str] = (),
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
        Keys of :data:`bidsqsm.io.products.PRODUCTS`; each is a field of the input node.
    steps
        Steps that have facts; ``facts_<step>`` is a field of the input node.
    links
        Datasets by their name in ``DatasetLinks``.
    extras
        How many steps make files that are no products: ``extras1`` and so on are fields of the
        input node.
    left_out
        A sentence for each product that was asked for and that the run cannot have.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    The products, ``facts_<step>`` of the steps and ``extras<number>``.

    Outputs
    -------
    out_files
        The images written.

    """
    workflow = pe.Workflow(name=name)
    fields = [*products, *(f'facts_{step}' for step in steps)]
    others = [f'extras{number + 1}' for number in range(extras)]
    inputnode = pe.Node(niu.IdentityInterface(fields=[*fields, *others]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=['out_files']), name='outputnode')

    write_derivatives = pe.Node(
        WriteDerivatives(
            run=run.to_json(),
            output_dir=str(output_dir),
            methods={step: str(choice) for step, choice in choices.items()},
            links={key: str(path) for key, path in (links or {}).items()},
            left_out=[*left_out],
        ),
        name='write_derivatives',
        mem_gb=mem_gb,
    )

    workflow.connect([
        (inputnode, write_derivatives, [(field, field) for field in fields]),
        (write_derivatives, outputnode, [('out_files', 'out_files')]),
    ])  # fmt: skip
    if others:
        merge_extras = pe.Node(niu.Merge(extras), name='merge_extras')
        workflow.connect([
            (inputnode, merge_extras, [(f, f'in{n}') for n, f in enumerate(others, start=1)]),
            (merge_extras, write_derivatives, [('out', 'extras')]),
        ])  # fmt: skip
    return workflow
