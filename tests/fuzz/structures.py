"""Hostile inputs by structure: a sound file is taken apart, some of its fields get hostile values, it is whole again.

Damage of bytes mostly ends at a checksum or at the first length. Here containers stay sound; what they state is not.
"""

import json
import random
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz import array_files, robot_files
from fuzz.values import ENDLESS, EXECUTING, NUMBERS, TEXTS, changed, hostile


def _json(path: Path, rng: random.Random, outside: Path) -> None:
    path.write_text(json.dumps(changed(json.loads(path.read_text()), rng, outside)))


def _json_lines(path: Path, rng: random.Random, outside: Path) -> None:
    lines = path.read_text().splitlines()
    at = rng.randrange(len(lines))
    lines[at] = json.dumps(changed(json.loads(lines[at]), rng, outside))
    path.write_text("\n".join(lines) + "\n")


def _yaml(path: Path, rng: random.Random, outside: Path) -> None:
    import yaml

    text = yaml.safe_dump(changed(yaml.safe_load(path.read_text()), rng, outside))
    path.write_text(
        text + rng.choice(("", "", "\na: &a [1]\nb: [*a, *a]\n", f"\nc: {EXECUTING[-1]}\n", "\nd: " + "[" * 3000))
    )


def _parquet(path: Path, rng: random.Random, outside: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    at = rng.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at)
    match rng.randrange(4):
        case 0:
            table = table.remove_column(at)
        case 1:
            table = table.set_column(at, name, pa.array([str(hostile(rng, outside))] * len(table)))
        case 2:
            number = rng.choice([n for n in NUMBERS if isinstance(n, int) and abs(n) < 2**63])
            table = table.set_column(at, name, pa.array([number] * len(table)))
        case _:
            values = column.to_pylist()
            values[rng.randrange(len(values))] = None
            table = table.set_column(at, name, pa.array(values, column.type))
    pq.write_table(table, path)


def _sqlite(path: Path, rng: random.Random, outside: Path) -> None:
    value = hostile(rng, outside)
    value = value if isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 2**63) else str(value)
    table, column = rng.choice(
        [("messages", c) for c in ("timestamp", "data", "topic_id")]
        + [("topics", "name"), ("topics", "type"), ("topics", "serialization_format"), ("topics", "id")]
    )
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid % ? = 0", (value, rng.choice((1, 2, 7))))
        if rng.randrange(5) == 0:
            database.execute(f"ALTER TABLE {table} RENAME TO old")
            database.execute(f"CREATE VIEW {table} AS SELECT * FROM old, ({ENDLESS})")
    database.close()


def _hdf5(path: Path, rng: random.Random, outside: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice([n for n in names if n])
        parent, last = file[name].parent, name.rpartition("/")[2]
        match rng.randrange(9):
            case 0:
                value = hostile(rng, outside)
                plain = isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 2**63)
                holder = rng.choice([file, file[name]])
                holder.attrs[rng.choice([*holder.attrs, "num_samples", "env_args"])] = (
                    value if plain else json.dumps(value)
                )
            case 1:
                del parent[last]
                parent[last] = h5py.ExternalLink(str(outside / "canary.h5"), "/secret")
            case 2:
                del parent[last]
                parent[last] = h5py.SoftLink(rng.choice(["/", f"/{name}", "/nowhere", parent.name]))
            case 3:
                del parent[last]
                shape = rng.choice([(2**40,), (2**31, 2**20), (10**6, 10**6), (0,), (1, 2**33)])
                parent.create_dataset(
                    last, shape, "f8", chunks=tuple(min(n, 64) or 1 for n in shape), maxshape=(None,) * len(shape)
                )
            case 4:
                del parent[last]
                layout = h5py.VirtualLayout((100,), "f8")
                layout[:] = h5py.VirtualSource(rng.choice([str(outside / "canary.h5"), "."]), "secret", (100,))
                parent.create_virtual_dataset(last, layout)
            case 5:
                del parent[last]
                parent.create_dataset(last, (16,), "u1", external=[(str(outside / "canary.json"), 0, 16)])
            case 6:
                del parent[last]
                text = rng.choice(TEXTS[4:])
                parent.create_dataset(last, data=np.array([text.encode()] * 5, dtype=h5py.string_dtype()))
            case 7:
                parent[rng.choice(TEXTS[4:]).replace("/", "_") or "x"] = parent[last]
            case _:
                del parent[last]
                kind = rng.choice(["c16", "i1", "O", "f2", [("a", "f8"), ("b", "i4")]])
                data = [b"cos\nsystem\n(S'true'\ntR."] * 5 if kind == "O" else np.zeros(5, kind)
                parent.create_dataset(last, data=data, dtype=h5py.string_dtype() if kind == "O" else None)


