"""Ratings: read from wherever they lie, refused with a sentence, settled between raters."""

from __future__ import annotations

import pytest

from bidsqsm.cohort.ratings import Rating, read_rating_file, read_ratings, settle
from bidsqsm.errors import DatasetError

HEAD = 'run\trating\tcomment\trater\tdate\n'


def write(path, *rows: str, head: str = HEAD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + ''.join(f'{row}\n' for row in rows), encoding='utf-8')
    return path


def test_files_of_the_root_the_folder_and_the_command_line_are_read_once(tmp_path):
    root = write(tmp_path / 'out' / 'sub-01_ratings.tsv', 'sub-01\tkeep\tn/a\tAda\t2025-01-31')
    write(tmp_path / 'out/ratings/sub-02_ratings.tsv', 'sub-02\tunsure\tmoved\tn/a\t2025-01-31')
    write(tmp_path / 'out/sub-01/anat/sub-03_ratings.tsv', 'sub-03\tkeep\t\t\t2025-01-31')
    mine = write(tmp_path / 'mine.tsv', 'sub-04\texclude\t\tBen\t2025-02-28')
    found, troubles = read_ratings(tmp_path / 'out', [mine, root])
    assert sorted(found, key=lambda one: one.run) == [
        Rating('sub-01', 'keep', '', 'Ada', '2025-01-31'),
        Rating('sub-02', 'unsure', 'moved', '', '2025-01-31'),
        Rating('sub-04', 'exclude', '', 'Ben', '2025-02-28'),
    ]
    assert troubles == []


def test_no_file_is_no_rating(tmp_path):
    assert read_ratings(tmp_path) == ([], [])
    assert settle(()) == {}


def test_what_a_spreadsheet_makes_of_a_file_is_read(tmp_path):
    path = tmp_path / 'a_ratings.tsv'
    rows = 'date\trun\trater\trating\tcomment\r\n2025-01-31\tsub-01\t\tKeep\t"a ""b"", c"\r\n\r\n'
    path.write_bytes(b'\xef\xbb\xbf' + rows.encode())
    assert read_rating_file(path) == [Rating('sub-01', 'keep', 'a "b", c', '', '2025-01-31')]


@pytest.mark.parametrize(
    ('row', 'said'),
    [
        ('sub-01\tgood\t\tAda\t2025-01-31', "line 2 has the rating 'good', expected keep, unsure"),
        ('sub-01\tkeep\t\tAda\t31.01.2025', "line 2 has the date '31.01.2025', expected one such"),
        ('sub-01\tkeep\t\tAda\t2025-02-30', "line 2 has the date '2025-02-30'"),
        ('sub-01\tkeep\t\tAda', "line 2 has the date ''"),
        ('\tkeep\t\tAda\t2025-01-31', 'line 2 names no run'),
        ('sub-01\tkeep\ta\tb\tAda\t2025-01-31', 'line 2 has 6 cells, expected 5'),
    ],
)
def test_a_row_that_cannot_be_read_is_told(tmp_path, row, said):
    path = write(tmp_path / 'sub-01_ratings.tsv', row)
    write(tmp_path / 'sub-02_ratings.tsv', 'sub-02\tkeep\t\tAda\t2025-01-31')
    found, (trouble,) = read_ratings(tmp_path)
    assert said in trouble
    assert trouble.startswith(str(path))
    assert [one.run for one in found] == ['sub-02'], 'the other file counts'
    with pytest.raises(DatasetError) as caught:
        read_ratings(tmp_path, [path])  # what is named must be right
    assert said in str(caught.value)


@pytest.mark.parametrize('head', ['', 'run\trating\n', HEAD.replace('rater', 'who')])
def test_columns_that_are_not_those_of_ratings_are_told(tmp_path, head):
    path = write(tmp_path / 'x.tsv', head=head)
    with pytest.raises(DatasetError, match='expected exactly the columns run, rating, comment'):
        read_rating_file(path)


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(DatasetError, match=r'none\.tsv cannot be read'):
        read_ratings(tmp_path, [tmp_path / 'none.tsv'])
    (tmp_path / 'x_ratings.tsv').write_bytes(b'\xff\xfe\x00')
    _, (trouble,) = read_ratings(tmp_path)
    assert 'in UTF-8' in trouble


def test_the_newest_rating_of_a_rater_counts_whatever_the_order():
    old = Rating('sub-01', 'exclude', 'ghosts', 'Ada', '2025-01-31')
    new = Rating('sub-01', 'keep', 'looked again', 'Ada', '2025-02-01')
    for order in ([old, new], [new, old]):
        settled = settle(order)['sub-01']
        assert (settled.rating, settled.ratings, settled.disagreement) == ('keep', (new,), '')
        assert settled.comments == ('Ada: looked again',)


def test_of_one_day_the_worse_counts():
    kept = Rating('sub-01', 'keep', '', 'Ada', '2025-01-31')
    out = Rating('sub-01', 'exclude', '', 'Ada', '2025-01-31')
    assert settle([out, kept])['sub-01'].ratings == (out,)


def test_raters_who_disagree_are_told_and_the_worst_counts():
    settled = settle(
        [
            Rating('sub-02', 'keep', '', 'Ben', '2025-01-31'),
            Rating('sub-01', 'unsure', 'wraps', '', '2025-01-31'),
            Rating('sub-01', 'keep', '', 'Ben', '2025-03-31'),
        ]
    )
    assert list(settled) == ['sub-01', 'sub-02']
    assert settled['sub-01'].rating == 'unsure'
    assert settled['sub-01'].disagreement == 'no name: unsure, Ben: keep'
    assert settled['sub-01'].comments == ('wraps',)
    assert settled['sub-02'].disagreement == ''
