"""The command line as people and machines use it: exit codes, JSON, plans, and nothing written by a dry run."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from support.cli import telecine
from support.dataset import episode, write
from support.hdf5 import robomimic
from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.cli.main import app
from telecine.core.plan.model import make_plan, parse_plan

FLAGS = ["--fps", "30", "--index", "real_time", "--action", "/action:Scalars:scalars", "--state", "/joints"]
FLAGS += ["--task", "/task:TextDocument:text", "--video", "front:/camera/front"]


@pytest.fixture
def recordings(tmp_path, rerun):
    for number in range(2):
        camera = Camera(jittered(30 + 5 * number, seed=number), "x264")
        write_robot(tmp_path / "recordings" / f"r{number}.rrd", {"front": camera}, episode=number)
    return tmp_path / "recordings"


@pytest.fixture
def with_a_bad_one(recordings):
    (recordings / "r2.rrd").write_bytes(b"not a recording")
    return recordings


def test_convert_verify_and_compare_with_flags_alone(recordings, tmp_path):
    code, out, _ = telecine("convert", recordings, tmp_path / "out", *FLAGS)
    assert code == 0
    assert "2 episodes, 65 rows" in out
    assert telecine("verify", tmp_path / "out")[0] == 0
    code, out, _ = telecine("verify", tmp_path / "out", "--against", recordings, "--json")
    assert code == 0
    assert json.loads(out) == {"ok": True, "dataset": str(tmp_path / "out"), "findings": []}


def test_a_rejected_recording_is_named_and_the_exit_code_is_1(with_a_bad_one, tmp_path):
    code, out, _ = telecine("convert", with_a_bad_one, tmp_path / "out", *FLAGS)
    assert code == 1
    assert "rejected" in out
    assert "r2.rrd" in out
    assert "2 episodes" in out


def test_a_recording_that_cannot_be_read_stands_in_the_table_too(with_a_bad_one):
    code, out, _ = telecine("inspect", with_a_bad_one)
    assert code == 1
    table = out.partition("\n\n")[0].splitlines()
    assert [line.split()[0].partition("#")[0] for line in table[1:]] == ["r0.rrd", "r1.rrd", "r2.rrd"]
    assert table[0].endswith("not read")
    assert table[-1].endswith("source-unreadable")


def test_json_holds_the_whole_report(with_a_bad_one, tmp_path):
    code, out, _ = telecine("convert", with_a_bad_one, tmp_path / "out", *FLAGS, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["ok"] is False
    assert [e["rows"] for e in report["episodes"]] == [30, 35]
    assert report["episodes"][0]["clips"][0]["copied"] is True
    assert {u["key"] for u in report["episodes"][0]["uses"]} >= {"action", "observation.state"}
    assert [r["reason"]["code"] for r in report["rejected"]] == ["source-unreadable"]


def test_strict_writes_nothing_when_something_is_rejected(with_a_bad_one, tmp_path):
    (with_a_bad_one / "r2.rrd").unlink()
    write_robot(with_a_bad_one / "r1a.rrd", {}, episode=7, stop_s=1.0)
    code, _, _ = telecine("convert", with_a_bad_one, tmp_path / "out", *FLAGS, "--strict")
    assert code == 1
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_decisions_and_writes_nothing(recordings, tmp_path):
    before = sorted(p.name for p in tmp_path.iterdir())
    code, out, _ = telecine("convert", recordings, tmp_path / "out", *FLAGS, "--dry-run")
    assert code == 0
    for expected in ("fps: 30", "copy", "exact", "about", "nothing was written"):
        assert expected in out
    code, out, _ = telecine("convert", recordings, tmp_path / "out", *FLAGS, "--fps", "10", "--dry-run", "--json")
    forecast = json.loads(out)
    cameras = [c for r in forecast["recordings"] for c in r["cameras"]]
    assert {c["action"] for c in cameras} == {"encode"}
    assert all("not one to one" in c["why"] for c in cameras)
    assert forecast["size_bytes"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_dry_run_names_what_would_be_rejected(with_a_bad_one, tmp_path):
    write_robot(with_a_bad_one / "r3.rrd", {}, episode=7, stop_s=1.0)
    code, out, _ = telecine("convert", with_a_bad_one, tmp_path / "out", *FLAGS, "--dry-run", "--json")
    assert code == 1
    assert [r["reason"]["code"] for r in json.loads(out)["rejected"]] == ["source-unreadable", "plan-mismatch"]


def test_the_forecast_of_a_copy_is_the_size_that_comes_out(recordings, tmp_path):
    forecast = json.loads(telecine("convert", recordings, tmp_path / "out", *FLAGS, "--dry-run", "--json")[1])
    report = json.loads(telecine("convert", recordings, tmp_path / "out", *FLAGS, "--json")[1])
    expected = sum(c["size_bytes"] for r in forecast["recordings"] for c in r["cameras"])
    assert expected == sum(c["size_bytes"] for e in report["episodes"] for c in e["clips"])


def test_a_plan_file_and_flags_that_override_it(recordings, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(make_plan(robot_plan("front", fps=30)).to_yaml())
    code, out, _ = telecine("convert", recordings, tmp_path / "out", "--plan", plan, "--fps", "15", "--json")
    assert code == 0
    assert json.loads(out)["fps"] == 15
    stored = parse_plan((tmp_path / "out" / "meta" / "telecine" / "plan.yaml").read_text())
    assert stored.fps == 15


def test_a_flag_gives_what_a_plan_file_leaves_open(recordings, tmp_path):
    plan = tmp_path / "plan.yaml"
    body = make_plan(robot_plan("front", fps=30)).to_dict()
    plan.write_text(json.dumps({key: value for key, value in body.items() if key != "task"}))
    command = ("convert", recordings, tmp_path / "out", "--plan", plan, "--dry-run")
    assert telecine(*command)[0] == 2
    code, out, _ = telecine(*command, "--task-text", "wave", "--json")
    assert (code, json.loads(out)["plan"]["task"]) == (0, {"constant": "wave"})


def test_the_plan_that_inspect_proposes_converts_unedited(recordings, tmp_path):
    plan = tmp_path / "plan.yaml"
    code, out, _ = telecine("inspect", recordings, "--plan", plan)
    assert code == 0
    assert "/camera/front:VideoStream:sample" in out
    assert "telecine convert" in out
    assert telecine("convert", recordings, tmp_path / "out", "--plan", plan)[0] == 0
    assert telecine("inspect", recordings, "--plan", plan)[0] == 2


def test_the_command_that_inspect_proposes_runs(recordings, tmp_path):
    command = json.loads(telecine("inspect", recordings, "--json")[1])["command"].split()
    assert command[:2] == ["telecine", "convert"]
    command[command.index("out")] = str(tmp_path / "made")
    assert telecine(*command[1:])[0] == 0


def test_inspect_shows_the_rate_where_steps_are_numbered_too(h5py, tmp_path):
    robomimic(h5py, tmp_path / "demo.hdf5", control_freq=20)
    out = telecine("inspect", tmp_path / "demo.hdf5")[1]
    assert "/actions " in out
    assert "each: in 2/2, clock time, samples 9, 20.00 Hz" in out


def test_inspect_exits_1_for_a_file_it_cannot_read(with_a_bad_one):
    code, out, _ = telecine("inspect", with_a_bad_one)
    assert code == 1
    assert "source-unreadable" in out


def test_verify_says_what_is_wrong(recordings, tmp_path):
    telecine("convert", recordings, tmp_path / "out", *FLAGS)
    (tmp_path / "out" / "meta" / "stats.json").unlink()
    code, out, _ = telecine("verify", tmp_path / "out")
    assert code == 1
    assert "not fit for training" in out


def test_verify_says_what_it_did_not_look_at_and_where_there_is_no_dataset(tmp_path):
    write(tmp_path / "rows", [episode(8, 0)])
    assert "verified: OK. 1 episode, 8 rows, no camera\n" in telecine("verify", tmp_path / "rows")[1]
    code, out, _ = telecine("verify", tmp_path / "nowhere")
    assert code == 1
    assert "there is no such folder -> name the folder of a dataset" in out
    assert "nowhere: no dataset, as listed above" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["convert"], "RECORDINGS... OUT is missing; for example `telecine convert recordings/ dataset"),
        (["convrt", "in"], "telecine has no command 'convrt'; did you mean 'convert'?"),
        (["record", "sin"], "telecine record has no command 'sin'; did you mean 'sim'?"),
        (["xyz"], "telecine has no command 'xyz'; `telecine --help` lists what it has"),
        (["convert", "in", "out", "--fpss", "3"], "telecine convert has no option --fpss; did you mean '--fps'?"),
        (["--xyz"], "telecine has no option --xyz; `telecine --help` lists what it has"),
        (["convert", "in", "out", "--fps"], "--fps needs a value behind it; `telecine convert -h` says which"),
        (["convert", "in", "out", "--workers", "x"], "--workers: "),
        (["verify", "out", "--decode", "some"], "--decode: 'some' is not one of 'all', 'sample', 'none'; `telecine"),
        (
            ["demo", "a", "b", "c"],
            "telecine demo does not know what 'b c' is for; `telecine demo -h` says what it takes",
        ),
        (["verify"], "DATASET is missing; for example `telecine verify dataset/`"),
        (["convert", "out"], "telecine convert out OUT"),
        (["convert", "in", "out", "--index", "t"], "the plan is not complete"),
        (["convert", "in", "out", "--task", "/t", "--task-text", "x"], "use one of them"),
        (["convert", "in", "out", "--video", "front"], "not of the form key:path"),
        (["convert", "in", "out", "--feature", "x"], "not of the form KEY=STREAM"),
        (["convert", "in", "out", "--size", "big"], "not of the form WIDTHxHEIGHT"),
        (["convert", "in", "out", "--state-names", "a,b"], "add --state STREAM"),
        (["convert", "in", "out", "--plan", "missing.yaml"], "missing.yaml: there is no such plan; write one with"),
        (["convert", "in", "out", "--preset", "fast"], "--preset"),
        (["convert", "out", "--catalog-url", "rerun+http://127.0.0.1:1"], "needs --dataset-name"),
        (["convert", "in", "out", "--dataset-name", "x"], "needs --catalog-url"),
        (["inspect"], "no recordings given"),
    ],
)
def test_a_wrong_command_line_exits_2_and_says_why(arguments, said):
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.startswith("error: ")
    assert "Usage" not in result.output


def test_without_a_plan_the_recordings_say_it_and_the_report_says_so(recordings, tmp_path):
    code, out, _ = telecine("convert", recordings, tmp_path / "out", "--size", "64x48")
    assert code == 0
    assert "no plan was given, so it follows from the recordings" in " ".join(out.split())
    plan = parse_plan((tmp_path / "out" / "meta" / "telecine" / "plan.yaml").read_text())
    assert {f.key for f in plan.features} >= {"action", "observation.state"}
    assert plan.video.size == (64, 48)


def test_mistakes_in_a_plan_file_are_named_with_the_file(tmp_path):
    (tmp_path / "plan.yaml").write_text("fps: 30\nclok: {}\n")
    code, _, err = telecine("convert", "in", "out", "--plan", tmp_path / "plan.yaml")
    assert code == 2
    assert "plan.yaml: the plan has" in err
    assert "did you mean 'clock'" in err


def test_a_path_that_does_not_exist_exits_1(tmp_path):
    code, _, err = telecine("convert", tmp_path / "nowhere", tmp_path / "out", *FLAGS)
    assert code == 1
    assert "nowhere" in err


def test_every_flag_of_convert_reaches_the_plan(recordings, tmp_path):
    flags = [*FLAGS, "--feature", "gain=/joints", "--action-names", "time, sine", "--robot-type", "so101"]
    flags += ["--preset", "train", "--copy", "never", "--codec", "h264", "--crf", "30", "--gop", "7", "--size", "64x48"]
    code, out, _ = telecine("convert", recordings, tmp_path / "out", *flags, "--dry-run", "--json")
    assert code == 0
    plan = make_plan(json.loads(out)["plan"])
    assert plan.robot_type == "so101"
    assert plan.features[0].names == ("time", "sine")
    assert [f.key for f in plan.features][-1] == "gain"
    assert (plan.video.copy_policy, plan.video.crf, plan.video.gop, plan.video.size) == ("never", 30, 7, (64, 48))


def test_the_demo_ends_with_a_verified_dataset(tmp_path, rerun):
    code, out, _ = telecine("demo", tmp_path / "demo", "--episodes", "2", "--seconds", "2")
    assert code == 0
    for expected in ("recorded", "converted and verified", "next", "dataset/meta/info.json"):
        assert expected in out
    assert telecine("demo", tmp_path / "demo")[0] == 1  # never into a folder that holds something
    code, out, _ = telecine("demo", tmp_path / "again", "--episodes", "1", "--seconds", "1", "--json")
    assert code == 0
    assert json.loads(out)["report"]["ok"] is True


def test_a_catalog_server_is_converted_like_a_folder(recordings, tmp_path, catalog):
    import rerun as rr

    with rr.server.Server(host="127.0.0.1", datasets={"robots": str(recordings)}) as server:
        address = server.url().replace("0.0.0.0", "127.0.0.1")
        where = ["--catalog-url", address, "--dataset-name", "robots"]
        code, out, err = telecine("convert", tmp_path / "out", *where, *FLAGS, "--json")
        assert code == 0, err
    report = json.loads(out)
    assert (code, [e["rows"] for e in report["episodes"]]) == (0, [30, 35])
    assert report["episodes"][0]["clips"][0]["copied"] is True


def test_a_token_is_never_shown(tmp_path, catalog):
    where = ["--catalog-url", "rerun+http://127.0.0.1:9", "--dataset-name", "robots", "--catalog-token", "s3cret"]
    for json_flag in ([], ["--json"]):
        code, out, err = telecine("convert", tmp_path / "out", *where, *FLAGS, *json_flag)
        assert code == 1
        assert "s3cret" not in out + err


def test_version_and_schema():
    assert telecine("--version")[1].startswith("telecine ")
    assert json.loads(telecine("schema")[1])["title"] == "telecine plan"


def test_help_loads_nothing_that_reads_or_writes_recordings():
    code = (
        "import sys\nfrom telecine.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'pyarrow', 'av', 'rerun', 'pydantic', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


NOT_TO_START = (
    *("conversion.shards", "dataset.assembly", "dataset.v2_writer", "core.derive.derived", "sources.rrd.depth"),
    *("editing", "inspection", "recovery", "recorder", "storage", "viewer", "run.cluster", "video.cut"),
)
NO_LIBRARY = ("pyarrow.compute", "pyarrow.dataset", "rich.progress", "asyncio", "multiprocessing", "rerun")


def test_a_conversion_starts_without_what_others_need():
    """Parts, edits, older layouts, computed columns: what each imports would be paid by every conversion."""
    code = (
        "import sys; before = {*sys.modules}  # measuring coverage brings modules of its own\n"
        "import telecine.cli.main, telecine.cli.convert, telecine.sources.rrd.source\n"
        "print(*sys.modules.keys() - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    for name in (*(f"telecine.{part}" for part in NOT_TO_START), *NO_LIBRARY):
        assert not [module for module in loaded if f"{module}.".startswith(f"{name}.")]


def test_a_conversion_compiles_no_method_of_a_dataclass_before_it_is_used():
    """The standard library compiles six for each frozen class with slots; telecine.core.dataclass does not."""
    code = (
        "import sys, telecine.cli.main, telecine.cli.convert, telecine.sources.rrd.source\n"
        "for module in [m for name, m in sys.modules.items() if name.startswith('telecine.')]:\n"
        "    for kind in vars(module).values():\n"
        "        made = getattr(kind, '__dataclass_params__', None)\n"
        "        ours = made and made.frozen and not made.order and kind.__module__.startswith('telecine.')\n"
        "        if ours and '__slots__' in vars(kind): print(kind.__qualname__)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == ""


def test_without_a_terminal_progress_is_lines_and_none_with_quiet_or_json(recordings, tmp_path):
    command = [sys.executable, "-m", "telecine", "convert", str(recordings), str(tmp_path / "out"), *FLAGS]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert {line.partition(":")[0] for line in ran.stderr.splitlines()} == {"converting", "verifying"}
    for flag in ("--quiet", "--json"):
        ran = subprocess.run([*command, flag, "--overwrite"], check=True, capture_output=True, text=True)
        assert ran.stderr == ""
