"""The page's server answers whoever has its token, from its own page, and nobody else; nonsense is a 4xx."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from support.dataset import TOP, everything, write
from support.viewer import Client, served
from telecine.core.errors import PlanError, SourceError
from telecine.dataset.reader import Dataset
from telecine.viewer.curves import envelope
from telecine.viewer.entries import find_entries
from telecine.viewer.guard import ServerAccess
from telecine.viewer.server import Server, ServerOptions

LENGTHS = (20, 9, 33)
pytestmark = pytest.mark.usefixtures("starlette")


@pytest.fixture(scope="module")
def picks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("picks")
    return write(folder / "picks", everything(folder, LENGTHS))


@pytest.fixture(scope="module")
def client(starlette, picks):
    with served(picks) as server:
        yield Client(server)


def test_the_first_visit_changes_the_token_for_a_cookie_that_scripts_cannot_read(client):
    status, headers, _ = client.ask("GET", f"/dataset/0?episode=1&row=3&token={client.token}", cookie=None)
    assert (status, headers["location"]) == (303, "/dataset/0?episode=1&row=3")
    cookie = headers["set-cookie"]
    assert cookie.startswith(f"telecine-{client.port}={client.token}; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"cookie": None}, 401),
        ({"cookie": "telecine-1=x"}, 401),
        ({"cookie": "telecine-{port}=wrong"}, 401),
        ({"cookie": "telecine-{port}=é"}, 401),
        ({"host": "evil.example:{port}"}, 403),
        ({"host": "127.0.0.1:1"}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"host": None}, 400),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, 403),
        ({"host": "localhost:{port}"}, 200),
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, 200),
    ],
)
def test_strangers_are_turned_away(client, headers, status):
    filled = {name: value and value.replace("{port}", str(client.port)) for name, value in headers.items()}
    assert client.ask("GET", "/api/dataset/0", **filled)[0] == status


def test_a_wrong_token_is_no_token(client):
    assert client.ask("GET", "/?token=wrong", cookie=None)[0] == 401
    assert client.ask("GET", "/?token=%C3%A9", cookie=None)[0] == 401
    assert client.ask("PUT", f"/api/dataset/0/edit?token={client.token}", "{}", cookie=None)[0] == 401


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:{port}"]
)
def test_only_the_page_itself_may_change_something(client, origin):
    headers = {"origin": origin and origin.replace("{port}", str(client.port))}
    assert client.ask("PUT", "/api/dataset/0/edit", '{"revision": 0}', **headers)[0] == 403


def test_every_answer_has_a_policy_that_lets_nothing_in(client):
    for path in ("/dataset/0", "/api/dataset/0", "/nothing", "/page/app.css"):
        _, headers, _ = client.ask("GET", path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/dataset/x", None, 404),
        ("GET", "/dataset/" + "9" * 5000, None, 414),
        ("GET", "/page/..%2f..%2fguard.py", None, 404),
        ("GET", "/page/guard.py", None, 404),
        ("GET", "/video/0/0/0/99", None, 404),
        ("GET", "/video/0/9/0/0", None, 404),
        ("GET", "/video/0/0/..%2f..%2fmeta/info.json", None, 404),
        ("GET", "/api/dataset/7", None, 404),
        ("GET", "/api/recording/0/0", None, 404),
        ("GET", "/api/list/0", None, 404),
        ("GET", "/api/list/9", None, 404),
        ("GET", "/api/dataset/0/episode/3", None, 404),
        ("GET", "/api/dataset/0/episode/-1", None, 404),
        ("GET", "/api/dataset/0/curves/0/99", None, 404),
        ("GET", "/api/dataset/0/curves/0/0?from=x", None, 400),
        ("GET", "/api/dataset/0/curves/0/0?from=9&to=5", None, 404),
        ("GET", "/api/dataset/0/curves/0/0?steps=1e9", None, 400),
        ("GET", "/api/dataset/0/still/0/0/99", None, 404),
        ("GET", "/api/dataset/0/still/9/0/0", None, 404),
        ("GET", "/api/dataset/0/still/0/0/0?width=0", None, 400),
        ("GET", "/api/dataset/0/depth/0/0/0?x=0&y=0", None, 404),
        ("GET", "/api/jobs/0/events", None, 404),
        ("PUT", "/api/dataset/0/edit", "no json", 400),
        ("PUT", "/api/dataset/0/edit", "[1]", 400),
        ("PUT", "/api/dataset/0/edit", b"\xff", 400),
        ("PUT", "/api/dataset/0/edit", "{}", 400),
        ("PUT", "/api/dataset/0/edit", '{"revision": true}', 400),
        ("PUT", "/api/dataset/0/edit", '{"revision": 0, "episodes": {"99": {"drop": true}}}', 422),
        ("PUT", "/api/dataset/0/edit", '{"revision": 0, "episodes": {"../x": {"drop": true}}}', 422),
        ("PUT", "/api/dataset/0/edit", '{"revision": 0, "episodes": {"0": {"dorp": true}}}', 422),
        ("PUT", "/api/dataset/0/edit", '{"revision": 0, "episodes": {"0": {"parts": [{"rows": [0, 99]}]}}}', 422),
        ("PUT", "/api/dataset/0/edit", '{"revision": 5, "episodes": {}}', 409),
        ("POST", "/api/dataset/0/write", "{}", 400),
        ("POST", "/api/dataset/0/write", '{"out": " "}', 400),
        ("POST", "/api/dataset/0", "{}", 405),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(client, picks, method, path, body, status):
    assert client.ask(method, path, body)[0] == status
    assert not list(picks.parent.glob("*.edit.yaml"))


def test_a_request_that_is_too_large_is_not_read(client):
    assert client.ask("PUT", "/api/dataset/0/edit", content_length="5000000")[0] == 413
    assert client.ask("PUT", "/api/dataset/0/edit", content_length="x")[0] == 400


def test_read_only_decides_and_writes_nothing(starlette, picks):
    with served(picks, read_only=True) as server:
        client = Client(server)
        assert client.ask("PUT", "/api/dataset/0/edit", '{"revision": 0, "episodes": {"0": {"drop": true}}}')[0] == 403
        assert client.ask("POST", "/api/dataset/0/write", '{"out": "x"}')[0] == 403
        assert json.loads(client.ask("GET", "/api/dataset/0")[2])["read_only"] is True
    assert not list(picks.parent.glob("*.edit.yaml"))


def test_a_video_is_answered_in_ranges(client, picks):
    whole = (picks / f"videos/{TOP}/chunk-000/file-000.mp4").read_bytes()
    status, headers, body = client.ask("GET", "/video/0/0/0/0", range="bytes=100-199")
    assert (status, headers["content-range"], body) == (206, f"bytes 100-199/{len(whole)}", whole[100:200])
    assert client.ask("GET", "/video/0/0/0/0", range=f"bytes={len(whole)}-")[0] == 416


def test_hosts_are_addresses_when_the_server_is_open_to_others():
    access = ServerAccess("0.0.0.0", 80, "t")
    assert [access.is_host(f"{name}:80") for name in ("192.168.1.7", "[::1]", "localhost", "evil.example")] == [
        True,
        True,
        True,
        False,
    ]
    assert not ServerAccess("127.0.0.1", 80, "t").is_host("192.168.1.7:80")
    assert ServerAccess("10.0.0.5", 80, "t").is_host("10.0.0.5:80")


def test_a_notebook_of_this_machine_may_frame_it(starlette, picks):
    with served(picks, in_notebook=True) as server:
        policy = Client(server).ask("GET", "/dataset/0")[1]["content-security-policy"]
    assert "frame-ancestors http://localhost:* http://127.0.0.1:*" in policy


def test_a_port_that_is_taken_is_an_error(starlette, picks):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PlanError, match=f"--port {port}: cannot listen there"):
            Server(str(picks), find_entries(str(picks)), ServerOptions(port=port))


def test_there_has_to_be_something_to_show(tmp_path):
    with pytest.raises(SourceError, match="no recording found"):
        find_entries(str(tmp_path))


def curve(client, query, column=0, episode=2):
    """(head, values) as the page gets them."""
    status, _, body = client.ask("GET", f"/api/dataset/0/curves/{episode}/{column}?{query}")
    assert status == 200
    values = np.frombuffer(body, "<f8")
    return values[:5].tolist(), values[5:]


def test_curves_are_the_values_of_the_rows(client, picks):
    columns = json.loads(client.ask("GET", "/api/dataset/0")[2])["columns"]
    rows = Dataset(picks).rows(2)
    for number, column in enumerate(columns):
        head, values = curve(client, "", number)
        assert head == [0, 33, column["dims"], 33, 0]
        stored = np.array(rows.column(column["key"]).to_pylist(), np.float64).reshape(33, -1)
        assert np.array_equal(values.reshape(column["dims"], 33), stored.T), column["key"]


def test_a_part_of_a_curve_is_that_part(client):
    _, whole = curve(client, "")
    head, part = curve(client, "from=4&to=9")
    assert head[:2] == [4, 9]
    assert np.array_equal(part.reshape(3, 5), whole.reshape(3, 33)[:, 4:9])


def test_no_spike_is_lost_however_many_rows_there_are():
    values = np.zeros((1_000_000, 2))
    values[765_432, 1], values[5, 0], values[1000:2000, 0] = 7.0, -3.0, np.nan
    made = envelope(values, 0, len(values), 1000)
    assert (made.high[1].max(), np.nanmin(made.low), np.isnan(made.low).sum()) == (7.0, -3.0, 1)
    assert made.high[1].argmax() == 765


def test_what_is_not_there_yet_is_told_as_unchecked_then_checked(client):
    for _ in range(600):
        found = json.loads(client.ask("GET", "/api/dataset/0/findings")[2])
        if found["state"] != "unchecked":
            break
        time.sleep(0.05)
    assert found["state"] == "checked"
    assert {finding["code"] for finding in found["findings"]} >= {"look-short"}


def test_the_command_prints_one_line_at_once_and_ends_when_asked(starlette, picks):
    command = [sys.executable, "-m", "telecine", "view", str(picks), "--no-open", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    try:
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:")
        assert "/dataset/0?token=" in line
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "stopped\n")


def test_ctrl_c_while_waiting_lets_the_server_end_by_itself(starlette, picks):
    """An error in its thread would be a warning, and so fail here."""
    before = set(sys._current_frames())
    server = Server(str(picks), find_entries(str(picks)), ServerOptions())
    serving = set(sys._current_frames()) - before
    threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        server.join()
    server.stop()
    for _ in range(500):
        if not serving & set(sys._current_frames()):
            break
        time.sleep(0.01)
    assert serving
    assert not serving & set(sys._current_frames())
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", server.port)) != 0


@pytest.fixture
def leading_out(picks, tmp_path):
    """A copy of the dataset whose rows are a link to a file outside of it."""
    root = tmp_path / "shared" / "picks"
    shutil.copytree(picks, root)
    (rows,) = root.glob("data/*/*.parquet")
    rows.rename(tmp_path / "private.parquet")
    rows.symlink_to(tmp_path / "private.parquet")
    return root


def test_a_dataset_that_leads_outside_is_listed_with_the_reason_and_not_opened(leading_out):
    with served(leading_out) as server:
        client = Client(server)
        assert client.ask("GET", "/api/dataset/0")[0] == 404
        (entry,) = find_entries(str(leading_out))
        assert "private.parquet" in entry.problem
        assert "--follow-links" in entry.problem
        assert entry.facts()["episodes"] is None
    (entry,) = find_entries(str(leading_out), follow_links=True)
    assert not entry.problem
    with served(leading_out, follow_links=True) as server:
        assert Client(server).ask("GET", "/api/dataset/0")[0] == 200


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="outside this repository: no FIFOs on this system")
@pytest.mark.parametrize("name", ["meta/info.json", "meta/stats.json"])
def test_a_fifo_in_a_dataset_does_not_stop_the_page(picks, tmp_path, name):
    root = tmp_path / "picks"
    shutil.copytree(picks, root)
    (root / name).unlink()
    os.mkfifo(root / name)
    (entry,) = find_entries(str(root))
    assert "FIFO" in entry.problem
