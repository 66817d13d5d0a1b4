"""Connections between the workflows of a run, and what can be read off them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import networkx as nx
from nipype.pipeline import engine as pe

from bidsqsm.qsm.body import Body

#: An output and the input that it goes to, or their common name.
Field = str | tuple[str, str]
#: A workflow or node, the one that takes of it, and what it takes; either may not have been made.
Link = tuple[pe.Workflow | pe.Node | None, pe.Workflow | pe.Node | None, Sequence[Field]]
#: For the path of a node from the run on, the keys that each of its outputs goes to.
Makers = dict[tuple[str, ...], dict[str, list[str]]]


def between(*links: Link) -> list[tuple[pe.EngineBase, pe.EngineBase, list[tuple[str, str]]]]:
    """Connections as Nipype takes them, of links between workflows by the names of their fields.

    Outputs of a workflow are those of its ``outputnode``, inputs those of its ``inputnode``. A link
    that starts or ends at a workflow that was not made is left out.
    """
    return [
        (source, target, [(_output(source, one), _input(target, one)) for one in fields])
        for source, target, fields in links
        if source is not None and target is not None and fields
    ]


def _output(source: pe.EngineBase, field: Field) -> str:
    name = field if isinstance(field, str) else field[0]
    return f'outputnode.{name}' if isinstance(source, pe.Workflow) else name


def _input(target: pe.EngineBase, field: Field) -> str:
    name = field if isinstance(field, str) else field[1]
    return f'inputnode.{name}' if isinstance(target, pe.Workflow) else name


def inversion_links(
    made: Mapping[str, pe.Workflow], taker: str, fields: Sequence[Field] = ()
) -> list[Link]:
    """What a workflow takes of the inversion: these fields, and what it decided, of one step or two."""
    inversion_wf, takes = made.get('inversion_wf'), made.get(taker)
    if inversion_wf is None:
        return []
    facts = outputs_of(inversion_wf) & {'dipole_facts', 'onestep_facts'}
    return [(inversion_wf, takes, [*fields, *((name, 'inversion_facts') for name in facts)])]


def outputs_of(workflow: pe.Workflow) -> set[str]:
    """Names of the outputs of a workflow."""
    return {*workflow.get_node('outputnode').inputs.copyable_trait_names()}


def set_body(workflow: pe.Workflow, body: Body) -> None:
    """Tell every step of a workflow what was scanned and how large it is."""
    for path in workflow.list_node_names():
        inputs = workflow.get_node(path).interface.inputs
        if 'body_scale' in inputs.copyable_trait_names():
            inputs.trait_set(body=body.name, body_scale=body.scale)


def steps_in(workflow: pe.Workflow) -> dict[str, pe.Workflow]:
    """The workflows that a workflow is made of, by name."""
    return {node.name: node for node in workflow._graph.nodes}  # noqa: SLF001 - Nipype has no other way


def keep_makers(workflow: pe.Workflow, names: Iterable[str]) -> None:
    """Take out every workflow but those of these names and those that they take something of."""
    graph = workflow._graph  # noqa: SLF001 - Nipype has no other way
    kept = {node for node in graph.nodes if node.name in {*names}}
    kept |= {maker for node in kept for maker in nx.ancestors(graph, node)}
    workflow.remove_nodes([node for node in graph.nodes if node not in kept])


def makers(workflow: pe.Workflow, taker: str, fields: Mapping[str, str]) -> Makers:
    """Which nodes make what a workflow of a run takes.

    Parameters
    ----------
    workflow
        The run.
    taker
        Name of the workflow in it that takes, such as ``outputs_wf``.
    fields
        A key for each input of it that is looked for.

    Returns
    -------
    makers
        For the path of each node from the run on, the keys that each of its outputs goes to.

    """
    found: Makers = {}
    for source, output, target in _links_to(workflow, taker):
        key = fields.get(target.removeprefix('inputnode.'))
        made = None if key is None else _maker(source, output)
        if key is not None and made is not None:
            found.setdefault(made[0], {}).setdefault(made[1], []).append(key)
    return found


def _links_to(workflow: pe.Workflow, name: str) -> list[tuple[pe.EngineBase, str, str]]:
    return [
        (source, output, target)
        for source, taker, data in workflow._graph.edges(data=True)  # noqa: SLF001
        if taker.name == name
        for output, target in data['connect']
    ]


def _maker(source: pe.EngineBase, output: str) -> tuple[tuple[str, ...], str] | None:
    """Path and output of the node that makes an output of a workflow, from that workflow on."""
    if not isinstance(source, pe.Workflow):
        return (source.name,), output
    wanted = output.removeprefix('outputnode.')
    for inner, made, target in _links_to(source, 'outputnode'):
        if target == wanted and inner.name != 'inputnode':
            path, name = _maker(inner, made) or ((), '')
            return ((source.name, *path), name) if path else None
    return None
