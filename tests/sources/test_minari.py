"""Minari's datasets in all of its data formats."""

import io
import json
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import minari as make
from support.hdf5 import patch_colours, ramp
from support.proposed import convert_proposed, shown_frame
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.sources.minari.arrow_bodies import read_arrow
from telecine.testing import SourceContract


@pytest.fixture(params=["arrow", "parquet", "hdf5"])
def data(request, tmp_path):
    if request.param == "hdf5":
        return make.write_hdf5(request.getfixturevalue("h5py"), tmp_path / "fetch/reach-v0/data")
    return make.write(tmp_path / "fetch/reach-v0/data", request.param)


def opened(place, number=0):
    return registry.open(registry.find([place]).refs[number])


def test_every_data_format_gives_the_same_episodes(data, tmp_path):
    plan, dataset = convert_proposed(tmp_path / "fetch", tmp_path / "out", task_text="reach", fps=25, rate=25)
    assert plan.fps == 25
    assert [e.length for e in dataset.episodes] == list(make.STEPS)
    for episode, steps in enumerate(make.STEPS):
        rows = dataset.rows(episode)
        assert np.array_equal(np.stack(rows["observation.state"].to_pylist()).astype("f4")[:, :5],
                              ramp(steps + 1, 5, episode)[:steps])  # fmt: skip
        assert np.array_equal(np.stack(rows["action"].to_pylist()).astype("f4"), ramp(steps, 4, episode + 1))
        assert np.allclose(rows["next.reward"].to_pylist(), np.arange(steps) / 10)
        assert rows["next.done"].to_pylist() == [False] * (steps - 1) + [True]
    shown = shown_frame(dataset, "observation.images.image", 5, 1)
    assert patch_colours(shown) == [0, 1, 2]
    assert shown[2].min(axis=1).argmax() == 5


def test_spaces_give_shapes_and_the_filling_of_the_last_row_is_no_sample(data):
    with opened(data) as recording:
        assert recording.attrs["layout"] == "minari"
        assert recording.attrs["env_name"] == "FetchReach-v3"
        assert recording.features["observation.state"] == ("/observations/observation",)
        assert [len(recording.streams[n].times("step")) for n in ("/actions", "/observations/observation")] == [6, 7]
        if "/observations/grid" in recording.streams:
            assert recording.streams["/observations/grid"].schema.shape == (2, 3)


def test_what_cannot_be_read_is_named(tmp_path):
    folder = make.write(tmp_path / "data")
    ref = registry.find([folder]).refs[1]
    (file,) = (folder / "1").glob("*.arrow")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read as arrow"):
        registry.open(ref)
    file.unlink()
    with pytest.raises(SourceError, match="holds no arrow file"):
        registry.open(ref)
    with pytest.raises(SourceError, match="holds no episode"):
        registry.open(Ref("minari", str(folder), "/episode_7"))
    with opened(folder) as recording:
        assert "/actions" in recording.streams


def test_steps_that_the_metadata_promises_and_are_not_there_are_said(tmp_path):
    folder = make.write(tmp_path / "data")
    (folder / "0/metadata.json").write_text(json.dumps({"total_steps": 30}))
    with opened(folder) as recording:
        assert any("says 30 steps, and it has 6" in text for _, text in recording.notes)


def test_a_dataset_without_episodes_and_a_link_out_of_it_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/metadata.json").write_text(json.dumps(make.metadata("arrow")))
    assert "holds no episodes" in registry.find([tmp_path / "data"]).findings[0].message
    folder = make.write(tmp_path / "other")
    (file,) = (folder / "0").glob("*.arrow")
    file.rename(tmp_path / "away.arrow")
    file.symlink_to(tmp_path / "away.arrow")
    with pytest.raises(SourceError, match="outside"):
        opened(folder)


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, tmp_path):
        return [str(make.write(tmp_path / "a")), str(make.write(tmp_path / "b", "parquet"))]


