"""Small RLDS datasets, with messages put together byte by byte, so that they share no code with what reads them.

Layout of `tf.train.Example` and of TFRecord: see `sources/rlds`. Checksums are by google-crc32c.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np

from support.hdf5 import jpeg, patches, ramp

TASKS = ("put the cup on the shelf", "open the drawer")


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(values: Mapping[str, Any]) -> bytes:
    """A message of byte strings (lists), floats and whole numbers (arrays)."""
    entries = b""
    for name, value in values.items():
        if isinstance(value, list):
            kind, body = 1, b"".join(field(1, item) for item in value)
        elif value.dtype.kind == "f":
            kind, body = 2, field(1, value.astype("<f4").tobytes())
        else:
            kind, body = 3, field(1, b"".join(varint(int(n)) for n in value.reshape(-1)))
        entries += field(1, field(1, name.encode()) + field(2, field(kind, body)))
    return field(1, entries)


def checksum(data: bytes) -> bytes:
    import google_crc32c

    crc = google_crc32c.value(data)
    return pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def tfrecord(path: Path, records: Sequence[bytes]) -> Path:
    heads = [pack("<Q", len(record)) for record in records]
    path.write_bytes(b"".join(h + checksum(h) + r + checksum(r) for h, r in zip(heads, records, strict=True)))
    return path


class Leaf(dict[str, Any]):
    """A feature that is no dict of features."""


def tensor(*shape: int, dtype: str = "float32", encoding: str = "none") -> Leaf:
    return Leaf(tensor={"shape": {"dimensions": [str(n) for n in shape]}, "dtype": dtype, "encoding": encoding})


def image(dtype: str = "uint8", channels: int = 3) -> Leaf:
    return Leaf(image={"shape": {"dimensions": ["48", "64", str(channels)]}, "dtype": dtype, "encodingFormat": "jpeg"})


TEXT = Leaf(text={})
STEP: dict[str, Any] = {
    "action": tensor(7),
    "observation": {"state": tensor(7), "image_0": image(), "image_1": image()},
    "language_instruction": TEXT,
    "reward": tensor(),
    "discount": tensor(),
    **{name: tensor(dtype="bool") for name in ("is_first", "is_last", "is_terminal")},
}
METADATA: dict[str, Any] = {"file_path": TEXT, "has_image_1": tensor(dtype="bool")}


def described(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of features as `features.json` has it."""
    parts = {name: part if isinstance(part, Leaf) else described(part) for name, part in tree.items()}
    return {"pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
            "featuresDict": {"features": parts}}  # fmt: skip


def episode(number: int, steps: int = 6, *, blank: bool = False) -> dict[str, Any]:
    """The values of one episode."""
    last = np.arange(steps) == steps - 1
    return {
        "steps/action": ramp(steps, 7, number),
        "steps/observation/state": ramp(steps, 7, number + 100),
        "steps/observation/image_0": [jpeg(patches(i)) for i in range(steps)],
        "steps/observation/image_1": [jpeg(patches(0 if blank else steps - i)) for i in range(steps)],
        "steps/language_instruction": [TASKS[number % 2].encode()] * steps,
        "steps/reward": last.astype("f4"),
        "steps/discount": np.ones(steps, "f4"),
        "steps/is_first": np.roll(last, 1).astype(int),
        "steps/is_last": last.astype(int),
        "steps/is_terminal": last.astype(int),
        "episode_metadata/file_path": [f"/robot/{number}".encode()],
        "episode_metadata/has_image_1": np.array([not blank]).astype(int),
    }


def dataset(
    root: Path,
    shards: Sequence[Sequence[Mapping[str, Any]]],
    *,
    name: str = "bridge_dataset",
    step: Mapping[str, Any] = STEP,
    container: str = "tfrecord",
    version: str = "1.0.0",
) -> Path:
    """The folder of one version, with one split `train`."""
    folder = root / name / version
    folder.mkdir(parents=True)
    split = {"name": "train", "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
             "shardLengths": [str(len(shard)) for shard in shards]}  # fmt: skip
    info = {"name": name, "version": version, "fileFormat": container, "splits": [split]}
    steps = {"sequence": {"feature": described(step), "length": "-1"}}
    tree = {"featuresDict": {"features": {"steps": steps, "episode_metadata": described(METADATA)}}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(tree))
    for number, shard in enumerate(shards):
        place = folder / f"{name}-train.{container}-{number:05d}-of-{len(shards):05d}"
        records = [example(values) for values in shard]
        array_record(place, records) if container == "array_record" else tfrecord(place, records)
    return folder


def array_record(path: Path, records: Sequence[bytes]) -> None:
    from array_record.python import array_record_module

    writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()
