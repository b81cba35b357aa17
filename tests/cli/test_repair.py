"""`telecine repair` as a user meets it."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from support.corruptions import zeroed
from support.dataset import episode, two_cameras, write
from telecine.cli.main import app


@pytest.fixture
def broken(tmp_path):
    root = write(tmp_path / "dataset", [episode(6, i, clips=two_cameras(tmp_path, 6, i)) for i in range(2)])
    shutil.rmtree(root / "meta" / "episodes")
    return root


def telecine(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def test_without_apply_it_proposes_and_writes_nothing(broken):
    before = sorted(broken.parent.rglob("*"))
    done = telecine("repair", broken)
    assert done.exit_code == 1
    assert "2 episodes, 12 rows, nothing lost; nothing was written" in done.output
    assert f"telecine repair {broken} --apply {broken}-repaired" in done.output
    assert sorted(broken.parent.rglob("*")) == before


def test_a_dry_run_that_would_lose_an_episode_fails_and_never_says_nothing_is_wrong(tmp_path):
    root = write(tmp_path / "dataset", [episode(6, i, clips=two_cameras(tmp_path, 6, i)) for i in range(2)])
    zeroed(next((root / "videos").rglob("*.mp4")), 2)
    done = telecine("repair", root)
    assert done.exit_code == 1
    assert "1 episode, 6 rows, lost as named above: 1" in done.output
    assert ": nothing\n" not in done.output


def test_where_nothing_can_be_saved_no_copy_is_proposed(broken):
    (broken / "meta" / "info.json").unlink()
    done = telecine("repair", broken)
    assert done.exit_code == 1
    assert "nothing can be saved: see above, or convert the recordings again" in done.output
    assert "--apply" not in done.output


def test_with_apply_it_writes_a_copy_that_verifies(broken):
    done = telecine("repair", broken, "--apply", broken.parent / "out")
    assert done.exit_code == 0, done.output
    assert "verified" in done.output
    assert telecine("verify", broken.parent / "out").exit_code == 0
    assert telecine("repair", broken.parent / "out").exit_code == 0


def test_losses_make_it_fail_and_are_all_in_the_json(broken):
    shutil.rmtree(broken / "videos" / "observation.images.wrist")
    done = telecine("repair", broken, "--apply", broken.parent / "out", "--json")
    assert done.exit_code == 1
    report = json.loads(done.output)
    assert (report["ok"], report["episodes"], report["after"]) == (False, 2, [])
    assert [f["where"] for f in report["found"] if f["code"] == "repair-lost"] == ["observation.images.wrist"]


def test_an_existing_folder_is_left_alone(broken):
    (broken.parent / "out").mkdir()
    (broken.parent / "out" / "thesis.txt").write_text("precious")
    done = telecine("repair", broken, "--apply", broken.parent / "out")
    assert done.exit_code == 1
    assert "error:" in done.output
    assert (broken.parent / "out" / "thesis.txt").read_text() == "precious"


def test_a_feature_that_is_not_there_is_named(broken):
    done = telecine("repair", broken, "--without", "observation.images.wirst")
    assert done.exit_code == 1
    assert "no such feature" in done.output


def test_a_conflict_ends_with_the_commands_that_answer_it(tmp_path):
    root = write(tmp_path / "dataset", [episode(6, i) for i in range(2)])
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for name in [n for n in table.column_names if n.startswith("stats/")]:
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), table.column(name).take(pa.array([1, 0])))
    pq.write_table(table, path)
    done = telecine("repair", root, "--apply", tmp_path / "out", "--without", "action")
    assert done.exit_code == 1
    asked = f"telecine repair {root} --apply {tmp_path / 'out'} --without action --trust"
    lines = [line.strip() for line in done.output.splitlines() if " --trust" in line and line.strip().startswith("tel")]
    assert lines == [f"{asked} rows", f"{asked} meta"]
    assert telecine("repair", root, "--trust", "rows", "--trust", "video").exit_code == 1
    assert json.loads(telecine("repair", root, "--json").output)["answers"] == [["rows"], ["meta"]]
