"""The benchmarks run: a name that changes in telecine is noticed before somebody wants to measure."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
LEROBOT = {"lerobot_writer", "reads"}
"""Those that import LeRobot: tests/reference/test_bench.py."""
MODULES = sorted({path.stem for path in BENCH.glob("*.py")} - LEROBOT)


def run(*command: str | Path) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


IMPORTS = """
import importlib, sys
ours = {"telecine", *sys.argv[1:]}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ours:
            raise
        print(f"{name} needs {error.name}")
"""


def test_every_benchmark_is_imported_that_finds_its_libraries() -> None:
    folders = [str(BENCH), str(BENCH.parent / "tests")]
    run("-c", f"import sys; sys.path[:0] = {folders}\n{IMPORTS}", *MODULES)


@pytest.fixture
def compiled(rerun: object) -> None:
    """rerun-sdk whose compiled reader is the one that bare copying uses."""
    if not hasattr(pytest.importorskip("rerun_bindings"), "RrdReaderInternal"):
        pytest.skip("the limits are measured with a newer rerun-sdk: pip install 'telecine[rrd]'")


@pytest.mark.parametrize("kind", ["state", "camera", "json"])
def test_messages_are_made_and_read(mcap: object, tmp_path: Path, kind: str) -> None:
    run(BENCH / "messages.py", "make", kind, tmp_path / "m.mcap", "1")
    readers = ("bare", "checked", "telecine", "inspected", *(("one_camera",) if kind == "camera" else ()))
    for reader in readers:
        assert '"cpu_s"' in run(BENCH / "messages.py", "read", reader, tmp_path / "m.mcap")


def test_the_limits_are_measured(compiled: None, mcap: object) -> None:
    table = run(BENCH / "run.py", "--smoke")
    assert [line.split(" | ")[0] for line in table.splitlines()[2:10]] == [
        "| start", "| copy", "| copy", "| short", "| short", "| short", "| messages", "| messages"
    ]  # fmt: skip


def test_the_floors_of_copying_are_measured(compiled: None, tmp_path: Path) -> None:
    run(BENCH / "recordings.py", "short", tmp_path, "1", "2")
    assert "| sum | " in run(BENCH / "floors.py", *tmp_path.glob("*.rrd"))
