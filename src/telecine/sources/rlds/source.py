"""RLDS datasets as TensorFlow Datasets stores them: a folder of one version, or one with several versions in it.

`dataset_info.json` names the splits and their shards, `features.json` what an episode holds. Each record of a shard is
one episode, a `tf.train.Example`; TensorFlow is not needed. An episode is read whole when it is opened, one at a
time. Nothing tells the rate of its steps, so it comes from the plan, or from a table of known datasets.
Source: tensorflow_datasets `core/dataset_info.py`, `core/naming.py`; https://github.com/google-research/rlds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.naming import camera_name, natural
from telecine.core.plan.model import IMAGES
from telecine.core.recording import Recording, Ref, Stream
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.format import Found
from telecine.sources.rlds.episode import RldsEpisode
from telecine.sources.rlds.example import parse_example
from telecine.sources.rlds.feature_spec import RldsFeature, read_json, specs_of, whole_number
from telecine.sources.rlds.known_datasets import Conventions, conventions_of, rate_of
from telecine.sources.rlds.shard_file import count_records, read_episode
from telecine.sources.shared.confinement import confined
from telecine.storage.on_demand import present

NAME = "rlds"
SUFFIXES = ()
_FILES = ("dataset_info.json", "features.json")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_SHARD = re.compile(r"(?P<name>.+)-(?P<split>[^-]+)\.(?P<container>tfrecord|array_record)-(?P<shard>\d+)-of-\d+")
_MOST_SHARDS = 1_000_000
_WORTH_A_RANGE = 1 << 20
"""Bytes of an episode from which on its head is asked for alone, in a store; smaller ones come with their shard."""


def claims(path: str) -> bool:
    """True for a folder of one version, for one with folders of versions, and for a single shard."""
    place = Path(path)
    if place.is_dir():
        return bool(_version_folders(place))
    return bool(_SHARD.fullmatch(place.name)) and _is_version(place.parent)


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode, named by its number in its shard; see `Format.index`. Reads the lengths of records only."""
    del recover, token
    place = Path(path)
    if not place.is_dir():
        return _of_shard(path, None)
    folders = _version_folders(place)
    shards = list(_shards(folders[-1]))
    parts = [_of_shard(shard, count) for shard, count in shards if Path(shard).exists()]
    findings = [finding for part in parts for finding in part.findings]
    if missing := [(shard, count) for shard, count in shards if not Path(shard).exists()]:
        findings.append(_missing(path, missing, len(shards)))
    if older := ", ".join(folder.name for folder in folders[:-1]):
        text = f"the newest version, {folders[-1].name}, is read; {older} left out: give its folder to read another"
        findings.append(Finding("source-assumed", "warning", path, text))
    return Found(tuple(ref for part in parts for ref in part.refs), tuple(findings))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    match = _SHARD.fullmatch(Path(ref.path).name)
    number = ref.id.removeprefix(_prefix(ref.path))
    if match is None or not number.isdecimal():
        raise SourceError(f"{ref.label}: is no episode of an RLDS dataset")
    try:
        example = parse_example(read_episode(ref.path, int(number)))
    except SourceError as error:
        raise SourceError(f"{ref.label}: {error}") from error
    dataset = match["name"]
    specs, rate, known = specs_of(Path(ref.path).parent), rate_of(dataset), conventions_of(dataset)
    episode = RldsEpisode(specs, example, rate, known)
    streams = {stream.name: stream for stream in episode.streams()}
    notes = () if rate is None else (("source-assumed", _assumed(rate, dataset)),)
    attrs = {"layout": "rlds", "dataset": dataset, "split": match["split"], **episode.facts()}
    features = _features(specs, streams, known)
    return Recording(ref, streams, attrs, notes, None, features, left_out=tuple(episode.left_out))


def _assumed(rate: Fraction, dataset: str) -> str:
    """What is to be said of the rate of a dataset that does not state its own."""
    steps = counted(rate, "step")
    return f"{steps} a second, which Open X-Embodiment says of {dataset}; if not, use --index step and --rate"


def _is_version(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _FILES)


def _version_folders(place: Path) -> list[Path]:
    """The folder itself, or those of versions in it, the newest last."""
    if _is_version(place):
        return [place]
    inside = [f for f in place.iterdir() if _VERSION.fullmatch(f.name) and _is_version(f)]
    return sorted(inside, key=lambda f: natural(f.name))


def _shards(folder: Path) -> Iterator[tuple[str, int | None]]:
    """(file, how many episodes it should hold) for each shard of each split, in order."""
    info = read_json(folder / _FILES[0])
    inside = confined(folder)
    splits = info.get("splits")
    if not isinstance(splits, list) or not splits:
        raise SourceError(f"{folder / _FILES[0]}: names no splits")
    for split in splits:
        lengths = split.get("shardLengths") if isinstance(split, Mapping) else None
        if not isinstance(lengths, list) or len(lengths) > _MOST_SHARDS:
            raise SourceError(f"{folder / _FILES[0]}: a split has no shardLengths")
        for number, length in enumerate(lengths):
            yield inside.check(folder / _shard_name(info, split, number, len(lengths))), _count(length)


