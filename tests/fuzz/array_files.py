"""Hostile values in files of arrays: npy, npz, Arrow."""

import io
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.robot_files import Runs, growing, with_other_array
from fuzz.values import NUMBERS, hostile

_NAMES = (
    "../../outside/canary.npy",
    "/etc/passwd.npy",
    "a\x1b[31m\n.npy",
    "x" * 300 + ".npy",
    ".npy",
    "deep/er/robot_obs.npy",
)
_MOST_ROWS = 1000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def npy(path: Path, rng: random.Random, outside: Path) -> None:
    """Another array, a header that lies, or a pickle that runs, or grows, where objects are expected."""
    path.write_bytes(_npy(path.read_bytes(), rng, outside))


def _npy(data: bytes, rng: random.Random, outside: Path) -> bytes:
    is_plain = b"'|O'" not in data[:200]
    match rng.randrange(5):
        case 0:
            return _headed({"descr": "|O", "fortran_order": False, "shape": (1,)}, pickle.dumps([Runs(rng)]))
        case 1:
            return _headed({"descr": "|O", "fortran_order": False, "shape": ()}, growing(rng))
        case 2:
            shape: Any = rng.choice([(2**40,), (2**31, 2**31), (-1,), (0,), (1,) * 40, "x", (1.5,), (10**30, 0)])
            kind = rng.choice(
                ["<f8", "|O", "|S4294967295", "<M8[s]", [("a", "<f8")], "|V0", "x", hostile(rng, outside)]
            )
            return _headed({"descr": kind, "fortran_order": rng.choice([True, None, 3]), "shape": shape}, data[128:])
        case 3 if is_plain:
            return _saved(np.asarray(rng.choice([n for n in NUMBERS if abs(n) < 2**63])).reshape(1))
    array = np.load(io.BytesIO(data)) if is_plain else np.zeros((3, 4))
    return _saved(np.asarray(with_other_array(array, rng)))


def _headed(header: dict[str, Any], body: bytes) -> bytes:
    text = repr(header).encode("latin1", "replace").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def _saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(path: Path, rng: random.Random, outside: Path) -> None:
    """A member as in `npy`, gone, twice, under a name that leads away, packed otherwise, or that says another size."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(members))
    name, data = members[at]
    match rng.randrange(6):
        case 0:
            del members[at]
        case 1:
            members[at] = (rng.choice(_NAMES), data)
        case 2:
            members.append((name, _npy(data, rng, outside)))
        case 3:
            members[at] = (name, _saved(np.zeros(rng.choice((1 << 20, 1 << 24)), np.uint8)))
        case _:
            members[at] = (name, _npy(data, rng, outside))
    with zipfile.ZipFile(path, "w", rng.choice(_METHODS)) as archive:
        for name, data in members:
            archive.writestr(name, data)
    if rng.randrange(4) == 0:
        _other_size(path, rng)


def _other_size(path: Path, rng: random.Random) -> None:
    """In the directory of the archive (APPNOTE.TXT, 4.3.12): a size, packed or not, a method or a place."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + rng.choice((10, 20, 24, 28, 42))
    data[at : at + 4] = rng.choice((0, 1, 100, 2**31 - 1, 2**32 - 1)).to_bytes(4, "little")
    path.write_bytes(data)


def arrow(path: Path, rng: random.Random, outside: Path) -> None:
    """A column gone, of another type, with a gap, or very long in few bytes; bodies may be compressed."""
    import pyarrow as pa

    table = pa.ipc.open_file(path.read_bytes()).read_all()
    if len(table) > _MOST_ROWS:
        return  # it was made long before: other columns of that length would cost the memory that reading may not
    at = rng.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at)
    others: list[Any] = [
        pa.nulls(len(table)),
        pa.array([str(hostile(rng, outside))] * len(table)),
        pa.array([2**63 - 1] * len(table)),
        pa.array([[1.0] * n for n in range(len(table))]),
        pa.array([b"\xff\xd8\xff\xc0" + bytes(20)] * len(table)),
        pa.DictionaryArray.from_arrays(pa.array([0] * len(table), pa.int8()), pa.array(["x" * 70_000])),
        pa.array([None, *column.to_pylist()[1:]], column.type),
    ]
    match rng.randrange(6):
        case 0:
            table = table.remove_column(at)
        case 1:
            table = pa.table({"episode_id": pa.nulls(2_000_000), name: pa.nulls(2_000_000, pa.list_(pa.float32(), 8))})
        case _:
            table = table.set_column(at, name, rng.choice(others))
    options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, None, "zstd", "lz4"]))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
