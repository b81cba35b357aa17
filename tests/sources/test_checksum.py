"""The checksum of chunks, with and without the package that makes it fast."""

import sys
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.sources.shared import checksum


@pytest.fixture(params=["as installed", "without isal"], scope="module", autouse=True)
def isal(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways of computing it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "without isal":
            patch.setitem(sys.modules, "isal", None)
            patch.setitem(sys.modules, "isal.isal_zlib", None)
        checksum._isal.cache_clear()
        yield
    checksum._isal.cache_clear()


@given(st.binary(), st.binary())
def test_a_checksum_goes_on_where_another_ended(head: bytes, tail: bytes) -> None:
    assert checksum.crc32(tail, checksum.crc32(head)) == zlib.crc32(head + tail)


def test_every_kind_of_buffer_has_the_same_checksum() -> None:
    data = bytes(range(256))
    assert {checksum.crc32(kind(data)) for kind in (bytes, bytearray, memoryview)} == {zlib.crc32(data)}
