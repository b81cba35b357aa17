"""Columns of messages: what nested arrays mean, and stamps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from support.ros import MemoryTopic, lists, numbers, text_lists, texts
from telecine.sources.messages.model import NO_STAMP, Failure, LeafColumn, header_stamps

Nested = st.lists(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3), max_size=5)


def nested_column(messages: list[list[list[int]]]) -> LeafColumn:
    outer = np.cumsum([0, *(len(m) for m in messages)])
    inner = np.cumsum([0, *(len(e) for m in messages for e in m)])
    flat = np.array([x for m in messages for e in m for x in e], np.int64)
    return LeafColumn(flat, (outer, inner))


@given(Nested, st.data())
def test_taking_messages_takes_all_their_nested_values(messages: list[list[list[int]]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(messages) - 1), max_size=8)) if messages else []
    taken = nested_column(messages).take(np.array(rows, np.int64))
    expected = nested_column([messages[row] for row in rows])
    assert taken.values.tolist() == expected.values.tolist()
    assert [b.tolist() for b in taken.bounds] == [b.tolist() for b in expected.bounds]


@given(Nested)
def test_lengths_count_the_values_of_all_levels(messages: list[list[list[int]]]) -> None:
    assert nested_column(messages).lengths().tolist() == [sum(map(len, m)) for m in messages]


def test_a_table_needs_messages_of_one_length() -> None:
    table = lists([[1, 2], [3, 4]]).table()
    assert table is not None
    assert table.tolist() == [[1, 2], [3, 4]]
    assert lists([[1, 2], [3]]).table() is None


def test_texts_are_numbers_that_name_a_text() -> None:
    column = text_lists([["a", "b"], ["b", "a"]])
    assert column.strings() == ["a", "b", "b", "a"]
    assert column.values.tolist() == [0, 1, 1, 0]


def test_stamps_of_messages_that_cannot_be_read_are_marked() -> None:
    columns = {"header.stamp.sec": numbers([1, 0], "int32"), "header.stamp.nanosec": numbers([5, 0], "uint32")}
    topic = MemoryTopic("/t", "a/msg/B", np.arange(3), columns, failures=(Failure(1, "cut"),))
    stamps = header_stamps(topic)
    assert stamps is not None
    assert stamps.tolist() == [1_000_000_005, NO_STAMP, 0]


def test_types_without_a_stamp_have_no_stamps() -> None:
    assert header_stamps(MemoryTopic("/t", "std_msgs/msg/String", np.arange(1), {"data": texts(["x"])})) is None
