"""Order of samples: laws on stamps, row ids and reading from the front."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import SourceError
from telecine.core.recording import STATIC_NS
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.shared.sample_order import pick


def part(ids: list[int], **clocks: list[int]) -> ChunkSamples:
    rows = np.array([[0, i] for i in ids], np.uint64).reshape(-1, 2)
    return ChunkSamples(rows, {name: ("sequence", np.array(values, np.int64)) for name, values in clocks.items()})


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=5), st.randoms())
def test_times_are_sorted_and_equal_stamps_keep_order_of_arrival(stamps: list[list[int]], random: Any) -> None:
    ids = list(range(sum(map(len, stamps))))
    random.shuffle(ids)
    at = iter(ids)
    order = order_of([part([next(at) for _ in row], t=row) for row in stamps])
    flat = [stamp for row in stamps for stamp in row]
    expected = sorted(zip(flat, ids, strict=True))
    assert order.times("t").tolist() == [stamp for stamp, _ in expected]
    assert [ids[position] for position in order.by_stamp("t")] == [i for _, i in expected]
    assert [ids[position] for position in order.arrived("t")] == sorted(ids)


def test_backwards_counts_steps_back_in_order_of_arrival() -> None:
    assert order_of([part([0, 1], t=[5, 7]), part([2, 3], t=[6, 8])]).backwards("t") == 1
    assert order_of([part([2, 3], t=[7, 8]), part([0, 1], t=[5, 6])]).backwards("t") == 0


def test_rows_without_the_clock_do_not_count() -> None:
    order = order_of([part([0, 1], log=[1, 2]), part([2, 3], log=[3, 4], t=[9, 8])])
    assert order.times("t").tolist() == [8, 9]
    assert order.by_stamp("t").tolist() == [3, 2]
    assert order.times("log").tolist() == [1, 2, 3, 4]
    assert dict(order.kinds) == {"log": "sequence", "t": "sequence"}


def test_the_last_static_value_hides_the_rest() -> None:
    order = order_of([part([5]), part([0, 1], t=[1, 2]), part([3])])
    assert order.static
    assert order.arrival.tolist() == [0]
    assert order.times("t").tolist() == [STATIC_NS]


def test_nothing_is_an_order_too() -> None:
    order = order_of([part([], t=[])])
    assert dict(order.kinds) == {}
    assert not order.static
    assert order.times("t").size == 0
    assert order.backwards("t") == 0


@given(st.lists(st.integers(0, 4), max_size=6), st.data())
def test_pick_gives_any_places_in_any_order(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    places = st.integers(0, total - 1)
    wanted = data.draw(st.lists(places, max_size=20)) if total else []
    items = iter(range(total))
    parts = [[next(items) for _ in range(size)] for size in sizes]
    assert [item for _, item in pick(np.array(wanted, np.int64), parts)] == wanted


def test_pick_reads_no_further_than_needed() -> None:
    def parts() -> Any:
        yield ["a", "b"]
        raise AssertionError("read too far")

    assert list(pick(np.array([0, 1, 1]), parts())) == [(0, "a"), (1, "b"), (1, "b")]


def test_pick_says_when_the_file_has_become_shorter() -> None:
    with pytest.raises(SourceError, match="changed while it was read"):
        list(pick(np.array([0, 3]), [["a"]]))