def _shard_name(info: Mapping[str, Any], split: Mapping[str, Any], number: int, count: int) -> str:
    """By the template of the split; see `core/naming.py` of tensorflow_datasets."""
    template = str(split.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}")
    fields = {
        "DATASET": info.get("name"),
        "SPLIT": split.get("name"),
        "FILEFORMAT": info.get("fileFormat") or "tfrecord",
        "SHARD_X_OF_Y": f"{number:05d}-of-{count:05d}",
        "SHARD_INDEX": f"{number:05d}",
        "NUM_SHARDS": f"{count:05d}",
    }
    for field, value in fields.items():
        template = template.replace(f"{{{field}}}", str(value))
    if "/" in template or template in ("", ".", ".."):
        raise SourceError(f"dataset_info.json: {template[:100]!r} is no name of a shard")
    return template


def _prefix(shard: str) -> str:
    """Of the ids of a shard's episodes: `/train-3-`."""
    match = _SHARD.fullmatch(Path(shard).name)
    return "/" if match is None else f"/{match['split']}-{int(match['shard'])}-"


def _count(length: Any) -> int | None:
    count = whole_number(length)
    return None if count < 0 else count


def _of_shard(path: str, expected: int | None) -> Found:
    """The episodes of one shard, and what is missing of it."""
    place = Path(path)
    if expected is None or ".tfrecord-" not in place.name or place.stat().st_size < expected * _WORTH_A_RANGE:
        present(place)
    try:
        count, damage = count_records(path)
    except SourceError as error:
        text = str(error).removeprefix(f"{path}: ")
        return Found((), (Finding("source-unreadable", "error", path, text, recording=path),))
    size = place.stat().st_size // max(count, 1)
    refs = tuple(Ref(NAME, path, f"{_prefix(path)}{number}", size) for number in range(count))
    if damage or (expected is not None and count < expected):
        lost = (
            ""
            if expected is None
            else f", so {counted_of(max(expected - count, 0), expected, 'episode', 'is', 'are')} lost"
        )
        text = (damage or f"it ends after {counted(count, 'record')}") + lost
        return Found(refs, (Finding("source-truncated", "error", path, text, "download it again", recording=path),))
    if expected is not None and expected != count:
        text = f"it holds {counted(count, 'episode')}, dataset_info.json says {expected}"
        return Found(refs, (Finding("source-metadata", "warning", path, text),))
    return Found(refs)


def _missing(path: str, shards: Sequence[tuple[str, int | None]], of: int) -> Finding:
    names = ", ".join(Path(shard).name for shard, _ in shards[:3]) + (", ..." if len(shards) > 3 else "")
    episodes = sum(count or 0 for _, count in shards)
    text = f"{counted_of(len(shards), of, 'shard', 'is', 'are')} missing, with {counted(episodes, 'episode')}: {names}"
    fix = "download them, or give the shards that are there by name"
    return Finding("source-part-missing", "error", path, text, fix, recording=path)


def _features(
    specs: Sequence[RldsFeature], streams: Mapping[str, Stream], known: Conventions | None
) -> dict[str, tuple[str, ...]]:
    """What is state, action and camera, by what is known of the dataset, else by the names that RLDS gives."""
    numbers = [s.name for s in specs if s.of_steps and s.kind == "number" and len(s.shape) <= 1 and s.name in streams]
    images = [s for s in specs if s.of_steps and s.kind == "image" and s.name in streams]
    cameras = sorted((s.name for s in images if s.dtype != "uint16"), key=natural)
    state = [] if known is None else [name for name in known.state if name in streams]
    action = [] if known is None else [name for name in known.action if name in streams]
    if known is None or len(action) < len(known.action):
        action = [n for n in numbers if n == "/action"] or [
            n for n in numbers if n.startswith("/action/") and "terminate" not in n
        ]
    if known is None or len(state) < len(known.state):
        state = next((found for name in _STATES if (found := _parts(name, numbers))), [])
    whole = {
        "action": tuple(action),
        "observation.state": tuple(state),
        **{IMAGES + camera_name(name.rpartition("/")[2]): (name,) for name in cameras},
        "next.reward": ("/reward",) if "/reward" in streams else (),
        "next.done": ("/is_last",) if "/is_last" in streams else (),
    }
    return {key: names for key, names in whole.items() if names}


def _parts(name: str, numbers: Sequence[str]) -> list[str]:
    """The stream of that name, or those of a dict of it, in their order."""
    return [n for n in numbers if n == name or n.startswith(f"{name}/")]


_STATES = tuple(f"/observation/{name}" for name in ("state", "proprio", "robot_state", "joint_position", "joint_state"))
