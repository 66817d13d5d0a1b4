"""Facts: what a step decided, typed inside, plain JSON outside, and read with their step."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from bidsqsm.derivatives.decisions_text import describe_decisions
from bidsqsm.derivatives.provenance import read_provenance
from bidsqsm.facts.contrasts_facts import R2PrimeFacts, SwiFacts
from bidsqsm.facts.inversion_facts import HolesFacts
from bidsqsm.facts.record import Record, SolverFacts, StepFacts
from bidsqsm.facts.region_facts import LabelsFacts, RefinementFacts, RegionsFacts
from bidsqsm.facts.registration_facts import ContrastFacts, RegistrationFacts, RegistrationSummary
from bidsqsm.facts.run_facts import TYPES, RunFacts
from bidsqsm.files.json_files import as_json
from bidsqsm.interfaces.anatomy.registration_checks import failed, judged
from bidsqsm.interfaces.anatomy.resampling import lost
from bidsqsm.interfaces.outputs import FACTS
from bidsqsm.interfaces.step_interface import StepInterface
from helpers import example_run

#: As it stands on disk: steps, keys and their order are those of sidecars that are out there.
ON_DISK: dict[str, Any] = {
    'phase': {
        'scaling': 'Values -4096 to 4094.',
        'channels': 3,
        'coil': 'mcpc3ds',
        'alternation': {'removed': True, 'axes': [2], 'mean_steps': [1, 1, -1], 'sentence': 'A.'},
        'bipolar': {
            'removed': False,
            'constant_rad': 0.1,
            'gradient_rad_per_mm': [0.0, 0.1, 0.0],
            'across_head_rad': [0.0, 1.0, 0.0],
            'sentence': 'B.',
            'warning': 'C.',
        },
        'filtered': {'found': False, 'sentence': 'D.'},
        'offset': {'removed': True, 'echoes': [1, 2], 'spread_rad': 1.2, 'sentence': 'E.'},
    },
    'field': {'phase_sign_of_fat': -1},
    'registration': {
        'orig to T1w': {'overlap': 0.99},
        'T1w to A': {
            'overlap': 0.9,
            'likeness': 0.8,
            'jacobian': [0.5, 1.5],
            'folded': 0.0,
            'smoothing': None,
        },
        'orig to B': {'given': '/b.h5'},
        'orig to C': {'failed': 'it folds'},
    },
    'mask': {
        'source': 'made',
        'mask_sources': {'brain': 'magnitude, template', 'qsm': 'magnitude, template, quality'},
        'template_dice': 0.95,
        'brain_ml': 1400.0,
        'qsm_ml': 1300.0,
    },
    'relaxometry': {
        'magnitude_noise': 1.5,
        'mean_echoes_used': 4.9,
        'unfitted_voxels': 3,
        'saturated_voxels': 0,
    },
    'r2prime': {
        'r2_from': 'spin echoes',
        'spin_echoes_used': 3,
        'r2_placed_by': 'rigid registration',
        'overlap': 0.97,
        'median_r2': 14.2,
        'negative_r2prime': 0.01,
    },
    'sign': {'sign': -1, 'how': 'decided from the data', 'sign_evidence': -0.4},
    'background': {
        'kept': 0.97,
        'rounds': 2,
        'convergence': [
            {
                'solver': 'lsmr',
                'iterations': 4,
                'last': None,
                'changes': [0.2, 0.1],
                'tolerance': None,
                'converged': True,
            }
        ],
    },
    'dipole': {'digest': 'abc'},
    'two_pass': {
        'two_pass': True,
        'filled_voxels': 10,
        'filled_share': 0.1,
        'shift_of_filled': -0.01,
    },
    'joint': {
        'orientations': ['a', 'b', 'c'],
        'angles': [20.0, 30.0, 25.0],
        'condition_number': 4.0,
        'b0_directions': [[0.0, 0.0, 1.0], [0.0, 0.5, 0.8], [0.5, 0.0, 0.8]],
        'rotations': [0.0, 20.0, 30.0],
        'overlap': [1.0, 0.98, 0.97],
    },
    'reference': {'reference': 'csf', 'value': 0.01, 'sd': 0.02, 'reach': 0.2},
    'concentration': {
        'substance': 'iron',
        'coefficient': 0.00089,
        'baseline': -0.01,
        'below': 0.4,
    },
    'swi': {
        'slice_axis': 'k',
        'slab_slices': 8,
        'voxels_without_signal': 0,
        'filter_widths': [18, 21],
    },
    'clear_swi': {'slice_axis': 'k', 'slab_slices': 8, 'voxels_without_signal': 0},
    'true_swi': {
        'slice_axis': 'k',
        'slab_slices': 8,
        'voxels_without_signal': 9,
        'left_out': 'There is no signal.',
    },
    'oxygenation': {'veins': 3, 'veins_with_saturation': 2, 'svo2': 0.6, 'oef': 0.4},
    'decompose': {
        'fitted_voxels': 9,
        'lost_voxels': 1,
        'median_misfit': 0.01,
        'sum_less_chi': {'mean': 0.0, 'sd': 0.001},
    },
    'separation': {
        'rate': "R2', measured",
        'relaxivities': {'paramagnetic': 137.0, 'diamagnetic': 137.0},
        'sum_rms': 0.001,
        'one_kind': 0.2,
        'bad_voxels': 0,
    },
    'alignment': {'orig to A': {'overlap': 0.9, 'contrasts': ['magnitude', 'chi']}},
}
BESIDE_STEPS = [
    (ContrastFacts, {'contrast': 'first echo'}),
    (HolesFacts, {'holes': 3}),
    (LabelsFacts, {'registration_failed': 'it folds'}),
    (RefinementFacts, {'roi_refine': 'trim', 'overlap_with_atlas': {'1': 0.9}}),
    (RegionsFacts, {'map_reference': 'csf', 'csf': 0.01, 'age': 30.0}),
    (RegistrationFacts, {'overlap': 0.4, 'failed': 'they do not overlap'}),
    (SwiFacts, {'voxels_without_signal': 0}),
]


def test_every_step_with_facts_has_a_type_of_its_own():
    assert {*TYPES} == {*FACTS}
    assert all(fact.__doc__ for fact in TYPES.values())


def test_json_read_and_written_again_is_the_same_to_the_byte():
    facts = RunFacts.of(ON_DISK)
    assert as_json(facts.plain()) == as_json(ON_DISK) == as_json(facts.decided())
    assert RunFacts.of(json.loads(as_json(facts.plain()))) == facts
    assert pickle.loads(pickle.dumps(facts)) == facts  # noqa: S301, between processes of a run


@pytest.mark.parametrize(('kind', 'plain'), BESIDE_STEPS)
def test_facts_that_are_no_step_s_go_round_as_well(kind, plain):
    assert json.dumps(kind.of(plain).plain()) == json.dumps(plain)
    assert not kind.of(plain).unknown


@pytest.mark.parametrize('kind', [*TYPES.values(), *(kind for kind, _ in BESIDE_STEPS)])
def test_a_step_that_tells_nothing_is_empty_json(kind):
    assert kind().plain() == {} == kind.of({}).plain()
    assert kind.of(None) == kind.of([1]) == kind()


def test_sidecars_of_other_versions_are_read_with_what_they_have():
    strange = {
        'phase': {'bipolar': 'yes', 'filtered': None, 'of_tomorrow': [1, {'a': 2}]},
        'dipole': {'convergence': [{'solver': 'tv', 'of_tomorrow': 1}, 5], 'kept': 1},
        'background': {'convergence': 'soon', 'warnings': None},
        'registration': {'orig to T1w': {'of_tomorrow': 1}, 'version': 3},
        'step_of_tomorrow': {'value': 1, 'left_out': 'No.'},
        'mask': 'made',
    }
    facts = RunFacts.of(strange)
    assert facts['phase'].bipolar is None
    assert facts['phase'].plain() == {'of_tomorrow': [1, {'a': 2}]}
    assert facts['dipole'].convergence[0].solver == 'tv'
    assert facts['dipole'].plain()['kept'] == 1
    assert facts['registration'].plain() == strange['registration']
    assert facts['step_of_tomorrow'].left_out == 'No.'
    assert facts['mask'].source is None
    assert describe_decisions({'Decisions': facts}) == ''
    assert RunFacts.of(None) == RunFacts.of('none') == {}


def test_a_foreign_sidecar_is_read_in_one_place(tmp_path):
    path = tmp_path / 'sub-01_Chimap.json'
    path.write_text(json.dumps({'Decisions': ON_DISK}))
    assert read_provenance(path)['Decisions'] == RunFacts.of(ON_DISK)
    path.write_text('{}')
    assert read_provenance(path)['Decisions']['sign'].sign is None


def test_facts_stay_as_they_are():
    facts = SolverFacts(solver='tv', changes=[0.2, 0.1])
    assert facts.changes == (0.2, 0.1)
    with pytest.raises(FrozenInstanceError):
        facts.solver = 'tgv'


@pytest.mark.parametrize('step', ['swi', 'clear_swi', 'oxygenation', 'decompose', 'separation'])
def test_a_product_that_is_left_out_silences_no_sentence_about_another(step):
    told = RunFacts.of({'r2prime': ON_DISK['r2prime'], step: {'left_out': 'There is none.'}})
    assert 'R2 came from spin echoes' in describe_decisions({'Decisions': told})


def test_an_r2_that_is_left_out_is_silent_and_the_others_speak():
    r2prime = {**ON_DISK['r2prime'], 'left_out': 'It is no R2.'}
    text = describe_decisions({'Decisions': RunFacts.of({**ON_DISK, 'r2prime': r2prime})})
    assert 'R2 came from' not in text
    assert "Sources were separated by R2', measured." in text
    assert 'cerebrospinal fluid' in text


def test_all_that_was_decided_is_told_once():
    text = describe_decisions({'Decisions': RunFacts.of(ON_DISK)})
    for piece in (
        'which alternated from slice to slice',
        'The receive phase was estimated',
        'done 2 times',
        'two passes',
        'Dice coefficient of 0.95',
        'with susceptibility beside the magnitude',
        'The sign of the phase was inverted (decided from the data).',
        'placed by rigid registration',
        '3 orientations',
    ):
        assert text.count(piece) == 1
    assert 'bipolar readout was removed' not in text


def test_warnings_are_for_the_person_and_not_for_the_sidecar():
    facts = RunFacts(swi=SwiFacts(slab_slices=3, warnings=('Look.',)), unwrap=StepFacts())
    assert facts.plain()['swi'] == {'slab_slices': 3, 'warnings': ['Look.']}
    assert facts.decided() == {'swi': {'slab_slices': 3}}


def test_a_registration_that_failed_is_lost_to_what_follows():
    fine, bad = judged(0.95, what='a and b'), judged(0.5, what='a and b')
    assert lost([fine, fine]) is None
    assert 'overlap by 0.50' in lost([fine, bad, failed('it folds')])
    assert [*bad.plain()] == ['overlap', 'failed', 'warnings']
    assert RegistrationSummary(pairs={'a to b': bad}).plain() == {
        'a to b': {'overlap': 0.5, 'failed': bad.failure}
    }


class Tell(StepInterface):
    """Tells typed facts."""

    def _run_interface(self, runtime):
        self._results['facts'] = R2PrimeFacts(r2_from='T2map', warnings=('Look.',))
        return runtime


def test_between_steps_facts_are_plain_json(tmp_path):
    told = Tell().run(cwd=tmp_path).outputs.facts
    assert told == {'r2_from': 'T2map', 'warnings': ['Look.']}
    assert R2PrimeFacts.of(told) == R2PrimeFacts(r2_from='T2map', warnings=('Look.',))


def test_every_key_on_disk_is_the_name_of_its_field_but_for_failures():
    kinds: set[type[Record]] = {*TYPES.values(), *(kind for kind, _ in BESIDE_STEPS)}
    renamed = {
        one.metadata['key'] for kind in kinds for one in fields(kind) if 'key' in one.metadata
    }
    assert renamed == {'failed', 'registration_failed'}


def test_made_up_facts_are_those_of_steps():
    assert {*example_run.make_facts()} <= {*TYPES}
