import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.dataset import COLUMNS, FPS, TOP, WRIST, clip, episode, everything, two_cameras, write
from telecine.core.errors import DatasetError
from telecine.core.findings import has_errors
from telecine.dataset.existing import read_existing
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import Limits


def append(root, episodes, *, fps=FPS, robot_type="arm", plan_yaml=None):
    with DatasetWriter.append(root, fps=fps, robot_type=robot_type) as writer:
        numbers = [writer.add(one) for one in episodes]
        writer.commit(plan_yaml=plan_yaml)
    return numbers


def media(root):
    """Identity and time of every published data and video file."""
    paths = [*root.glob("data/*/*"), *root.glob("videos/*/*/*"), *root.glob("meta/episodes/*/*")]
    return {p.relative_to(root).as_posix(): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def new(folder, index, count=12, **options):
    folder.mkdir(exist_ok=True)
    clips = two_cameras(folder, count, index, **options)
    return episode(count, index, columns=COLUMNS, clips=clips, task="a new task")


def test_what_is_published_stays_and_new_episodes_follow(tmp_path):
    root = write(tmp_path / "out", everything(tmp_path))
    before, rows_before = media(root), [Dataset(root).rows(i) for i in range(3)]
    assert append(root, [new(tmp_path / "n", 3), new(tmp_path / "n", 4)]) == [3, 4]
    after = media(root)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 2 + 2  # rows, episodes, one video of each camera
    dataset = Dataset(root)
    assert [e.length for e in dataset.episodes] == [20, 1, 33, 12, 12]
    assert all(dataset.rows(i).equals(rows_before[i]) for i in range(3))
    assert dataset.tasks == ("pick up the cube", "put it down", "a new task")
    assert json.loads((root / "meta/info.json").read_text())["splits"] == {"train": "0:5"}
    assert "| Episodes | 5 |" in (root / "README.md").read_text()
    assert not has_errors(verify(root, decode="all"))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith((".", "out"))) == ["out"]


def test_statistics_are_those_of_a_dataset_written_at_once(tmp_path):
    parts = everything(tmp_path)
    more = new(tmp_path / "n", 3)
    at_once = write(tmp_path / "once", [*parts, more])
    root = write(tmp_path / "out", parts)
    append(root, [more])
    theirs, ours = (json.loads((r / "meta/stats.json").read_text()) for r in (at_once, root))
    assert theirs.keys() == ours.keys()
    for key in theirs:
        for name in theirs[key]:
            np.testing.assert_allclose(ours[key][name], theirs[key][name], rtol=1e-12, atol=1e-12)


def test_a_dataset_that_others_wrote_takes_episodes_too(tmp_path):
    root = write(tmp_path / "out", everything(tmp_path))
    shutil.rmtree(root / "meta/telecine")
    (root / "README.md").write_text("# mine")
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | {"splits": {"train": "0:2", "test": "2:3"}, "extra": 1}))
    append(root, [new(tmp_path / "n", 3)])
    assert (root / "README.md").read_text() == "# mine"
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["splits"], info["extra"]) == ({"train": "0:2", "test": "2:3"}, 1)
    assert Dataset(root).provenance[0]["episode_index"] == 3
    assert not has_errors(verify(root, decode="sample"))


def test_episodes_can_be_appended_again_and_again(tmp_path):
    root = write(tmp_path / "out", [episode(5, 0)], limits=Limits(files_per_chunk=2))
    for index in range(1, 5):
        assert append(root, [episode(5, index)], plan_yaml=f"plan: {index}\n") == [index]
    assert [(e.data.chunk, e.data.file) for e in Dataset(root).episodes] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert (root / "meta/telecine/plan.yaml").read_text() == "plan: 4\n"
    assert not has_errors(verify(root))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fps": 15}, "has fps 30, the plan says 15"),
        ({"robot_type": "leg"}, "the plan says .leg."),
    ],
)
def test_another_rate_or_robot_is_refused(tmp_path, change, reason):
    root = write(tmp_path / "out", [episode(5)])
    with pytest.raises(DatasetError, match=reason):
        append(root, [episode(5, 1)], **change)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_other_features_or_cameras_are_refused(tmp_path):
    root = write(tmp_path / "out", everything(tmp_path))
    before = media(root)
    (tmp_path / "n").mkdir()
    one_camera = episode(12, 3, columns=COLUMNS, clips=[clip(tmp_path / "n", TOP, 12)])
    larger = [clip(tmp_path / "n", TOP, 12, size=(96, 64)), clip(tmp_path / "n", WRIST, 12, size=(96, 64), camera=1)]
    with DatasetWriter.append(root, fps=FPS, robot_type="arm") as writer:
        for wrong in (episode(5, 3), one_camera, episode(12, 3, columns=COLUMNS, clips=larger)):
            with pytest.raises(DatasetError, match="cannot be added"):
                writer.add(wrong)
        with pytest.raises(DatasetError, match="no episode was added"):
            writer.commit()
    assert media(root) == before


