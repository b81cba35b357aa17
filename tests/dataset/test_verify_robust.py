"""Whatever a dataset looks like, verify ends with findings, never with an exception."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dataset import TOP, clip, episode, write
from telecine.core.findings import has_errors
from telecine.dataset.verify.verify import verify

values = st.sampled_from([None, True, -1, 0, 3, 1.5, "", "x", [], [1], [None], {}, {"a": 1}, [[0.5]], 10**30])
FILES = ("meta/info.json", "meta/stats.json")
TABLES = ("meta/tasks.parquet", "meta/episodes/chunk-000/file-000.parquet", "data/chunk-000/file-000.parquet")

VIDEO = f"videos/{TOP}/chunk-000/file-000.mp4"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return write(
        folder / "dataset", [episode(n, i, clips=[clip(folder, TOP, n, episode=i)]) for i, n in enumerate((6, 3))]
    )


@contextmanager
def spoilt(good, dataset, name, content):
    """The dataset with other bytes in one file."""
    (dataset / name).write_bytes(content)
    try:
        yield
    finally:
        shutil.copyfile(good / name, dataset / name)


@pytest.fixture(scope="module")
def dataset(good, tmp_path_factory):
    """A copy that each example spoils in one file, and mends again."""
    return Path(shutil.copytree(good, tmp_path_factory.mktemp("spoilt") / "dataset"))


def places(content, path=()):
    """Where something could be replaced: paths to all values."""
    yield path
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def replaced(content, path, value):
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = replaced(content[path[0]], path[1:], value)
    return copy


@settings(max_examples=60)
@given(st.sampled_from(FILES), st.data())
def test_any_value_in_the_metadata_is_survived(good, dataset, name, data):
    content = json.loads((good / name).read_text())
    path = data.draw(st.sampled_from(list(places(content))))
    changed = json.dumps(replaced(content, path, data.draw(values)))
    with spoilt(good, dataset, name, changed.encode()):
        verify(dataset, decode="none")


@settings(max_examples=40)
@given(st.sampled_from((*FILES, *TABLES, VIDEO)), st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_found(good, dataset, name, share):
    whole = (good / name).read_bytes()
    with spoilt(good, dataset, name, whole[: int(len(whole) * share)]):
        assert has_errors(verify(dataset, decode="none"))


@settings(max_examples=60)
@given(st.sampled_from((*TABLES, VIDEO)), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9))
def test_any_bytes_anywhere_are_survived(good, dataset, name, share, noise):
    whole = bytearray((good / name).read_bytes())
    at = int(len(whole) * share)
    whole[at : at + len(noise)] = noise
    with spoilt(good, dataset, name, bytes(whole)):
        verify(dataset)
