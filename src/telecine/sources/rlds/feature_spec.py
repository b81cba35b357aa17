"""What a dataset of TensorFlow Datasets holds, by its `features.json`: one `RldsFeature` for each value of an episode.

Source: tensorflow_datasets `core/proto/feature.proto`, and `core/features/*.py` for how each kind is stored in a
`tf.train.Example`. Nested names are joined with "/"; of a sequence within the steps only such of fixed length are read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.sources.shared.confinement import confined, open_regular
from telecine.sources.shared.fingerprint import file_state

SpecKind = Literal["number", "image", "text"]
STEPS = "steps"
_LARGEST_BYTES = 16 << 20
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class RldsFeature:
    """One value, of each step or of the whole episode."""

    key: str
    """In the Example, such as `steps/observation/image_0`."""
    kind: SpecKind
    dtype: str = "float32"
    shape: tuple[int, ...] = ()
    """Of one step; images: (height, width, channels), 0 where it is not fixed."""
    encoding: str = "none"
    """Of numbers: "none", "bytes" or "zlib"."""
    problem: str = ""
    """Why it cannot be read; "" when it can."""

    @property
    def of_steps(self) -> bool:
        """True when each step has one."""
        return self.key.startswith(f"{STEPS}/")

    @property
    def name(self) -> str:
        """Of the stream."""
        return f"/{self.key.removeprefix(f'{STEPS}/')}"


def specs_of(folder: Path) -> tuple[RldsFeature, ...]:
    """All values that the dataset in `folder` says its episodes have. Raises: SourceError."""
    place = confined(folder).check(folder / "features.json")
    with raised_as(SourceError, f"{place}: cannot be read", OSError):
        return _specs(file_state(place))


@lru_cache(maxsize=16)
def _specs(state: FileState) -> tuple[RldsFeature, ...]:
    specs = tuple(_walk("", read_json(Path(state[0])), 0))
    if not any(spec.of_steps for spec in specs):
        raise SourceError(f"{state[0]}: names no `steps`, so this is no RLDS dataset of episodes")
    return specs


def read_json(path: Path) -> Mapping[str, Any]:
    """The object in a file, which must not be a link out of its folder. Raises: SourceError."""
    confined(path.parent).check(path)
    with raised_as(SourceError, f"{path}: cannot be read", OSError, ValueError, RecursionError):
        with open_regular(path) as file:
            text = file.read(_LARGEST_BYTES + 1)
        if len(text) > _LARGEST_BYTES:
            raise SourceError(f"{path}: is longer than {_LARGEST_BYTES} bytes")
        found = json.loads(text)
    if not isinstance(found, dict):
        raise SourceError(f"{path}: holds {type(found).__name__}, expected an object")
    return found


def _walk(key: str, body: Any, depth: int) -> Iterator[RldsFeature]:
    """The values below one feature."""
    if depth > _DEEPEST or not isinstance(body, Mapping):
        yield RldsFeature(key, "text", problem="its description in features.json cannot be understood")
        return
    inner = _part(_part(body, "featuresDict"), "features")
    for name, part in inner.items():
        yield from _walk(f"{key}/{name}" if key else str(name), part, depth + 1)
    if "sequence" in body:
        part = _part(body, "sequence")
        if key == STEPS:
            yield from _walk(key, part.get("feature"), depth + 1)
        else:
            yield _sequence(key, part, depth)
    elif not inner:
        yield _leaf(key, body)


def _sequence(key: str, body: Mapping[str, Any], depth: int) -> RldsFeature:
    """Several values of each step: numbers of a fixed count are a longer vector."""
    found = list(_walk(key, body.get("feature"), depth + 1))
    length = whole_number(body.get("length"))
    if len(found) == 1 and found[0].kind == "number" and not found[0].problem and length > 0:
        return RldsFeature(key, "number", found[0].dtype, (length, *found[0].shape), found[0].encoding)
    return RldsFeature(key, "text", problem="it is a sequence within each step, of a length that is not fixed")


def _leaf(key: str, body: Mapping[str, Any]) -> RldsFeature:
    if "tensor" in body:
        part = _part(body, "tensor")
        kind: SpecKind = "text" if part.get("dtype") in ("string", "object") else "number"
        return _with_shape(key, kind, part)
    if "image" in body:
        return _with_shape(key, "image", _part(body, "image"))
    if "text" in body:
        return RldsFeature(key, "text")
    if "classLabel" in body:
        return RldsFeature(key, "number", "int64")
    named = str(body.get("pythonClassName", "")).rpartition(".")[2] or "unknown"
    return RldsFeature(key, "text", problem=f"features of the kind {named} are not read")


def _with_shape(key: str, kind: SpecKind, body: Mapping[str, Any]) -> RldsFeature:
    sizes = _part(body, "shape").get("dimensions", [])
    shape = tuple(max(whole_number(n), 0) for n in sizes) if isinstance(sizes, list) else ()
    dtype, encoding = str(body.get("dtype", "")), str(body.get("encoding") or "none").lower()
    problem = ""
    if kind == "image" and dtype not in ("uint8", "uint16", ""):
        problem = f"its frames are {dtype} stored as the bits of PNG colours, which are no colours"
    elif kind == "number" and 0 in shape:
        problem = "its shape is not fixed"
    elif kind == "text" and shape:
        problem = "it is an array of texts"
    elif encoding not in ("none", "bytes", "zlib"):
        problem = f"the encoding {encoding!r} is not read"
    return RldsFeature(key, kind, dtype or "float32", shape, encoding, problem)


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}


def whole_number(value: Any) -> int:
    """A count, which JSON of protocol buffers writes as text; -1 for none, and for what is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
