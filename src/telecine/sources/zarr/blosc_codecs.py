"""Zarr's Blosc codecs, of both of its formats, that look at a frame before they give it to c-blosc.

Import it where zarr is used, inside a function: it needs numcodecs and zarr.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zarr
from numcodecs.blosc import Blosc
from numcodecs.registry import register_codec as register_for_format_2
from zarr.codecs import BloscCodec
from zarr.registry import register_codec as register_for_format_3

from telecine.sources.zarr.blosc import blosc_fault


def _check(buffer: Any) -> None:
    fault = blosc_fault(memoryview(buffer).cast("B"))
    if fault:
        raise ValueError(f"blosc: {fault}")


class CheckedBlosc(Blosc):  # type: ignore[misc]
    """The codec "blosc" of zarr's format 2, and "numcodecs.blosc" of format 3."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError, for what is no whole frame."""
        _check(buf)
        return super().decode(buf, out)


class CheckedBloscCodec(BloscCodec):  # type: ignore[misc]
    """The codec "blosc" of zarr's format 3. Zarr calls one of the two, by its version."""

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check(chunk_bytes.as_numpy_array())
        return super()._decode_sync(chunk_bytes, chunk_spec)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check(chunk_bytes.as_numpy_array())
        return await super()._decode_single(chunk_bytes, chunk_spec)


_NAME = f"{CheckedBloscCodec.__module__}.{CheckedBloscCodec.__qualname__}"
register_for_format_2(CheckedBlosc)
register_for_format_3("blosc", CheckedBloscCodec)


@contextmanager
def checked() -> Iterator[None]:
    """Arrays that are opened within decode Blosc by what is above, for as long as they are used."""
    with zarr.config.set({"codecs.blosc": _NAME}):
        yield
