"""Which episodes of two datasets are the same, whatever their numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.edit.match import Match, match_episodes, row_hashes


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=5), st.data())
def test_pieces_are_found_where_they_were_cut(numbers, data):
    a = [
        row_hashes([np.array([[n, k] for k, n in enumerate(rows)], np.float32) + 100 * i])
        for i, rows in enumerate(numbers)
    ]
    pieces, wanted = [], []
    for i, rows in enumerate(a):
        at = data.draw(st.integers(0, len(rows)))
        for start, stop in ((0, at), (at, len(rows))):
            if start < stop:
                wanted.append(Match(i, len(pieces), start))
                pieces.append(rows[start:stop])
    assert match_episodes(a, pieces) == wanted
    assert match_episodes(a, [np.array([1, 2], np.uint64)]) == []


def test_copies_are_told_apart_by_their_number():
    one, two = (row_hashes([np.arange(5) + n]) for n in (0, 9))
    assert match_episodes([one, one, two], [one, two, one]) == [Match(0, 0, 0), Match(2, 1, 0), Match(1, 2, 0)]


def test_episodes_without_rows_are_each_other_and_no_part_of_any():
    none, two = np.zeros(0, np.uint64), row_hashes([np.arange(2)])
    assert match_episodes([two], [none]) == []
    assert match_episodes([none, two, none], [two, none, none]) == [Match(1, 0, 0), Match(0, 1, 0), Match(2, 2, 0)]
    assert match_episodes([none], [none, none]) == [Match(0, 0, 0)]


def test_rows_that_occur_twice_are_given_once_each():
    a = [row_hashes([np.array(values)]) for values in ((1, 2), (1, 3))]
    one = a[0][:1]
    assert match_episodes(a, [one, one, one]) == [Match(0, 0, 0), Match(1, 1, 0)]
