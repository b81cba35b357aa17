"""What metadata of a LeRobot dataset can hold: values of other types, and impossible numbers, are named. Pure.

Asked by who reads a dataset and by `verify`, so that one cannot take what the other refuses.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.lerobot_format.metadata import CAMERA_DTYPES, EPISODE_COLUMNS, span_columns

NUMBERS = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip
LANGUAGE = "language"
LARGEST_FPS = 10_000
LONGEST_S = 86_400
"""Of an episode: beyond, its rows would not fit into memory."""
LARGEST_COUNT = 1 << 53
COUNTING_NUMBER = "a positive integer of at most 2**53"
_MOST_FILES = 1 << 31


def refuse_constant(constant: str) -> None:
    """For `json.loads`, which takes NaN and Infinity although JSON has none. Raises: ValueError."""
    raise ValueError(f"{constant} is no JSON number")


def positive_int(value: Any, most: int = LARGEST_COUNT) -> bool:
    """True for an int of at least 1 that a counter can have; JSON's true is none."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def positive_number(value: Any) -> bool:
    """True for a finite number above 0 that is no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LARGEST_COUNT


def whole(value: Any) -> Any:
    """30 for 30.0, which some writers state; any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_COUNT else value


def number_problem(info: Mapping[str, Any], key: str, most: int = LARGEST_COUNT) -> str:
    """Why a number of info.json cannot be used, "" when it can. Floats that are whole numbers are none to stop at."""
    if positive_int(whole(info.get(key)), most):
        return ""
    expected = COUNTING_NUMBER if most == LARGEST_COUNT else f"an integer from 1 to {most}"
    return f"found {_short(info.get(key))}, expected {expected}"


def entry_problem(entry: Any) -> str:
    """Why an entry of info.json's features cannot be used, "" when it can."""
    if not isinstance(entry, Mapping):
        return f"found {_short(entry)}, expected an object"
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or dtype not in NUMBERS | CAMERA_DTYPES | {"string", LANGUAGE}:
        return f"found dtype {_short(dtype)}, expected a number type, bool, string, image or video"
    if not isinstance(shape, list) or not 1 <= len(shape) <= 5 or not all(map(positive_int, shape)):
        return f"found shape {_short(shape)}, expected 1 to 5 positive integers"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def episodes_problem(table: pa.Table, fps: int, videos: Iterable[str]) -> str:
    """Why the rows of meta/episodes cannot be used, "" when they can.

    table: the columns of `EPISODE_COLUMNS` and of `span_columns(videos)`, with these types and no nulls.
    """
    longest = LONGEST_S * fps
    counters = ("episode_index", "dataset_from_index", "dataset_to_index")
    for name, kind in (EPISODE_COLUMNS | span_columns(videos)).items():
        if name == "tasks":
            if any(arrow.elements(chunk).null_count for chunk in table.column(name).chunks):
                return "tasks: found a null, expected texts"
            continue
        values = arrow.to_numpy(table.column(name).combine_chunks()) if table.num_rows else np.empty(0)
        least, greatest = (1, longest) if name == "length" else (0, LARGEST_COUNT if name in counters else _MOST_FILES)
        if pa.types.is_floating(kind):
            least, greatest = -LARGEST_COUNT, LARGEST_COUNT
        wrong = np.flatnonzero(~((values >= least) & (values <= greatest)))
        if wrong.size:
            at = int(wrong[0])
            number = table.column("episode_index")[at].as_py()
            return f"episode {number}: {name} is {values[at]}, expected {least} to {greatest}"
    return ""
