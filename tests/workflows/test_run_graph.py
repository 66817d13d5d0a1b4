"""Workflows build for every choice, are told in the methods text, and know what their results depend on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.label_image import Segmentation
from bidsqsm.atlases.selection import NO_ATLASES, AtlasesAndSpaces
from bidsqsm.atlases.structures import make_label
from bidsqsm.catalog import STEPS
from bidsqsm.config import Config, settled_methods
from bidsqsm.derivatives.methods_text import describe_processing
from bidsqsm.derivatives.product_groups import GROUPS
from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.derivatives.sidecars import processing
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun
from bidsqsm.rois.region_columns import OPTIONAL_MAPS
from bidsqsm.steps import RUN_STEPS
from bidsqsm.workflows.anatomy.multicontrast_registration import preliminary
from bidsqsm.workflows.base import init_bidsqsm_wf
from bidsqsm.workflows.method_selection import used_choices
from bidsqsm.workflows.outputs import made_by_nodes
from bidsqsm.workflows.run import init_run_wf
from helpers.bids_skeleton import Skeleton
from helpers.onnx_models import choice_of, scaling
from helpers.template_atlases import make_atlas

#: Those that any run may go through.
OF_ANY_RUN = [step for step in STEPS.values() if not step.several]
#: Those that come with an atlas.
OF_REGIONS = ('registration', 'roi_refine')
CHOICES = [(step.name, m.name) for step in OF_ANY_RUN for m in step.methods]


@pytest.fixture(scope='module')
def run(tmp_path_factory) -> GreRun:
    skeleton = Skeleton(tmp_path_factory.mktemp('ds'))
    skeleton.megre(echo_times=(0.004, 0.012, 0.020, 0.028))
    for echo in (1, 2, 3):
        skeleton.image(f'sub-01_echo-{echo}_MESE.nii.gz', sidecar={'EchoTime': 0.01 * echo})
    (found,) = find_runs(skeleton.root)
    return found


@pytest.fixture(scope='module')
def anatomy(tmp_path_factory) -> AtlasesAndSpaces:
    """One atlas, on a template of its own."""
    folder = make_atlas(tmp_path_factory.mktemp('atlas'), about={'Name': 'A', 'Template': 'TA'})
    return AtlasesAndSpaces(resolve_atlases([str(folder)]))


@pytest.fixture(scope='module')
def build(run, tmp_path_factory):
    """Build the graph of a run; the same graph is built once, and tests only look at it."""
    output_dir, built = tmp_path_factory.mktemp('run') / 'out', {}

    def build(
        run=run,
        omp_nthreads=1,
        phase_sign='auto',
        corrections=None,
        rounds=1,
        two_pass=False,
        anatomy=NO_ATLASES,
        groups=tuple(GROUPS),
        anew=False,
        **choices,
    ):
        chosen = {k: STEPS[k].choose(v) for k, v in choices.items()}
        settings = {
            'run': run,
            'choices': settled_methods(chosen, separate=rounds > 1),
            'omp_nthreads': omp_nthreads,
            'phase_sign': phase_sign,
            'corrections': corrections,
            'rounds': rounds,
            'two_pass': two_pass,
            'anatomy': anatomy,
            'groups': groups,
        }
        key = repr(settings)
        if anew or key not in built:
            built[key] = init_run_wf(output_dir=output_dir, **settings)
        return built[key]

    return build


def nodes(workflow):
    """Nodes by name, those that only pass on left out."""
    flat = {name.split('.')[-1]: workflow.get_node(name) for name in workflow.list_node_names()}
    return {k: node for k, node in flat.items() if k not in ('inputnode', 'outputnode')}


def methods_text(workflow):
    """What people read of the steps of a run, from what its outputs are told of them."""
    methods = nodes(workflow)['write_derivatives'].inputs.methods
    return describe_processing(
        processing({step: STEPS[step].choose(text) for step, text in methods.items()})
    )


@pytest.mark.parametrize(('step', 'method'), CHOICES, ids=[f'{s}-{m}' for s, m in CHOICES])
def test_every_method_builds_and_is_in_the_methods_text(step, method, run, build, anatomy):
    several = replace(run, n_channels=2, layout='channels-4d') if step == 'coil' else run
    chosen = choice_of(STEPS[step][method])
    workflow = build(
        run=several, anatomy=anatomy if step in OF_REGIONS else NO_ATLASES, **{step: chosen}
    )
    assert workflow.list_node_names()
    assert f'{RUN_STEPS[step].lead} {STEPS[step][method].clause} (' in methods_text(workflow)


@pytest.mark.parametrize('step', [step.name for step in OF_ANY_RUN])
def test_every_parameter_is_in_the_methods_text(step, run, build, anatomy):
    run = replace(run, n_channels=2, layout='channels-4d')
    choice = STEPS[step].choose(STEPS[step].default)
    text = methods_text(build(run=run, anatomy=anatomy, **{step: choice_of(choice.method)}))
    for name in choice.settings():
        assert f'{name} = ' in text
    for key in choice.method.cite:
        assert f'@{key}' in text


def outputs_wired(workflow):
    return {target for _, target in ends_of(workflow) if target.startswith('outputs_wf.')}


@pytest.mark.parametrize(
    'choices',
    [{'dipole': 'tv'}, {'onestep': 'sstv'}, {'field': 'ideal'}, {'two_pass': True}, {'rounds': 2}],
    ids=['two steps', 'one step', 'water and fat', 'two passes', 'rounds'],
)
def test_every_product_and_fact_reaches_the_derivatives(build, anatomy, choices):
    workflow = build(anatomy=anatomy, **choices)
    separate = 'dipole' in choices or 'rounds' in choices
    facts = {name for name, step in RUN_STEPS.items() if step.facts}
    facts -= {'joint', *(('onestep',) if separate else ('background', 'dipole'))}
    made = {*PRODUCTS} - {'fmap_magnitude', 'gadolinium'}
    if 'two_pass' not in choices:
        facts, made = facts - {'two_pass'}, made - {'holed_mask'}
    if 'field' not in choices:
        made -= {'water', 'fat', 'fat_fraction', 'waterfat_r2star'}
    shown = {'phase', 'roi_labels', 'roi_table', 'template_t1w', 'metrics'}
    fields = {*made, *shown, *(f'facts_{name}' for name in facts)}
    fields |= {f'extras{number}' for number in range(1, 6)}
    assert outputs_wired(workflow) == {f'outputs_wf.{name}' for name in fields}


def test_every_product_is_made_by_a_step_of_the_table():
    assert {p.maker for p in PRODUCTS.values()} - {''} <= {*RUN_STEPS}
    assert [key for key, p in PRODUCTS.items() if not p.maker] == ['fmap_magnitude']


@pytest.mark.parametrize(
    ('options', 'inner', 'nodes_of_chi'),
    [
        ({'onestep': 'sstv'}, ('onestep_wf',), 'invert_total_field'),
        ({'dipole': 'tv'}, ('dipole_wf',), 'invert_dipole'),
        ({'rounds': 3}, ('round3_wf', 'dipole_wf'), 'invert_dipole'),
        ({'two_pass': True}, ('whole_wf', 'onestep_wf'), 'invert_total_field'),
    ],
    ids=['one step', 'two steps', 'rounds', 'two passes'],
)
def test_what_is_booked_of_a_run_is_traced_to_the_node_that_makes_it(
    build, options, inner, nodes_of_chi
):
    products, facts = made_by_nodes(build(**options))
    assert products['reference_wf', 'reference_chi'] == {
        'chi': ['chi'],
        'region': ['reference_mask'],
    }
    assert products['phase_wf', 'prepare_phase']['phase'] == ['phase']
    step = 'onestep' if 'onestep_wf' in inner else 'dipole'
    assert facts['inversion_wf', *inner, nodes_of_chi] == {'facts': [step]}
    assert facts['fieldmap_wf', 'unwrap_phase'] == {'facts': ['unwrap']}
    assert facts['fieldmap_wf', 'fit_field'] == {'facts': ['field']}
    paths = {path for path in facts if path[0] == 'inversion_wf'}
    assert not [path for path in paths if {'round1_wf', 'round2_wf', 'holed_wf'} & {*path}]
    last = ('passes_wf', 'combine_passes') if 'two_pass' in options else (*inner, nodes_of_chi)
    assert products['inversion_wf', *last]['mask'] == ['qsm_mask']


def test_r2prime_is_made_for_the_separation_where_r2_is_known(run, build):
    def fed(**options):
        workflow = build(**options)
        taken = [
            (source, target)
            for _, wf, data in workflow._graph.edges(data=True)  # noqa: SLF001
            if wf.name in ('separation_wf', 'outputs_wf')
            for source, target in data['connect']
        ]
        return [
            end in taken
            for end in (
                ('outputnode.r2prime', 'inputnode.r2prime'),
                ('outputnode.facts', 'inputnode.facts_r2prime'),
            )
        ], 'subtract_r2' in nodes(workflow)

    assert fed(groups=('separation',)) == ([True, True], True)
    assert fed(groups=('separation',), run=replace(run, r2_source=None)) == ([False, False], False)
    assert fed(groups=('qsm', 'r2star')) == ([False, False], False)
    workflow = build(groups=('separation',))
    outputs = workflow.get_node('outputs_wf')
    maps = workflow._graph[workflow.get_node('r2prime_wf')][outputs]['connect']  # noqa: SLF001
    assert [target for _, target in maps] == ['inputnode.facts_r2prime']


def test_further_maps_of_a_run_are_measured_in_its_regions(run, build, anatomy):
    links = ends_of(build(anatomy=anatomy))
    measured = {target for _, target in links}
    assert {'iron', 'gadolinium'} <= {*OPTIONAL_MAPS}
    own = {key for key in OPTIONAL_MAPS if key in PRODUCTS} - {'gadolinium'}
    assert {f'rois_wf.{key}' for key in own} <= measured
    assert ('concentration_wf.iron', 'rois_wf.iron') in links
    agent = ends_of(build(anatomy=anatomy, concentration='gadolinium:coefficient=0.3'))
    assert ('concentration_wf.gadolinium', 'rois_wf.gadolinium') in agent


def test_echoes_at_uneven_distances_leave_arlo_out_and_the_rest_is_made(run, build):
    uneven = replace(run, echo_times=(0.004, 0.009, 0.012, 0.016))
    workflow = build(run=uneven, relaxometry='arlo')
    made = nodes(workflow)
    assert 'fit_relaxation' not in made
    assert {'decide_sign', 'reference_chi', 'weight_magnitude'} <= {*made}
    said = made['write_derivatives'].inputs.unavailable
    assert any(
        text.startswith('r2star was left out: ') and '4, 9, 12, 16 ms' in text for text in said
    )
    assert any(text.startswith('separation was left out: ') for text in said)
    assert 'fit_relaxation' in nodes(build(run=uneven, relaxometry='auto'))
    assert 'fit_relaxation' in nodes(build(run=run, relaxometry='arlo'))


def test_one_echo_has_no_relaxometry(run, build):
    single = replace(
        run, echo_times=run.echo_times[:1], magnitude=run.magnitude[:1], phase=run.phase[:1]
    )
    workflow = build(run=single)
    assert 'fit_relaxation' not in nodes(workflow)
    assert 'R2*' not in methods_text(workflow)
    assert 'relaxometry' not in used_choices(single, settled_methods())


@pytest.fixture(scope='module')
def magnitudes(run) -> GreRun:
    """The same without phase."""
    return replace(run, phase=())


@pytest.mark.parametrize('options', [{}, {'two_pass': True}, {'rounds': 2}, {'onestep': 'sstv'}])
def test_without_phase_nothing_that_needs_it_is_built(magnitudes, build, options):
    workflow = build(run=magnitudes, **options)
    assert {*nodes(workflow)} == {
        'read_magnitude',
        'make_mask',
        'fit_relaxation',
        'write_derivatives',
        'fit_spin_echo',
        'carry_r2',
        'subtract_r2',
        'measure_quality',
        'merge_extras',
    }
    said = nodes(workflow)['write_derivatives'].inputs
    left = {text.partition(' ')[0] for text in said.unavailable}
    assert left == {*GROUPS} - {'qsm', 'r2star', 'r2prime'}
    assert all(text.endswith('was left out: sub-01 has no phase.') for text in said.unavailable)
    assert {*said.methods} == {'mask', 'gradient_correction', 'relaxometry'}
    assert said.methods['gradient_correction'] == 'none'
    words = ('ield was', 'nwrapped', 'usceptibility')
    assert not [word for word in words if word in methods_text(workflow)]
    assert not [word for word in words if word not in methods_text(build(dipole='tv'))]


def test_without_phase_regions_and_spaces_are_those_of_the_magnitude(magnitudes, build, several):
    own = AtlasesAndSpaces(resolve_atlases([several['A']]), (resolve_template(several['A']),))
    links = ends_of(build(run=with_anatomy(magnitudes), anatomy=own))
    steps = {end.partition('.')[0] for link in links for end in link}
    assert 'alignment_wf' not in steps, 'nothing stands beside the magnitude'
    assert ('masking_wf.brain_mask', 'rois_wf.mask') in links
    assert {
        *(('relaxometry_wf.r2star', f'{step}.r2star') for step in ('rois_wf', 'spaces_wf')),
        ('anatomical_wf.into_TA', 'rois_wf.into_TA'),
        ('anatomical_wf.template_mask', 'masking_wf.template_mask'),
    } <= links
    assert not [link for link in links if link[1].endswith(('.chi', '.qsm_mask'))]


def test_without_phase_a_mask_that_needs_it_gives_way_to_one_that_does_not(magnitudes):
    def settled(text):
        chosen = settled_methods({'mask': STEPS['mask'].choose(text)})
        return str(used_choices(magnitudes, chosen)['mask'])

    assert settled('combined') == settled('phase-quality') == 'structural'
    assert settled('combined:tolerance=3,trim_depth=4') == 'structural:tolerance=3.0'
    assert settled('magnitude') == 'magnitude'
    assert settled('template') == 'template'
    assert 'mask' not in used_choices(
        replace(magnitudes, mask=magnitudes.magnitude[0]), settled_methods()
    )


def test_borders_of_regions_are_settled_only_where_there_are_regions(run):
    assert 'roi_refine' not in used_choices(run, settled_methods())
    assert 'roi_refine' in used_choices(run, settled_methods(), regions=True)


def test_a_given_mask_is_handed_to_the_step_and_the_method_is_not_cited(run, build, tmp_path):
    masked = replace(run, mask=run.magnitude[0])
    workflow = build(run=masked)
    assert nodes(workflow)['make_mask'].inputs.in_mask == str(run.magnitude[0])
    assert STEPS['mask']['combined'].clause not in methods_text(workflow)


def test_one_step_leaves_out_the_two_that_it_replaces(run, build):
    workflow = build(onestep='sstv')
    assert {'remove_background', 'invert_dipole'} & set(nodes(workflow)) == set()
    node = nodes(workflow)['invert_total_field']
    assert node.inputs.echo_times == list(run.echo_times)
    assert node.inputs.imaging_frequency == run.imaging_frequency
    assert STEPS['onestep']['sstv'].clause in methods_text(workflow)
    assert STEPS['dipole'][STEPS['dipole'].default].clause not in methods_text(workflow)
    both = {**settled_methods(separate=True), 'onestep': STEPS['onestep'].choose('sstv')}
    assert {'background', 'dipole'} & set(used_choices(run, both)) == set()


def test_corrections_and_signs_reach_their_nodes(build):
    made = nodes(build(phase_sign='-1', corrections={'bipolar': 'yes'}))
    assert made['decide_sign'].inputs.phase_sign == '-1'
    assert made['prepare_phase'].inputs.corrections == {'bipolar': 'yes'}


def hashes(workflow):
    return {name: node.inputs.get_hashval()[1] for name, node in nodes(workflow).items()}


def test_results_do_not_depend_on_threads_but_on_parameters(build):
    one, two = build(dipole='tkd'), build(dipole='tkd', omp_nthreads=2)
    assert nodes(two)['invert_dipole'].n_procs == 2
    assert nodes(two)['invert_dipole'].inputs.num_threads == 2
    assert hashes(one) == hashes(two)
    other = hashes(build(dipole='tkd:threshold=0.11'))
    changed = {name for name, value in hashes(one).items() if other[name] != value}
    assert changed == {'invert_dipole', 'write_derivatives'}


def test_results_do_not_depend_on_where_the_dataset_is(run, build, tmp_path):
    shutil.copytree(run.files[0].parents[2], tmp_path / 'moved')
    (moved,) = find_runs(tmp_path / 'moved')
    one, other = hashes(build()), hashes(build(run=moved))
    assert one.pop('write_derivatives') != other.pop('write_derivatives')
    assert one == other
    renamed = hashes(build(run=replace(run, imaging_frequency=120.0)))
    assert renamed['prepare_phase'] != one['prepare_phase']


def test_memory_grows_with_the_grid_and_the_echoes(run, build):
    large = replace(run, shape=(256, 256, 160))
    few, many = nodes(build())['unwrap_phase'].mem_gb, nodes(build(run=large, dipole='tv'))
    assert few < 0.5
    assert 0.5 < many['invert_dipole'].mem_gb < 1.5
    assert many['unwrap_phase'].mem_gb > many['invert_dipole'].mem_gb


def test_the_whole_graph_keeps_subjects_and_runs_apart(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for who in ('sub-01', 'sub-01_run-1', 'sub-02'):
        skeleton.megre(who)
    config = Config(
        bids_dir=skeleton.root, output_dir=tmp_path / 'out', work_dir=tmp_path / 'work'
    )
    workflow = init_bidsqsm_wf(config, find_runs(skeleton.root))
    starts = {name.rpartition('.phase_wf.')[0] for name in workflow.list_node_names()}
    assert starts - {''} == {
        'subject_01_wf.sub_01_wf',
        'subject_01_wf.sub_01_run_1_wf',
        'subject_02_wf.sub_02_wf',
    }
    assert Path(workflow.base_dir) == tmp_path / 'work'


def test_another_network_under_the_same_name_is_another_input(build, tmp_path):
    model = tmp_path / 'net.onnx'
    digests = []
    for factor, described in ((1.0, {}), (2.0, {}), (2.0, {'input_scale': 2.0}), (1.0, {})):
        scaling(model, factor, **described)
        node = nodes(build(dipole=f'onnx:model={model}', anew=True))['invert_dipole']
        digests.append(node.inputs.digest)
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]
    assert not nodes(build(dipole='tv'))['invert_dipole'].inputs.digest


def ends_of(workflow):
    """Every connection between two steps: ``step.output`` and ``step.input``."""
    return {
        (
            f'{one.name}.{source.removeprefix("outputnode.")}',
            f'{other.name}.{target.removeprefix("inputnode.")}',
        )
        for one, other, data in workflow._graph.edges(data=True)  # noqa: SLF001
        for source, target in data['connect']
    }


@pytest.mark.parametrize('rounds', [2, 3])
def test_a_second_round_sets_the_first_map_aside(build, rounds):
    inversion = build(rounds=rounds).get_node('inversion_wf')
    numbers = [
        inversion.get_node(f'round{n}_wf.background_wf.remove_background').inputs.rounds
        for n in range(1, rounds + 1)
    ]
    assert numbers == [*range(1, rounds + 1)]
    links = ends_of(inversion)
    for n in range(1, rounds):
        assert (f'round{n}_wf.chi', f'round{n + 1}_wf.chi') in links
    assert {link for link in links if link[1] == 'outputnode.chi'} == {
        (f'round{rounds}_wf.chi', 'outputnode.chi')
    }


@pytest.mark.parametrize('choices', [{'dipole': 'tv'}, {'onestep': 'sstv'}], ids=['two', 'one'])
def test_two_passes_differ_in_their_mask_alone_and_end_in_one_map(build, choices):
    workflow = build(two_pass=True, **choices)
    links = ends_of(workflow.get_node('inversion_wf'))
    whole = {
        (source, target.partition('whole_wf.')[2])
        for source, target in links
        if 'whole_wf.' in target
    }
    holed = {
        (source, target.partition('holed_wf.')[2])
        for source, target in links
        if 'holed_wf.' in target
    }
    assert whole - holed == {('inputnode.mask', 'mask')}
    assert holed - whole == {('holes_wf.mask', 'mask')}
    assert {('whole_wf.chi', 'passes_wf.chi'), ('holed_wf.chi', 'passes_wf.holed_chi')} <= links
    assert ('passes_wf.chi', 'outputnode.chi') in links
    assert ('whole_wf.local_field', 'outputnode.local_field') in links
    assert {
        ('inversion_wf.chi', 'reference_wf.chi'),
        ('inversion_wf.holed_mask', 'outputs_wf.holed_mask'),
    } <= ends_of(workflow)


def test_the_holes_keep_to_the_limits_of_the_mask(build):
    plain = nodes(build(two_pass=True))['cut_holes']
    assert plain.inputs.limits == {'quality_limit': 0.3, 'residual_limit': 0.1}
    other = nodes(build(two_pass=True, mask='combined:residual_limit=0.2'))['cut_holes']
    assert other.inputs.limits['residual_limit'] == 0.2
    assert nodes(build(two_pass=True, mask='magnitude'))['cut_holes'].inputs.limits == {}


@pytest.fixture(scope='module')
def several(tmp_path_factory):
    """Two atlases on one template, and a third on another."""
    room = tmp_path_factory.mktemp('atlases')
    folders = {
        name: make_atlas(room / name, about={'Name': name, 'Template': template})
        for name, template in (('A', 'TA'), ('B', 'TA'), ('C', 'TC'))
    }
    return {name: str(folder) for name, folder in folders.items()}


def with_anatomy(run, *, t1w=False, given=(), labels=()):
    """The run with what was given of its anatomy."""
    path = run.magnitude[0]
    segmentations = [
        Segmentation(f'S{space}', path, space, (make_label(1, 'x'),)) for space in labels
    ]
    return replace(
        run,
        t1w=path if t1w else None,
        transforms=dict.fromkeys(given, path),
        segmentations=tuple(segmentations),
    )


BOTH = ('orig:T1w', 'T1w:TA')


@pytest.mark.parametrize(
    ('parts', 'atlases', 'space', 'expected'),
    [
        ({}, 'A', '', {'register_TA', 'align_TA'}),
        ({'t1w': True}, 'A', '', {'register_t1w', 'register_TA'}),
        ({'t1w': True, 'given': BOTH}, 'A', '', {'take_t1w', 'take_TA'}),
        ({'t1w': True, 'given': BOTH[:1]}, 'A', '', {'take_t1w', 'register_TA'}),
        ({'t1w': True, 'given': BOTH[1:]}, 'A', '', {'register_t1w', 'take_TA'}),
        ({'given': ('orig:TA',)}, 'A', '', {'take_TA'}),
        ({}, 'AB', '', {'register_TA', 'align_TA'}),
        ({}, 'A', 'C', {'register_TA', 'align_TA', 'register_TC'}),
        ({'t1w': True}, 'ABC', '', {'register_t1w', 'register_TA', 'register_TC'}),
        ({'t1w': True, 'given': BOTH}, 'AC', '', {'take_t1w', 'take_TA', 'register_TC'}),
        ({'labels': ['orig']}, '', '', set()),
        ({'t1w': True, 'labels': ['orig', 'T1w']}, '', '', {'register_t1w'}),
        ({'t1w': True, 'labels': ['T1w']}, 'A', '', {'register_t1w', 'register_TA'}),
        ({}, '', 'C', {'register_TC'}),
        ({}, 'A', 'A', {'register_TA', 'align_TA'}),
        ({'t1w': True}, 'A', 'C', {'register_t1w', 'register_TA', 'register_TC'}),
    ],
)
def test_a_run_is_registered_with_what_it_needs_and_with_nothing_twice(
    run, build, several, parts, atlases, space, expected
):
    run = with_anatomy(run, **parts)
    own = AtlasesAndSpaces(
        resolve_atlases([several[name] for name in atlases]),
        tuple(resolve_template(several[name]) for name in space),
    )
    workflow = build(run=run, anatomy=own)
    made = nodes(workflow)
    assert {name for name in made if name.startswith(('register_', 'take_', 'align_'))} == expected
    names = [name.partition('rois_wf.') for name in workflow.list_node_names()]
    measured = {name for *_, name in names if name.startswith('measure_')}
    sources = [*atlases, *(f'S{one.space}' for one in run.segmentations)]
    assert measured == {f'measure_{name}' for name in sources} | {
        f'measure_{name}_refined' for name in atlases
    }
    for name in atlases:  # where regions are refined, these alone are held against the literature
        plain, better = (
            workflow.get_node(f'rois_wf.measure_{name}{ending}') for ending in ('', '_refined')
        )
        assert (plain.inputs.judged, better.inputs.judged) == (False, True)
    assert len([name for name in made if name.startswith('to_template')]) == len(space)
    told = {target for _, target in ends_of(workflow)}
    assert ('outputs_wf.facts_registration' in told) == bool(expected)
    carried = workflow.get_node('anatomical_wf.carry_brain')
    assert (carried is not None) == bool(atlases or space)


def test_a_first_registration_is_coarser_but_within_the_bounds():
    step = STEPS['registration']
    texts = {
        name: f'{preliminary(step.choose(name))}' for name in ('greedy', 'greedy:resolution=7')
    }
    assert texts == {
        'greedy': 'greedy:resolution=4.0',
        'greedy:resolution=7': 'greedy:resolution=7.0',
    }
    assert [step.choose(text).settings()['resolution'] for text in texts.values()] == [4.0, 7.0]


@pytest.mark.parametrize('method', ['greedy', 'greedy:contrast_weight=0', 'affine'])
def test_regions_and_spaces_follow_the_last_registration(run, build, several, method):
    own = AtlasesAndSpaces(resolve_atlases([several['A']]), (resolve_template(several['A']),))
    links = ends_of(build(run=with_anatomy(run), anatomy=own, registration=method))
    last = 'alignment_wf' if method == 'greedy' else 'anatomical_wf'
    assert (f'{last}.into_TA', 'rois_wf.into_TA') in links
    assert (f'{last}.out_of_TA', 'spaces_wf.out_of_TA') in links
    # the brain of the template is needed long before there are maps
    assert ('anatomical_wf.template_mask', 'masking_wf.template_mask') in links
    assert ('alignment_wf.summary', 'outputs_wf.facts_alignment') in links or method != 'greedy'


@pytest.mark.parametrize('t1w', [True, False])
def test_the_report_shows_the_t1w_and_the_first_template_on_the_run(run, build, several, t1w):
    own = AtlasesAndSpaces(resolve_atlases([several['A'], several['B']]))
    workflow = build(run=with_anatomy(run, t1w=t1w), anatomy=own)
    links = ends_of(workflow)
    into = {target for _, target in links if target.startswith('overlay_wf.')}
    ways = {f'overlay_wf.{way}_TA' for way in ('into', 'registrations')}
    ways |= {f'overlay_wf.{way}_T1w' for way in ('into', 'registrations')} if t1w else set()
    assert into == {'overlay_wf.reference', *ways}
    last = 'anatomical_wf' if t1w else 'alignment_wf'
    assert (f'{last}.into_TA', 'overlay_wf.into_TA') in links
    # they are shown and not written
    assert not {'own_t1w', 'template_t1w'} & {*PRODUCTS}
    assert ('overlay_wf.template_t1w', 'outputs_wf.template_t1w') in links
    steps = workflow.list_node_names()
    assert 'overlay_wf.carry_heads' in steps
    assert 'overlay_wf.carry_heads' not in build(run=run).list_node_names()


def test_points_go_to_a_template_through_the_t1w_and_back_the_other_way(run, build, several):
    own = AtlasesAndSpaces(resolve_atlases([several['A']]))
    workflow = build(run=with_anatomy(run, t1w=True), anatomy=own).get_node('anatomical_wf')
    found = {}
    for one, other, data in workflow._graph.edges(data=True):  # noqa: SLF001
        if other.name in ('into_TA', 'out_of_TA'):
            for source, target in data['connect']:
                found[other.name, target] = (one.name, source)
    assert found == {
        ('into_TA', 'in1'): ('register_t1w', 'backward'),
        ('into_TA', 'in2'): ('register_TA', 'backward'),
        ('out_of_TA', 'in1'): ('register_TA', 'forward'),
        ('out_of_TA', 'in2'): ('register_t1w', 'forward'),
    }
