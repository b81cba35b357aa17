"""Every command in README and docs runs, page by page, on small inputs; what cannot is listed with the reason.

A block of commands is fenced as bash or sh. One fenced with a title (`title="loop.py"`) is a file of that name, so
that a page runs as it is written. Recordings of `record sim` and `demo` are made smaller.
"""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
import typer
import yaml

import telecine as tc
from support.cli import telecine
from support.guide import write_folder
from support.old_dataset import write_old
from support.robosandbox import write_run
from telecine.cli.main import app
from telecine.core.findings import CODES
from telecine.core.quality.table import CHECKS
from telecine.recorder.sim.spoil import KINDS

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
PROGRAM = typer.main.get_command(app)

CANNOT = {
    r"(\./isaaclab\.sh|telecine \w+ datasets/(my_dataset|stack)\.lerobot)": "needs Isaac Lab: tests/record",
    r"(python -m venv|\. \.venv|pip install|.*\bpip install)": "changes the environment: .ci/run and .ci/dist run them",
    r"(pytest|bash \.ci/|PYTHONPATH=tests|python (bench|tests)/)": "this suite, the gate, or minutes of measuring",
    r"telecine push": "needs an account: tests/cli/test_push.py has a Hub of its own",
    r"telecine \w+ (s3|hf)://": "needs a store: tests/stores have one of their own",
    r"telecine view": "serves until it is stopped: tests/viewer",
    r".*--engine ray": "starts a cluster: tests/shards/test_ray.py",
    r"(parts=|sbatch)": "needs Slurm: tests/shards/test_docs.py",
    r"(.*--shard 1/200|telecine finalize out)": "tests/shards/test_docs.py makes all parts of such a job",
    r".*--urdf arm\.urdf": "needs a robot's URDF: tests/editing/test_derived.py",
    r"telecine completion bash >>": "changes the user's shell: tests/cli/test_help.py",
}
"""Commands that are not run, by how they begin -> why, and where they are. telecine's own are parsed all the same."""

DIFFERS = r"(telecine (diff|repair|inspect .*--fail-on)|telecine finalize .*--dry-run)"
"""Commands whose exit code 1 is an answer."""


def runs(name, count=4, lines=60, pictures=None):
    for number in range(count):
        write_run(Path(name) / f"run_{number}", lines, actions=True, pictures=pictures)


def dataset(name):
    runs(f"for-{name}")
    tc.convert(f"for-{name}", name, workers=0)


def labelling():
    dataset("picks")
    runs("recordings")
    for name, first, places in (("labels", "episode", (0, 3)), ("takes", "recording", ("run_0", "run_3"))):
        rows = [f"{place},0s,1.5s,subtask,reach" for place in places]
        Path(f"{name}.csv").write_text("\n".join([f"{first},start,stop,style,text", *rows]), encoding="utf-8")


def nothing():
    """For pages that bring all they need."""


def broken(name):
    dataset(name)
    (Path(name) / "data" / "chunk-000" / "file-000.parquet").write_bytes(b"PAR1")


def readme():
    runs("recordings")


def editing():
    runs("recordings", 10, 190, pictures=0)
    tc.convert("recordings", "picks", feature={"wrench": "/ee_pose"}, workers=0)
    Path("marks.yaml").write_text("{edit: 1, inputs: [{path: picks}], episodes: {'0': {drop: true}}}", encoding="utf-8")
    tc.edit("picks", "monday", keep="0-1")
    tc.edit("picks", "tuesday", keep="5-6")
    tc.convert(write_old(Path("old"), (20, 20)), "home", task="lift", workers=0)
    tc.edit("home", "lab", rename="observation.images.top=observation.images.front")


def tensorflow_dataset():
    from support import rlds  # needs google-crc32c

    rlds.dataset(Path(), [[rlds.episode(number) for number in range(3)]])


def demonstrations():
    page = PAGES["docs/tutorials/hdf5.md"]
    exec(compile(files_of(page)["make_demos.py"], "make_demos.py", "exec"), {"__name__": "__main__"})


PREPARE = {
    "README.md": ("rerun", readme),
    "CONTRIBUTING.md": ("rerun", nothing),
    "docs/derived.md": (None, lambda: runs("recordings")),
    "docs/edit.md": (None, editing),
    "docs/hdf5.md": ("h5py", lambda: (demonstrations(), *map(write_old, map(Path, ("old", "monday", "tuesday"))))),
    "docs/how_to.md": (None, lambda: (runs("recordings"), dataset("picks"), write_old(Path("old")))),
    "docs/index.md": ("rerun", nothing),
    "docs/labels.md": (None, labelling),
    "docs/quality.md": ("mujoco", lambda: (dataset("picks"), runs("recordings"))),
    "docs/record.md": ("mujoco+rerun", nothing),
    "docs/repair.md": (None, lambda: broken("DATASET")),
    "docs/rlds.md": ("google_crc32c", tensorflow_dataset),
    "docs/scale.md": (None, lambda: runs("recordings")),
    "docs/so101.md": ("rerun", lambda: (Path("episodes").mkdir(), write_folder(Path("episodes")))),
    "docs/terminal.md": (None, nothing),
    "docs/tutorials/cluster.md": ("mujoco", nothing),
    "docs/tutorials/curation.md": ("mujoco", nothing),
    "docs/tutorials/hdf5.md": ("h5py", nothing),
    "docs/tutorials/live.md": (None, nothing),
    "docs/tutorials/rerun.md": ("rerun+matplotlib", nothing),
    "docs/tutorials/rlds.md": ("google_crc32c", tensorflow_dataset),
    "docs/tutorials/ros.md": ("mujoco+mcap", nothing),
    "docs/tutorials/simulation.md": ("mujoco+matplotlib", nothing),
}
"""Page -> the packages that it needs, and what makes the recordings and datasets that it speaks of."""

