"""Where each place of a run lies in the T1w and in templates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.atlases.atlas import Template
from bidsqsm.atlases.selection import brain_template
from bidsqsm.inputs.run import GreRun
from bidsqsm.inputs.transforms import inverse_of
from bidsqsm.interfaces.anatomy.registration import (
    MakeContrast,
    RegisterT1w,
    RegisterTemplate,
    TakeTransform,
)
from bidsqsm.interfaces.anatomy.resampling import ResampleMask
from bidsqsm.method import Choice
from bidsqsm.workflows.anatomy.multicontrast_registration import preliminary
from bidsqsm.workflows.anatomy.transform_paths import (
    SPACE_OUTPUTS,
    TransformPath,
    collect,
    pass_on,
)


def init_anatomical_wf(
    *,
    run: GreRun,
    templates: Sequence[Template],
    method: Choice | None,
    continued: Collection[str] = (),
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'anatomical_wf',
) -> pe.Workflow:
    """Register a run with its T1w and either with templates; transforms that were given are taken.

    Parameters
    ----------
    run
        The run, with its T1w, its masks and the transforms that others computed.
    templates
        Templates by different names.
    method
        Method of the registration with templates; None where there are none.
    continued
        Names of templates with which the run is registered once more when its maps are there; the
        transforms of here are none of the derivatives then.
    mem_gb
        Peak memory of a step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    magnitude
        Magnitude, echoes last.

    Outputs
    -------
    contrast, brain
        Even magnitude of the run and the brain in it.
    template_mask
        Brain of the first template of a whole brain, on the grid of the run.
    into_<space>, out_of_<space>
        Transforms of points from the run to a space (T1w or a template) and back, in the order of
        their use.
    registrations_<space>
        Facts of the registrations on the way.
    extras
        The transforms, to be written.
    summary
        How the registrations went.

    """
    spaces = ['T1w'] if run.t1w else []
    spaces += [template.name for template in templates]
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(niu.IdentityInterface(fields=['magnitude']), name='inputnode')
    of_spaces = [f'{what}_{space}' for space in spaces for what in SPACE_OUTPUTS]
    outputnode = pe.Node(
        niu.IdentityInterface(
            fields=['contrast', 'brain', 'template_mask', 'extras', 'summary', *of_spaces]
        ),
        name='outputnode',
    )
    resources = {'mem_gb': mem_gb, 'n_procs': omp_nthreads}
    make_contrast = pe.Node(MakeContrast(), name='make_contrast', mem_gb=mem_gb)
    if run.mask is not None:
        make_contrast.inputs.in_mask = str(run.mask)
    builder = _Builder(workflow, run, inputnode, make_contrast, continued, resources)
    found = {'T1w': builder.to_t1w()} if run.t1w else {}
    for template in templates:
        found[template.name] = builder.to_template(template, method, found)
    if make_contrast.name in workflow.list_node_names():  # something is registered
        workflow.connect(inputnode, 'magnitude', make_contrast, 'in_file')
    if continued:
        made = [('contrast', 'contrast'), ('brain', 'brain')]
        workflow.connect([(make_contrast, outputnode, made)])
    for space in spaces:
        pass_on(workflow, found[space], space, outputnode)
    whole = brain_template(templates)
    if whole is not None:
        _carry_brain(workflow, whole, inputnode, outputnode)
    collect(workflow, found, outputnode)
    return workflow


@dataclass(frozen=True)
class _Builder:
    """Adds the nodes of registrations to a workflow."""

    workflow: pe.Workflow
    run: GreRun
    inputnode: pe.Node
    make_contrast: pe.Node
    continued: Collection[str]
    resources: Mapping[str, Any]

    def to_t1w(self) -> TransformPath:
        given = self.run.transforms.get('orig:T1w')
        if given:
            take = _take('take_t1w', given, fixed=self.run.t1w)
            self.workflow.connect(self.inputnode, 'magnitude', take, 'moving')
            return TransformPath().on(take, 'orig', 'T1w')
        register = pe.Node(
            RegisterT1w(t1w=str(self.run.t1w)), name='register_t1w', **self.resources
        )
        if self.run.t1w_mask is not None:
            register.inputs.t1w_mask = str(self.run.t1w_mask)
        self._from_run(register)
        return TransformPath().on(register, 'orig', 'T1w')

    def to_template(
        self, template: Template, method: Choice | None, found: Mapping[str, TransformPath]
    ) -> TransformPath:
        run, name = self.run, template.name
        direct = run.transforms.get(f'orig:{name}')
        if direct:
            take = _take(f'take_{name}', direct, fixed=template.t1w)
            self.workflow.connect(self.inputnode, 'magnitude', take, 'moving')
            return TransformPath().on(take, 'orig', name)
        given = run.transforms.get(f'T1w:{name}') if run.t1w else None
        if given:
            take = _take(f'take_{name}', given, fixed=template.t1w)
            take.inputs.moving = str(run.t1w)
            return found['T1w'].on(take, 'T1w', name)
        going_on = not run.t1w and name in self.continued
        chosen = preliminary(method) if method is not None and going_on else method
        register = pe.Node(
            RegisterTemplate(method=str(chosen), template=str(template.t1w), template_name=name),
            name=f'register_{name}',
            **self.resources,
        )
        if template.mask is not None:
            register.inputs.template_mask = str(template.mask)
        if not run.t1w:
            self._from_run(register)
            return TransformPath().on(register, 'orig', name, written=not going_on)
        register.inputs.in_file = str(run.t1w)
        if run.t1w_mask is not None:
            register.inputs.given_mask = str(run.t1w_mask)
        elif 'orig:T1w' not in run.transforms:
            self.workflow.connect(found['T1w'].nodes[0], 'brain', register, 'in_mask')
        return found['T1w'].on(register, 'T1w', name)

    def _from_run(self, register: pe.Node) -> None:
        self.workflow.connect(
            [
                (self.make_contrast, register, [('contrast', 'in_file'), ('brain', 'in_mask')]),
            ]
        )


def _take(name: str, path: Any, fixed: Any) -> pe.Node:
    take = pe.Node(TakeTransform(in_file=str(path), fixed=str(fixed)), name=name)
    inverse = inverse_of(path)
    if inverse is not None:
        take.inputs.inverse = str(inverse)
    return take


def _carry_brain(
    workflow: pe.Workflow,
    template: Template,
    inputnode: pe.Node,
    outputnode: pe.Node,
) -> None:
    carry = pe.Node(ResampleMask(template=str(template.t1w)), name='carry_brain')
    if template.mask is not None:
        carry.inputs.mask = str(template.mask)
    space = template.name
    workflow.connect(
        [
            (inputnode, carry, [('magnitude', 'reference')]),
            (workflow.get_node(f'into_{space}'), carry, [('out', 'transforms')]),
            (workflow.get_node(f'registrations_{space}'), carry, [('out', 'registrations')]),
            (carry, outputnode, [('mask', 'template_mask')]),
        ]
    )
