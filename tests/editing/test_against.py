"""Edited datasets against the recordings they were made of."""

import pytest

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine import make_plan
from telecine.conversion.pipeline import Options, convert
from telecine.core.edit.model import make_edit
from telecine.editing.edit import edit
from telecine.inspection.compare import compare
from telecine.lerobot_format.read import read_table

pytestmark = pytest.mark.usefixtures("rerun")
FRONT = "observation.images.front"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("against")
    for number in range(2):
        camera = Camera(jittered(30, seed=number), "x264")
        write_robot(folder / "recordings" / f"r{number}.rrd", {"front": camera}, episode=number)
    plan = make_plan(robot_plan("front"))
    assert convert([folder / "recordings"], folder / "set", plan, Options(workers=0, verify=False)).ok
    return folder


def test_cut_episodes_are_still_compared_row_by_row(made, tmp_path):
    edit(
        made / "set",
        tmp_path / "out",
        delete="0",
        trim="1:5..20",
        success="1=true",
        rename=f"{FRONT}=observation.images.top",
    )
    assert compare(tmp_path / "out", [made / "recordings"]) == []
    shifted = read_table(tmp_path / "out", "meta/telecine/provenance.parquet", None).to_pylist()[0]["start_ns"]
    before = read_table(made / "set", "meta/telecine/provenance.parquet", None).to_pylist()[1]["start_ns"]
    assert shifted - before == round(5e9 / 30)
    edit(tmp_path / "out", tmp_path / "twice", split="0:7")
    assert compare(tmp_path / "twice", [made / "recordings"]) == []


def test_what_an_edit_changed_is_named_and_the_rest_compared(made, tmp_path):
    crop = make_edit({"cameras": {FRONT: {"crop": [0, 0, 32, 32]}}})
    edit(made / "set", tmp_path / "out", edits=[crop], task="0=wipe")
    edit(tmp_path / "out", tmp_path / "again", order="1,0")
    for root, relabelled in ((tmp_path / "out", 0), (tmp_path / "again", 1)):
        found = compare(root, [made / "recordings"])
        assert [(f.severity, f.episode, f.key) for f in found if f.key == "task_index"] == [
            ("info", relabelled, "task_index")
        ]
        assert [(f.severity, f.episode) for f in found if f.key == FRONT] == [("info", 0), ("info", 1)]
        assert len(found) == 3