@pytest.mark.parametrize("name", ["metadata.json", "0/metadata.json"])
def test_metadata_that_leads_out_of_the_dataset_is_refused(tmp_path, name):
    folder = make.write(tmp_path / "data")
    ref = registry.find([folder]).refs[0]
    (folder / name).rename(tmp_path / "secret.json")
    (folder / name).symlink_to(tmp_path / "secret.json")
    with pytest.raises(SourceError, match=r"metadata.json: leads to .*secret.json, outside"):
        registry.open(ref)
    assert registry.open(replace(ref, follow_links=True)).streams


def packed(folder, number, columns, compression=None):
    """An episode with other columns as well, its file written again."""
    (file,) = [f for f in (folder / str(number)).iterdir() if f.suffix in (".arrow", ".parquet")]
    table = pq.read_table(file) if file.suffix == ".parquet" else pa.ipc.open_file(file.read_bytes()).read_all()
    for name, values in columns.items():
        table = table.append_column(name, values)
    if file.suffix == ".parquet":
        pq.write_table(table, file)
        return file
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=3)
    return file


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_compressed_bodies_are_read(tmp_path, compression):
    folder = make.write(tmp_path / "data")
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1, 0, 1, 0]), pa.array(["a", "b"]))
    packed(folder, 0, {"more": pa.array(np.arange(7.0)), "words": words}, compression)
    with opened(folder) as recording:
        assert recording.streams["/more"].take(np.arange(6), "step").reshape(-1).tolist() == list(range(6))
        assert np.array_equal(recording.streams["/actions"].take(np.arange(6), "step"), ramp(6, 4, 1))


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_numbers_that_unpack_to_far_more_than_the_file_are_refused_at_no_cost(tmp_path, form):
    """45 MB of zeros for each of 7 rows, in some kB."""
    folder = make.write(tmp_path / "data", form)
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(7 * 5_600_000)), 5_600_000)
    file = packed(folder, 0, {"more": zeros}, "zstd")
    assert file.stat().st_size < 1_000_000
    del zeros
    ref = registry.find([folder]).refs[0]
    before = pa.default_memory_pool().bytes_allocated()
    with pytest.raises(SourceError, match="are taken for damage"):
        registry.open(ref)
    assert pa.default_memory_pool().bytes_allocated() - before < 1 << 20


def test_an_arrow_file_whose_footer_tells_of_other_rows_is_refused(tmp_path):
    """A message more, behind what the footer lists."""
    folder = make.write(tmp_path / "data")
    file = packed(folder, 0, {})
    whole = file.read_bytes()
    end = b"\xff\xff\xff\xff\0\0\0\0"
    at = whole.rindex(end)
    batch = whole.rindex(b"\xff\xff\xff\xff", 0, at)
    file.write_bytes(whole[:at] + whole[batch:at] + whole[at:])
    with pytest.raises(SourceError, match="its footer says 3"):
        registry.open(registry.find([folder]).refs[0])


@pytest.fixture(scope="module")
def compressed():
    out = io.BytesIO()
    table = pa.table({"a": np.arange(9.0), "b": ["x", "y", "z"] * 3})
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return out.getvalue()


@given(at=st.integers(0, 5000), number=st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"]))
@settings(max_examples=80, deadline=None)
def test_a_damaged_arrow_file_ends_in_rows_or_an_error(compressed, at, number):
    at %= len(compressed)
    content = io.BytesIO(compressed[:at] + number + compressed[at + 4 :])
    with suppress(ValueError, OSError, pa.ArrowException):  # what the source names
        assert read_arrow(content, 1 << 20).num_rows <= 9


def test_the_sizes_of_bodies_are_counted_to_the_byte():
    values = np.arange(1000.0)
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(out, pa.schema([("a", pa.float64())]), options=options) as writer:
        writer.write_table(pa.table({"a": values}))
    assert read_arrow(io.BytesIO(out.getvalue()), 8000).num_rows == 1000
    with pytest.raises(ValueError, match="unpack to 8000 bytes"):
        read_arrow(io.BytesIO(out.getvalue()), 7999)
