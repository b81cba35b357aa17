"""Pushing, against a Hub that only writes down what it is asked."""

import sys
import traceback
from fnmatch import fnmatchcase
from types import SimpleNamespace

import numpy as np
import pytest

from telecine.compat.rerun_export import LeRobotDataset
from telecine.core.errors import DatasetError


class HubError(OSError):
    pass


TOKEN = "a-token-of-another-hub"


class NoRevision(HubError):
    pass


class Invalid(ValueError):
    pass


@pytest.fixture
def hub(monkeypatch):
    """(calls, failures): every call as (name, arguments); a name in `failures` raises its error."""
    calls, failures = [], {}

    class HfApi:
        def __getattr__(self, name):
            def call(**arguments):
                calls.append((name, arguments))
                if name in failures:
                    raise failures[name]

            return call

    errors = SimpleNamespace(HfHubHTTPError=HubError, RevisionNotFoundError=NoRevision, HFValidationError=Invalid)
    monkeypatch.setitem(
        sys.modules, "huggingface_hub", SimpleNamespace(HfApi=HfApi, errors=errors, get_token=lambda: TOKEN)
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return calls, failures


@pytest.fixture
def dataset(tmp_path):
    features = {"action": {"dtype": "float32", "shape": (1,), "names": None}}
    made = LeRobotDataset.create("me/mine", 10, features, tmp_path / "out")
    made.add_frame({"action": np.zeros(1, np.float32), "task": "t"})
    made.save_episode()
    made.finalize()
    return made


def test_the_folder_is_uploaded_under_the_given_name_and_tagged(dataset, hub, tmp_path):
    calls, failures = hub
    failures["delete_tag"] = NoRevision()
    dataset.push_to_hub(repo_id="your-username/your-dataset-name")
    assert [name for name, _ in calls] == ["create_repo", "upload_folder", "delete_tag", "create_tag"]
    assert all(a["repo_id"] == "your-username/your-dataset-name" for _, a in calls)
    assert all(a["repo_type"] == "dataset" for _, a in calls)
    asked = dict(calls)
    assert asked["upload_folder"]["folder_path"] == str(tmp_path / "out")
    assert asked["upload_folder"]["allow_patterns"] is None
    assert asked["upload_folder"]["ignore_patterns"] == []
    assert asked["create_tag"]["tag"] == "v3.0"


def test_branch_privacy_and_videos_are_passed_on(dataset, hub):
    calls, _ = hub
    dataset.push_to_hub(
        branch="b", private=True, tag_version=False, push_videos=False, allow_patterns="*.json"
    )  # fmt: skip
    asked = dict(calls)
    assert list(asked) == ["create_repo", "create_branch", "upload_folder"]
    assert asked["create_repo"]["repo_id"] == "me/mine"
    assert asked["create_repo"]["private"] is True
    assert asked["create_branch"]["branch"] == asked["upload_folder"]["revision"] == "b"
    assert asked["upload_folder"]["ignore_patterns"] == ["videos/*"]
    assert asked["upload_folder"]["allow_patterns"] == "*.json"


def test_a_large_folder_is_uploaded_in_parts_with_the_metadata_last(dataset, hub, tmp_path, monkeypatch):
    calls, _ = hub
    monkeypatch.setattr("telecine.compat.hub.PART_FILES", 2)
    (tmp_path / "out/videos/observation.images.[top]").mkdir(parents=True)
    (tmp_path / "out/videos/observation.images.[top]/a.mp4").write_bytes(b"x" * 50)
    dataset.push_to_hub(upload_large_folder=True)
    parts = [a["allow_patterns"] for name, a in calls if name == "upload_folder"]
    names = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    # By the rule of the client, every file is in exactly one part.
    assert [sum(fnmatchcase(name, one) for part in parts for one in part) for name in names] == [1] * len(names)
    assert [len(part) for part in parts] == [2] * (len(names) // 2) + [1] * (len(names) % 2)
    assert parts[0] == ["data/chunk-000/file-000.parquet", "videos/observation.images.[[]top]/a.mp4"]
    monkeypatch.setattr("telecine.compat.hub.PART_BYTES", 0)
    calls.clear()
    dataset.push_to_hub(
        upload_large_folder=True, push_videos=False, allow_patterns=["data/", "meta/*s.json", "videos/"]
    )
    alone = [a["allow_patterns"] for name, a in calls if name == "upload_folder"]
    assert alone == [["data/chunk-000/file-000.parquet"], ["meta/stats.json"]]


@pytest.mark.parametrize(
    "error", [HubError("403 Forbidden"), Invalid("403 is no name"), OSError("403"), RuntimeError("403")]
)
def test_a_hub_that_refuses_is_told_in_one_sentence(dataset, hub, error):
    hub[1]["create_repo"] = error
    with pytest.raises(DatasetError, match="was not pushed to me/mine: .*403"):
        dataset.push_to_hub()


def test_a_token_that_the_hub_repeats_is_in_no_message_and_no_traceback(dataset, hub):
    hub[1]["create_repo"] = HubError(
        f"401 for https://me:word@hub/api?token=abc: {TOKEN} and hf_abcdefghijk are invalid"
    )
    with pytest.raises(DatasetError, match="401 for") as caught:
        dataset.push_to_hub()
    shown = "".join(traceback.format_exception(caught.value.__cause__ or DatasetError(str(caught.value))))
    assert not [word for word in (TOKEN, "word@", "token=abc", "hf_abc") if word in shown]


def test_without_huggingface_hub_the_error_says_what_to_install(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DatasetError, match="pip install huggingface_hub"):
        dataset.push_to_hub()


def test_an_unfinished_dataset_is_not_pushed(tmp_path, hub):
    features = {"action": {"dtype": "float32", "shape": (1,), "names": None}}
    with pytest.raises(DatasetError, match="needs finalize"):
        LeRobotDataset.create("me/mine", 10, features, tmp_path / "out").push_to_hub()
    assert hub[0] == []


def test_the_installed_hub_has_every_call_that_is_made():
    huggingface_hub = pytest.importorskip(
        "huggingface_hub", reason="needs huggingface_hub: pip install huggingface_hub"
    )
    import inspect

    for name, arguments in {
        "create_repo": {"repo_id", "repo_type", "private", "exist_ok"},
        "create_branch": {"repo_id", "repo_type", "branch", "exist_ok"},
        "upload_folder": {"repo_id", "repo_type", "folder_path", "revision", "allow_patterns", "ignore_patterns"},
        "delete_tag": {"repo_id", "repo_type", "tag"},
        "create_tag": {"repo_id", "repo_type", "tag", "revision"},
    }.items():
        assert arguments <= set(inspect.signature(getattr(huggingface_hub.HfApi, name)).parameters)
    from huggingface_hub import errors, get_token

    assert callable(get_token)

    assert issubclass(errors.RevisionNotFoundError, errors.HfHubHTTPError)
    assert issubclass(errors.HFValidationError, ValueError)
    assert Exception not in errors.HfHubHTTPError.__bases__
