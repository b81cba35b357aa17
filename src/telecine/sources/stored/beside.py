"""Which files of a store belong to a recording: its own, and those that its format looks for beside it. Pure."""

import posixpath
from collections.abc import Iterator, Mapping

_BESIDE: Mapping[str, tuple[str, ...]] = {
    "robosandbox": ("{folder}/*",),
    "rlds": ("{folder}/features.json", "{folder}/dataset_info.json"),
    "rosbag2": ("{path}-wal",),
    "hdf5": (
        "{folder}/metadata.json",
        "{folder}/{stem}.json",
        "{folder}/metadata_*",
        "{folder}/recordings/MP4/*",
        "{folder}/../instructions/{stem}.json",
        "{folder}/../../../task_info/task_{task}.json",
        "{folder}/../../../observations/{task}/{episode}/*",
    ),
}
"""Format -> what may lie beside a file of it: whole names, and beginnings of names with * behind."""


def beside(form: str, key: str) -> Iterator[tuple[str, bool]]:
    """(key, whether all that begin with it are meant) of what may belong to the file at `key`.

    >>> list(beside("rlds", "set/1.0.0/x-train.tfrecord-00000-of-00001"))[0]
    ('set/1.0.0/features.json', False)
    """
    folder, name = posixpath.split(key)
    above = posixpath.dirname(folder)
    parts = {
        "path": key, "folder": folder or ".", "stem": posixpath.splitext(name)[0],
        "task": posixpath.basename(above), "episode": posixpath.basename(folder),
    }  # fmt: skip
    for pattern in _BESIDE.get(form, ()):
        place = posixpath.normpath(pattern.format(**parts))
        if not place.startswith("..") and "//" not in place:
            yield place.removesuffix("*"), place.endswith("*")
