"""What a value given to the recorder is: a frame, numbers or a text. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from telecine.core.depth import depth_size_problem
from telecine.core.errors import PlanError
from telecine.core.grid import Times
from telecine.core.plan.bind import bind
from telecine.core.plan.model import IMAGES, Plan
from telecine.core.recording import Array, MemoryStream, Recording, Ref, Schema
from telecine.core.text.numbers import counted
from telecine.core.video import VideoSettings
from telecine.sources.recorder_spool.format import CLOCK, RAW, SpoolStream
from telecine.video.presets import size_problem

_DEPTH_UNITS = {"uint16": "mm", "float32": "m"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value as it will be stored. array: the numbers or the frame, not copied; None for a text."""

    stream: SpoolStream
    array: Array | None
    text: str = ""

    @property
    def is_frame(self) -> bool:
        """Of a camera."""
        return self.stream.kind in ("image", "video")


def sample_of(key: str, value: Any, video: VideoSettings, names: tuple[str, ...] | None = None) -> Sample:
    """The value as a sample of stream `key`. video: how its frames are coded, where it is a camera for colours.

    Raises: PlanError for what is none of the three.
    """
    if key.startswith(IMAGES):
        return _frame(key, value, video)
    if isinstance(value, str):
        return Sample(SpoolStream(key, "text", Schema("string")), None, value)
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind not in "fiub":
        raise PlanError(f"{key}: got {array.dtype}, expected numbers, a text, or a frame named {IMAGES}*")
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)  # LeRobot knows no longer numbers
    if names is not None and array.ndim == 1 and len(names) != array.size:
        raise PlanError(
            f"{key}: {counted(array.size, 'number')}, but {counted(len(names), 'name')} for them ({', '.join(names)})"
        )
    return Sample(SpoolStream(key, "vector", Schema(array.dtype.name, array.shape, names)), array)


def _frame(key: str, value: Any, video: VideoSettings) -> Sample:
    array = np.asarray(value)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        problem = size_problem(video.codec, array.shape[1], array.shape[0])
        if problem and video.size is None:
            raise PlanError(f"{key}: {problem}")
        kind = "image" if video.codec == "png" else "video"
        return Sample(SpoolStream(key, kind, Schema("uint8", array.shape, encoding=video.codec)), array)  # type: ignore[arg-type]
    unit = _DEPTH_UNITS.get(array.dtype.name)
    if unit is not None and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)):
        encoding = "png" if unit == "mm" else RAW["float32"]
        height, width = array.shape[:2]
        if problem := depth_size_problem(width, height):
            raise PlanError(f"{key}: {problem}")
        schema = Schema(array.dtype.name, (height, width, 1), unit=unit, encoding=encoding)
        return Sample(SpoolStream(key, "image", schema), array.reshape(height, width, 1))
    raise PlanError(
        f"{key}: got {array.dtype} {array.shape}, expected uint8 (height, width, 3), red first; depth is "
        "uint16 in mm or float32 in m, (height, width)"
    )


def check_finite(sample: Sample) -> None:
    """Nothing, when its numbers are; frames are not looked at. Raises: PlanError naming the element."""
    array = sample.array
    if array is None or sample.is_frame or array.dtype.kind != "f" or np.isfinite(array).all():
        return
    at = int(np.flatnonzero(~np.isfinite(array))[0])
    raise PlanError(
        f"{sample.stream.name}: element {at} is {array.flat[at]}, of which training gets a NaN loss; "
        "this sample was not taken"
    )


def check_alike(sample: Sample, known: SpoolStream) -> None:
    """Nothing, when the sample is what the stream's first one was. Raises: PlanError."""
    if sample.stream != known and described(sample.stream) != described(known):
        raise PlanError(
            f"{known.name}: got {described(sample.stream)}, in the samples before {described(known)}; "
            "this sample was not taken"
        )


def described(stream: SpoolStream) -> str:
    """What one sample is, for messages."""
    if stream.kind == "text":
        return "text"
    what = {"vector": "", "image": "frames of ", "video": "frames of "}[stream.kind]
    return f"{what}{stream.schema.dtype} {stream.schema.shape}"


def check_plan(sample: Sample, plan: Plan) -> None:
    """Nothing, when a stream of such samples can be the one feature of `plan`. Raises: PlanError with what is wrong."""
    name, kind, schema = sample.stream.name, sample.stream.kind, sample.stream.schema
    stamps: dict[str, Times] = {CLOCK: np.zeros(1, np.int64)}
    stream = MemoryStream(name, kind, schema, stamps, [None], "duration")
    task = MemoryStream("task", "text", Schema("string"), {}, ["-"])
    bind(plan, Recording(Ref("recorder_spool", name), {name: stream, "task": task}))


def as_sample(key: str, value: Any) -> Any:
    """A value as LeRobot's `add_frame` takes it, as `Recorder.add` does: images may be channels first, floats 0 to 1.

    Raises: PlanError for floats of other ranges.
    """
    if not key.startswith(IMAGES):
        return value
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):
            raise PlanError(f"{key}: got floats from {array.min():.4g} to {array.max():.4g}, expected 0 to 1")
        array = np.rint(array * 255).astype(np.uint8)
    return array
