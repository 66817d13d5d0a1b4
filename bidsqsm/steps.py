"""The steps of a run, in the order in which a run goes through them: the one table.

The order of the command line, of the sidecars and of the methods text, the words of progress and of
warnings, the headings of the report and what a group of products consists of are read from it. The
methods of the steps are in :mod:`bidsqsm.catalog`, their decisions in :mod:`bidsqsm.facts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Heading(Enum):
    """Headings of a run in the report, in the order of the page."""

    ACQUISITION = 'Acquisition'
    PHASE = 'Phase'
    FIELD = 'Total field'
    MASKS = 'Masks'
    SUSCEPTIBILITY = 'Local field and susceptibility'
    REGIONS = 'Regions'
    CONTRASTS = 'Other contrasts'
    QUALITY = 'Quality'
    FURTHER = 'Further pictures'


@dataclass(frozen=True, kw_only=True)
class RunStep:
    """What is known of a step but for its methods.

    Attributes
    ----------
    name
        Key of the step, in the catalogue and in the sidecars.
    workflow
        Workflow that does it.
    inside
        Workflow of the run in which that one lies, where it is not one of the run itself.
    title
        In a word or two, for warnings.
    lead
        Beginning of its sentence in the methods text; the phrase of the method ends it.
    heading
        Of its pictures in the report.
    map_doubt
        Place of its warnings among those that put the whole map in doubt, the gravest first; None
        where they put a part in doubt.
    group
        Products that it makes, as ``--products`` calls them; '' where it serves any.
    group_title
        What these products are, for the help; told by one step of a group.
    run_needs
        What a run must have for them: conditions of :mod:`bidsqsm.derivatives.product_groups`.
    needs
        Steps whose result it takes and whose methods are told with its own.
    without_phase
        Method by which a run without phase does it, '' for any; None where such a run does not.
    nodes
        What a person is told while a node of it runs.
    facts
        Output of ``workflow`` that tells what was decided; '' where nothing is.
    writes_files
        Whether it makes files that are none of the products, such as tables and transforms.

    """

    name: str
    workflow: str
    inside: str = ''
    title: str = ''
    lead: str = ''
    heading: Heading = Heading.FURTHER
    map_doubt: int | None = None
    group: str = ''
    group_title: str = ''
    run_needs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    without_phase: str | None = None
    nodes: Mapping[str, str] = field(default_factory=dict)
    facts: str = ''
    writes_files: bool = False

    @property
    def outer_workflow(self) -> str:
        """The workflow of the run that does it, or in which that lies."""
        return self.inside or self.workflow

    @property
    def facts_output(self) -> str:
        """Output of ``outer_workflow`` that tells what was decided."""
        return f'{self.name}_{self.facts}' if self.inside else self.facts


_ROWS = (
    RunStep(
        name='coil',
        workflow='phase_wf',
        title='Phase',
        lead='Receive channels were combined with',
        heading=Heading.ACQUISITION,
        map_doubt=0,
    ),
    RunStep(
        name='phase',
        workflow='phase_wf',
        title='Phase',
        heading=Heading.PHASE,
        map_doubt=0,
        needs=('coil',),
        nodes={'prepare_phase': 'phase preparation', 'read_magnitude': 'reading'},
        facts='facts',
    ),
    RunStep(
        name='unwrap',
        workflow='fieldmap_wf',
        title='Total field',
        lead='Phase was unwrapped by',
        heading=Heading.PHASE,
        map_doubt=6,
        needs=('phase',),
        nodes={'unwrap_phase': 'unwrapping'},
        facts='unwrap_facts',
    ),
    RunStep(
        name='field',
        workflow='fieldmap_wf',
        title='Total field',
        lead='Echoes were combined into one map of the total field by',
        heading=Heading.FIELD,
        map_doubt=6,
        needs=('unwrap',),
        nodes={'fit_field': 'field fit'},
        facts='field_facts',
    ),
    RunStep(
        name='registration',
        workflow='anatomical_wf',
        title='Registration',
        lead='The head was registered with the template by',
        heading=Heading.REGIONS,
        map_doubt=3,
        group='qsm',
        without_phase='',
        facts='summary',
        writes_files=True,
    ),
    RunStep(
        name='mask',
        workflow='masking_wf',
        title='Masks',
        lead='The brain was masked by',
        heading=Heading.MASKS,
        map_doubt=7,
        without_phase='structural',
        nodes={'make_mask': 'masking'},
        facts='facts',
    ),
    RunStep(
        name='gradient_correction',
        workflow='relaxometry_wf',
        title='R2*',
        lead='Dephasing across a voxel was',
        heading=Heading.CONTRASTS,
        group='r2star',
        without_phase='none',
    ),
    RunStep(
        name='relaxometry',
        workflow='relaxometry_wf',
        title='R2*',
        lead='The relaxation rate R2* was fitted by',
        heading=Heading.CONTRASTS,
        group='r2star',
        group_title='R2*, T2* and S0',
        run_needs=('decay',),
        needs=('gradient_correction',),
        without_phase='',
        nodes={'fit_relaxation': 'R2*'},
        facts='facts',
    ),
    RunStep(
        name='r2prime',
        workflow='r2prime_wf',
        title="R2'",
        heading=Heading.CONTRASTS,
        group='r2prime',
        group_title="R2', T2' and R2, where R2 is given or spin echoes are there",
        run_needs=('r2', 'decay'),
        needs=('relaxometry',),
        facts='facts',
    ),
    RunStep(
        name='sign',
        workflow='sign_wf',
        title='Sign of the phase',
        heading=Heading.PHASE,
        map_doubt=1,
        nodes={'decide_sign': 'sign of the phase'},
        facts='facts',
    ),
    RunStep(
        name='background',
        workflow='background_wf',
        inside='inversion_wf',
        title='Background',
        lead='The background field was removed by',
        heading=Heading.SUSCEPTIBILITY,
        map_doubt=5,
        group='qsm',
        needs=('field', 'mask'),
        nodes={'remove_background': 'background removal'},
        facts='facts',
    ),
    RunStep(
        name='dipole',
        workflow='dipole_wf',
        inside='inversion_wf',
        title='Inversion',
        lead='The local field was inverted to susceptibility by',
        heading=Heading.SUSCEPTIBILITY,
        map_doubt=4,
        group='qsm',
        needs=('background',),
        nodes={'invert_dipole': 'dipole inversion'},
        facts='facts',
    ),
    RunStep(
        name='onestep',
        workflow='onestep_wf',
        inside='inversion_wf',
        title='Inversion',
        lead='Susceptibility was estimated without a separate removal of the background field by',
        heading=Heading.SUSCEPTIBILITY,
        map_doubt=4,
        group='qsm',
        needs=('field', 'mask'),
        nodes={'invert_total_field': 'inversion in one step'},
        facts='facts',
    ),
    RunStep(
        name='two_pass',
        workflow='passes_wf',
        inside='inversion_wf',
        title='Two passes',
        heading=Heading.SUSCEPTIBILITY,
        group='qsm',
        nodes={'combine_passes': 'combination of two passes'},
        facts='facts',
    ),
    RunStep(
        name='joint',
        workflow='joint_wf',
        title='Inversion',
        lead='The local fields of several orientations were inverted together by',
        heading=Heading.SUSCEPTIBILITY,
        map_doubt=4,
        needs=('background',),
        nodes={'invert_jointly': 'joint inversion'},
        facts='facts',
    ),
    RunStep(
        name='reference',
        workflow='reference_wf',
        title='Susceptibility',
        lead='Susceptibility was',
        heading=Heading.SUSCEPTIBILITY,
        map_doubt=2,
        group='qsm',
        group_title='susceptibility and local field, with regions of atlases and output spaces',
        run_needs=('phase',),
        needs=('dipole', 'onestep'),
        nodes={'reference_chi': 'reference'},
        facts='facts',
    ),
    RunStep(
        name='concentration',
        workflow='concentration_wf',
        title='Concentration',
        lead='Concentrations were estimated from susceptibility as',
        heading=Heading.CONTRASTS,
        group='concentration',
        group_title='iron, or a contrast agent, from susceptibility',
        run_needs=('phase',),
        needs=('reference',),
        facts='facts',
    ),
    RunStep(
        name='swi',
        workflow='swi_wf',
        title='SWI',
        lead='The magnitude was weighted by',
        heading=Heading.CONTRASTS,
        group='swi',
        group_title='susceptibility-weighted images, either sign',
        run_needs=('phase',),
        needs=('phase', 'mask'),
        facts='facts',
    ),
    RunStep(
        name='clear_swi',
        workflow='clear_swi_wf',
        title='CLEAR-SWI',
        lead='The magnitude was weighted by',
        heading=Heading.CONTRASTS,
        group='clear-swi',
        group_title='CLEAR-SWI',
        run_needs=('phase',),
        needs=('unwrap', 'mask'),
        facts='facts',
    ),
    RunStep(
        name='true_swi',
        workflow='true_swi_wf',
        title='True SWI',
        lead='The magnitude was weighted by',
        heading=Heading.CONTRASTS,
        group='true-swi',
        group_title='true SWI, from the susceptibility',
        run_needs=('phase',),
        needs=('reference',),
        facts='facts',
    ),
    RunStep(
        name='oxygenation',
        workflow='oxygenation_wf',
        title='Oxygenation',
        lead='Venous oxygen saturation was told by',
        heading=Heading.CONTRASTS,
        group='oxygenation',
        group_title='veins, with venous oxygen saturation and oxygen extraction fraction',
        run_needs=('phase',),
        needs=('reference', 'relaxometry'),
        facts='facts',
        writes_files=True,
    ),
    RunStep(
        name='decompose',
        workflow='decompose_wf',
        title='DECOMPOSE',
        lead='Sources within each voxel were told apart by',
        heading=Heading.CONTRASTS,
        group='decompose',
        group_title='paramagnetic and diamagnetic susceptibility by DECOMPOSE, from four echoes or more',
        run_needs=('phase', 'four_echoes'),
        needs=('reference',),
        facts='facts',
    ),
    RunStep(
        name='separation',
        workflow='separation_wf',
        title='Separation of sources',
        lead='Paramagnetic and diamagnetic sources were separated',
        heading=Heading.CONTRASTS,
        group='separation',
        group_title='paramagnetic and diamagnetic susceptibility',
        run_needs=('phase', 'decay'),
        needs=('reference', 'relaxometry'),
        facts='facts',
    ),
    RunStep(
        name='alignment',
        workflow='alignment_wf',
        title='Registration',
        heading=Heading.REGIONS,
        map_doubt=3,
        group='qsm',
        facts='summary',
        writes_files=True,
    ),
    RunStep(
        name='roi_refine',
        workflow='rois_wf',
        title='Regions',
        lead='The regions of the atlas were',
        heading=Heading.REGIONS,
        group='qsm',
        without_phase='none',
        writes_files=True,
    ),
    RunStep(
        name='spaces',
        workflow='spaces_wf',
        title='Output spaces',
        heading=Heading.REGIONS,
        group='qsm',
        writes_files=True,
    ),
    RunStep(
        name='overlay',
        workflow='overlay_wf',
        title='Registration',
        heading=Heading.REGIONS,
        group='qsm',
    ),
    RunStep(
        name='quality',
        workflow='quality_wf',
        title='Quality',
        heading=Heading.QUALITY,
        map_doubt=8,
        nodes={'measure_quality': 'quality metrics'},
        writes_files=True,
    ),
    RunStep(
        name='outputs',
        workflow='outputs_wf',
        title='Processing',
        nodes={'write_derivatives': 'writing'},
    ),
)

#: Every step by its name, in the order in which a run goes through them.
RUN_STEPS: Mapping[str, RunStep] = {row.name: row for row in _ROWS}


def in_run_order(names: Iterable[str]) -> list[str]:
    """The steps of these names in the order in which they run, those that are not known last."""
    given = [*dict.fromkeys(names)]
    return [
        *(name for name in RUN_STEPS if name in given),
        *(name for name in given if name not in RUN_STEPS),
    ]


def upstream(*names: str) -> tuple[str, ...]:
    """These steps and all that they need, in the order in which they run.

    Examples
    --------
    >>> upstream('field')
    ('coil', 'phase', 'unwrap', 'field')
    >>> upstream('relaxometry')
    ('gradient_correction', 'relaxometry')

    """
    found: set[str] = set()
    rest = [*names]
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += RUN_STEPS[name].needs
    return tuple(in_run_order(found))


def workflows_of(groups: Iterable[str]) -> set[str]:
    """Workflows of a run that make the products of these groups."""
    names = set(groups)
    return {row.outer_workflow for row in _ROWS if row.group in names}


def step_of_workflows(path: Iterable[str]) -> RunStep | None:
    """The step that the innermost of these workflows does; None where none is known."""
    by_workflow = {row.workflow: row for row in reversed(_ROWS)}
    return next((by_workflow[name] for name in [*path][::-1] if name in by_workflow), None)


def words_of_node(node: str) -> str:
    """What a person is told while a node runs."""
    known = {name: words for row in _ROWS for name, words in row.nodes.items()}
    return known.get(node, node.replace('_', ' '))
