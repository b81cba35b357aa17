"""Datasets joined of parts in LeRobot: its reader gives what those of one run give; the conformance check passes."""

import numpy as np

import telecine as tc
from conftest import needs
from support.robot import Camera, jittered, robot_plan, write_robot
from support.shards import convert_all
from support.stores import Bucket, environment, s3_server


def assert_same_in_lerobot(ours, theirs):
    """Rows at all borders and every seventh between are equal."""
    assert (len(ours), ours.num_episodes) == (len(theirs), 6)
    borders = np.cumsum([0, *(int(length) for length in theirs.meta.episodes["length"])])
    near = {int(row) + step for row in borders for step in (-1, 0, 1)}
    for row in sorted({*range(0, len(theirs), 7), *near} & set(range(len(theirs)))):
        one, other = ours[row], theirs[row]
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert np.array_equal(np.asarray(one[key]), np.asarray(value)), (row, key)


def write_uneven(folder):
    """Six recordings: uneven parts, so that chunk numbers have gaps; tasks that parts count differently."""
    for number in range(6):
        tasks = {0.2: "one", 0.6: "two"} if number % 2 else {0.2: "two"}
        cameras = {"front": Camera(jittered(24 + 6 * number, seed=number), "jpeg" if number == 2 else "x264")}
        write_robot(folder / f"r{number}.rrd", cameras, episode=number, tasks=tasks)


def test_lerobot_reads_a_finalized_dataset_as_that_of_one_run(rerun, tmp_path, lerobot_dataset, conformance):
    write_uneven(tmp_path / "in")
    plan = tc.make_plan(robot_plan("front"))
    tc.convert(tmp_path / "in", tmp_path / "whole", plan, workers=0)
    _, made = convert_all(tmp_path / "in", tmp_path / "out", plan, 9, [5, 1, 9, 2, 8, 3, 7, 4, 6])
    assert (made.ok, made.episodes) == (True, 6)
    assert_same_in_lerobot(lerobot_dataset(tmp_path / "out"), lerobot_dataset(tmp_path / "whole"))
    conformance(tmp_path / "out")


def test_lerobot_reads_a_dataset_whose_parts_met_in_a_bucket(
    rerun, tmp_path, lerobot_dataset, conformance, monkeypatch
):
    for module, extra in (("obstore", "cloud"), ("moto", "reference"), ("boto3", "reference")):
        needs(module, extra)
    write_uneven(tmp_path / "in")
    plan = tc.make_plan(robot_plan("front"))
    tc.convert(tmp_path / "in", tmp_path / "whole", plan, workers=0)
    with s3_server(tmp_path / "log") as port:
        for name, value in environment(f"http://127.0.0.1:{port}").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TELECINE_SCRATCH", str(tmp_path / "scratch"))
        bucket = Bucket("lerobot-reads", f"http://127.0.0.1:{port}")
        _, made = convert_all(bucket.upload(tmp_path / "in", "raw"), bucket.address("ds"), plan, 4, [3, 1, 4, 2])
        there = bucket.download("ds", tmp_path / "out")
    assert (made.ok, made.episodes) == (True, 6)
    assert_same_in_lerobot(lerobot_dataset(there), lerobot_dataset(tmp_path / "whole"))
    conformance(there)
