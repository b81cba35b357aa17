"""The public names: listed, documented, with examples that run, and equal to what the command line does."""

import doctest
import inspect
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import telecine as tc
from support.cli import telecine
from support.robosandbox import write_run
from telecine.cli.main import app
from telecine.commands.flag_table import GROUPS, PlanFlags, RunFlags

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
NAMES = [name for name in tc.__all__ if name != "__version__"]
FUNCTIONS = [name for name in NAMES if name[0].islower()]
NEEDS = {"demo": "rerun", "record_sim": "mujoco", "view": "starlette", "View": "starlette"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with two recordings."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        write_run(tmp_path / "recordings" / f"run_{number}", 8, actions=True)
    return tmp_path


@pytest.fixture
def dataset(folder):
    """And the dataset that they make."""
    tc.convert("recordings", "dataset")
    return folder / "dataset"


def test_all_dir_and_docs_list_the_same_names():
    assert list(tc.__all__) == sorted(tc.__all__)
    assert set(tc.__all__) <= set(dir(tc))
    assert set(re.findall(r"^\| `(?:tc\.)?(\w+)", DOCS.split("## Flags")[0], re.MULTILINE)) == set(tc.__all__)


def test_a_fresh_interpreter_lists_them_before_any_is_used():
    code = "import telecine; print(*dir(telecine))"
    listed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(tc.__all__) <= set(listed)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, telecine; print(*{'numpy', 'pyarrow', 'pydantic', 'av', 'typing'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                            check=True, capture_output=True, text=True).stdout  # fmt: skip
    assert loaded.split() == []


def test_the_docs_list_every_flag():
    listed = re.findall(r"^\| `(\w+)` \|", DOCS.split("## Flags")[1], re.MULTILINE)
    assert sorted(listed) == sorted(f.name for table in (PlanFlags, RunFlags) for f in fields(table))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_of_the_package_and_their_examples_run(name, request, dataset):
    if name in NEEDS:
        request.getfixturevalue(NEEDS[name])
    found = getattr(tc, name)
    assert found.__module__ == "telecine"
    text = inspect.getdoc(found) or ""
    if isinstance(found, type) and issubclass(found, Exception):
        return
    example = doctest.DocTestParser().get_doctest(
        text, {known: getattr(tc, known) for known in NAMES}, name, None, None
    )
    assert example.examples, "no example"
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_take_give_and_raise(name):
    found = getattr(tc, name)
    text = inspect.getdoc(found) or ""
    parameters = inspect.signature(found).parameters
    missing = [p for p in parameters if f"\n    {p}: " not in text]
    assert missing == []
    assert "Returns:" in text
    assert ("Raises:" in text) == bool(parameters)


def test_every_command_is_a_function_of_its_name():
    import typer

    words = {"record": "record_sim"}
    commands = typer.main.get_command(app).commands
    about_the_program = {"help", "completion"}
    assert [name for name in commands if words.get(name, name) not in {*tc.__all__, *about_the_program}] == []


def test_convert_without_a_plan_is_what_the_command_line_does(folder):
    report = tc.convert("recordings", "here", fps=15, overwrite=True, workers=0)
    code, out, _ = telecine("convert", "recordings", "there", "--fps", "15", "--workers", "0", "--json")
    there = json.loads(out)
    here = json.loads(json.dumps(report.to_dict()))
    assert (code, report.ok) == (0, True)
    assert any(f.code == "plan-proposed" for f in report.findings)
    for body in (here, there):
        del body["seconds"], body["root"]
    assert json.dumps(here).replace('"here', '"there') == json.dumps(there)
    for path in sorted((folder / "here").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (folder / "there" / path.relative_to(folder / "here")).read_bytes(), path


def test_plans_are_taken_in_every_form(folder):
    seen = tc.inspect("recordings", plan="plan.yaml")
    plan = seen.plan
    forms = [plan, "plan.yaml", Path("plan.yaml"), plan.to_dict(), seen.proposal]
    rows = [[r.rows for r in tc.dry_run(["recordings"], form).recordings] for form in forms]
    assert rows == [[8, 8]] * len(forms)
    assert tc.convert("recordings", "out", plan, tc.Options(workers=0), fps=10).fps == 10


@pytest.mark.parametrize(
    ("task", "texts"),
    [
        ("stack the cubes", "stack the cubes"),
        ("/task", "pick up the red cube"),
        ({"from": "/task"}, "pick up the red cube"),
    ],
)
def test_a_task_is_a_text_or_a_stream(folder, task, texts):
    report = tc.convert("recordings", "out", task=task)
    assert {t for e in report.episodes for t in e.tasks} == {texts}


def test_flags_have_the_command_lines_names_and_pythons_types(folder):
    plan = tc.dry_run("recordings", index="sim", fps=30, state="/robot_joints", action=["/action"], rate=30,
                      video={"front": "/scene"}, size=(64, 48), task_text="x", feature={"pose": ["/ee_pose"]},
                      action_names=list("abcdefg"), max_memory="8GB").plan  # fmt: skip
    assert [f.key for f in plan.features] == ["action", "observation.state", "observation.images.front", "pose"]
    assert plan.video.size == (64, 48)
    assert plan.features[0].names == tuple("abcdefg")


def test_wrong_flags_are_named(folder):
    with pytest.raises(TypeError, match="there is no flag 'fsp'; did you mean 'fps'"):
        tc.convert("recordings", "out", fsp=30)
    with pytest.raises(tc.PlanError, match="is no size; give one such as 8GB"):
        tc.convert("recordings", "out", max_memory="much")
    tc.inspect("recordings", plan="plan.yaml")
    with pytest.raises(tc.PlanError, match="plan.yaml exists"):
        tc.inspect("recordings", plan="plan.yaml")


def test_notebooks_show_tables_with_everything_escaped(dataset, folder):
    (folder / "recordings" / "<b>.bag").write_bytes(b"#ROSBAG V2.0\n")
    report = tc.convert("recordings", "again")
    seen = tc.inspect("recordings")
    shown = [value._repr_html_() for value in (report, seen, seen.plan, tc.inspect("dataset"), report.findings[0])]
    shown.append(tc.verify("dataset")._repr_html_())
    for html in shown:
        assert html.startswith("<table>")
        assert html.count("<table>") == html.count("</table>")
        assert "<b>" not in html
    assert "&lt;b&gt;.bag" in shown[0]
    assert "/ee_pose" in shown[1]


def test_an_open_dataset_gives_rows_and_frames(dataset):
    opened = tc.open_dataset(dataset)
    assert (len(opened), len(opened[-1]), [e.index for e in opened[:2]]) == (2, 8, [0, 1])
    rows = opened[1].rows
    assert rows["episode_index"].tolist() == [1] * 8
    assert rows["timestamp"].dtype == np.float32
    frames = opened[1].frames("observation.images.scene")
    assert (frames.shape, frames.dtype) == ((8, 120, 160, 3), np.uint8)
    assert np.array_equal(opened[1].frames("observation.images.scene", [5, 2, 5]), frames[[5, 2, 5]])
    assert np.array_equal(opened[1].frames("observation.images.scene", slice(6, None)), frames[6:])
    with pytest.raises(tc.DatasetError, match="cameras are observation.images.scene"):
        opened[0].frames("observation.images.wrist")
    with pytest.raises(tc.DatasetError, match="no row 8"):
        opened[0].frames("observation.images.scene", [8])
    with pytest.raises(IndexError):
        opened[2]


def test_verify_and_diff_name_the_place(dataset):
    assert tc.verify(dataset, "recordings") == []
    assert tc.diff(dataset, ["recordings/run_1"])[0].episode == 0


def test_help_of_convert_has_every_group_and_flag():
    _, out, _ = telecine("convert", "--help")
    assert [line[:-1] for line in out.splitlines() if line[:-1] in GROUPS] == list(GROUPS)
    for table in (PlanFlags, RunFlags):
        assert [f.name for f in fields(table) if f"--{f.name.replace('_', '-')}" not in out] == []
