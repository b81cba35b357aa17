"""NAL units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import headers
from telecine.core.bitstream.nal import START, escaped, has_recovery_point, payload

few_values = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=40).map(lambda v: bytes([*v, 128]))


@given(few_values)
def test_what_is_escaped_never_looks_like_a_start_code_and_comes_back(data):
    out = escaped(data)
    assert START not in out
    assert b"\0\0\0" not in out
    assert b"\0\0\2" not in out
    assert payload(out) == data
    assert out == headers.escaped(data)


@pytest.mark.parametrize(
    ("sei", "where"),
    [
        ([6, 1, 0x80], 2),  # the shortest one there is
        ([6, 1, 0x80, 0x80], 2),
        ([5, 2, 9, 9, 6, 1, 0x80], 6),
        ([255, 1, 0, 6, 1, 0x80], 5),  # behind a message of type 256 without bytes
        ([5, 1, 9, 0x80], None),
        ([6], None),
        ([], None),
    ],
)
def test_a_recovery_point_is_found_where_its_payload_begins(sei, where):
    assert has_recovery_point(bytes(sei)) == where
