"""The methods text names what was done, by whom it was thought of, and what differed between runs."""

from __future__ import annotations

import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.bibliography import bibtex, works
from bidsqsm.derivatives.methods_text import methods_text
from bidsqsm.derivatives.sidecars import provenance
from bidsqsm.facts.field_facts import PhaseFacts
from bidsqsm.facts.inversion_facts import ReferenceFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.qsm.phase.terms import ReceivePhase
from helpers import example_run


def everyday_choices():
    return settled_methods(separate=True)


@pytest.fixture
def run(tmp_path):
    return example_run.make_run(tmp_path / 'raw', acq='x', run='1')


def test_the_methods_name_every_parameter_and_the_acquisition(run):
    text = methods_text([provenance(run, example_run.make_facts(), everyday_choices())])
    for piece in (
        '3 T',
        'Siemens',
        '4:8:20 ms',
        '40 ms',
        '15°',
        '40 \u00d7 48 \u00d7 36',
        '123.25 MHz',
    ):
        assert piece in text
    for choice in everyday_choices().values():
        for name in choice.settings():
            assert f'{name} = ' in text
        for key in choice.method.cite:
            assert f'@{key}' in text
    assert 'whole brain' in text
    assert '+0.0123 ppm was subtracted' in text
    assert 'Not recorded in the metadata: scanner model' in text


def test_runs_measured_alike_share_a_paragraph(run):
    one = provenance(run, RunFacts(), everyday_choices())
    other = {**one, 'Name': 'sub-02', 'Acquisition': {**one['Acquisition'], 'FlipAngle': 20}}
    assert methods_text([one, one]).count('gradient-echo data') == 1
    apart = methods_text([one, other])
    assert apart.count('gradient-echo data') == 2
    assert 'sub-02: ' in apart


def test_the_body_is_told_and_objects_are_no_brains(run):
    one = provenance(run, RunFacts(), everyday_choices())
    told = {}
    for name in ('infant', 'none'):
        acquisition = {**one['Acquisition'], 'Body': name, 'BodyScale': 0.65}
        told[name] = methods_text([{**one, 'Acquisition': acquisition}])
    assert 'body infant, lengths of the methods 0.65 times those for an adult' in told['infant']
    assert 'mapping of the brain' in told['infant']
    assert 'body no head, lengths' in told['none']
    assert 'mapping of the brain' not in told['none']


def test_what_differs_from_head_to_head_is_told_once_for_all(run):
    """Hundreds of runs with their own scale, reference value and frequency make one paragraph."""
    texts = []
    for n in (1, 2, 3):
        facts = RunFacts(
            phase=PhaseFacts(scaling=f'Values up to {n}.', offset=ReceivePhase(removed=True)),
            reference=ReferenceFacts(reference='csf', value=0.01 * n, sd=0.02),
        )
        one = provenance(run, facts, everyday_choices())
        frequency = {**one['Acquisition'], 'ImagingFrequency': 123 + n / 10}
        texts.append({**one, 'Acquisition': frequency, 'WholeBrainMean': -0.001 * n})
    text = methods_text(texts)
    assert '123.2 ± 0.1 MHz (mean ± SD over 3 runs)' in text
    assert '+0.0200 ± 0.0100 ppm (mean ± SD over 3 runs) was subtracted' in text
    assert 'cerebrospinal fluid' in text
    assert 'region has a mean of +0.0020 ± 0.0010' in text
    assert 'as each map tells' in text
    assert text.count('The receive phase was estimated') == 1
    alone = methods_text(texts[:1])
    assert 'Values up to 1.' in alone
    assert '+0.0100 ppm was subtracted' in alone


def test_every_work_can_be_found_and_every_citation_is_a_work():
    assert all(work.doi.startswith('10.') for work in works().values())
    used = {key for step in STEPS.values() for method in step.methods for key in method.cite}
    assert used <= set(works())
    assert bibtex(['zhou2014']).startswith('@article{zhou2014,')
