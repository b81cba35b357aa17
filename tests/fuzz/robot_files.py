"""Hostile values in files of RLDS and of robots' own recorders: pickles, shards of Examples, frames."""

import os
import pickle
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.values import NUMBERS, changed, hostile
from support import rlds
from telecine.sources.pickles.plain_pickle import load_plain
from telecine.sources.rlds import shard_file
from telecine.sources.rlds.example import parse_example


def pickled(path: Path, rng: random.Random, outside: Path) -> None:
    """A value among the others, an array of another shape or type, something that runs, or a program that grows."""
    value = load_plain(path)  # nothing runs in this process either, when it was changed before
    match rng.randrange(6):
        case 0:
            data = pickle.dumps([value, Runs(rng)], protocol=rng.randrange(6))
        case 1:
            data = growing(rng)
        case 2:
            data = pickle.dumps(changed(value, rng, outside), protocol=rng.randrange(6))
        case _:
            data = pickle.dumps(with_other_array(value, rng), protocol=rng.randrange(6))
    path.write_bytes(data)


class Runs:
    """A pickle of it calls a function."""

    def __init__(self, rng: random.Random) -> None:
        self._call = rng.choice(
            [(os.system, ("true",)), (eval, ("1",)), (open, ("/etc/passwd",)), (getattr, ("a", "upper")),
             (np.load, ("/etc/passwd",)), (np.dtype, ({"names": ["a"], "formats": ["O"]},)), (bytearray, (1 << 40,)),
             (np.ndarray, ((1 << 40,),)), (__import__, ("os",)), (dict, ([["a", 1]],)), (range, (1 << 60,))]
        )  # fmt: skip

    def __reduce__(self) -> Any:
        return self._call


def growing(rng: random.Random) -> bytes:
    """A program that names one object many times: lists in lists, keys of tuples in tuples, copies of a text."""
    levels = rng.choice((20, 31, 60))
    lists = b"]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(levels))
    tuples = b"K\x01q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(levels))
    text = b"X" + struct.pack("<I", 1 << 16) + b"a" * (1 << 16) + b"q\x00c_codecs\nencode\nq\x01"
    copies = b"(" + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 5000 + b"l"
    big = b"\x8b" + struct.pack("<i", 1 << 16) + b"\x01" * (1 << 16)
    value = rng.choice((lists, b"}" + tuples + b"K\x01s", tuples, text + copies, b"}" + big + b"K\x01s"))
    return b"\x80\x02}X\x0f\x00\x00\x00joint_positions" + value + b"s."


def with_other_array(value: Any, rng: random.Random) -> Any:
    """The value with one of its arrays, or another part, as something else."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        return {**value, key: with_other_array(value[key], rng)}
    if isinstance(value, list) and value and rng.randrange(2):
        at = rng.randrange(len(value))
        return [*value[:at], with_other_array(value[at], rng), *value[at + 1 :]]
    array = np.asarray(value)
    others: list[Any] = [
        *(array.reshape(-1), array.T, array[:0], np.zeros((0,) * 30), np.zeros(100_000)),
        *(array.astype(kind, casting="unsafe") for kind in ("f2", "c16", "i1")),
        *(np.array([None, 1], object), np.array("text"), np.zeros(3, [("a", "f4")]), np.zeros(3, "M8[s]")),
        *(np.full(array.shape, np.nan), np.broadcast_to(array, (3, *array.shape))),
    ]
    return rng.choice(others)


def shard(path: Path, rng: random.Random, outside: Path) -> None:
    """RLDS: a record's values are others, or lists of another length; lengths of records lie, with sound checksums."""
    count, _ = shard_file.count_records(str(path))
    records = [shard_file.read_episode(str(path), number) for number in range(count)]
    at = rng.randrange(count)
    values: dict[str, Any] = {k: v for k, v in parse_example(records[at]).items() if len(v)}
    key = rng.choice(list(values))
    count, frame = (
        len(values[key]),
        next((v[0] for v in values.values() if isinstance(v, list) and len(v[0]) > 400), b""),
    )
    others: list[Any] = [
        *([], [b""] * count, [str(hostile(rng, outside)).encode()] * count, list(values[key])[:1]),
        *([resized(frame, rng)] * count, [zlib.compress(bytes(1 << 24))] * count, np.zeros(100_000, "f4")),
        *(np.array([2**63 - 1, -1] * 3), np.full(count, np.nan, "f4"), np.zeros(0, "f4")),
    ]
    values[key] = rng.choice(others)
    if rng.randrange(8) == 0:
        values[str(hostile(rng, outside))] = values.pop(key)
    plain = {k: v if isinstance(v, np.ndarray) else [bytes(item) for item in v] for k, v in values.items()}
    records[at] = rlds.example(plain)
    if ".array_record-" in path.name:
        path.unlink()
        rlds.array_record(path, records)
        return
    rlds.tfrecord(path, records)
    if rng.randrange(6) == 0:
        head = struct.pack("<Q", rng.choice([n for n in NUMBERS if isinstance(n, int) and 0 <= n < 2**64]))
        path.write_bytes(path.read_bytes() + head + rlds.checksum(head) + b"rest")


def jpeg(path: Path, rng: random.Random, outside: Path) -> None:
    """The size in its header."""
    path.write_bytes(resized(path.read_bytes(), rng))


def resized(frame: bytes, rng: random.Random) -> bytes:
    """A JPEG whose header says another size."""
    at = frame.find(b"\xff\xc0") + 5
    sizes = (b"\xff\xff\xff\xff", bytes(4), b"\x00\x01\xff\xff", b"\xff\xff\x00\x01")
    return frame[:at] + rng.choice(sizes) + frame[at + 4 :]
