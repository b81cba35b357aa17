"""Pushing with the Hub's own client to a server on loopback that answers as the Hub does."""

import json
import subprocess
import sys

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from support.dataset import TOP, clip, episode, write
from support.hub import fake_hub
from telecine.cli.main import app
from telecine.cli.push import run
from telecine.compat.rerun_export import LeRobotDataset
from telecine.core.findings import has_errors
from telecine.dataset.card import license_of
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import Limits
from telecine.lerobot_format.train import train_command


@pytest.fixture
def hub():
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub: pip install 'telecine[hub]'")
    with fake_hub() as server:
        yield server


@pytest.fixture
def dataset(tmp_path):
    features = {"action": {"dtype": "float32", "shape": (1,), "names": None}}
    made = LeRobotDataset.create("me/mine", 10, features, tmp_path / "out")
    for _ in range(4):
        made.add_frame({"action": np.zeros(1, np.float32), "task": "t"})
    made.save_episode()
    made.finalize()
    return tmp_path / "out"


def content(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def pushed(hub):
    """What the Hub has, but for the file with which the client makes a repository."""
    return {name: data for name, data in hub.files.items() if name != ".gitattributes"}


def test_every_file_arrives_with_the_card_and_the_versions_tag(hub, dataset, tmp_path):
    arguments = [sys.executable, "-m", "telecine", "push", str(dataset), "me/mine", "--private"]
    done = subprocess.run(arguments, env=hub.environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pushed(hub) == content(dataset)
    assert len(hub.commits) == 1
    assert b"- LeRobot" in hub.files["README.md"]
    asked = [(path, body) for _, path, body in hub.told]
    created = next(body for path, body in asked if path == "/api/repos/create")
    assert created["type"] == "dataset"
    assert created.get("private") or created.get("visibility") == "private"  # clients before 1.0 and since
    assert any(path.endswith("/tag/main") and body["tag"] == "v3.0" for path, body in asked)
    assert "lerobot-train --dataset.repo_id=me/mine" in done.stdout


PUSH_LARGE = """
from telecine.cli import main
from telecine.commands import push
from telecine.compat import hub
push.LARGE_BYTES, hub.PART_FILES = 1, 4
main.app()
"""


def test_an_interrupted_push_of_a_large_dataset_goes_on_where_it_was(hub, tmp_path):
    root = write(tmp_path / "out", [episode(20, i) for i in range(12)], limits=Limits(data_bytes=1))
    arguments = [sys.executable, "-c", PUSH_LARGE, "push", str(root), "me/mine"]
    hub.hold_after = 6
    with (tmp_path / "log").open("w") as log:
        first = subprocess.Popen(arguments, env=hub.environment(tmp_path), stdout=log, stderr=log)
        assert hub.holding.wait(100), (tmp_path / "log").read_text()
        first.kill()
        first.wait()
    assert len(hub.commits) == 1, "the first part was committed before the interruption"
    assert not any(name.startswith("meta/") for name in hub.files), "no metadata of files that are not there yet"
    whole, begun, hub.hold_after = set(hub.stored), len(hub.sent), None
    assert 4 <= len(whole) < 12
    hub.released.set()

    done = subprocess.run(arguments, env=hub.environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pushed(hub) == content(root)
    later = hub.sent[begun:]
    assert not whole & set(later), "what had arrived was not sent again"
    assert len(later) == len(set(later)) == len(hub.stored) - len(whole)
    assert sum("data/chunk-000/file-000.parquet" in names for names in hub.commits) == 1
    assert hub.commits[-1][-1].startswith("meta/")


def test_a_push_that_does_not_reach_the_hub_says_so_in_one_sentence(hub, dataset, tmp_path):
    arguments = [sys.executable, "-m", "telecine", "push", str(dataset), "me/mine"]
    for more, reason in (({"HF_ENDPOINT": "http://127.0.0.1:9"}, "refused"), ({"HF_HUB_OFFLINE": "1"}, "offline")):
        env = hub.environment(tmp_path, **more)
        done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"{dataset} was not pushed to me/mine: " in done.stderr.replace("\n", "")
        assert reason in done.stderr.lower()
        assert "the same command goes on" in done.stderr
    assert hub.told == []


def test_bookkeeping_of_git_and_of_the_client_is_neither_counted_nor_pushed(hub, dataset, tmp_path):
    names = content(dataset)
    for name in (".git/config", ".cache/huggingface/download/data.metadata"):
        (dataset / name).parent.mkdir(parents=True)
        (dataset / name).write_text("x")
    arguments = [sys.executable, "-m", "telecine", "push", str(dataset), "me/mine", "--json"]
    done = subprocess.run(arguments, env=hub.environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["files"] == len(names)
    assert pushed(hub) == {name: (dataset / name).read_bytes() for name in names}


def test_a_dry_run_uploads_nothing_and_says_what_would_be(dataset, monkeypatch):
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda *a, **k: pytest.fail("a dry run uploaded"))
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert (report["ok"], report["tag"], report["files"]) == (
        True,
        "v3.0",
        sum(p.is_file() for p in dataset.rglob("*")),
    )
    shown = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run"])
    assert "would be pushed" in " ".join(shown.output.split())


def test_what_is_not_fit_for_training_is_not_pushed(dataset, monkeypatch):
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda *a, **k: pytest.fail("a broken dataset was uploaded"))
    (dataset / "meta/stats.json").write_text("{}")
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine"])
    assert result.exit_code == 1
    assert "not fit for training" in " ".join(result.output.split())


def test_without_a_card_one_is_written(dataset, monkeypatch):
    """As for a dataset that LeRobot recorded, which has none before LeRobot itself pushes it."""
    sent = []
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda root, *a, **k: sent.append((root / "README.md").read_text()))
    (dataset / "README.md").unlink()
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run"])
    assert result.exit_code == 0
    assert not (dataset / "README.md").exists()
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--license", "apache-2.0", "--json"])
    assert json.loads(result.output)["license"] == "apache-2.0"
    assert sent[0].startswith("---\nlicense: apache-2.0\n")
    assert "## Defects" in sent[0]


def test_a_pushed_card_shows_the_cameras_and_how_to_load(tmp_path, monkeypatch):
    root = write(tmp_path / "out", [episode(40, clips=[clip(tmp_path, TOP, 40)])])
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda *a, **k: None)
    result = CliRunner().invoke(app, ["push", str(root), "me/mine", "--license", "mit", "--json"])
    assert result.exit_code == 0
    text = (root / "README.md").read_text()
    assert "![Cameras](meta/telecine/cameras.jpg)" in text
    assert 'LeRobotDataset("me/mine")' in text
    with av.open(str(root / "meta/telecine/cameras.jpg")) as picture:
        frame = next(picture.decode(video=0))
    height, width, _ = next(c.shape for c in Dataset(root).features if c.key == TOP)
    assert (frame.width, frame.height) == (240, round(height * 240 / width))
    assert not has_errors(verify(root))


