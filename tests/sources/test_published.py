"""Sources that other packages publish are found as `importlib.metadata` finds them."""

import sys
import zipfile
from importlib import metadata

import pytest

from telecine.sources.published import entry_points

GROUP = "telecine.test.published"
TEXT = f"[console_scripts]\nother = other:main\n[{GROUP}]\nmine = my_package.source\n"


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def names():
    """What is published for the tests, which must be what the standard library says."""
    found = [point.name for point in entry_points(GROUP)]
    assert found == [point.name for point in metadata.entry_points(group=GROUP)]
    return found


def publish(folder, name="mine-1.0.dist-info"):
    (folder / name).mkdir(parents=True)
    (folder / name / "METADATA").write_text("Name: mine\nVersion: 1.0\n")
    (folder / name / "entry_points.txt").write_text(TEXT)


def test_nothing_is_published_in_folders_that_are_not_there(on_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(on_path / "none")])
    (on_path / "old.egg-info").write_text("Name: old\n")
    assert names() == []


def test_what_a_package_publishes_is_found(on_path):
    publish(on_path)
    assert names() == ["mine"]


def test_packages_in_archives_are_asked_too(on_path, monkeypatch):
    with zipfile.ZipFile(on_path / "lib.zip", "w") as archive:
        archive.writestr("mine-1.0.dist-info/METADATA", "Name: mine\nVersion: 1.0\n")
        archive.writestr("mine-1.0.dist-info/entry_points.txt", TEXT)
    monkeypatch.setattr(sys, "path", [*sys.path, str(on_path / "lib.zip")])
    assert names() == ["mine"]


def test_other_finders_of_packages_are_asked(monkeypatch):
    class Finder:
        @staticmethod
        def find_distributions(context):
            del context
            return ()

        @staticmethod
        def find_spec(name, path=None, target=None):
            del name, path, target

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert names() == []