def _records(path: Path, rng: random.Random, outside: Path) -> None:
    """MCAP and ROS 1 bags: texts and numbers of a record's own fields; lengths follow, or lie."""
    data = bytearray(path.read_bytes())
    pieces = (
        b"sensor_msgs",
        b"float64",
        b"json",
        b"cdr",
        b"ros2msg",
        b"topic=",
        b"type=",
        b"compression=",
        b"string",
        b"lz4",
        b"zstd",
        b"/",
    )
    piece = rng.choice([p for p in pieces if p in data] or [b""])
    places = [at for at in range(len(data)) if data.startswith(piece, at)]
    at = rng.choice(places)
    text = rng.choice((*TEXTS[:5], *EXECUTING[:3], "p/N " * 40, "float64[99999999999] x\n", "1<<999999999")).encode()
    if rng.randrange(2):
        data[at : at + len(piece)] = (text * 3)[: len(piece)].ljust(len(piece))
    else:
        number = rng.choice([n for n in NUMBERS if isinstance(n, int) and 0 <= n < 2**64])
        start = max(at - rng.choice((4, 8, 12)), 0)
        data[start : start + 8] = struct.pack("<Q", number)
    path.write_bytes(data)


def _rrd(path: Path, rng: random.Random, outside: Path) -> None:
    """Messages of a file without footer, one of whose protobuf fields is another."""
    import io

    from support.mutants import _field
    from telecine.sources.rrd import messages
    from telecine.sources.rrd.framing import CHUNK, END, FRAME, HEADER_BYTES, frames

    data = path.read_bytes()
    walked = [f for f in frames(io.BytesIO(data), len(data)) if f.kind != END]
    chosen, out = rng.randrange(len(walked)), bytearray(data[:HEADER_BYTES])
    for number, frame in enumerate(walked):
        body = data[frame.start : frame.start + frame.length]
        if number == chosen:
            fields = dict(messages._fields(memoryview(body)))
            key = rng.choice(list(fields))
            whole = [n for n in NUMBERS if isinstance(n, int) and 0 <= n < 2**64]
            if isinstance(fields[key], int) or frame.kind != CHUNK:
                fields[key] = rng.choice(whole)
            else:
                inner = bytearray(fields[key])
                at = rng.randrange(max(len(inner) - 8, 1))
                inner[at : at + 8] = struct.pack("<Q", rng.choice(whole))
                fields[key] = bytes(inner)
            body = b"".join(_field(n, value) for n, value in fields.items())
        out += FRAME.pack(frame.kind, len(body)) + body
    path.write_bytes(out)


def _boxes(path: Path, rng: random.Random, outside: Path) -> None:
    """MP4: counts, sizes and times in the tables of a track."""
    data = bytearray(path.read_bytes())
    kinds = (b"stsz", b"stco", b"stts", b"ctts", b"stsc", b"mdhd", b"tkhd", b"avcC", b"av1C", b"elst", b"mvhd", b"stss")
    at = data.find(rng.choice([kind for kind in kinds if kind in data] or [b""]))
    place = min(at + 4 + 4 * rng.randrange(8), len(data) - 4)
    data[place : place + 4] = struct.pack(">I", rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24)))
    path.write_bytes(data)


STRUCTURES: dict[str, Callable[[Path, random.Random, Path], None]] = {
    **dict.fromkeys((".json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"), _json),
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    ".parquet": _parquet,
    ".db3": _sqlite,
    **dict.fromkeys((".hdf5", ".h5"), _hdf5),
    **dict.fromkeys((".mcap", ".bag"), _records),
    ".rrd": _rrd,
    ".mp4": _boxes,
    ".pkl": robot_files.pickled,
    ".jpg": robot_files.jpeg,
    ".npy": array_files.npy,
    ".npz": array_files.npz,
    ".arrow": array_files.arrow,
}
SHARDS = (".tfrecord-", ".array_record-")


def made_hostile(path: Path, rng: random.Random, outside: Path) -> bool:
    """Change a file by its structure, one field to three; False when nothing is known of such files."""
    shard = robot_files.shard if path.suffix.startswith(SHARDS) else None
    change = shard or STRUCTURES.get(path.suffix) or STRUCTURES.get(path.name)
    for _ in range(rng.choice((1, 1, 2, 3)) if change is not None else 0):
        before = path.read_bytes()
        try:
            change(path, rng, outside)
        except Exception:
            path.write_bytes(before)  # what the writers' libraries refuse to write
    return change is not None
