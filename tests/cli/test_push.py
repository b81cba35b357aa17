"""Pushing with the Hub's own client to a server on loopback that answers as the Hub does."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from typer.testing import CliRunner

from telecine.cli.main import app
from telecine.cli.push import train_command
from telecine.compat.rerun_export import LeRobotDataset
from telecine.dataset.reader import Dataset


class Hub(BaseHTTPRequestHandler):
    """Takes small files in a commit, and keeps what it was told in `server.told` and `server.files`."""

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 404:
            self.send_header("X-Error-Code", "RevisionNotFound")
        self.end_headers()
        self.wfile.write(data)

    def repository(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/datasets/me/mine"

    def do_DELETE(self):
        self.server.told.append(("DELETE", self.path, None))
        self.answer({"error": "no such tag"}, 404)

    def do_GET(self):
        self.answer({"id": "me/mine", "sha": "0" * 40, "private": True})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/commit/main"):
            for line in map(json.loads, data.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer({"commitUrl": f"{self.repository()}/commit/{'0' * 40}", "commitOid": "0" * 40, "success": True})
            return
        body = json.loads(data)
        self.server.told.append(("POST", self.path, body))
        if self.path.endswith("/preupload/main"):
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in body["files"]]
            self.answer({"files": modes})
        else:
            self.answer({"url": self.repository(), "warnings": [], "errors": []})


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.told, server.files = [], {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dataset(tmp_path):
    features = {"action": {"dtype": "float32", "shape": (1,), "names": None}}
    made = LeRobotDataset.create("me/mine", 10, features, tmp_path / "out")
    for _ in range(4):
        made.add_frame({"action": np.zeros(1, np.float32), "task": "t"})
    made.save_episode()
    made.finalize()
    return tmp_path / "out"


def test_every_file_arrives_with_the_card_and_the_versions_tag(hub, dataset, tmp_path):
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub: pip install 'telecine[hub]'")
    where = f"http://127.0.0.1:{hub.server_address[1]}"
    env = {**os.environ, "HF_ENDPOINT": where, "HF_TOKEN": "hf_x", "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    arguments = [sys.executable, "-m", "telecine", "push", str(dataset), "me/mine", "--private"]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    sent = {str(p.relative_to(dataset)): p.read_bytes() for p in dataset.rglob("*") if p.is_file()}
    assert {name: data for name, data in hub.files.items() if name != ".gitattributes"} == sent
    assert b"- LeRobot" in hub.files["README.md"]
    asked = [(path, body) for _, path, body in hub.told]
    created = next(body for path, body in asked if path == "/api/repos/create")
    assert created["type"] == "dataset"
    assert created.get("private") or created.get("visibility") == "private"  # clients before 1.0 and since
    assert any(path.endswith("/tag/main") and body["tag"] == "v3.0" for path, body in asked)
    assert "lerobot-train --dataset.repo_id=me/mine" in done.stdout


def test_a_dry_run_uploads_nothing_and_says_what_would_be(dataset, monkeypatch):
    monkeypatch.setattr("telecine.cli.push.push", lambda *a, **k: pytest.fail("a dry run uploaded"))
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["ok"], told["tag"], told["files"]) == (True, "v3.0", sum(p.is_file() for p in dataset.rglob("*")))
    shown = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run"])
    assert "would be pushed" in " ".join(shown.output.split())


def test_what_is_not_fit_for_training_is_not_pushed(dataset, monkeypatch):
    monkeypatch.setattr("telecine.cli.push.push", lambda *a, **k: pytest.fail("a broken dataset was uploaded"))
    (dataset / "meta/stats.json").write_text("{}")
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine"])
    assert result.exit_code == 1
    assert "not fit for training" in " ".join(result.output.split())


def test_without_a_card_it_is_not_pushed(dataset):
    (dataset / "README.md").unlink()
    result = CliRunner().invoke(app, ["push", str(dataset), "me/mine", "--dry-run"])
    assert result.exit_code == 1
    assert "has no README.md" in result.output


def test_without_a_camera_the_policy_is_left_to_the_reader(dataset):
    assert "--policy.type=POLICY" in train_command(Dataset(dataset), "me/mine")