def test_a_licence_that_the_hub_could_not_read_is_a_wrong_command(dataset):
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--license", "All rights reserved"])
    assert result.exit_code == 2
    assert "cc-by-4.0" in result.output


def test_a_missing_licence_is_a_warning_and_asked_for_in_a_terminal(dataset, monkeypatch):
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda *a, **k: None)
    quiet = CliRunner().invoke(app, ["push", str(dataset), "me/mine"])
    assert quiet.exit_code == 0
    assert "card-license" in quiet.output
    monkeypatch.setattr("telecine.cli.push.sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("telecine.cli.push.typer.prompt", lambda *a, **k: "cc-by-4.0")
    run(dataset, "me/mine", private=None, license=None, dry_run=False, follow_links=False, json=False)
    assert license_of((dataset / "README.md").read_text()) == "cc-by-4.0"


def test_inspect_prints_the_card_that_push_would_write(dataset):
    before = content(dataset)
    result = CliRunner().invoke(app, ["inspect", str(dataset), "--card"])
    assert result.exit_code == 0
    assert result.output.startswith("---\n# license: which one?")
    assert "## Defects" in result.output
    assert content(dataset) == before
    assert CliRunner().invoke(app, ["inspect", str(dataset / "meta"), "--card"]).exit_code == 2


def test_without_a_camera_the_policy_is_left_to_the_reader(dataset):
    assert "--policy.type=POLICY" in train_command("me/mine", cameras=bool(Dataset(dataset).cameras))


def test_a_picture_that_cannot_be_made_stops_no_push_and_is_not_in_the_card(tmp_path, monkeypatch):
    root = write(tmp_path / "out", [episode(40, clips=[clip(tmp_path, TOP, 40)])])
    (root / "meta/telecine/cameras.jpg").unlink()
    monkeypatch.setattr("telecine.dataset.camera_frames.to_jpeg", lambda rgb: (_ for _ in ()).throw(OSError("none")))
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda *a, **k: None)
    result = CliRunner().invoke(app, ["push", str(root), "me/mine", "--license", "mit"])
    assert result.exit_code == 0
    assert "card-cameras" in result.output
    assert "![" not in (root / "README.md").read_text()
