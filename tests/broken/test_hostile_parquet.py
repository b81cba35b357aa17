"""Texts in Parquet that are stored once and read many times: a few kB that take gigabytes as texts."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cli import telecine
from support.dataset import everything, write
from support.minari import write as write_minari
from telecine.core.errors import DatasetError, SourceError
from telecine.lerobot_format import text_bounds
from telecine.lerobot_format.page_bounds import page_fault
from telecine.lerobot_format.text_bounds import text_fault
from telecine.sources import registry
from telecine.sources.shared.confinement import text_problem
from telecine.viewer.entries import find_entries
from telecine.viewer.session import Session

ROWS = "data/chunk-000/file-000.parquet"
TEXT = "x" * (26 << 20)


def spoil(path, key, values):
    """A column of a file, other values in it."""
    table = pq.read_table(path)
    at = table.schema.get_field_index(key)
    pq.write_table(table.set_column(at, key, pa.array(values)), path, compression="zstd")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A dataset of 11 rows."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "clips").mkdir()
    write(folder / "a", everything(folder / "clips", (6, 1, 4)))
    return folder / "a"


@pytest.fixture
def bad(sound, tmp_path):
    """The same, whose note is 26 MB long in each row, in some kB."""
    shutil.copytree(sound, tmp_path / "bad")
    spoil(tmp_path / "bad" / ROWS, "note", [TEXT] * 11)
    assert (tmp_path / "bad" / ROWS).stat().st_size < 100_000
    return tmp_path / "bad"


def test_every_command_refuses_it_by_name(bad, tmp_path):
    said = f"{ROWS}: its texts (note) have "
    shutil.copytree(bad, tmp_path / "bad2")
    for words in (
        ("inspect", bad),
        ("verify", bad),
        ("repair", bad),
        ("edit", bad, tmp_path / "out", "--keep", "0"),
        ("merge", tmp_path / "out", bad, tmp_path / "bad2"),
        ("diff", bad, tmp_path / "bad2"),
        ("convert", bad, tmp_path / "out", "--task-text", "lift the cube", "--fps", "10"),
    ):
        code, out, err = telecine(*words)
        assert code == 1, (words, out, err)
        assert said in " ".join((out + err).split()), (words, out, err)
        assert not (tmp_path / "out").exists()
    (entry,) = find_entries(str(bad))
    with pytest.raises(DatasetError, match="its texts"):
        Session(str(bad), (entry,), read_only=True).dataset(0)


@pytest.mark.parametrize("name", ["meta/tasks.parquet", "meta/episodes/chunk-000/file-000.parquet"])
def test_metadata_is_counted_as_well(sound, tmp_path, name):
    shutil.copytree(sound, tmp_path / "a")
    assert text_problem(tmp_path / "a") == ""
    path = tmp_path / "a" / name
    table = pq.read_table(path)
    more = pa.array([["x" * (1 << 18)] * 1200] * len(table))
    pq.write_table(table.append_column("more", more), path, compression="zstd")
    assert text_problem(tmp_path / "a").startswith(f"{name}: its texts (more.list.element) have ")


def test_a_minari_episode_is_counted_as_well(tmp_path):
    folder = write_minari(tmp_path / "a", "parquet")
    rows = next(folder.glob("0/*.parquet"))
    table = pq.read_table(rows)
    pq.write_table(table.append_column("more", pa.array([2 * TEXT] * len(table))), rows, compression="zstd")
    first, second = registry.find([folder]).refs
    with pytest.raises(SourceError, match=r"its texts \(more\) have"):
        registry.open(first)
    with registry.open(second) as recording:
        assert recording.streams


def test_texts_that_are_packed_in_far_fewer_bytes_are_refused_unread(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["y" * (80 << 20)]}), path, compression="zstd", use_dictionary=False)
    assert "packed in far fewer" in text_fault(path)


def test_honest_texts_may_repeat(tmp_path):
    path = tmp_path / "a.parquet"
    texts = ["pick up the red cube and put it into the box"] * 400_000
    pq.write_table(pa.table({"a": texts, "b": range(400_000)}), path)
    assert text_fault(path) == ""
    assert text_fault(tmp_path / "none.parquet") == ""
    path.write_bytes(b"PAR1 damaged")
    assert text_fault(path) == ""


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.none() | st.text(max_size=30), max_size=4), min_size=1, max_size=30),
    st.sampled_from(["plain", "struct", "list", "map"]),
)
def test_what_is_counted_is_what_reading_gives(tmp_path_factory, rows, shape):
    """Exactly, for a file whose texts are all in dictionaries."""
    texts = [text for row in rows for text in row] or [None]
    columns = {
        "plain": pa.array(texts, pa.string()),
        "struct": pa.array([{"s": text} for text in texts], pa.struct([("s", pa.string())])),
        "list": pa.array(rows, pa.list_(pa.string())),
        "map": pa.array([[("k", text)] for text in texts], pa.map_(pa.string(), pa.string())),
    }
    path = tmp_path_factory.mktemp("t") / "a.parquet"
    pq.write_table(pa.table({"a": columns[shape]}), path)
    exact = sum(len((text or "").encode()) for text in texts) + (len(texts) if shape == "map" else 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_bounds, "_RATIO", 0)
        patched.setattr(text_bounds, "MOST_BYTES", exact)
        assert text_fault(path) == ""
        if exact:
            patched.setattr(text_bounds, "MOST_BYTES", exact - 1)
            assert f"have {exact} bytes" in text_fault(path)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd"])
def test_a_page_is_measured_by_its_own_header_before_it_is_unpacked(tmp_path, monkeypatch, codec):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"zeros": [bytes(8_000_000)]}), path, compression=codec, use_dictionary=False)
    assert (page_fault(path, 16_000_000), text_fault(path)) == ("", "")
    said = page_fault(path, 5_000_000)
    assert said.startswith("a page of zeros unpacks to 80000")
    size = int(said.split()[6])
    there, lie = (bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21]) for n in (2 * size, 2**27))
    data = path.read_bytes()
    at = data.index(there)  # first in the page's header, as twice the number
    path.write_bytes(data[:at] + lie + data[at + 4 :])
    monkeypatch.setattr(text_bounds, "_MOST_PAGE", 1_000_000)
    monkeypatch.setattr(text_bounds, "_RATIO", 0)
    assert "a page of zeros unpacks to 67108864 bytes" in text_fault(path)
