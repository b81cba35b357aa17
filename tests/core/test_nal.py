"""NAL units."""

from hypothesis import given
from hypothesis import strategies as st

from support import headers
from telecine.core.bitstream.nal import START, escaped, payload

few_values = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=40).map(lambda v: bytes([*v, 128]))


@given(few_values)
def test_what_is_escaped_never_looks_like_a_start_code_and_comes_back(data):
    out = escaped(data)
    assert START not in out
    assert b"\0\0\0" not in out
    assert b"\0\0\2" not in out
    assert payload(out) == data
    assert out == headers.escaped(data)
