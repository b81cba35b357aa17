"""In a browser: the frame on the screen is the frame that is coded for the row, whatever was done to get there."""

import re

import numpy as np
import pytest

from support.dataset import clip, episode, write
from support.old_dataset import write_old
from support.viewer import (
    AV1,
    B_FRAMES,
    DEPTH,
    DEPTH_RANGE,
    H264,
    LENGTHS,
    SHOWN,
    STILLS,
    VIDEOS,
    depth_mm,
    served,
)
from telecine.viewer.stills import colours

WATCH = f"""async ({{ until }}) => {{
  const found = [], shown = {SHOWN};
  while (page.row < until && !globalThis.enough && found.length < 4000) {{
    await new Promise(resolve => requestAnimationFrame(resolve));
    found.push(shown().map(entry => ({{ ...entry, at: page.number }})));
  }}
  page.cameras.pause();
  return found;
}}"""
"""In a page: what was on the screen at each of its frames, until the row is reached or `enough` is set."""


@pytest.fixture(scope="module")
def server(starlette, codecs):
    with served(codecs) as running:
        yield running


def settled(page, number, row):
    """Wait until every camera says that it shows the row of the episode."""
    page.wait_for_function(
        """([number, row]) => [...document.querySelectorAll("figure[data-camera]")].every(
             f => f.dataset.shown === String(row) && f.dataset.episode === String(number))""",
        arg=[number, row],
    )


def shown(page, number, row):
    """What the cameras show, by key, when each says that it shows this row."""
    settled(page, number, row)
    return {entry["camera"]: entry for entry in page.evaluate(SHOWN)}


def expect_row(page, number, row):
    every = shown(page, number, row)
    assert page.evaluate("[...document.querySelectorAll('video')].filter(v => v.checkVisibility()).length") == len(
        VIDEOS
    )
    for key, entry in every.items():
        assert not entry["covered"]
        assert entry["source"] == ("still" if key in STILLS else "video"), key
        if key == DEPTH:
            wanted = colours(np.array([[float(depth_mm(row, number))]]), *DEPTH_RANGE)[0, 0]
            assert np.abs(np.array(entry["middle"]) - wanted).max() < 24
        else:
            assert (entry["frame"], entry["number"]) == (row, number), key
    assert page.evaluate("page.row") == row
    assert page.locator("#clock").text_content().split()[1] == str(row)


