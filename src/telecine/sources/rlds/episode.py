"""One episode of RLDS: the values of an Example as streams, each by what `features.json` says of it.

The steps are rows; what is of the whole episode (`episode_metadata`) is one value without time. A camera that the
episode marks as missing (`has_image_2` is false, in Bridge) holds one blank frame at each step, which is no data and is
left out.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.naming import element_names
from telecine.core.recording import Array, LeftOut, Stream
from telecine.core.text.numbers import counted
from telecine.sources.rlds.example import Values
from telecine.sources.rlds.feature_spec import STEPS, RldsFeature
from telecine.sources.rlds.known_datasets import Conventions
from telecine.sources.shared.arrays import (
    CACHE_BYTES,
    ArrayPart,
    CompressedArray,
    PixelLayout,
    StoredArray,
    TextArray,
    coding,
    static,
    stream_of,
    text_of,
)
from telecine.sources.shared.held_arrays import HeldArray
from telecine.sources.shared.timing import Timing

METADATA = "episode_metadata"
_MOST_BYTES = 1 << 28
"""Of the numbers of one step."""


class RldsEpisode:
    """The streams of one episode, and what of it is none."""

    def __init__(
        self,
        specs: Sequence[RldsFeature],
        example: Mapping[str, Values],
        rate: Fraction | None,
        known: Conventions | None,
    ) -> None:
        self.specs = specs
        self.left_out: list[LeftOut] = []
        self._example = example
        self._timing = Timing(rate)
        self._known = {} if known is None else known.names
        self._steps = _count_steps(specs, example)

    def streams(self) -> Iterator[Stream]:
        """Every stream that can be read; the others go to `left_out`, each with the reason."""
        for spec in self.specs:
            values = self._example.get(spec.key)
            if not spec.problem and (why := self._absent(spec)):
                self.left_out.append(LeftOut(spec.name, "offered", why))
                continue
            try:
                if spec.problem or values is None:
                    raise SourceError(spec.problem or "this episode does not hold it")
                made = self._stream(spec, values)
            except SourceError as error:
                self.left_out.append(LeftOut(spec.name, "unreadable", str(error), training=spec.kind == "image"))
            else:
                yield made

    def facts(self) -> dict[str, str]:
        """`success`, where `episode_metadata` states it: a truth value, or a word."""
        values = self._example.get(f"{METADATA}/success", ())
        if len(values) != 1:
            return {}
        return {"success": str(bool(values[0])).lower() if isinstance(values, np.ndarray) else text_of(values[0])}

    def _absent(self, spec: RldsFeature) -> str:
        """Why a camera's frames are none. The mark alone does not tell: some writers leave it at false."""
        marks = self._example.get(f"{METADATA}/has_{spec.key.rpartition('/')[2]}")
        marked = spec.kind == "image" and isinstance(marks, np.ndarray) and marks.size and not marks.any()
        if marked and len({bytes(frame) for frame in self._example.get(spec.key, ())}) == 1:
            return "the episode says that it has no such camera, and holds one blank frame in its place"
        return ""

    def _stream(self, spec: RldsFeature, values: Values) -> Stream:
        if not spec.of_steps:
            return _of_episode(spec, values)
        if spec.kind == "number":
            made = stream_of(self._part(spec, self._rows(spec, values)), PixelLayout(), self._names)
            if made is None:
                raise SourceError(f"numbers of {spec.dtype} and the shape {spec.shape} are no stream")
            return made
        strings = _byte_strings(values, self._steps)
        part = self._part(spec, HeldArray(np.array(strings, dtype=object)))
        if spec.kind == "text":
            return TextArray(part)
        if coding(strings[0]) is None:
            raise SourceError("its frames are neither JPEG nor PNG")
        return CompressedArray(part)

    def _rows(self, spec: RldsFeature, values: Values) -> StoredArray:
        if spec.encoding == "none" or self._steps * _step_bytes(spec) <= CACHE_BYTES:
            return HeldArray(_numbers(spec, values, self._steps))
        return _PackedRows(spec, _byte_strings(values, self._steps))

    def _part(self, spec: RldsFeature, array: StoredArray) -> ArrayPart:
        return ArrayPart(spec.name, array, 0, self._steps, self._timing)

    def _names(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
        known = self._known.get(name)
        width = shape[0] if len(shape) == 1 else 1
        return known if known and len(known) == width else element_names(name.rpartition("/")[2], shape)


class _PackedRows:
    """Numbers that are stored as bytes, those of a step unpacked when it is asked for: all may be far too many."""

    chunks = None

    def __init__(self, spec: RldsFeature, strings: Sequence[bytes]) -> None:
        self._spec, self._strings = spec, strings
        self.shape, self.dtype = (len(strings), *spec.shape), _dtype(spec)

    def __getitem__(self, rows: slice) -> Array:
        parts = [_unpacked(self._spec, item) for item in self._strings[rows]]
        return np.stack(parts).reshape(-1, *self._spec.shape)


def _count_steps(specs: Sequence[RldsFeature], example: Mapping[str, Values]) -> int:
    """How many steps the episode has, as most of its values say. Raises: SourceError where nothing tells."""
    plain = [s for s in specs if s.of_steps and not s.problem and s.key in example]
    counts = [len(example[s.key]) // (_width(s) if s.kind == "number" and s.encoding == "none" else 1) for s in plain]
    if not counts or max(counts) == 0:
        raise SourceError(f"no value of `{STEPS}` tells how many steps it has")
    return max(set(counts), key=lambda count: (counts.count(count), count))


def _numbers(spec: RldsFeature, values: Values, steps: int) -> Array:
    """(steps, *shape) of the type stated. Raises: SourceError when there are more or fewer."""
    if spec.encoding != "none":
        flat: Array = np.concatenate([_unpacked(spec, item) for item in _byte_strings(values, steps)])
    elif isinstance(values, np.ndarray):
        flat = values
    else:
        raise SourceError("it holds byte strings where features.json says numbers")
    width = _width(spec)
    if flat.size != steps * width:
        raise SourceError(
            f"it holds {counted(flat.size, 'number')}, {counted(steps, 'step')} of the shape {spec.shape} need "
            f"{steps * width}"
        )
    return flat.reshape(steps, *spec.shape).astype(_dtype(spec), copy=False)


def _width(spec: RldsFeature) -> int:
    """How many numbers one step has."""
    return max(int(np.prod(spec.shape, dtype=object)), 1)


def _step_bytes(spec: RldsFeature) -> int:
    """Of the numbers of one step."""
    return _width(spec) * int(_dtype(spec).itemsize)


def _dtype(spec: RldsFeature) -> Any:
    if spec.dtype in ("bfloat16", "float16"):
        return np.dtype("float32")  # an Example holds float32 for both
    try:
        found = np.dtype(spec.dtype)
    except TypeError as error:
        raise SourceError(f"numbers of the type {spec.dtype!r} are not read") from error
    if found.kind not in "fiub":
        raise SourceError(f"numbers of the type {spec.dtype!r} are not read")
    return found


def _unpacked(spec: RldsFeature, data: bytes) -> Array:
    """The numbers of one step that are stored as bytes."""
    size = _step_bytes(spec)
    if size > _MOST_BYTES:
        raise SourceError(f"one step is said to hold {counted(size, 'byte')} of numbers")
    if spec.encoding == "zlib":
        try:
            data = zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise SourceError(f"its compressed bytes are damaged: {error}") from error
    if len(data) != size:
        raise SourceError(f"one step holds {counted(len(data), 'byte')} instead of {size}")
    return np.frombuffer(data, _dtype(spec))


def _byte_strings(values: Values, steps: int) -> list[bytes]:
    found = [] if isinstance(values, np.ndarray) else list(values)
    if len(found) != steps:
        kind = "numbers" if isinstance(values, np.ndarray) else "byte strings"
        raise SourceError(
            f"it holds {len(values)} {kind}, expected one byte string for each of {counted(steps, 'step')}"
        )
    return found


def _of_episode(spec: RldsFeature, values: Values) -> Stream:
    if spec.kind == "number" and isinstance(values, np.ndarray):
        return static(spec.name, _numbers(spec, values, 1)[0])
    if spec.kind == "text" and not isinstance(values, np.ndarray) and len(values) == 1:
        return static(spec.name, text_of(values[0]))
    raise SourceError("it is of the whole episode, and neither a number nor a text")
