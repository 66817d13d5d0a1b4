"""Published ranges: they follow age, flag what is out of them and correct nothing."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from bidsqsm.derivatives.bibliography import works
from bidsqsm.rois.literature import RANGES, check, published_range, verdict


def table_of(**values):
    rows = [
        {'name': f'{name}_of_atlas', 'structure': name, 'hemisphere': side, 'mean_wholebrain': v}
        for name, pairs in values.items()
        for side, v in pairs.items()
    ]
    return pd.DataFrame(rows)


def test_every_range_cites_works_of_the_bibliography():
    for known in RANGES.values():
        assert known.cite
        assert {*known.cite} <= {*works()}
        assert -0.05 < known.low < known.high < 0.3


def test_the_putamen_gathers_iron_longer_than_the_pallidum():
    def growth(structure, young, old):
        return published_range(structure, old)[0] - published_range(structure, young)[0]

    assert growth('putamen', 20, 30) == pytest.approx(0.0193, abs=5e-4)
    assert growth('putamen', 60, 80) > growth('caudate', 60, 80) > growth('pallidum', 60, 80) > 0
    assert growth('red_nucleus', 20, 80) == 0
    assert published_range('putamen') == (0.020, 0.110)


def test_no_range_is_made_up():
    assert math.isnan(published_range('hippocampus', 50)[0])
    assert math.isnan(published_range('putamen', 19)[0])
    assert math.isnan(published_range('putamen', 91)[1])
    assert verdict(math.nan, 0, 1) == verdict(0.5, math.nan, math.nan) == 'n/a'
    assert (verdict(1.1, 0, 1), verdict(1, 0, 1)) == ('no', 'yes')


def test_only_both_sides_together_are_flagged():
    found = check(
        table_of(
            putamen={'L': 0.2, 'R': 0.0, 'B': 0.1},
            pallidum={'L': 0.3, 'R': 0.3, 'B': 0.3},
            red_nucleus={'': -0.1},
            thalamus={'B': math.nan},
        )
    )
    assert len(found) == 2
    assert found[0].startswith(
        'The mean susceptibility of pallidum_of_atlas is 300 ppb relative to the whole brain, '
        'expected 80 to 200 ppb in adults (Min et al., 2024; '
    )
    assert 'red_nucleus_of_atlas is -100 ppb' in found[1]


def test_a_value_of_old_age_is_odd_in_a_young_adult():
    table = table_of(putamen={'B': 0.1})
    assert check(table, 75) == []
    (said,) = check(table, 22)
    assert 'at 22 years' in said


def test_beyond_the_published_ages_one_sentence_says_so():
    table = table_of(putamen={'B': 0.1}, caudate={'B': 0.1})
    (said,) = check(table, 8)
    assert '8 years' in said
    assert check(table_of(hippocampus={'B': 0.1}), 8) == []
