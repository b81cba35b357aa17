"""Arrow arrays built by their buffers are what pyarrow itself would build."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from telecine.core.data.arrow import array, as_schema, elements, numbers, stacked, table, to_numpy

KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def same(made, expected):
    made.validate(full=True)
    assert made.type == expected.type
    assert made.equals(expected)


@given(
    st.sampled_from(KINDS).flatmap(
        lambda kind: hnp.arrays(kind, st.integers(0, 40), elements={"allow_nan": False} if "float" in kind else None)
    )
)
def test_numbers_are_what_pyarrow_makes_of_them_and_come_back(values):
    same(numbers(values), pa.array(values))
    for made in (numbers(values), pa.array(values)):
        np.testing.assert_array_equal(to_numpy(made), values)
        np.testing.assert_array_equal(to_numpy(made.slice(len(values) // 3)), values[len(values) // 3 :])


def test_every_other_element_is_taken_as_it_stands():
    same(numbers(np.arange(10.0)[::2]), pa.array([0.0, 2, 4, 6, 8]))


@given(st.lists(TEXT))
def test_texts_are_what_pyarrow_makes_of_them(values):
    same(array(values, pa.string()), pa.array(values, pa.string()))


@given(st.lists(st.binary()))
def test_bytes_are_what_pyarrow_makes_of_them(values):
    same(array([memoryview(v) for v in values], pa.large_binary()), pa.array(values, pa.large_binary()))


RECORD = pa.schema(
    [
        ("name", pa.string()),
        ("count", pa.int64()),
        ("deep", pa.list_(pa.list_(pa.float64()))),
        ("cameras", pa.list_(pa.struct([("key", pa.string()), ("copied", pa.bool_())]))),
    ]
)
RECORDS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "count": st.integers(-(2**63), 2**63 - 1),
        "deep": st.lists(st.lists(st.floats(allow_nan=False))),
        "cameras": st.lists(st.fixed_dictionaries({"key": TEXT, "copied": st.booleans()})),
    }
)


@given(st.lists(RECORDS))
def test_records_survive_as_a_table(rows):
    made = table(rows, RECORD)
    made.validate(full=True)
    assert made.schema == RECORD
    assert made.to_pylist() == rows


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
        (pa.binary(), st.binary()),
        (pa.bool_(), st.booleans()),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.float64(), st.floats(allow_nan=False)),
    ],
)
@given(data=st.data())
def test_none_is_null(kind, values, data):
    made = data.draw(st.lists(st.none() | values))
    same(array(made, kind), pa.array(made, kind))


@pytest.mark.parametrize(
    ("values", "kind"),
    [([[1], None], pa.list_(pa.int64())), ([None], RECORD.field("cameras").type), (["a"], pa.float64())],
)
def test_what_does_not_fit_is_refused(values, kind):
    with pytest.raises((TypeError, ValueError)):
        array(values, kind)


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2)), st.integers(0, 5))
def test_elements_are_what_the_lists_hold_wherever_a_slice_begins(values, first):
    for kind in (pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_(pa.int64(), 2)):
        lists = pa.array(values, kind).slice(first)
        same(elements(lists), lists.flatten())


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4)))
def test_nested_lists_of_one_shape_are_an_array_again(values):
    assert np.array_equal(stacked(pa.array(values.tolist())), values)


def test_lists_of_other_shapes_are_no_array():
    with pytest.raises(ValueError, match="reshape"):
        stacked(pa.array([[1, 2], [3]]))


def test_a_table_takes_the_types_of_a_schema_and_one_that_has_them_is_not_copied():
    held = pa.table({"a": [1, 2]})
    assert as_schema(held, held.schema) is held
    assert as_schema(held, pa.schema({"a": pa.float32()}))["a"].to_pylist() == [1.0, 2.0]
    with pytest.raises(pa.ArrowInvalid):
        as_schema(pa.table({"a": [300]}), pa.schema({"a": pa.int8()}))
