"""What a folder without any recording looks like: the first guess of somebody who knows the field's layouts.

By names alone, and by the first bytes of what may be a Git LFS pointer. Said when nothing was found, never otherwise.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from telecine.core.text.numbers import counted
from telecine.sources.shared.lfs import is_pointer

_MOST_FILES = 5000
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"episode_\d{5,}\.npz", "npz files as CALVIN writes them", "`ep_start_end_ids.npy` must be beside them"),
    (r".*\.tfrecord-\d+-of-\d+", "TFRecord shards", "they need `dataset_info.json` and `features.json` beside them"),
    (r"data-\d+-of-\d+\.arrow", "tables of Hugging Face `datasets`", "LeRobot datasets are read from v2.0 on"),
    (r".*\.svo2?", "recordings of ZED cameras", "the vendor's SDK turns them into MP4, as DROID has it"),
    (r".*\.mat", "MATLAB files", "save them as HDF5 or zarr, with one row for each step"),
    (r"part-\d+\.arrow", "a Minari dataset", "its folder `data` with `metadata.json` is read as a whole"),
    (r".*\.(pkl|pickle)", "pickles", "of these only those of BridgeData and GELLO are read"),
    (r".*\.np[yz]", "arrays of numpy", "put them into HDF5 or zarr, with one row for each step"),
    (r".*\.parquet", "Parquet files", "a LeRobot dataset needs `meta/info.json` beside its `data` folder"),
    (r".*\.(tar|tgz|tar\.(gz|xz|zst)|zip)", "archives", "unpack them, then give the folder"),
    (r".*\.(mp4|mkv|avi|mov|webm)", "videos", "no file beside them has the joints or the times of their frames"),
    (r".*\.(jpg|jpeg|png)", "single images", "no file beside them has the joints or the times of the images"),
    (r".*\.(csv|tsv|jsonl?)", "tables of text", "put them into HDF5, zarr or MCAP"),
)  # fmt: skip
"""(names, what they are called, what to do), from the surest to the least sure."""


def likeness(paths: Iterable[str | os.PathLike[str]]) -> str:
    """A sentence on what the files at `paths` are, and what to do where that is known."""
    files = list(islice((file for path in paths for file in _files(Path(path))), _MOST_FILES))
    pointers = [file for file in files if is_pointer(file)]
    if pointers:
        what = (
            "1 of its files is a Git LFS pointer"
            if len(pointers) == 1
            else f"{len(pointers)} of its files are Git LFS pointers"
        )
        return f"{what}, not the data: run `git lfs pull` in its repository"
    counts = Counter(rule for file in files if (rule := _rule_of(file.name)) is not None)
    for number, (_, called, fix) in enumerate(_RULES):
        if count := counts[number]:
            many = f"{count} of its {counted(len(files), 'file')} {'looks' if count == 1 else 'look'} like"
            return f"{many if len(files) > 1 else 'its only file looks like'} {called}: {fix}"
    return _kinds(files)


def _kinds(files: Sequence[Path]) -> str:
    """The commonest endings of the names of files that no rule knows."""
    if not files:
        return "there is no file in it"
    ends = Counter(file.suffix.lower() or file.name for file in files)
    listed = ", ".join(f"{count} {end}" for end, count in ends.most_common(3))
    return (
        f"none of its {counted(len(files), 'file')} is of a known kind ({listed})"
        if len(files) > 1
        else f"{listed} is not read"
    )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _rule_of(name: str) -> int | None:
    """The first rule that a file's name matches."""
    return next((n for n, (pattern, *_) in enumerate(_RULES) if re.fullmatch(pattern, name.lower())), None)
