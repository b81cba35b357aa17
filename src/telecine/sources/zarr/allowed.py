"""Which codecs zarr may use for a recording, and how much a chunk may unpack to. Pure.

zarr and numcodecs look a codec up by the name that a file gives, among everything that is installed; one of those names
is `pickle`, and decoding it runs code. So names are compared with this list before zarr sees them, whatever the
versions installed think of it. Formats: https://zarr-specs.readthedocs.io, v2 (.zarray) and v3 (zarr.json).
"""

from collections.abc import Iterator, Mapping
from typing import Any

PLAIN = frozenset(
    {"blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma"}
    | {"delta", "fixedscaleoffset", "shuffle", "bitround", "quantize", "packbits", "astype"}
    | {"crc32", "adler32", "crc32c", "fletcher32", "jenkins_lookup3", "vlen-utf8", "vlen-bytes"}
    | {f"imagecodecs_{name}" for name in ("jpeg", "jpeg2k", "jpegxl", "png", "webp")}
)
"""Codecs that turn bytes into bytes, numbers or text, and nothing else."""
ALLOWED = PLAIN | {"bytes", "transpose", "sharding_indexed"}
_PREFIX = "numcodecs."
_TEXT = {"vlen-utf8", "vlen-bytes"}
MOST_BYTES = 1 << 28
"""Of a chunk, unpacked; more only where the recording itself has as many bytes."""
LARGEST_BYTES = 1 << 30
_DEEPEST = 32
_TOO_DEEP = f"its metadata is nested deeper than {_DEEPEST}"


def codec_fault(metadata: object) -> str:
    """What makes the metadata of an array or group, as parsed from JSON, unfit to be given to zarr; "" for nothing."""
    for codec in _codecs(metadata, 0):
        name = codec if isinstance(codec, str) else _name(codec)
        if name == _TOO_DEEP:
            return f"{_TOO_DEEP}; write the array with one level of sharding at most"
        if name.removeprefix(_PREFIX) not in ALLOWED:
            return f"the codec {name!r} is not one that telecine reads; write the array with blosc, zstd or zlib"
    return _object_fault(metadata, 0)


def most_bytes(recording_bytes: int) -> int:
    """How many bytes a chunk of a recording of that size may have, unpacked."""
    return max(MOST_BYTES, min(recording_bytes, LARGEST_BYTES))


def _name(codec: object) -> str:
    found = codec.get("id", codec.get("name")) if isinstance(codec, Mapping) else codec
    return found if isinstance(found, str) else repr(found)[:60]


def _codecs(value: object, depth: int) -> Iterator[Any]:
    """Every codec that a document names, those within sharding and consolidated metadata as well."""
    if depth > _DEEPEST:
        yield _TOO_DEEP
    elif isinstance(value, Mapping):
        if value.get("compressor") is not None:
            yield value["compressor"]
        for key in ("filters", "codecs", "index_codecs"):
            if value.get(key) is not None:
                yield from value[key] if isinstance(value[key], list) else [value[key]]
        for key, inner in value.items():
            if not (isinstance(key, str) and key.endswith(("attributes", ".zattrs"))):
                yield from _codecs(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _codecs(inner, depth + 1)


def _object_fault(value: object, depth: int) -> str:
    """Arrays of Python objects hold text by one of two codecs, or something that only pickle knows."""
    if isinstance(value, list) and depth <= _DEEPEST:
        return next((fault for inner in value if (fault := _object_fault(inner, depth + 1))), "")
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return ""
    if "O" in str(value.get("dtype", "")) and "shape" in value:
        filters = value.get("filters")
        names = {_name(codec) for codec in filters} if isinstance(filters, list) else set()
        return "" if names & _TEXT else "an array of Python objects; telecine reads numbers, text and images"
    return next((fault for inner in value.values() if (fault := _object_fault(inner, depth + 1))), "")