EXTRAS = {"mujoco": "sim", "h5py": "hdf5", "matplotlib": "plot", "google_crc32c": "rlds", "mcap": "sim"}


def blocks(page):
    """(language, title, text) of each fenced block."""
    found = re.findall(r"^( *)```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    return [(language, title, re.sub(f"(?m)^{space}", "", text)) for space, language, title, text in found]


def files_of(page):
    """The files that a page says to write."""
    return {title: text for _, title, text in blocks(page) if title}


def commands(page):
    """Each command of a page, without comments, in order."""
    found = []
    for language, title, text in blocks(page):
        if language not in ("bash", "sh") or title or text.startswith("#!"):
            continue
        for line in text.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            found += [part.strip() for part in line.split(" && ") if part.strip()]
    return found


def reason_not_to_run(command):
    return next((why for begins, why in CANNOT.items() if re.match(begins, command)), None)


def words_of(command):
    """A command of telecine in words, without redirections and `|| true`."""
    words = shlex.split(command.removesuffix("|| true"))
    return list(takewhile(lambda word: word not in (">", ">>"), words))[1:]


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if commands(text)])
def test_commands_of_telecine_parse(page):
    for command in commands(PAGES[page]):
        if not command.startswith("telecine "):
            assert reason_not_to_run(command) or command.startswith("python "), f"{page}: {command}"
            continue
        name, *rest = words_of(command)
        if name.startswith("-"):
            continue
        found = PROGRAM.commands[name]
        if name == "record":
            found, rest = found.commands[rest[0]], rest[1:]
        if not {"-h", "--help"} & set(rest):
            found.make_context(name, rest)  # raises for what it does not know


def test_each_reason_not_to_run_is_of_a_command():
    every = [command for text in PAGES.values() for command in commands(text)]
    assert [begins for begins in CANNOT if not any(re.match(begins, command) for command in every)] == []


def test_every_page_with_commands_is_run_or_has_only_such_as_cannot():
    runnable = {name for name, text in PAGES.items() if any(not reason_not_to_run(c) for c in commands(text))}
    assert runnable == set(PREPARE)


@pytest.mark.filterwarnings("ignore:warning record-behind")  # of a busy machine
@pytest.mark.parametrize("page", PREPARE)
def test_commands_run_as_they_are_written(page, tmp_path, monkeypatch, request):
    needs, prepare = PREPARE[page]
    for package in filter(None, (needs or "").split("+")):
        if package == "rerun":
            request.getfixturevalue("rerun")
        else:
            pytest.importorskip(package, reason=f"needs {package}: pip install 'telecine[{EXTRAS[package]}]'")
    monkeypatch.chdir(tmp_path)
    prepare()
    for name, text in files_of(PAGES[page]).items():
        Path(name).write_text(text, encoding="utf-8")
    for command in commands(PAGES[page]):
        if not reason_not_to_run(command):
            code, said = run(command)
            assert code in ((0, 1) if re.match(DIFFERS, command) else (0,)), f"{command}: {code}\n{said}"


SMALLER = {"record": ["--size", "96x72", "--seconds", "3"], "demo": ["--seconds", "2"]}
"""What is added to commands, so that they take less time."""


def make_room(words):
    """Remove what the command before wrote there: pages show several ways to make one dataset."""
    if words[0] in ("convert", "edit", "merge") and not {"--append", "--in-place", "--shard", "-h"} & set(words):
        given = PROGRAM.commands[words[0]].make_context(words[0], words[1:]).params
        target = given.get("out") or given.get("paths", given.get("datasets"))[-1]
        shutil.rmtree(target, ignore_errors=True)


def run(command):
    """(exit code, what was said) of one command."""
    if command.startswith("python "):
        ended = subprocess.run([sys.executable, *shlex.split(command)[1:]], capture_output=True, text=True)
        return ended.returncode, ended.stdout + ended.stderr
    words = words_of(command)
    words += SMALLER.get(words[0], [])
    make_room(words)
    code, out, err = telecine(*words)
    _, redirected, target = command.partition(" > ")
    if redirected:
        Path(target).write_text(out, encoding="utf-8")
    return code, out + err


@pytest.mark.parametrize(
    "page", [n for n, text in PAGES.items() if any(b[0] in ("python", "yaml", "json") for b in blocks(text))]
)
def test_other_blocks_are_what_they_say(page):
    for language, _, text in blocks(PAGES[page]):
        if language == "python":
            ast.parse(text)
        if language in ("yaml", "json"):
            list(yaml.safe_load_all(text))


def test_messages_in_troubleshooting_are_said_somewhere():
    said = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?"', "", said)  # texts over several lines
    rows = re.findall(r"^\| (.*?) \|", PAGES["docs/troubleshooting.md"], re.MULTILINE)
    texts = [text for row in rows for text in re.findall(r"`([^`]+)`", row) if row.startswith(("`", "[`"))]
    others = {"No space left on device"}  # the system's
    assert [text for text in texts if text not in said and text not in CODES and text not in others] == []


def test_each_check_of_quality_has_its_line_and_each_picture_is_shown():
    page, folder = PAGES["docs/quality.md"], ROOT / "docs" / "pictures"
    assert [check.code for check in CHECKS if f"`{check.code}`" not in page] == []
    shown = re.findall(r"\]\(pictures/([\w.-]+)\)", page)
    assert sorted(shown) == sorted(path.name for path in folder.iterdir())
    assert {path.stem for path in folder.iterdir()} >= set(KINDS) - {"task", "placeholder", "spelling"}, (
        "tasks are text"
    )
