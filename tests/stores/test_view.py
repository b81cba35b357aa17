"""The page of a dataset and of recordings in a bucket: shown from copies here, decided beside none of them."""

import json

import pytest

import telecine as tc
from support.dataset import everything, write
from support.robosandbox import write_run
from support.viewer import Client
from telecine.core.edit.model import parse_edit
from telecine.core.errors import StoreError


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def asked(client, path, body=None):
    method = "GET" if body is None else "PUT" if path.endswith("/edit") else "POST"
    status, _, answer = client.ask(method, path, None if body is None else json.dumps(body))
    return status, json.loads(answer)


def left_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_a_dataset_of_a_bucket_is_shown_and_decided_on(starlette, bucket, scratch, state, tmp_path):
    address = bucket.upload(write(tmp_path / "picks", everything(tmp_path, (30, 20))), "sets/picks")
    with tc.view(address) as page:
        assert "/dataset/0?token=" in page.address
        client = Client(page._server)
        _, info = asked(client, "/api/dataset/0")
        assert (info["path"], info["name"], info["episodes"], info["out"]) == (address, "picks", 2, "picks-curated")
        _, episode = asked(client, "/api/dataset/0/episode/1")
        (camera, (chunk, file)) = episode["videos"][0]["camera"], episode["videos"][0]["file"]
        status, headers, _ = client.ask("GET", f"/video/0/{camera}/{chunk}/{file}", range="bytes=0-99")
        assert (status, headers["content-length"]) == (206, "100")
        status, made = asked(client, "/api/dataset/0/edit", {"revision": 0, "episodes": {"1": {"drop": True}}})
        assert (status, made["edit"]["inputs"][0]["path"]) == (200, address)
        (decided,) = (state / "telecine").glob("picks-*.edit.yaml")
        assert parse_edit(decided.read_text()).episodes["1"].drop
        status, refused = asked(client, "/api/dataset/0/write", {"out": bucket.address("sets/new")})
        assert (status, "name a folder, then copy it there" in refused["error"]) == (422, True)
        status, begun = asked(client, "/api/dataset/0/write", {"out": str(tmp_path / "new")})
        assert begun["command"] == ["telecine", "edit", address, str(tmp_path / "new"), "--edit", str(decided)]
        assert page._server.session.job(begun["job"]).wait()["event"] == "done"
    assert len(tc.open_dataset(tmp_path / "new")) == 1
    assert left_in(scratch) == []
    edited = tc.edit(address, tmp_path / "same", edits=[decided])  # what the command does
    assert edited.episodes == 1


def test_a_folder_of_a_bucket_is_a_list(starlette, bucket, scratch, state, tmp_path):
    write(tmp_path / "data" / "picks", everything(tmp_path, (20,)))
    write_run(tmp_path / "data" / "run_0", 40, actions=True)
    address = bucket.upload(tmp_path / "data", "data")
    with tc.view(address) as page:
        client = Client(page._server)
        _, found = asked(client, "/api/list")
        kinds = {entry["path"]: entry["kind"] for entry in found["entries"]}
        assert kinds == {f"{address}/picks": "dataset", f"{address}/run_0/events.jsonl": "recording"}
        numbers = {kind: number for number, kind in enumerate(kinds.values())}
        assert asked(client, f"/api/dataset/{numbers['dataset']}")[1]["episodes"] == 1
        url = f"/api/recording/{numbers['recording']}/0"
        status, facts = asked(client, url)
        assert (status, facts["stored"], len(facts["streams"]) > 2) == (200, True, True)
        camera = next(s for s in facts["streams"] if s["kind"] == "video")
        where = f"stream={camera['name']}&clock={camera['clocks'][0]['name']}&sample=3"
        status, headers, _ = client.ask("GET", f"{url}/frame?{where}")
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        status, rows = asked(client, f"{url}/rows", {"plan": facts["proposal"]})
        assert (status, rows["rows"] > 30) == (200, True)
        status, begun = asked(client, f"{url}/convert", {"plan": facts["proposal"], "out": str(tmp_path / "made")})
        assert (status, page._server.session.job(begun["job"]).wait()["event"]) == (200, "done")
    assert len(tc.open_dataset(tmp_path / "made")) == 1
    assert left_in(scratch) == []


def test_a_bucket_that_is_not_there_is_said_so(starlette, bucket, scratch):
    with pytest.raises(StoreError):
        tc.view("s3://no-such-bucket-of-the-tests/picks")
