"""What the steps took, as the report's table has it."""

from __future__ import annotations

from dataclasses import asdict

from bidsqsm.reports.subject.resource_use import StepUse, resource_table, with_earlier

LONG = StepUse('dipole inversion', 12.34, 20.0, 1.5)
MIDDLE = StepUse('masking', 2.0, 2.0, 0.4)
SHORT = StepUse('collect', 0.01, 0.02, 0.12)


def test_a_reused_step_tells_what_it_took_before():
    used = {'a': StepUse('masking', reused=True), 'b': LONG, 'c': StepUse('new', reused=True)}
    told = with_earlier(used, {'a': asdict(MIDDLE), 'b': asdict(MIDDLE)})
    assert told == {
        'a': StepUse('masking', 2.0, 2.0, 0.4, reused=True),
        'b': LONG,
        'c': StepUse('new', reused=True),
    }


def test_the_total_is_of_what_ran_and_its_peak_that_of_one_step():
    reused = StepUse('R2*', 100.0, 100.0, 9.0, reused=True)
    table = resource_table([LONG, SHORT, reused, MIDDLE, SHORT])
    assert [row['step'] for row in table['rows']] == [
        'Dipole inversion',
        'R2*',
        'Masking',
        '2 short steps',
    ]
    assert [row['reused'] for row in table['rows']] == [False, True, False, False]
    total = table['total']
    assert (total['seconds'], total['cpu_seconds'], total['peak_gb']) == ('14.4', '22.0', '1.50')
    assert table['reused'] == 1


def test_where_all_was_reused_the_total_is_nothing():
    table = resource_table([StepUse('masking', reused=True), StepUse('R2*', reused=True)])
    (row,) = table['rows']
    assert (row['step'], row['reused']) == ('2 short steps, reused', True)
    assert table['total']['seconds'] == '0.0'


def test_nothing_known_is_no_table():
    assert resource_table([]) == {}