def drag(page, places, element="#bar"):
    box = page.locator(element).bounding_box()
    page.mouse.move(box["x"] + box["width"] * places[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(box["x"] + box["width"] * place, box["y"] + box["height"] / 2)
    page.mouse.up()


def test_the_frame_is_that_of_the_row(server, opened):
    page = opened(server.address())
    expect_row(page, 0, 0)
    for key, row in (("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10), ("End", 29), ("Home", 0)):
        page.keyboard.press(key)
        expect_row(page, 0, row)
    drag(page, [(7 + 0.5) / LENGTHS[0]])  # a click
    expect_row(page, 0, 7)
    drag(page, [(row + 0.5) / LENGTHS[0] for row in (7, 29, 0, 12, 3, 28, 27, 26, 5, 14, 22, 1, 17, 18, 19, 20, 13)])
    expect_row(page, 0, 13)
    drag(page, [0.99, 0.05], element="canvas.cursor")
    expect_row(page, 0, int(0.05 * LENGTHS[0]))
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expect_row(page, 0, 13)
    page.keyboard.press("j")
    expect_row(page, 1, 0)
    page.keyboard.press("j")
    expect_row(page, 2, 0)
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect_row(page, 0, 0)
    page.locator('#list [data-episode="2"]').click()
    page.keyboard.press("End")
    expect_row(page, 2, LENGTHS[2] - 1)
    page.wait_for_url(re.compile(r"\?episode=2&row=25$"))
    assert page.errors == []


def test_every_row_can_be_gone_to(server, opened):
    page = opened(server.address(page="/dataset/0?episode=1&row=21"))
    expect_row(page, 1, 21)
    for row in np.random.default_rng(1).permutation(LENGTHS[1]).tolist():
        page.evaluate("row => page.seek(row)", row)
        expect_row(page, 1, row)


def test_playing_names_the_frames_that_it_shows_and_pauses_exactly(server, opened):
    page = opened(server.address())
    settled(page, 0, 0)
    page.keyboard.press("Space")
    seen = page.evaluate(WATCH, {"until": 8})
    for entries in seen:
        rows = [entry["frame"] for entry in entries if entry["camera"] in VIDEOS and not entry["covered"]]
        assert all(entry["number"] == 0 for entry in entries if entry["camera"] in VIDEOS and not entry["covered"])
        named = [int(entry["shown"]) for entry in entries if entry["camera"] in VIDEOS and not entry["covered"]]
        assert max(abs(row - name) for row, name in zip(rows, named, strict=True)) <= 1  # drawn in between two frames
        assert max(rows) - min(rows) <= 2  # one row, and one that came while they were read
    row = page.evaluate("page.row")
    assert row >= 8
    expect_row(page, 0, row)
    page.keyboard.press("Space")
    page.wait_for_function("() => !page.cameras.playing", timeout=20_000)
    expect_row(page, 0, LENGTHS[0] - 1)


@pytest.mark.parametrize("speed", ["0.25", "0.5", "2", "4"])
def test_other_speeds_name_the_frames_that_they_show(server, opened, speed):
    """Up to 1x the cameras are a row apart at most; faster ones may skip rows, and still name what is shown."""
    page = opened(server.address())
    settled(page, 0, 0)
    page.locator("#speed").select_option(speed)
    watch = f"asked => {{ page.cameras.play(); return ({WATCH})(asked); }}"
    seen = page.evaluate(watch, {"until": 6 if float(speed) < 1 else 20})
    rates = page.evaluate("[...document.querySelectorAll('video.front')].map(video => video.playbackRate)")
    assert all(rate == pytest.approx(float(speed), rel=0.16) for rate in rates)
    looks = [{e["camera"]: e for e in entries if e["camera"] in VIDEOS and not e["covered"]} for entries in seen]
    assert any(looks)
    assert all(entry["number"] == 0 for look in looks for entry in look.values())
    apart = sorted(np.ptp([entry["frame"] for entry in look.values()]) for look in looks if look)
    if float(speed) < 1:  # one row, and one that came while they were read; a busy machine may hold one up for a moment
        assert apart[len(apart) * 9 // 10] <= 2
    for look, later in zip(looks, looks[2:], strict=False):
        for key in look.keys() & later.keys():  # a frame is on the screen first, and named when the page runs again
            assert int(look[key]["shown"]) <= look[key]["frame"] <= int(later[key]["shown"]) + 1, key
    page.wait_for_timeout(500)  # all cameras go to the row at which it was paused
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.paused && !v.seeking)")
    expect_row(page, 0, page.evaluate("page.row"))


def test_depth_under_the_pointer_is_told(server, opened):
    page = opened(server.address(page="/dataset/0?episode=2&row=9"))
    settled(page, 2, 9)
    figure = page.locator(f'figure[data-camera="{DEPTH}"]')
    figure.locator("img").hover()
    page.wait_for_function(
        "key => document.querySelector(`figure[data-camera='${key}'] figcaption`).textContent.includes(' m at ')",
        arg=DEPTH,
    )
    text = figure.locator("figcaption").text_content()
    assert float(re.search(r"([\d.]+) m at", text)[1]) == pytest.approx(depth_mm(9, 2) / 1000, rel=0.01)


@pytest.mark.parametrize(
    "mutant",
    [
        ("const HALF = 0.5", "const HALF = 0"),
        ("this.video.requestVideoFrameCallback(this.watch); };", "};"),
        None,
    ],
    ids=["k / fps", "no callback loop", "no ranges"],
)
def test_a_page_that_seeks_otherwise_shows_other_frames(server, opened, mutant):
    def changed(route):
        answer = route.fetch()
        text = answer.text()
        assert mutant[0] in text
        route.fulfill(response=answer, body=text.replace(*mutant))

    def whole(route):
        answer = route.fetch(headers={k: v for k, v in route.request.headers.items() if k != "range"})
        headers = {k: v for k, v in answer.headers.items() if k not in ("accept-ranges", "content-range")}
        route.fulfill(status=200, headers=headers, body=answer.body())

    page = opened("about:blank", wait=None)
    page.route("**/page/cameras.js", changed) if mutant else page.route("**/video/**", whole)
    page.goto(server.address())
    page.wait_for_selector("body[data-ready]", state="attached")
    wrong = 0
    for row in (0, 3, 11, 19, 7, 29, 14):
        page.evaluate("row => page.seek(row)", row)
        settled(page, 0, row)
        entries = {e["camera"]: e for e in page.evaluate(SHOWN)}
        wrong += sum(entries[key]["frame"] != row or entries[key]["source"] != "video" for key in (B_FRAMES, AV1, H264))
        if wrong:
            return
    pytest.fail("the mutant showed every frame that it should")


def test_no_frame_of_the_episode_before_is_seen_after_a_change(server, opened):
    page = opened(server.address())
    settled(page, 0, 0)
    page.evaluate("void (globalThis.seen = (" + WATCH + ")({ until: Infinity }))")
    for key, number in (("j", 1), ("j", 2), ("k", 1), ("k", 0)):
        page.keyboard.press(key)
        settled(page, number, 0)
    seen = [entry for entries in page.evaluate("globalThis.enough = true; globalThis.seen") for entry in entries]
    wrong = [entry for entry in seen if not entry["covered"] and entry["tag"] and entry["at"] != entry["number"]]
    assert len(seen) >= 4 * len((*VIDEOS, *STILLS))  # a look at each change at least
    assert [entry for entry in wrong if entry["camera"] != DEPTH] == []


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_old_datasets_with_a_file_an_episode_are_shown_as_well(starlette, opened, tmp_path, version):
    root = write_old(tmp_path / "old")
    info = root / "meta" / "info.json"
    info.write_text(info.read_text().replace("v2.1", version))
    with served(root) as running:
        page = opened(running.address())
        assert version in page.locator("#facts").text_content()
        for number, row in ((0, 0), (1, 0), (1, 39), (0, 17)):
            page.evaluate("([number, row]) => page.open(number, row)", [number, row])
            (entry,) = shown(page, number, row).values()
            assert (entry["frame"], entry["number"], entry["source"]) == (row, number, "video")
        page.keyboard.press("d")
        page.wait_for_selector("#decided[data-revision='1']")
    assert "drop: true" in (tmp_path / "old.edit.yaml").read_text()


def test_cameras_that_are_away_leave_the_others(starlette, opened, tmp_path):
    keys = ("observation.images.a", "observation.images.b")
    clips = [clip(tmp_path, key, 20, camera=n) for n, key in enumerate(keys)]
    root = write(tmp_path / "picks", [episode(20, clips=clips)])
    next((root / "videos" / keys[0]).rglob("*.mp4")).unlink()
    with served(root) as running:
        page = opened(running.address())
        page.evaluate("page.seek(4)")
        page.wait_for_function("() => document.querySelectorAll('figure')[1].dataset.shown === '4'")
        page.wait_for_function("() => document.querySelectorAll('figcaption')[0].textContent.includes('missing')")
        entries = page.evaluate(SHOWN)
    assert (entries[0]["covered"], entries[1]["frame"]) == (True, 4)
