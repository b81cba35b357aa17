import errno
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import (
    COLUMNS,
    FPS,
    PLAIN,
    TOP,
    WRIST,
    clip,
    episode,
    everything,
    two_cameras,
    with_column,
    write,
)
from telecine.core.errors import DatasetError
from telecine.core.stats import column_stats
from telecine.dataset import rolling_files
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import Limits

SMALL = Limits(data_bytes=4000, video_bytes=4000)


def create(root, **options):
    return DatasetWriter.create(root, fps=FPS, robot_type=None, **options)


def digests(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def records(root, name="meta/episodes"):
    return pa.concat_tables([pq.read_table(p) for p in sorted((root / name).rglob("*.parquet"))])


def test_rows_are_written_with_their_indices(tmp_path):
    root = write(tmp_path / "out", [episode(5, 0, task="a"), episode(3, 1, task="b"), episode(4, 2, task="a")])
    rows = records(root, "data")
    assert rows.column_names == [
        "action",
        "observation.state",
        "timestamp",
        "frame_index",
        "episode_index",
        "index",
        "task_index",
    ]
    assert rows.column("index").to_pylist() == list(range(12))
    assert rows.column("episode_index").to_pylist() == [0] * 5 + [1] * 3 + [2] * 4
    assert rows.column("frame_index").to_pylist() == [*range(5), *range(3), *range(4)]
    assert rows.column("task_index").to_pylist() == [0] * 5 + [1] * 3 + [0] * 4
    assert rows.column("timestamp").to_numpy()[5:8].tolist() == (np.arange(3) / FPS).astype(np.float32).tolist()


def test_every_kind_of_column_keeps_its_values(tmp_path):
    one = episode(7, 3, columns=COLUMNS)
    rows = records(write(tmp_path / "out", [one]), "data")
    for column in COLUMNS:
        assert rows.column(column.key).to_pylist() == one.rows.column(column.key).to_pylist(), column.key


def test_an_episode_is_one_row_group(tmp_path):
    root = write(tmp_path / "out", [episode(5, 0), episode(3, 1)])
    file = pq.ParquetFile(root / "data/chunk-000/file-000.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [5, 3]


def test_tasks_are_numbered_in_order_of_first_use(tmp_path):
    mixed = episode(4, 1, tasks=["c", "a", "c", "b"])
    root = write(tmp_path / "out", [episode(2, 0, task="a"), mixed])
    assert pq.read_table(root / "meta/tasks.parquet").column("task").to_pylist() == ["a", "c", "b"]
    assert records(root).column("tasks").to_pylist() == [["a"], ["c", "a", "b"]]
    assert records(root, "data").column("task_index").to_pylist() == [0, 0, 1, 0, 1, 2]


def test_add_gives_the_episode_index_and_commit_the_folder(tmp_path):
    with create(tmp_path / "out") as writer:
        assert [writer.add(episode(2, i)) for i in range(3)] == [0, 1, 2]
        assert (writer.episodes, writer.frames) == (3, 6)
        assert writer.commit() == tmp_path / "out"


def test_nothing_is_at_the_target_before_commit(tmp_path):
    with create(tmp_path / "out") as writer:
        writer.add(episode())
        assert not (tmp_path / "out").exists()
        writer.commit()
        assert (tmp_path / "out/meta/info.json").is_file()
    assert leftovers(tmp_path) == []


def test_leaving_without_commit_leaves_nothing(tmp_path):
    with create(tmp_path / "out") as writer:
        writer.add(episode())
    assert list(tmp_path.iterdir()) == []


def test_an_error_inside_leaves_nothing(tmp_path):
    def interrupted():
        with create(tmp_path / "out") as writer:
            writer.add(episode())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_episodes_is_refused(tmp_path):
    with create(tmp_path / "out") as writer, pytest.raises(DatasetError, match="no episode was added"):
        writer.commit()
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_kept_with_the_dataset(tmp_path):
    with create(tmp_path / "out") as writer:
        writer.add(episode())
        root = writer.commit(plan_yaml="fps: 30\n")
    assert (root / "meta/telecine/plan.yaml").read_text() == "fps: 30\n"


def test_a_closed_writer_takes_nothing(tmp_path):
    writer = create(tmp_path / "out")
    writer.add(episode())
    writer.commit()
    with pytest.raises(DatasetError, match="closed"):
        writer.add(episode())
    with pytest.raises(DatasetError, match="closed"):
        writer.commit()


def test_rows_roll_over_into_files_without_splitting_episodes(tmp_path):
    root = write(tmp_path / "out", [episode(30, i) for i in range(6)], limits=SMALL)
    files = sorted((root / "data").rglob("*.parquet"))
    assert [p.name for p in files] == [f"file-{i:03d}.parquet" for i in range(len(files))]
    assert len(files) > 1
    for row in records(root).select(["episode_index", "data/chunk_index", "data/file_index"]).to_pylist():
        rows = pq.read_table(root / "data/chunk-000" / f"file-{row['data/file_index']:03d}.parquet")
        assert rows.column("episode_index").to_pylist().count(row["episode_index"]) == 30


def test_chunks_hold_as_many_files_as_the_limit_says(tmp_path):
    limits = Limits(data_bytes=1, files_per_chunk=2)
    root = write(tmp_path / "out", [episode(3, i) for i in range(5)], limits=limits)
    files = [p.relative_to(root / "data").as_posix() for p in sorted((root / "data").rglob("*.parquet"))]
    assert files == [f"chunk-{i // 2:03d}/file-{i % 2:03d}.parquet" for i in range(5)]
    assert json.loads((root / "meta/info.json").read_text())["chunks_size"] == 2


def test_a_file_of_many_short_episodes_is_closed_before_its_footer_is_big(tmp_path):
    root = write(tmp_path / "out", [episode(3, i) for i in range(5)], limits=Limits(row_groups=2))
    files = sorted((root / "data").rglob("*.parquet"))
    assert [pq.read_metadata(p).num_row_groups for p in files] == [2, 2, 1]
    assert records(root).column("data/file_index").to_pylist() == [0, 0, 1, 1, 2]


def test_episode_records_roll_over_and_know_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr(rolling_files, "ROW_GROUP", 10)
    root = write(tmp_path / "out", [episode(1, i) for i in range(25)], limits=replace(SMALL, data_bytes=1))
    files = sorted((root / "meta/episodes").rglob("*.parquet"))
    assert [pq.read_metadata(p).num_rows for p in files] == [10, 10, 5]
    assert records(root).column("meta/episodes/file_index").to_pylist() == [0] * 10 + [1] * 10 + [2] * 5


def test_each_camera_has_files_and_offsets_of_its_own(tmp_path):
    episodes = [episode(n, i, clips=two_cameras(tmp_path, n, i)) for i, n in enumerate((20, 12, 30))]
    sizes = {key: [c.size_bytes for e in episodes for c in e.clips if c.key == key] for key in (TOP, WRIST)}
    limits = Limits(video_bytes=sizes[TOP][0] + sizes[TOP][1])
    rows = records(write(tmp_path / "out", episodes, limits=limits))
    assert rows.column(f"videos/{TOP}/file_index").to_pylist()[0] == 0
    assert rows.column(f"videos/{TOP}/file_index").to_pylist()[1] == 1
    for key in (TOP, WRIST):
        files = rows.column(f"videos/{key}/file_index").to_pylist()
        starts = rows.column(f"videos/{key}/from_timestamp").to_pylist()
        base = dict.fromkeys(files, 0)
        for file, start, stop, length in zip(
            files, starts, rows.column(f"videos/{key}/to_timestamp").to_pylist(), (20, 12, 30), strict=True
        ):
            assert (start, stop) == (base[file] / FPS, (base[file] + length) / FPS)
            base[file] += length


def test_frames_in_rows_are_the_clips_bytes(tmp_path):
    pictures = clip(tmp_path, TOP, 4, preset="images")
    root = write(tmp_path / "out", [episode(4, clips=[pictures])])
    cells = records(root, "data").column(TOP).to_pylist()
    assert [cell["path"] for cell in cells] == [f"frame-{i:06d}.png" for i in range(4)]
    assert all(cell["bytes"].startswith(b"\x89PNG") for cell in cells)
    assert json.loads((root / "meta/info.json").read_text())["features"][TOP]["dtype"] == "image"
    assert not (root / "videos").exists()


def test_many_frames_are_written_in_several_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("telecine.dataset.images.ROW_GROUP_BYTES", 2000)
    pictures = [clip(tmp_path, key, 9, preset="images") for key in (TOP, WRIST)]
    root = write(tmp_path / "out", [episode(9, clips=pictures)])
    file = pq.ParquetFile(root / "data/chunk-000/file-000.parquet")
    assert file.num_row_groups > 1
    assert file.read().column("frame_index").to_pylist() == list(range(9))
    assert [c["path"] for c in file.read().column(WRIST).to_pylist()][-1] == "frame-000008.png"


def test_dataset_statistics_are_those_of_all_rows_together(tmp_path):
    episodes = [episode(n, i, columns=COLUMNS) for i, n in enumerate((20, 1, 33))]
    root = write(tmp_path / "out", episodes)
    stats = json.loads((root / "meta/stats.json").read_text())
    rows = records(root, "data")
    for column in COLUMNS:
        if column.dtype == "string":
            assert column.key not in stats
            continue
        values = np.array(rows.column(column.key).to_pylist(), np.float64)
        expected = column_stats(values).moments
        for name, mine in (
            ("min", expected.low),
            ("max", expected.high),
            ("mean", expected.mean),
            ("std", expected.std),
        ):
            assert np.allclose(stats[column.key][name], mine, rtol=1e-9, atol=1e-12), (column.key, name)
        assert stats[column.key]["count"] == [54]
        each = [column_stats(part).lists() for part in np.split(values, [20, 21])]
        assert stats[column.key]["q50"] == np.min([own["q50"] for own in each], axis=0).tolist()
        assert stats[column.key]["q90"] == np.max([own["q90"] for own in each], axis=0).tolist()
    assert stats["index"]["max"] == [53.0]


def test_camera_statistics_are_those_of_all_frames_together(tmp_path):
    episodes = [episode(n, i, clips=[clip(tmp_path, TOP, n, episode=i)]) for i, n in enumerate((6, 9))]
    stats = json.loads((write(tmp_path / "out", episodes) / "meta/stats.json").read_text())[TOP]
    histogram = sum(e.clips[0].histogram for e in episodes)
    mean = (histogram @ np.arange(256)) / histogram.sum(axis=1) / 255
    assert np.allclose(np.ravel(stats["mean"]), mean)
    assert np.shape(stats["q50"]) == (3, 1, 1)
    assert stats["count"] == [15]


def test_episode_statistics_stand_with_the_episode(tmp_path):
    one = episode(11, 2)
    row = records(write(tmp_path / "out", [one])).to_pylist()[0]
    values = np.array(one.rows.column("action").to_pylist())
    for name, value in column_stats(values.astype(np.float32)).lists().items():
        assert row[f"stats/action/{name}"] == value
    assert row["stats/frame_index/max"] == [10.0]


def test_provenance_names_the_source_but_no_folder(tmp_path):
    root = write(tmp_path / "out", [episode(4, 7, clips=two_cameras(tmp_path, 4, 7))])
    (row,) = pq.read_table(root / "meta/telecine/provenance.parquet").to_pylist()
    assert (row["source"], row["recording_id"], row["ticks"]) == ("recording-7.rrd", "id-7", 4)
    assert row["start_ns"] == 1_700_000_000_000_000_007
    assert row["cameras"][0] == {"key": TOP, "copied": False, "why": "made for a test", "preroll": 0, "frames": 4}
    for path in root.rglob("*"):
        assert not path.is_file() or b"/somewhere/private" not in path.read_bytes()


def test_the_same_input_gives_the_same_bytes(tmp_path):
    episodes = everything(tmp_path)
    first, second = (write(tmp_path / name / "out", episodes) for name in ("one", "two"))
    assert digests(first) == digests(second)


def test_the_encoder_is_named_only_when_all_episodes_used_it(tmp_path):
    clips = [clip(tmp_path, TOP, 4, episode=i) for i in range(2)]
    copied = replace(clips[1], encoder={}, copied=True)
    one = write(tmp_path / "one", [episode(4, i, clips=[c]) for i, c in enumerate(clips)])
    two = write(tmp_path / "two", [episode(4, i, clips=[c]) for i, c in enumerate((clips[0], copied))])
    described = [json.loads((root / "meta/info.json").read_text())["features"][TOP]["info"] for root in (one, two)]
    assert described[0]["video.g"] == 5
    assert "video.g" not in described[1]


def test_the_card_says_what_is_in_the_dataset(tmp_path):
    text = (write(tmp_path / "out", [episode(3, task="pick | place\n# <b>")]) / "README.md").read_text()
    assert text.startswith("---\n# license: which one?")
    assert "\ntags:\n- LeRobot\ntask_categories:\n- robotics\nconfigs:\n- config_name: default\n" in text
    assert "0. pick \\| place # &lt;b>" in text
    assert "| Frames | 3 |" in text
    assert "`observation.state` | float32 | 3 | shoulder, elbow, gripper" in text


def test_the_card_of_many_tasks_stays_short(tmp_path):
    root = write(tmp_path / "out", [episode(60, tasks=[f"task {i}" for i in range(60)])])
    text = (root / "README.md").read_text()
    assert "task 49\n" in text
    assert "task 50\n" not in text
    assert "10 more" in text


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, monkeypatch):
    class Full:
        def __init__(self, path, schema):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"some")

        def write(self, table):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    with create(tmp_path / "out") as writer:
        for name in ("__init__", "write", "close"):
            monkeypatch.setattr(rolling_files.TableFile, name, getattr(Full, name))
        with pytest.raises(DatasetError, match="no space left"):
            writer.add(episode())
        assert writer.broken
        assert not list(tmp_path.rglob("*.parquet"))
        with pytest.raises(DatasetError, match="an earlier write failed"):
            writer.add(episode())
        with pytest.raises(DatasetError, match="an earlier write failed"):
            writer.commit()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_later_leaves_nothing(tmp_path, monkeypatch):
    def full(self, table):
        raise OSError(errno.ENOSPC, "No space left on device")

    with create(tmp_path / "out") as writer:
        writer.add(episode(3))
        with monkeypatch.context() as patch:
            patch.setattr(rolling_files.TableFile, "write", full)
            with pytest.raises(DatasetError, match="no space left"):
                writer.add(episode(3, 1))
        assert not list(tmp_path.rglob("*.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_at_commit_leaves_the_old_dataset(tmp_path, monkeypatch):
    root = write(tmp_path / "out", [episode(3)])
    before = digests(root)

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with create(root, overwrite=True) as writer:
        writer.add(episode(9))
        monkeypatch.setattr("telecine.dataset.finish.write_json", full)
        with pytest.raises(DatasetError, match="no space left"):
            writer.commit()
    assert digests(root) == before
    assert leftovers(tmp_path) == []


def test_a_clip_that_cannot_be_read_breaks_the_writer_not_the_target(tmp_path):
    pictures = clip(tmp_path, TOP, 4, preset="images")
    Path(pictures.path).write_bytes(b"not a clip")
    with create(tmp_path / "out") as writer:
        with pytest.raises(DatasetError, match="writing failed"):
            writer.add(episode(4, clips=[pictures]))
        assert writer.broken
    assert not (tmp_path / "out").exists()


def test_a_clip_that_ends_early_is_named(tmp_path):
    pictures = replace(clip(tmp_path, TOP, 4, preset="images"), frames=6)
    with create(tmp_path / "out") as writer, pytest.raises(DatasetError, match=r"observation.images.top.* 4 of 6"):
        writer.add(episode(6, clips=[pictures]))


def test_memory_and_open_files_do_not_grow_with_the_episodes(tmp_path):
    with create(tmp_path / "out") as writer:
        for i in range(60):
            writer.add(episode(2, i))
        held = writer._files.episodes._file.held
        assert len(held) < rolling_files.ROW_GROUP
        assert writer.commit().is_dir()


@pytest.mark.parametrize("fps", [0, -1])
def test_fps_must_be_positive(tmp_path, fps):
    with pytest.raises(DatasetError, match="fps"):
        DatasetWriter.create(tmp_path / "out", fps=fps, robot_type=None)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot be written"):
        create(tmp_path / "file" / "out")


def test_an_episode_that_does_not_fit_leaves_the_writer_usable(tmp_path):
    good = [episode(4, i) for i in range(2)]
    odd = with_column(good[1], "action", pa.array([[0.0] * 4] * 4, pa.list_(pa.float32(), 4)))
    with create(tmp_path / "out") as writer:
        writer.add(good[0])
        with pytest.raises(DatasetError, match="action"):
            writer.add(odd)
        assert not writer.broken
        assert writer.add(good[1]) == 1
        root = writer.commit()
    with create(tmp_path / "other") as writer:
        for one in good:
            writer.add(one)
        assert digests(root) == digests(writer.commit())


def test_a_refused_first_episode_sets_nothing(tmp_path):
    wrong = replace(episode(4, columns=COLUMNS), columns=PLAIN)
    with create(tmp_path / "out") as writer:
        with pytest.raises(DatasetError):
            writer.add(wrong)
        writer.add(episode(4))
        assert writer.commit().is_dir()
