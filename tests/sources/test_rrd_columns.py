"""Arrow columns come out right for any slice, null and nesting, checked against pyarrow's own Python values."""

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.columns import ArrowLeaf

floats = st.floats(allow_nan=False, width=32)
rows_of_floats = st.lists(st.none() | st.lists(floats, max_size=4), max_size=12)


def slices(column: pa.Array, data: st.DataObject) -> pa.Array:
    start = data.draw(st.integers(0, len(column)))
    return column.slice(start, data.draw(st.integers(0, len(column) - start)))


@given(rows_of_floats, st.data(), st.sampled_from([pa.list_, pa.large_list]))
def test_numbers_of_any_slice(rows: list[Any], data: st.DataObject, kind: Any) -> None:
    column = slices(pa.array(rows, kind(pa.float64())), data)
    there, bounds, flat = arrow.numbers(column, ArrowLeaf("number", "float64"))
    expected = [row for row in column.to_pylist() if row]
    assert there.tolist() == [bool(row) for row in column.to_pylist()]
    assert [flat[a:b].tolist() for a, b in itertools.pairwise(bounds)] == expected


@given(st.lists(st.none() | st.lists(st.tuples(floats, floats, floats), max_size=3), max_size=10), st.data())
def test_fixed_size_instances_are_flattened(rows: list[Any], data: st.DataObject) -> None:
    column = slices(pa.array(rows, pa.list_(pa.list_(pa.float32(), 3))), data)
    _, bounds, flat = arrow.numbers(column, ArrowLeaf("number", "float32"))
    expected = [[value for item in row for value in item] for row in column.to_pylist() if row]
    assert [flat[a:b].tolist() for a, b in itertools.pairwise(bounds)] == expected


@given(st.lists(st.none() | st.lists(st.booleans(), max_size=3), max_size=20), st.data())
def test_bools_are_unpacked_from_bits(rows: list[Any], data: st.DataObject) -> None:
    column = slices(pa.array(rows, pa.list_(pa.bool_())), data)
    _, bounds, flat = arrow.numbers(column, ArrowLeaf("number", "bool"))
    assert flat.dtype == np.bool_
    assert [flat[a:b].tolist() for a, b in itertools.pairwise(bounds)] == [row for row in column.to_pylist() if row]


@given(st.lists(st.none() | st.lists(st.none() | st.integers(-5, 5), max_size=3), max_size=12), st.data())
def test_a_row_with_a_null_integer_holds_no_sample(rows: list[Any], data: st.DataObject) -> None:
    column = slices(pa.array(rows, pa.list_(pa.int32())), data)
    there, _, flat = arrow.numbers(column, ArrowLeaf("number", "int32"))
    whole = [row for row in column.to_pylist() if row and None not in row]
    assert there.sum() == len(whole)
    assert flat.tolist() == [value for row in whole for value in row]


def test_a_null_float_becomes_nan() -> None:
    there, _, flat = arrow.numbers(pa.array([[1.0, None]]), ArrowLeaf("number", "float64"))
    assert there.tolist() == [True]
    np.testing.assert_array_equal(flat, [1.0, np.nan])


def test_structs_are_followed_to_their_numbers() -> None:
    kind = pa.struct(
        [("stamp", pa.struct([("sec", pa.int32())])), ("position", pa.list_(pa.float64())), ("id", pa.string())]
    )
    assert arrow.leaves(pa.list_(kind)) == [
        ArrowLeaf("number", "int32", ("stamp", "sec")),
        ArrowLeaf("number", "float64", ("position",)),
        ArrowLeaf("text", "string", ("id",)),
    ]
    rows = [[{"stamp": {"sec": i}, "position": [float(i), 2.0], "id": f"n{i}"}] for i in range(6)]
    column = pa.array([*rows, None, [{"stamp": None, "position": [9.0], "id": None}]], pa.list_(kind)).slice(2)
    there, _, seconds = arrow.numbers(column, ArrowLeaf("number", "int32", ("stamp", "sec")))
    assert seconds.tolist() == [2, 3, 4, 5]
    assert there.tolist() == [True] * 4 + [False] * 2
    _, bounds, flat = arrow.numbers(column, ArrowLeaf("number", "float64", ("position",)))
    assert flat.tolist() == [2.0, 2.0, 3.0, 2.0, 4.0, 2.0, 5.0, 2.0, 9.0]
    assert bounds.tolist() == [0, 2, 4, 6, 8, 9]
    assert arrow.texts(column, ArrowLeaf("text", "string", ("id",)))[1][:4] == ["n2", "n3", "n4", "n5"]


@given(st.lists(st.none() | st.lists(st.binary(max_size=5), max_size=2), max_size=12), st.data())
@pytest.mark.parametrize("inner", [pa.list_(pa.uint8()), pa.binary(), pa.large_binary()])
def test_blobs_are_views_of_the_right_bytes(inner: pa.DataType, rows: list[Any], data: st.DataObject) -> None:
    made = rows if pa.types.is_binary(inner) or pa.types.is_large_binary(inner) else _as_lists(rows)
    column = slices(pa.array(made, pa.list_(inner)), data)
    there, found = arrow.blobs(column)
    expected = [bytes(row[0]) for row in column.to_pylist() if row]
    assert there.tolist() == [bool(row) for row in column.to_pylist()]
    assert [bytes(found[i]) for i in range(len(found))] == expected


def _as_lists(rows: list[Any]) -> list[Any]:
    return [None if row is None else [list(blob) for blob in row] for row in rows]


@given(st.lists(st.none() | st.lists(st.text(max_size=4), max_size=3), max_size=10), st.data())
def test_texts_of_one_row_are_joined_by_line_ends(rows: list[Any], data: st.DataObject) -> None:
    column = slices(pa.array(rows, pa.list_(pa.string())), data)
    assert arrow.texts(column, ArrowLeaf("text", "string"))[1] == ["\n".join(row) for row in column.to_pylist() if row]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (pa.float64(), [ArrowLeaf("other", "double")]),
        (pa.list_(pa.float16()), [ArrowLeaf("number", "float16")]),
        (pa.list_(pa.list_(pa.float64())), [ArrowLeaf("number", "float64")]),
        (pa.list_(pa.uint8()), [ArrowLeaf("number", "uint8")]),
        (pa.list_(pa.list_(pa.uint8())), [ArrowLeaf("blob", "uint8")]),
        (pa.list_(pa.large_binary()), [ArrowLeaf("blob", "uint8")]),
        (pa.list_(pa.timestamp("ns")), [ArrowLeaf("other", "timestamp[ns]")]),
    ],
)
def test_what_lies_at_the_bottom_of_a_type(kind: pa.DataType, found: list[ArrowLeaf]) -> None:
    assert arrow.leaves(kind) == found
