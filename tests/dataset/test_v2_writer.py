"""LeRobot's last layout and GR00T's: a file an episode, packets as they were, every number the same."""

import json
import shlex

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import PLAIN, TOP, WRIST, clip, episode, everything, two_cameras, write
from support.pictures import read_frame_id
from support.robosandbox import write_run
from telecine.conversion.pipeline import Options, convert
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError, VideoError
from telecine.core.plan.model import make_plan
from telecine.dataset.reader import Dataset, open_dataset
from telecine.dataset.v2_writer import write_v2
from telecine.inspection.dataset_frames import episode_frames
from telecine.inspection.dataset_summary import summarize
from telecine.lerobot_format.modality import modality, parts
from telecine.video.cut import ClipRange, cut
from telecine.video.demux import packets
from telecine.video.mp4_reader import probe_file
from telecine.video.presets import video_settings

BODY = {
    "fps": 30,
    "clock": {"timeline": "sim"},
    "features": {
        "observation.state": {"from": ["/robot_joints", "/gripper_width"]},
        "action": {"from": "/action"},
        "observation.images.scene": {"from": "/scene"},
    },
    "task": {"from": "/task"},
}


def old(source, folder, kind="v2.1"):
    scratch = folder.parent / "scratch"
    scratch.mkdir()
    folder.mkdir()
    write_v2(source, folder, kind, scratch=scratch)
    assert list(scratch.iterdir()) == []
    return folder


def test_every_episode_has_its_own_files_with_all_that_it_had(tmp_path):
    source = write(tmp_path / "new", everything(tmp_path))
    folder = old(source, tmp_path / "old")
    before, after = Dataset(source), open_dataset(folder)
    assert (after.version, after.fps, after.robot_type, after.tasks) == ("v2.1", 30, "arm", before.tasks)
    for number in range(3):
        assert after.rows(number).equals(before.rows(number))
        for camera, key in enumerate((TOP, WRIST)):
            shown = [read_frame_id(p) for p in episode_frames(after, key, number, 50)]
            assert shown == [(i, number, camera) for i in range(before.episodes[number].length)]
            path, _ = after.frame(key, number, 0)
            assert probe_file(str(path)).frames == before.episodes[number].length
    assert not [f for f in summarize(folder).findings if f.severity == "error"]


