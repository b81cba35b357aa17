"""In a browser: decisions reach the edit file at once, survive crashes and other windows, and become a dataset."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import telecine as tc
from support.dataset import everything, write
from support.rrd import rrd_reader
from support.viewer import Client, served
from telecine.core.edit.model import parse_edit

LENGTHS = (40, 12, 33, 20, 25)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    return write(folder / "picks", everything(folder, LENGTHS))


@pytest.fixture
def picks(source, tmp_path):
    """The dataset, for this test alone."""
    return shutil.copytree(source, tmp_path / "picks")


def edit_of(root):
    return parse_edit((root.parent / f"{root.name}.edit.yaml").read_text())


def entries_of(root):
    return edit_of(root).to_dict().get("episodes", {})


def decided(page, revision):
    page.wait_for_selector(f"#decided[data-revision='{revision}']")


def at(page, number, row):
    page.evaluate("([n, row]) => page.open(n, row)", [number, row])
    page.wait_for_function(
        "([n, row]) => page.number === n && page.row === row && page.episode?.number === n", arg=[number, row]
    )


def test_each_key_is_a_decision_in_the_file(starlette, opened, picks):
    with served(picks) as server:
        page = opened(server.address())
        steps = [
            (0, 5, "i", {"0": {"parts": [{"rows": [5, 40]}]}}),
            (0, 29, "o", {"0": {"parts": [{"rows": [5, 30]}]}}),
            (0, 12, "s", {"0": {"parts": [{"rows": [5, 12]}, {"rows": [12, 30]}]}}),
            (0, 20, "d", {"0": {"parts": [{"rows": [5, 12]}, {"rows": [12, 30], "drop": True}]}}),
            (0, 20, "u", {"0": {"parts": [{"rows": [5, 12]}, {"rows": [12, 30]}]}}),
            (0, 6, "f", {"0": {"parts": [{"rows": [5, 12], "success": True}, {"rows": [12, 30]}]}}),
            (0, 6, "g", {"0": {"parts": [{"rows": [5, 12], "success": True, "tags": ["good"]}, {"rows": [12, 30]}]}}),
            (1, 3, "g", {"1": {"tags": ["good"]}}),
            (1, 3, "f", {"1": {"tags": ["good"], "success": True}}),
            (1, 3, "f", {"1": {"tags": ["good"], "success": False}}),
            (1, 3, "f", {"1": {"tags": ["good"]}}),
            (1, 3, "g", {}),
            (2, 0, "d", {"2": {"drop": True}}),
            (2, 0, "d", {}),
        ]
        for revision, (number, row, key, wanted) in enumerate(steps, 1):
            at(page, number, row)
            page.keyboard.press(key)
            decided(page, revision)
            found = {k: v for k, v in json.loads(json.dumps(entries_of(picks))).items() if k == str(number)}
            assert found == wanted, (key, found)
        at(page, 3, 2)
        page.keyboard.press("t")
        page.locator("#asked").fill("wipe the table")
        page.keyboard.press("Enter")
        decided(page, len(steps) + 1)
        assert entries_of(picks)["3"] == {"task": "wipe the table"}
        assert page.locator('#list [data-episode="3"] .task').text_content() == "wipe the table"
        assert page.errors == []
    (named,) = edit_of(picks).inputs
    assert (named.episodes, len(named.fingerprint)) == (5, 64)
    assert sorted(path.name for path in picks.parent.iterdir()) == ["picks", "picks.edit.yaml"]


def test_keys_are_silent_inside_inputs_and_the_help_is_the_table_of_keys(starlette, opened, picks):
    with served(picks) as server:
        page = opened(server.address())
        page.keyboard.press("/")
        page.keyboard.type("d")
        assert page.locator("#filter").input_value() == "d"
        page.keyboard.press("Escape")
        page.locator("#filter").fill("")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        page.locator("dialog .keys").wait_for()
        shown = page.locator("dialog .keys kbd").all_text_contents()
        page.keyboard.press("d")
        page.keyboard.press("Escape")
        listed = page.evaluate("import('/page/keys.js').then(({ KEYS }) => KEYS.map(k => k.shown))")
        assert shown == listed
        assert {"Space", "→", "j", "k", "d", "g", "i", "o", "s", "t", "l", "f", "u", "n", "/", "?"} <= set(shown)
    assert not list(picks.parent.glob("*.edit.yaml"))


def test_a_span_is_labelled_from_where_l_is_pressed_to_where_it_is_pressed_again(starlette, opened, picks):
    with served(picks) as server:
        page = opened(server.address())
        at(page, 2, 10)
        page.keyboard.press("l")
        at(page, 2, 19)
        page.keyboard.press("l")
        page.locator("#style").select_option("subtask")
        page.locator("#asked").fill("grasp")
        page.keyboard.press("Enter")
        decided(page, 1)
        (label,) = edit_of(picks).labels
        assert (label.episode, label.rows, label.style, label.text) == ("2", (10, 20), "subtask", "grasp")
        assert page.locator("#spans button").all_text_contents()[-1] == "subtask: grasp"
        tc.edit(picks, picks.parent / "labelled", edits=[picks.parent / "picks.edit.yaml"])
        page.keyboard.press("u")
        decided(page, 2)
        assert edit_of(picks).labels == ()
    with served(picks.parent / "labelled") as server:
        page = opened(server.address(page="/dataset/0?episode=2&row=0"))
        page.wait_for_function(
            "() => [...document.querySelectorAll('#spans button')].some(b => b.textContent === 'subtask: grasp')"
        )


def test_decisions_are_there_after_the_server_was_killed(starlette, opened, picks):
    command = [sys.executable, "-m", "telecine", "view", str(picks), "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        page = opened(process.stdout.readline().strip())
        page.keyboard.press("d")
        decided(page, 1)
        page.keyboard.press("j")
        page.keyboard.press("g")
        decided(page, 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert entries_of(picks) == {"0": {"drop": True}, "1": {"tags": ["good"]}}
    with served(picks) as server:
        page = opened(server.address())
        assert "dropped" in page.locator('#list [data-episode="0"]').get_attribute("class")
        assert page.locator('#list [data-episode="1"] .tag').text_content() == "good"


def test_a_second_window_gets_a_conflict_and_nothing_is_lost(starlette, opened, picks):
    with served(picks) as server:
        first, second = opened(server.address()), opened(server.address())
        first.keyboard.press("d")
        decided(first, 1)
        at(second, 2, 0)
        second.keyboard.press("g")
        second.wait_for_selector("#message.shown")
        assert (
            "Another window decided meanwhile; your last decision, on episode 2, was not saved"
            in second.locator("#message").text_content()
        )
        assert entries_of(picks) == {"0": {"drop": True}}
        assert "dropped" in second.locator('#list [data-episode="0"]').get_attribute("class")
        second.locator("#message button").click()
        decided(second, 2)
    assert entries_of(picks) == {"0": {"drop": True}, "2": {"tags": ["good"]}}


def test_a_file_that_is_no_edit_of_this_dataset_is_told_and_stays(starlette, opened, picks):
    file = picks.parent / "picks.edit.yaml"
    foreign = "edit: 1\ninputs: [{path: x, fingerprint: abc, episodes: 5}]\n"
    with served(picks) as server:
        file.write_text(foreign)
        status, _, body = Client(server).ask("GET", "/api/dataset/0/edit")
        assert (status, "error" in json.loads(body)) == (422, True)
        file.write_text(text := "edit: 1\nepisodes: {0: {dorp: true}}\n")
        page = opened(server.address())
        page.keyboard.press("d")
        page.wait_for_selector("#message.shown")
        assert "decisions cannot be read" in page.locator("#message").text_content()
    assert file.read_text() == text


def test_a_whole_curation_is_what_the_command_makes_of_the_same_file(starlette, opened, picks):
    with served(picks) as server:
        page = opened(server.address())
        page.locator("#filter").fill("rows<15")
        page.keyboard.press("Escape")
        assert page.locator("#list [data-episode]").count() == 1
        page.locator("#list [data-episode]").click()
        page.wait_for_function("() => page.number === 1")
        page.keyboard.press("d")
        decided(page, 1)
        page.locator("#filter").fill("")
        page.keyboard.press("Escape")
        for number, row, key in ((0, 4, "i"), (0, 34, "o"), (2, 15, "s"), (3, 0, "f")):
            at(page, number, row)
            page.keyboard.press(key)
        decided(page, 5)
        at(page, 4, 0)
        page.keyboard.press("t")
        page.locator("#asked").fill("wipe")
        page.keyboard.press("Enter")
        decided(page, 6)
        page.locator("#write").click()
        out = picks.parent / "by page"
        page.locator("#out").fill(str(out))
        start = page.get_by_role("button", name="Write", exact=True)
        page.wait_for_function("() => document.querySelector('#forecast').textContent.includes('5 episodes')")
        command = page.locator("pre.command").text_content()
        start.click()
        page.locator("#open-result").wait_for()
        assert "verified" in page.locator("#forecast").text_content()
        page.locator("#open-result").click()
        page.wait_for_url(re.compile("/dataset/1"))
        page.wait_for_selector("body[data-ready]", state="attached")
        assert page.evaluate("page.info.episodes") == 5
        assert page.errors == []
    assert f"'{out}'" in command
    file = picks.parent / "picks.edit.yaml"
    # In a process of its own, as the page's: libraries that other tests load here change the schema that Arrow embeds.
    words = ["edit", picks, picks.parent / "by command", "--edit", file, "--quiet"]
    subprocess.run([sys.executable, "-m", "telecine", *map(str, words)], check=True, capture_output=True)
    one, other = (
        {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        for root in (out, picks.parent / "by command")
    )
    assert one == other


def test_writing_can_be_cancelled_and_leaves_nothing(starlette, picks, monkeypatch):
    with served(picks) as server:
        client = Client(server)
        client.ask("PUT", "/api/dataset/0/edit", json.dumps({"revision": 0, "episodes": {"0": {"drop": True}}}))
        answer = client.ask("POST", "/api/dataset/0/write", json.dumps({"out": str(picks.parent / "out")}))
        job = json.loads(answer[2])["job"]
        assert client.ask("POST", f"/api/jobs/{job}/cancel", "{}")[0] == 200
        status, headers, body = client.ask("GET", f"/api/jobs/{job}/events")
        last = json.loads(body.decode().strip().split("data: ")[-1])
        assert (status, headers["content-type"].split(";")[0], last["event"]) == (200, "text/event-stream", "cancelled")
        assert client.ask("POST", f"/api/jobs/{job}/open", "{}")[0] == 422
    assert sorted(path.name for path in picks.parent.iterdir()) == ["picks", "picks.edit.yaml"]


def test_rerun_is_started_with_the_episode_at_hand(starlette, opened, picks, tmp_path):
    noted = tmp_path / "noted.txt"
    program = (sys.executable, "-c", f"import sys, pathlib; pathlib.Path({str(noted)!r}).write_text(sys.argv[1])")
    with served(picks, rerun=program) as server:
        page = opened(server.address(page="/dataset/0?episode=2&row=0"))
        page.locator("#rerun").click()
        page.wait_for_function("() => !document.querySelector('#message').classList.contains('shown')", timeout=60_000)
        for _ in range(200):
            if noted.exists() and noted.read_text():
                break
            page.wait_for_timeout(50)
        (episode,) = tc.open_dataset(noted.read_text())
        assert len(episode) == LENGTHS[2]


def test_reruns_own_program_receives_the_episode(starlette, rerun, picks, tmp_path):
    """Without a display: it saves what it would show."""
    out = tmp_path / "received.rrd"
    program = (sys.executable, "-m", "rerun", "--bind", "127.0.0.1", "--save", str(out))
    with served(picks, rerun=program) as server:
        client = Client(server)
        status, _, answer = client.ask("POST", "/api/dataset/0/rerun", '{"episode": 2}')
        assert status == 200
        end = server.session.job(json.loads(answer)["job"]).wait()
        assert end["event"] == "done", end
        for _ in range(300):
            if "File saved" in Path(server.session.scratch(), "viewer.log").read_text():
                break
            time.sleep(0.1)
    reader = rrd_reader(out)
    (one,) = reader.recordings()
    received = Counter()
    for chunk in reader.stream(store=one):
        received[str(chunk.entity_path)] += 0 if chunk.is_static else chunk.num_rows
    assert received["/action"] == received["/observation.state"] == LENGTHS[2]


def test_a_viewer_that_cannot_start_says_why(starlette, opened, picks):
    fails = "import sys, time; print('Error: no DISPLAY is set', file=sys.stderr, flush=True); time.sleep(60)"
    with served(picks, rerun=(sys.executable, "-c", fails)) as server:
        page = opened(server.address())
        page.locator("#rerun").click()
        page.get_by_text("could not be opened: Error: no DISPLAY is set").wait_for()
    with served(picks, rerun=(sys.executable, "-c", "raise SystemExit(3)")) as server:
        page = opened(server.address())
        page.locator("#rerun").click()
        page.get_by_text("it ended with code 3").wait_for()


def test_what_cannot_be_written_says_why(starlette, opened, picks):
    with served(picks) as server:
        page = opened(server.address())
        page.keyboard.press("d")
        decided(page, 1)
        page.locator("#write").click()
        page.locator("#out").fill(str(picks))
        page.wait_for_function(
            "() => document.querySelector('#forecast').textContent.includes('exists and is not empty')"
        )
        assert page.get_by_role("button", name="Write", exact=True).is_disabled()


def test_where_the_place_is_read_only_decisions_go_to_the_state_folder(picks, monkeypatch, tmp_path):
    from telecine.viewer import edit_file

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(edit_file.os, "access", lambda *_: False)
    path = edit_file.edit_path(picks)
    assert path.parent == tmp_path / "state" / "telecine"
    assert re.fullmatch(r"picks-[0-9a-f]{12}\.edit\.yaml", path.name)
