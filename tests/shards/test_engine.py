"""All parts of a conversion on a cluster: the dataset of one run, with a log and a reason for what fails."""

import signal
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import telecine as tc
from support.cli import telecine
from support.cluster import OneNode, Watch
from support.robosandbox import write_run
from support.shards import assert_equal
from telecine.commands import engine as engine_command
from telecine.commands.engine import engine_of
from telecine.conversion.pipeline import Options
from telecine.conversion.shards.engine import OnCluster, convert_on
from telecine.core.derive.functions import Toolbox
from telecine.core.errors import DatasetError, PlanError
from telecine.core.shards import MOST_CHUNKS, SMALL_SHARD_BYTES, shards_for
from telecine.dataset.staging import workspace
from telecine.run.cluster import Command, last_line, run_command
from telecine.run.executor import serial


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine") / "recordings"
    for number in range(3):
        write_run(folder / f"run-{number}", 8 + number, pictures=0, actions=True)
    write_run(folder / "run-3", 0, pictures=0)
    return folder


@pytest.fixture(scope="module")
def plan(recordings):
    return tc.inspect(recordings / "run-1").plan


@pytest.fixture(scope="module")
def whole(recordings, plan, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "out"
    tc.convert(recordings, root, plan, workers=0)
    return root


def asked(recordings, root, plan, shards=2, **options):
    return OnCluster([str(recordings)], root, plan, Options(**options), ("--workers", "0"), shards)


def test_the_parts_run_as_commands_and_make_the_dataset_of_one_run(recordings, plan, whole, tmp_path):
    cluster, watch = OneNode(lost={"2/2"}), Watch()
    made = convert_on(asked(recordings, tmp_path / "out", plan), cluster, executor=serial, watcher=watch)
    assert (made.published, made.ok, [part.what for part in made.parts]) == (False, False, ["done", "missing"])
    lost = next(f for f in made.findings if f.code == "engine-part")
    assert (lost.message, lost.fix.endswith("logs/shard-002.log")) == ("lost with its node", True)
    assert watch.notes[-1] == "part 2/2 failed: lost with its node"

    again = Watch()
    made = convert_on(asked(recordings, tmp_path / "out", plan, None), cluster, executor=serial, watcher=again)
    assert (made.published, made.episodes, len(made.rejected)) == (True, 3, 1)
    assert cluster.ran == ["1/2", "2/2"]  # what was done is not made again
    assert again.notes[0] == "1 of 2 parts is done already"
    assert (watch.total - watch.done, again.done) == (again.total, again.total)
    assert_equal(tmp_path / "out", whole)
    log = (workspace(tmp_path / "out") / "job-new" / "logs" / "shard-001.log").read_text()
    assert "on here: telecine convert" in log
    assert "2 episodes" in log
    assert log.endswith("--- exit code 1\n")  # for the recording that was rejected

    made = convert_on(asked(recordings, tmp_path / "out", plan, None), cluster, executor=serial, watcher=Watch())
    assert (made.published, made.ok, len(cluster.ran)) == (True, True, 2)


def test_a_part_whose_command_fails_is_named_with_what_it_said(recordings, plan, tmp_path):
    question = asked(recordings, tmp_path / "out", plan, 1)
    wrong = OnCluster(question.paths, question.root, plan, question.options, ("--where", "no such thing"), 1)
    made = convert_on(wrong, OneNode(), executor=serial, watcher=Watch())
    found = next(f for f in made.findings if f.code == "engine-part")
    assert found.message.startswith("2: error: --where")


def test_an_interruption_says_how_far_it_is(recordings, plan, tmp_path):
    class Interrupted(OneNode):
        def run(self, commands, hear):
            yield from super().run(commands[:1], hear)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        convert_on(asked(recordings, tmp_path / "out", plan), Interrupted(), executor=serial, watcher=Watch())
    assert stopped.value.__notes__ == ["1 of 2 parts is done; the same command makes the others"]


def test_without_room_on_any_node_it_says_what_to_do(recordings, plan, tmp_path):
    with pytest.raises(PlanError, match="lower --workers or --max-memory, or give --shards"):
        convert_on(asked(recordings, tmp_path / "o", plan, None), OneNode(0), executor=serial, watcher=Watch())
    watch = Watch()
    made = convert_on(asked(recordings, tmp_path / "out", plan, 1), OneNode(0), executor=serial, watcher=watch)
    assert (made.published, watch.notes[0]) == (True, "no node has room for a part now; they wait until one has")


def test_small_recordings_are_one_part(recordings, plan, tmp_path):
    cluster = OneNode(slots=9)
    made = convert_on(asked(recordings, tmp_path / "out", plan, None), cluster, executor=serial, watcher=Watch())
    assert (made.shards, cluster.ran) == (1, ["1/1"])


@given(recordings=st.integers(0, 10**7), size=st.integers(0, 10**16), slots=st.integers(1, 10**4))
def test_the_number_of_parts_is_within_bounds(recordings, size, slots):
    number = shards_for(recordings, size, slots)
    assert 1 <= number <= max(1, min(recordings, MOST_CHUNKS))
    assert number == 1 or size == 0 or number <= -(-size // SMALL_SHARD_BYTES)


def test_flags_of_engines_are_checked_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("telecine.run.ray.load", lambda address: None)
    assert engine_of({"fps": 30}) is None
    for flags, text in (
        ({"shards": 3}, "--shards goes with --engine ray"),
        ({"ray_address": "auto"}, "--ray-address goes with --engine ray"),
        ({"engine": "dask"}, "is ray"),
        ({"engine": "ray", "shard": "1/2"}, "leave one out"),
        ({"engine": "ray", "shards": 0}, "1 to 1000 parts"),
    ):
        with pytest.raises(PlanError, match=text):
            engine_of(flags)
    found = engine_of({"engine": "ray", "functions": tmp_path / "f.py", "shards": 4, "ray_address": "auto"})
    assert (found.shards, found.ray_address, found.files) == (4, "auto", (("--functions", str(tmp_path / "f.py")),))


def test_the_flags_of_a_part_are_those_of_the_command():
    options = Options(append=True, verify=False, resume=False, where="rows > 1", timeout_s=9.0, max_memory_bytes=5)
    assert engine_command._words(options, 2) == [
        "--workers", "2", "--append", "--no-verify", "--no-resume", "--where", "rows > 1", "--timeout", "9.0",
        "--max-memory", "5B",
    ]  # fmt: skip


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, error = telecine("convert", "missing.mcap", tmp_path / "out", "--engine", "ray")
    assert (code, "pip install 'telecine[ray]'" in error) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_commands_are_run_with_the_flags_and_no_secret_in_sight(recordings, plan, tmp_path, monkeypatch):
    """The whole command, with a cluster of this process in the place of Ray's."""
    clusters = []

    class Given(OneNode):
        def __init__(self, address, *, cpus, memory_bytes):
            super().__init__()
            clusters.append((self, address, cpus, memory_bytes))

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

    monkeypatch.setattr("telecine.run.ray.RayCluster", Given)
    monkeypatch.setattr("telecine.run.ray.load", lambda address: None)
    monkeypatch.setenv("TELECINE_CATALOG_TOKEN", "very-secret")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    (tmp_path / "f.py").write_text("def f(x):\n    return x\n")
    words = ["--plan", "plan.yaml", "--engine", "ray", "--ray-address", "auto", "--workers", "1", "--functions", "f.py"]
    code, out, error = telecine("convert", recordings, "out", *words)
    assert (code, "3 episodes" in out, "part 1/1 is done on here" in error) == (1, True, True)  # one is rejected
    ((cluster, *given),) = clusters
    assert (cluster.ran, given[:2]) == (["1/1"], ["auto", 1])
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if b"very-secret" in path.read_bytes()]
    tools = Options(tools=Toolbox({"f": len}))
    with pytest.raises(PlanError, match="as files"):
        tc.convert(recordings, "other", plan, tools, engine="ray")
    made = tc.convert(recordings, "out", engine="ray", functions="f.py")
    assert (made.published, made.ok) == (True, True)


@pytest.mark.usefixtures("rerun")
def test_a_command_that_is_interrupted_ends(tmp_path):
    """What a cancelled task of Ray gets, while it waits for its process, which takes longer than that."""
    command = Command("x", ("demo", str(tmp_path / "d"), "--episodes", "50"), str(tmp_path / "log"), lambda: False)
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command(command, lambda _: None, "here")
    finally:
        timer.cancel()  # else the next test would be interrupted, and the whole run with it
    assert "exit code" not in (tmp_path / "log").read_text()
    marker = str(tmp_path / "d").encode()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker in _bytes(p)]


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        run_command(Command("x", ("schema",), str(tmp_path / "file" / "log"), lambda: True), lambda _: None, "here")
    assert last_line(str(tmp_path / "nothing")) == ""
