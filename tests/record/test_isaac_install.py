"""The runner's own decisions, without Isaac Lab."""

import contextlib
import importlib
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from telecine.recorder.isaac import install, needs
from telecine.recorder.isaac.install import main, script_arguments, settings_of


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["--task", "T"], ["--task", "T"]),
        (["--lerobot_format"], ["--dataset_file", "./datasets/dataset.hdf5"]),
        (["--lerobot_format", "--dataset_file", "d/x.lerobot"], ["--dataset_file", "d/x.hdf5"]),
        (["--dataset_file=d/x.lerobot", "--lerobot_format"], ["--dataset_file=d/x.hdf5"]),
        (["--lerobot_format", "--dataset_file", "d/x.hdf5"], ["--dataset_file", "d/x.hdf5"]),
    ],
)
def test_the_script_gets_its_own_flags_and_a_name_it_can_take_apart(given, left):
    assert script_arguments(given) == left


def fixes(monkeypatch, capsys, *, versions=None, broken=()):
    """What a process says in which packages have other versions (None: not installed) or cannot be imported."""
    real, changed = needs.version, versions or {}

    def version(name):
        if name in changed:
            if changed[name] is None:
                raise PackageNotFoundError(name)
            return changed[name]
        return real(name)

    monkeypatch.setattr(needs, "version", version)
    monkeypatch.setattr(needs, "requires", lambda _: ["av>=15.0", "numpy>=1.26", "h5py>=3.11; extra == 'hdf5'"])
    monkeypatch.setattr(needs, "find_spec", lambda _: True)
    for name in broken:
        monkeypatch.setitem(sys.modules, name, None)
    with contextlib.suppress(SystemExit):
        needs.stop_if_missing()
    return capsys.readouterr().err.splitlines()


def test_missing_and_old_packages_come_with_the_command_that_mends_them(monkeypatch, capsys):
    pip = f'"{sys.executable}" -m pip install'
    assert fixes(monkeypatch, capsys, versions={"av": None, "numpy": "1.25.9"}) == [
        f'error: av is not installed: {pip} "av>=15.0"',
        f'error: numpy 1.25.9 is too old: {pip} "numpy>=1.26"',
    ]


@pytest.mark.parametrize("there", ["15", "15.0.0", "15.1rc1", "16.0+local"])
def test_packages_that_are_new_enough_are_no_problem(monkeypatch, capsys, there):
    assert fixes(monkeypatch, capsys, versions={"av": there}) == []


def test_a_pyarrow_that_refuses_numpy_is_named_with_one_that_does_not(monkeypatch, capsys):
    (printed,) = fixes(monkeypatch, capsys, broken=["pyarrow"])
    assert printed.startswith("error: pyarrow cannot be imported (")
    assert printed.endswith('-m pip install "pyarrow>=18,<=25.0.1"')


def test_what_is_missing_is_told_before_it_is_imported(tmp_path):
    """In a process that has nothing but telecine: `-m` imports the module, which imports numpy."""
    source = Path(needs.__file__).parents[3]
    (tmp_path / "telecine.dist-info").mkdir()
    (tmp_path / "telecine.dist-info/METADATA").write_text("Name: telecine\nVersion: 1\nRequires-Dist: numpy>=1.26\n")
    code = (
        f"import runpy, sys; sys.path[:0] = [{str(source)!r}, {str(tmp_path)!r}]; sys.argv = ['-m', 'script.py']; "
        + ("runpy.run_module('telecine.record.isaaclab', run_name='__main__', alter_sys=False)")
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: numpy is not installed: " in done.stderr
    assert "isaaclab.sh -p -m telecine.record.isaaclab" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr(needs, "missing_packages", list)
    assert main(["nowhere.py", "--lerobot_format"]) == 2
    assert "nowhere.py: there is no such script" in capsys.readouterr().err


def test_without_a_script_the_usage_is_told(capsys):
    assert main([]) == 2
    assert main(["--help"]) == 0
    assert "SCRIPT.py" in capsys.readouterr().out


def test_one_list_alone_means_that_the_other_is_empty():
    assert settings_of({"state_observation_keys": ["policy/q"]}) == {
        "observation_keys": (),
        "state_keys": ("policy/q",),
    }
    assert settings_of({"task_description": "t", "state_observation_keys": None}) == {"task": "t"}


def test_what_was_asked_for_is_done_after_the_import(monkeypatch, tmp_path):
    (tmp_path / "late_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = []
    install._when_imported("late_module", lambda: done.append(sys.modules["late_module"].value))
    assert done == []
    importlib.import_module("late_module")
    install._when_imported("late_module", lambda: done.append(2))
    assert done == [1, 2]
