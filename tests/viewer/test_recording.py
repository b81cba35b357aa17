"""In a browser: of a recording the page shows the same samples, rows and ages as the plan that converts it."""

import json
import re

import numpy as np
import pytest

import telecine as tc
from support.robosandbox import write_run
from support.viewer import Client, served
from telecine.core.plan.model import parse_plan
from telecine.core.resample.resample import resample
from telecine.inspection.lag_of_path import lag_rows
from telecine.sources import registry
from telecine.viewer.entries import find_entries


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three recordings in a folder."""
    folder = tmp_path_factory.mktemp("runs") / "runs"
    for number in range(3):
        write_run(folder / f"run_{number}", 40 + 5 * number, actions=True)
    return folder


@pytest.fixture
def client(starlette, runs):
    with served(runs / "run_0") as server:
        yield Client(server)


def asked(client, path, **body):
    status, _, answer = client.ask("POST", f"/api/recording/0/0/{path}", json.dumps(body))
    return status, json.loads(answer)


def proposal(client):
    return json.loads(client.ask("GET", "/api/recording/0/0")[2])


@pytest.mark.parametrize("change", [{}, {"fps": 17}, {"how": "nearest"}, {"offset": "11ms"}, {"phase": "7ms"}])
def test_rows_and_ages_are_those_of_the_conversion(client, runs, change):
    body = proposal(client)["proposal"]
    body = {**body, **({"fps": change["fps"]} if "fps" in change else {})}
    if "phase" in change:
        body["clock"] = {**body["clock"], "phase": change["phase"]}
    feature = {"from": [{"stream": "/action", **({"offset": change["offset"]} if "offset" in change else {})}]}
    body["features"] = {**body["features"], "action": feature | ({"how": change["how"]} if "how" in change else {})}
    status, seen = asked(client, "rows", plan=body, px=500)
    assert status == 200
    plan = parse_plan(seen["yaml"])
    (ref,) = registry.find([runs / "run_0"]).refs
    with registry.open(ref) as recording:
        made = resample(recording, plan)
    assert (seen["rows"], int(seen["origin_ns"])) == (made.grid.count, made.grid.start_ns)
    assert seen["ticks"]["at"] == (made.grid.ticks() - made.grid.start_ns).tolist()
    uses = {(use.key, use.stream): use for use in made.uses}
    assert {(s["key"], s["stream"]) for s in seen["sources"]} == set(uses)
    for source in seen["sources"]:
        use = uses[(source["key"], source["stream"])]
        assert source["age_ns"] == [use.age_median_ns, use.age_max_ns]
        assert source["repeated"] == use.repeated
        ages = np.array(seen["ticks"]["at"]) - np.array(source["times"])[source["rows"]]
        assert source["ages"] == ages.tolist()
    cameras = {(c.feature.key, c.source.stream.name): c.rows.tolist() for c in made.cameras}
    assert all(
        source["rows"] == cameras.get((source["key"], source["stream"]), source["rows"]) for source in seen["sources"]
    )


def test_a_window_shows_its_samples_and_rows_alone(client):
    """A row belongs where its moment is, also when it takes a sample of a later one."""
    body = proposal(client)["proposal"]
    body["features"]["action"] = {"from": "/action", "shift": 3}
    _, whole = asked(client, "rows", plan=body)
    _, part = asked(client, "rows", plan=body, window=[300_000_000, 500_000_000])
    for all_of, some in zip(whole["sources"], part["sources"], strict=True):
        inside = [t for t in all_of["times"] if 300_000_000 <= t < 500_000_000]
        assert some["times"] == inside
        assert all_of["times"][some["first_sample"]] == inside[0]
        assert some["first_row"] == part["ticks"]["first"]
        assert some["rows"] == all_of["rows"][some["first_row"] : some["first_row"] + len(some["rows"])]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"plan": {"fps": 0}}, 422, "fps"),
        ({"yaml": "fps: [1"}, 422, "not YAML"),
        (
            {"plan": {"fps": 10, "clock": {"timeline": "sim"}, "features": {"action": "/nothing"}, "task": "x"}},
            422,
            "no stream",
        ),
        ({"window": [1, 1]}, 400, "window"),
        ({"window": ["a", 1]}, 400, "window"),
        ({"px": 0}, 400, "px"),
        ({"part": "x"}, 400, "part"),
    ],
)
def test_plans_that_mean_nothing_say_why(client, body, status, text):
    code, answer = asked(client, "rows", **{"plan": proposal(client)["proposal"], **body})
    assert (code, text in answer["error"]) == (status, True), answer


def test_samples_are_there_without_a_plan(client):
    path = "/api/recording/0/0/samples?clock=sim"
    found = json.loads(client.ask("GET", f"{path}&px=200")[2])
    assert {strip["stream"] for strip in found["others"]} >= {"/action", "/robot_joints", "/ee_pose"}
    assert (found["counts"], found["window"], found["whole"][0]) == (False, found["whole"], 0)
    (action,) = (strip for strip in found["others"] if strip["stream"] == "/action")
    part = json.loads(client.ask("GET", f"{path}&from=300000000&to=500000000")[2])
    (inside,) = (strip for strip in part["others"] if strip["stream"] == "/action")
    assert inside["times"] == [t for t in action["times"] if 300_000_000 <= t < 500_000_000]
    for query, status in (("clock=none", 404), ("clock=sim&px=0", 400), ("clock=sim&from=9&to=9", 400)):
        assert client.ask("GET", f"/api/recording/0/0/samples?{query}")[0] == status


def test_frames_and_clocks_of_a_recording(client):
    facts = proposal(client)
    camera = next(s for s in facts["streams"] if s["kind"] == "video")
    clock = camera["clocks"][0]
    query = f"stream={camera['name']}&clock={clock['name']}&sample={clock['samples'] - 1}"
    status, headers, data = client.ask("GET", f"/api/recording/0/0/frame?{query}")
    assert (status, headers["content-type"], data[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert client.ask("GET", f"/api/recording/0/0/frame?{query}9")[0] == 404
    assert client.ask("GET", "/api/recording/0/0/frame?stream=/x&clock=sim&sample=0")[0] == 404
    assert client.ask("GET", "/api/recording/0/0/frame?stream=/action&clock=sim&sample=0")[0] == 404
    assert client.ask("GET", "/api/recording/0/9")[0] == 404
    every = {s["name"] for s in facts["streams"]} | {item["stream"] for item in facts["left_out"]}
    assert every >= {"/action", "/robot_joints", "/ee_pose", camera["name"]}


def test_the_form_changes_rows_at_once_and_the_plan_is_saved_and_converts(starlette, opened, runs, tmp_path):
    with served(runs / "run_1") as server:
        page = opened(server.address())
        rows = int(page.locator("body").get_attribute("data-rows"))
        assert page.locator(".sample-strip").count() == page.evaluate("page.strips.data.sources.length")
        page.wait_for_selector("#frames figure[data-sample='0'] img")
        page.locator("#fps").fill("10")
        page.wait_for_function(
            "before => document.body.dataset.rows && Number(document.body.dataset.rows) < before / 2", arg=rows
        )
        page.get_by_label("take observation.images.scene").uncheck()
        page.wait_for_function("() => !page.plan.features['observation.images.scene']")
        page.get_by_label("take observation.images.scene").check()
        page.get_by_label("offset of /action").fill("nonsense")
        page.get_by_label("offset of /action").blur()
        page.wait_for_function("() => document.querySelector('#problem').textContent.includes('nonsense')")
        page.get_by_label("offset of /action").fill("5ms")
        page.get_by_label("offset of /action").blur()
        page.wait_for_function(
            """() => document.querySelector('#problem').textContent === ''
                     && page.plan.features.action.from[0].offset === '5ms'"""
        )
        box = page.locator(".sample-strip canvas").first.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
        page.wait_for_selector("#frames figure[data-sample] img")
        figure = page.locator("#frames figure").first
        source = page.evaluate("page.strips.data.sources.find(s => s.kind === 'video')")
        row = int(figure.get_attribute("data-row"))
        assert int(figure.get_attribute("data-sample")) == source["rows"][row]
        file = tmp_path / "plan.yaml"
        page.locator("#save").click()
        page.locator("#file").fill(str(file))
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_selector("#message.shown")
        plan = parse_plan(file.read_text())
        assert (plan.fps, next(f for f in plan.features if f.key == "action").sources[0].offset) == (10, 5_000_000)
        page.locator("#convert").click()
        page.locator("#out").fill(str(tmp_path / "made"))
        page.wait_for_function("() => document.querySelector('#forecast').textContent.includes('1 episode of')")
        page.get_by_role("button", name="Write", exact=True).click()
        page.locator("#open-result").click(timeout=60_000)
        page.wait_for_url(re.compile("/dataset/1"))
        page.wait_for_selector("body[data-ready]", state="attached")
        assert page.evaluate("page.info.fps") == 10
        assert page.errors == []
    tc.convert(runs / "run_1", tmp_path / "by command", plan=file, workers=0)
    names = [p.relative_to(tmp_path / "made") for p in sorted((tmp_path / "made").rglob("*.parquet"))]
    assert all((tmp_path / "made" / n).read_bytes() == (tmp_path / "by command" / n).read_bytes() for n in names)
    assert names


def test_a_recording_that_counts_steps_shows_its_samples_until_their_rate_is_known(starlette, h5py, opened, tmp_path):
    with h5py.File(tmp_path / "steps.hdf5", "w") as file:
        for name in ("demo_0", "demo_1"):
            for array in ("actions", "obs/joint_pos", "obs/torques"):
                file[f"data/{name}/{array}"] = np.linspace(0, 1, 150, dtype=np.float32).reshape(25, 6)
    with served(tmp_path / "steps.hdf5") as server:
        page = opened(server.address())
        assert "clock.rate" in page.locator("#problem").text_content()
        assert page.locator("#window").text_content() == "0 steps to 24 steps"
        streams = page.locator("#others .sample-strip").count()
        assert streams == 3
        page.locator("#rate").fill("50")
        page.wait_for_function("() => Number(document.body.dataset.rows) > 10")
        used = page.locator("#strips .sample-strip").count()
        page.wait_for_function(
            "many => document.querySelectorAll('#others .sample-strip').length === many", arg=streams - used
        )
        assert "clock.rate" not in page.locator("#problem").text_content()
        page.locator("#item").select_option("1")
        page.wait_for_url(re.compile("item=1"))
        page.wait_for_selector("body[data-ready]", state="attached")
        assert page.locator("#name").text_content().endswith("demo_1")
        assert page.errors == []


def test_the_lag_of_cameras_is_measured_and_an_offset_takes_it_away(starlette, opened, runs):
    """Measuring changes nothing, so that it is offered with --read-only as well."""
    wanted = [row.text for row in lag_rows(runs / "run_0")]
    late = {
        "key": "observation.images.scene",
        "stream": "/scene",
        "ms": 40.2,
        "interval_ms": [31, 49],
        "text": "+40 ms",
    }
    unsure = {"key": "action", "stream": "/action", "ms": None, "interval_ms": None, "text": "cannot tell: no motion"}
    done = json.dumps({"event": "done", "report": [late, unsure]})
    with served(runs / "run_0", read_only=True) as server:
        page = opened(server.address())
        page.locator("#measure").click()
        page.locator("#lag [data-lag]").first.wait_for(timeout=60_000)
        text = page.locator("#lag").text_content()
        assert wanted
        assert all(words in text for words in wanted)
        answer = {"content_type": "text/event-stream", "body": f"id: 1\ndata: {done}\n\n"}
        page.route("**/events", lambda route: route.fulfill(**answer))
        page.locator("#measure").click()
        page.get_by_role("button", name="offset -40ms").click()
        page.wait_for_function("() => page.plan.features['observation.images.scene'].from[0]?.offset === '-40ms'")
        assert page.locator("#lag button").count() == 1
        assert page.get_by_label("offset of /scene").input_value() == "-40ms"
        assert page.errors == []


def test_a_folder_is_a_list_of_datasets_and_recordings(starlette, opened, runs, tmp_path):
    tc.convert(runs / "run_0", tmp_path / "both" / "made", workers=0)
    write_run(tmp_path / "both" / "run_7", 12, actions=True)
    entries = find_entries(str(tmp_path / "both"))
    assert [(e.kind, e.name) for e in entries] == [("dataset", "made"), ("recording", "events.jsonl")]
    with served(tmp_path / "both") as server:
        page = opened(server.address())
        assert page.url.endswith("/list")
        names = page.locator("#entries a").all_text_contents()
        assert names == ["made", "run_7/events.jsonl"]
        page.wait_for_selector("body[data-counted]", state="attached")
        held = page.locator("#entries td[data-entry]").all_text_contents()
        assert held == ["1 episode", "1 recording"]
        assert page.locator("#facts").text_content() == "1 dataset, 1 recording file"
        page.locator("#filter").fill("recording")
        assert page.locator("#entries tr").count() == 1
        page.locator("#entries a").click()
        page.wait_for_selector("body[data-ready]", state="attached")
        assert page.url.endswith("/recording/1")
        page.locator("#back").click()
        page.wait_for_url(re.compile("/list"))
        assert page.errors == []