def facts(published):
    """All that a writer uses of it, as plain values."""
    totals = published.totals.stats(published.features)
    return [*(getattr(published, name) for name in published.__slots__ if name != "totals"), totals]


def test_what_a_writer_knows_of_its_dataset_is_what_reading_it_says(tmp_path):
    root, last = write(tmp_path / "out", everything(tmp_path)), None
    for index in (3, 4):
        with DatasetWriter.append(root, fps=FPS, robot_type="arm", last=last) as writer:
            writer.add(new(tmp_path / f"n{index}", index))
            with pytest.raises(DatasetError, match="nothing was committed"):
                writer.written()
            writer.commit()
        last = writer.written()
        assert facts(last) == facts(read_existing(root))
        assert read_existing(root, last) is last
    append(root, [new(tmp_path / "others", 5)])
    assert read_existing(root, last).episodes == 6
    with DatasetWriter.append(root, fps=FPS, robot_type="arm", last=last) as writer:
        assert writer.add(new(tmp_path / "n6", 6)) == 6
        writer.commit()
    assert not has_errors(verify(root, decode="all"))


def test_rows_of_earlier_episodes_are_not_read_again(tmp_path, monkeypatch):
    root, last, read = tmp_path / "out", None, []
    real = pq.ParquetFile

    class Counted(real):
        def __init__(self, source, **more):
            read.append(source)
            super().__init__(source, **more)

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    counts = []
    for index in range(5):
        way = {"fps": FPS, "robot_type": "arm"}
        with DatasetWriter.append(root, **way, last=last) if index else DatasetWriter.create(root, **way) as writer:
            writer.add(episode(5, index))
            writer.commit()
        last = writer.written()
        counts.append(len(read))
        read.clear()
    assert len(set(counts)) == 1
    stats = json.loads((root / "meta/stats.json").read_text())
    at_once = write(tmp_path / "once", [episode(5, index) for index in range(5)])
    for key, found in json.loads((at_once / "meta/stats.json").read_text()).items():
        for name, value in found.items():
            np.testing.assert_allclose(stats[key][name], value, rtol=1e-12, atol=1e-12)


def test_no_dataset_no_append(tmp_path):
    with pytest.raises(DatasetError, match="there is no such folder; name the folder of a dataset"):
        append(tmp_path / "nowhere", [episode(5)])
    assert list(tmp_path.iterdir()) == []


def test_incomplete_statistics_are_refused(tmp_path):
    root = write(tmp_path / "out", [episode(5)])
    stats = json.loads((root / "meta/stats.json").read_text())
    del stats["action"]["q01"]
    (root / "meta/stats.json").write_text(json.dumps(stats))
    with pytest.raises(DatasetError, match="statistics are not complete"):
        append(root, [episode(5, 1)])


def test_other_columns_in_the_files_are_refused(tmp_path):
    root = write(tmp_path / "out", [episode(5)])
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("extra", table.column("index")), path)
    with pytest.raises(DatasetError, match=r"extra \(int64, telecine writes None\)"):
        append(root, [episode(5, 1)])


def test_without_links_files_are_copied_with_their_times(tmp_path, monkeypatch):
    root = write(tmp_path / "out", [episode(5)])
    before = (root / "data/chunk-000/file-000.parquet").stat()

    def no_links(source, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    append(root, [episode(5, 1)])
    after = (root / "data/chunk-000/file-000.parquet").stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert after.st_ino != before.st_ino
    assert not has_errors(verify(root))