def test_the_metadata_are_those_of_the_layout(tmp_path):
    source = write(tmp_path / "new", everything(tmp_path))
    folder = old(source, tmp_path / "old")
    info = json.loads((folder / "meta" / "info.json").read_text())
    assert (info["total_videos"], info["total_chunks"], info["total_episodes"]) == (6, 1, 3)
    assert info["video_path"].startswith("videos/chunk-{episode_chunk:03d}/{video_key}/")
    for name in ("tasks", "episodes", "episodes_stats"):
        lines = (folder / "meta" / f"{name}.jsonl").read_text().split("\n")
        assert lines.pop() == ""
        assert all(isinstance(json.loads(line), dict) for line in lines)
    told = json.loads(lines[2])
    stats = pq.read_table(source / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()[2]
    assert told["stats"]["action"]["mean"] == stats["stats/action/mean"]
    assert np.shape(told["stats"][TOP]["mean"]) == (3, 1, 1)


def test_frames_in_rows_need_no_video(tmp_path):
    source = write(tmp_path / "new", [episode(6, clips=[clip(tmp_path, TOP, 6, preset="images")])])
    folder = old(source, tmp_path / "old")
    assert json.loads((folder / "meta" / "info.json").read_text())["video_path"] is None
    assert read_frame_id(episode_frames(open_dataset(folder), TOP, 0, 6)[5])[0] == 5


def test_packets_are_taken_as_they_are(tmp_path):
    source = write(tmp_path / "new", [episode(n, i, clips=two_cameras(tmp_path, n, i)) for i, n in enumerate((9, 12))])
    folder = old(source, tmp_path / "old")
    whole = list(packets(str(next((source / "videos" / TOP).rglob("*.mp4")))))
    each = [list(packets(str(p))) for p in sorted((folder / "videos").rglob(f"{TOP}/*.mp4"))]
    assert [*each[0], *each[1]] == whole


def test_frames_that_are_no_run_of_packets_are_encoded(tmp_path):
    source = write(tmp_path / "new", [episode(20, clips=[clip(tmp_path, TOP, 20, gop=10)])])
    (path,) = (source / "videos").rglob("*.mp4")
    one = ClipRange(3, 5, str(tmp_path / "a.clip"))
    (made,) = cut(str(path), [one], key=TOP, fps=30, settings=video_settings("train"))
    assert (made.copied, made.frames) == (False, 5)
    with pytest.raises(VideoError, match="holds 2 of the frames 18 to 22"):
        list(
            cut(
                str(path),
                [ClipRange(18, 5, str(tmp_path / "b.clip"))],
                key=TOP,
                fps=30,
                settings=video_settings("train"),
            )
        )


@pytest.mark.parametrize("layout", ["v2.1", "gr00t"])
def test_a_conversion_goes_there_in_one_command(tmp_path, layout):
    for number in range(2):
        write_run(tmp_path / "runs" / f"run_{number}", 20, actions=True)
    plan = make_plan(BODY | {"layout": layout})
    report = convert([tmp_path / "runs"], tmp_path / "out", plan, Options(workers=0))
    assert report.ok, report.findings
    assert report.root == str(tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "runs"]
    assert len(open_dataset(tmp_path / "out").episodes) == 2
    assert f"layout: {layout}" in (tmp_path / "out" / "meta" / "telecine" / "plan.yaml").read_text()
    assert (tmp_path / "out" / "meta" / "modality.json").exists() == (layout == "gr00t")
    with pytest.raises(DatasetError, match="exists"):
        convert([tmp_path / "runs"], tmp_path / "out", plan, Options(workers=0))
    with pytest.raises(DatasetError, match=r"v3\.0 datasets only"):
        convert([tmp_path / "runs"], tmp_path / "out", plan, Options(workers=0, append=True))
    assert convert([tmp_path / "runs"], tmp_path / "out", plan, Options(workers=0, overwrite=True)).ok


@pytest.mark.parametrize(("layout", "name"), [("v2.1", "LeRobot v2.1, a file"), ("gr00t", "v2.1 for GR00T, a file")])
def test_verify_says_what_it_is_and_what_judges_it(tmp_path, layout, name):
    write_run(tmp_path / "runs" / "run", 8, actions=True)
    assert convert([tmp_path / "runs"], tmp_path / "out", make_plan(BODY | {"layout": layout}), Options(workers=0)).ok
    code, said, _ = telecine("verify", tmp_path / "out", "--json")
    (finding,) = json.loads(said)["findings"]
    assert (code, finding["code"]) == (1, "verify-version")
    assert name in finding["message"]
    assert "not judged" in telecine("verify", tmp_path / "out")[1]
    for command in finding["fix"].partition(", which")[0].split(" && "):
        assert telecine(*shlex.split(command)[1:])[0] == 0


def test_nothing_usable_leaves_nothing(tmp_path):
    write_run(tmp_path / "runs" / "run", 20)
    report = convert([tmp_path / "runs"], tmp_path / "out", make_plan(BODY | {"layout": "v2.1"}), Options(workers=0))
    assert not report.ok
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"]


def test_gr00ts_file_names_the_parts_of_the_robot(tmp_path):
    names = ("left_shoulder", "left_gripper", "right_shoulder", "right_elbow", "right_gripper", "left_extra")
    assert parts(names, 6, "state") == [
        ("left_arm", 0, 1),
        ("left_gripper", 1, 2),
        ("right_arm", 2, 4),
        ("right_gripper", 4, 5),
        ("left_arm_2", 5, 6),
    ]
    made = modality([FeatureColumn("observation.state", "float32", (6,), names), PLAIN[0]], [TOP])
    assert made["state"]["right_arm"] == {"start": 2, "end": 4, "original_key": "observation.state"}
    assert made["action"] == {
        "single_arm": {"start": 0, "end": 2, "original_key": "action"},
        "gripper": {"start": 2, "end": 3, "original_key": "action"},
    }
    assert made["video"] == {"top": {"original_key": TOP}}
    assert parts((), 3, "action") == [("action", 0, 3)]
    assert modality([], [])["state"] == {}


def test_layouts_that_do_not_exist_are_named():
    with pytest.raises(PlanError, match=r"did you mean 'v2\.1'"):
        make_plan(BODY | {"layout": "v2.2"})


def test_lists_have_the_name_that_datasets_3_knows(tmp_path):
    folder = old(write(tmp_path / "new", everything(tmp_path)), tmp_path / "old")
    for path in (folder / "data").rglob("*.parquet"):
        types = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]
        assert types["action"] == {"feature": {"dtype": "float32", "_type": "Value"}, "length": 3, "_type": "Sequence"}
        assert types["pose"]["_type"] == "Array2D"
        assert types["note"] == {"dtype": "string", "_type": "Value"}


def test_rows_without_types_stay_without(tmp_path):
    source = write(tmp_path / "new", [episode(6)])
    (path,) = (source / "data").rglob("*.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    (written,) = (old(source, tmp_path / "old") / "data").rglob("*.parquet")
    assert pq.read_schema(written).metadata is None


def gr00t_n15_metadata(folder):
    """The statistics loop of Isaac-GR00T N1 and N1.5, rebuilt from its public source (gr00t/data/dataset.py).

    `LeRobotSingleDataset._get_metadata`: every statistic of the original key, sliced by the start and end of a part.
    """
    read = {name: json.loads((folder / "meta" / f"{name}.json").read_text()) for name in ("modality", "info", "stats")}
    found = {}
    for modality_name in ("state", "action"):
        for part, entry in read["modality"][modality_name].items():
            indices = list(range(entry["start"], entry["end"]))
            for name, values in read["stats"][entry["original_key"]].items():
                found[modality_name, part, name] = [values[i] for i in indices]
    for part, entry in read["modality"]["video"].items():
        shape = read["info"]["features"][entry["original_key"]]
        assert shape["shape"][shape["names"].index("height")] > 0, part
    return found


def test_gr00t_slices_every_statistic_of_every_part(tmp_path):
    source = write(tmp_path / "new", everything(tmp_path))
    found = gr00t_n15_metadata(old(source, tmp_path / "old", "gr00t"))
    stats = json.loads((source / "meta" / "stats.json").read_text())
    assert found["action", "gripper", "mean"] == stats["action"]["mean"][2:3]
    assert found["state", "single_arm", "q99"] == stats["observation.state"]["q99"][:2]
    assert {name for _, _, name in found} == {"min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99"}
