"""What registrations give to the steps that use them: transforms on the way to a space, and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.anatomy.derivative_lists import CollectTransforms

#: What the outputs of a space are called: its points to the run's, the run's to it, facts.
SPACE_OUTPUTS = ('out_of', 'into', 'registrations')


@dataclass
class TransformPath:
    """The registrations between a run and a space, from the run on."""

    nodes: list[pe.Node] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)

    def on(self, node: pe.Node, moving: str, fixed: str, *, written: bool = True) -> TransformPath:
        """One registration further; ``written`` says whether its transforms are a derivative."""
        about = {'moving': moving, 'fixed': fixed, 'written': written}
        return TransformPath([*self.nodes, node], [*self.about, about])


def pass_on(workflow: pe.Workflow, path: TransformPath, space: str, outputnode: pe.Node) -> None:
    """Hand the transforms and facts of a path on as the outputs of its space."""
    # points go from the run through the inverses, and back the other way round
    for what, output, nodes in (
        ('into', 'backward', path.nodes),
        ('out_of', 'forward', path.nodes[::-1]),
        ('registrations', 'facts', path.nodes),
    ):
        merge = pe.Node(niu.Merge(len(nodes)), name=f'{what}_{space}')
        for number, node in enumerate(nodes, start=1):
            workflow.connect(node, output, merge, f'in{number}')
        workflow.connect(merge, 'out', outputnode, f'{what}_{space}')


def collect(
    workflow: pe.Workflow, found: Mapping[str, TransformPath], outputnode: pe.Node
) -> None:
    """Gather every registration once, for writing and for the report."""
    members = [
        (node, about)
        for path in found.values()
        for node, about in zip(path.nodes, path.about, strict=True)
    ]
    unique = {node.name: (node, about) for node, about in members}
    gather = pe.Node(
        CollectTransforms(about=[about for _, about in unique.values()]), name='collect'
    )
    for output, field_name in (
        ('facts', 'all_facts'),
        ('forward', 'forward'),
        ('backward', 'backward'),
    ):
        merge = pe.Node(niu.Merge(len(unique)), name=f'all_{output}')
        for number, (node, _) in enumerate(unique.values(), start=1):
            workflow.connect(node, output, merge, f'in{number}')
        workflow.connect(merge, 'out', gather, field_name)
    workflow.connect(
        [
            (gather, outputnode, [('extras', 'extras'), ('summary', 'summary')]),
        ]
    )
