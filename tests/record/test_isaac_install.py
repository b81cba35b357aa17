"""The runner's own decisions, without Isaac Lab."""

import importlib.util
import sys

import pytest

from telecine.record import isaac_install
from telecine.record.isaac_install import main, missing_packages, script_arguments, settings_of


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


def test_missing_packages_come_with_the_command_that_mends_them(monkeypatch, tmp_path, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(isaac_install, "find_spec", lambda name: None if name in ("av", "isaaclab") else real(name))
    assert missing_packages()[0] == "av is not installed: pip install 'av>=15.0'"
    assert main([str(tmp_path / "script.py")]) == 1
    assert "isaaclab.sh -p" in capsys.readouterr().err


def test_a_pyarrow_that_refuses_numpy_is_named_with_its_version(monkeypatch):
    monkeypatch.setattr(isaac_install, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert any("'pyarrow>=18,<=25.0.1'" in problem for problem in missing_packages())


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
    isaac_install._when_imported("late_module", lambda: done.append(sys.modules["late_module"].value))
    assert done == []
    importlib.import_module("late_module")
    isaac_install._when_imported("late_module", lambda: done.append(2))
    assert done == [1, 2]
