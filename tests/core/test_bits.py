"""Bits of a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.bitstream.bits import Bits, BitWriter, HeaderError, at_most


def packed(text):
    """The bits of a text of 0 and 1, spaces left out, as bytes."""
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big") if text else b""


def exp_golomb(value):
    text = f"{value + 1:b}"
    return "0" * (len(text) - 1) + text


def test_the_table_of_the_standard_is_read_back():
    bits = Bits(packed("1 010 011 00100 00101 00110 00111 0001000"))
    assert [bits.ue() for _ in range(8)] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_signed_numbers_alternate_around_zero():
    bits = Bits(packed("1 010 011 00100 00101"))
    assert [bits.se() for _ in range(5)] == [0, 1, -1, 2, -2]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**32 - 1)), max_size=20))
def test_what_is_written_is_read(values):
    bits = Bits(packed("".join(exp_golomb(v) if golomb else f"{v:032b}" for golomb, v in values)))
    assert [bits.ue() if golomb else bits.u(32) for golomb, _ in values] == [v for _, v in values]


@given(st.binary(max_size=12), st.lists(st.sampled_from(["u", "ue", "se", "flag"]), max_size=30))
def test_any_bytes_give_numbers_or_a_header_error(data, calls):
    bits = Bits(data)
    try:
        for call in calls:
            assert isinstance(bits.u(7) if call == "u" else getattr(bits, call)(), int)
    except HeaderError:
        pass


@pytest.mark.parametrize(("data", "read"), [(b"", "flag"), (b"\0", "ue"), (b"\x01", "ue"), (b"", "se")])
def test_reading_past_the_end_is_a_header_error(data, read):
    with pytest.raises(HeaderError, match="ends too early"):
        getattr(Bits(data), read)()


def test_a_number_of_more_than_32_bits_is_a_header_error():
    with pytest.raises(HeaderError, match="more than 32 bits"):
        Bits(packed("0" * 33 + "1" * 40)).ue()


def test_no_bits_are_zero():
    assert Bits(b"").u(0) == 0


def test_a_number_above_its_limit_is_a_header_error_that_names_it():
    assert at_most(3, 3, "x") == 3
    with pytest.raises(HeaderError, match="x is 4, at most 3 can be"):
        at_most(4, 3, "x")


numbers = st.one_of(
    st.tuples(st.just("u"), st.integers(0, 2**16 - 1), st.just(16)),
    st.tuples(st.just("ue"), st.integers(0, 2**32 - 2)),
    st.tuples(st.just("se"), st.integers(-(2**31) + 1, 2**31 - 1)),
    st.tuples(st.just("flag"), st.booleans()),
)


@given(st.lists(numbers, max_size=20))
def test_what_is_written_is_read_back(fields):
    writer = BitWriter()
    for name, value, *size in fields:
        getattr(writer, name)(value, *size)
    written = writer.closed()
    bits = Bits(written)
    assert [getattr(bits, name)(*size) for name, _, *size in fields] == [value for _, value, *_ in fields]
    assert bits.u(1) == 1  # the stop bit, and zeros up to the end of the byte
    left = 0
    while True:
        try:
            assert bits.u(1) == 0
        except HeaderError:
            break
        left += 1
    assert left < 8
