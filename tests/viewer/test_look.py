"""In a browser: pages that screen readers can name, that load nothing foreign and do not jump; pictures of them."""

import os
import shutil
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

import telecine as tc
from support.dataset import episode, everything, write
from support.mcap import some_messages, write_mcap
from support.robosandbox import write_run
from support.viewer import served
from telecine.samples.recordings import write_demo_recordings
from telecine.video.frames.png import read_png

IMAGES = Path(__file__).parents[2] / "docs" / "images"
"""What the page looks like, for its docs: TELECINE_DOCS_IMAGES=1 makes the files anew."""
FRAME_S = Fraction(1, 25)
LENGTHS = (90, 40, 120)
PAGES = {"dataset": "/dataset/0?episode=2&row=31", "recording": "/recording/1", "list": "/list"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset and a recording."""
    root = tmp_path_factory.mktemp("look") / "data"
    root.mkdir()
    write(root / "picks", everything(root.parent, LENGTHS))
    write_run(root / "run_0", 90, actions=True)
    return root


@pytest.fixture(scope="module")
def server(starlette, folder):
    with served(folder) as running:
        yield running


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_named_for_screen_readers_and_have_contrast(server, opened, problems, name):
    page = opened(server.address(page=PAGES[name]))
    if name == "dataset":
        page.wait_for_selector("body[data-checked=checked]", state="attached")
        page.wait_for_function("() => [...document.querySelectorAll('figure')].every(f => f.dataset.shown === '31')")
    brightness = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour in between
        assert problems(page) == []
        rgb = read_png(page.screenshot())
        assert rgb.shape == (800, 1280, 3)
        brightness.append(rgb.mean())
    assert brightness[0] > 128 > brightness[1]
    if name == "dataset":
        page.keyboard.press("?")
        assert problems(page) == []


@pytest.mark.parametrize("name", ["dataset", "recording"])
def test_a_narrow_window_has_the_parts_below_each_other(server, opened, name):
    page = opened(server.address(page=PAGES[name]), viewport={"width": 420, "height": 800})
    widths = page.evaluate("() => [...document.querySelectorAll('main, nav, aside')].map(part => part.offsetWidth)")
    assert widths == [420, 420]


def test_nothing_is_asked_of_another_server_and_the_policy_is_kept(server, opened):
    for path in PAGES.values():
        page = opened("about:blank", wait=None, bypass_csp=False)
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(server.address(page=path))
        page.locator("body[data-ready]").wait_for(state="attached")
        if "dataset" in path:
            page.locator("figure[data-shown='31']").first.wait_for()
        assert all(url.startswith((f"http://127.0.0.1:{server.port}/", "blob:", "data:")) for url in asked)
        assert page.errors == []


def test_nothing_moves_when_another_episode_is_opened(server, opened):
    page = opened(server.address(page="/dataset/0"))
    page.wait_for_selector("body[data-checked=checked]", state="attached")
    places = "() => [...document.querySelectorAll('#cameras figure, #bar, #plots .strip')].map(e => e.offsetTop)"
    before = page.evaluate(places)
    for key in ("j", "ArrowRight", "Space", "Space", "k"):
        page.keyboard.press(key)
        assert page.evaluate(places)[:3] == before[:3]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_notebook_of_this_machine_shows_the_page_in_a_frame(starlette, opened, folder, host):
    with tc.view(folder / "picks", episode=1) as shown:
        html = f"<!doctype html>{shown._repr_html_()}".encode()

        class Notebook(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(html)

            def log_message(self, *_):
                """Quiet."""

        with HTTPServer(("127.0.0.1", 0), Notebook) as notebook:
            threading.Thread(target=notebook.serve_forever, daemon=True).start()
            page = opened(f"http://{host}:{notebook.server_port}/", wait=None)
            frame = page.frame_locator("iframe")
            frame.locator("body[data-ready]").wait_for(state="attached")
            assert frame.locator("#title").text_content().startswith("Episode 1")
            notebook.shutdown()


def webp(picture):
    """The bytes of (height, width, 3) uint8 as WebP."""
    codec = av.CodecContext.create("libwebp", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = picture.shape[1], picture.shape[0], "yuv420p", FRAME_S
    codec.options = {"quality": "82", "preset": "text"}
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


@pytest.mark.long
def test_the_docs_show_what_the_pages_look_like(starlette, rerun, opened, tmp_path):
    """A dataset with decisions, a recording at a row, and the list of both, of the demo's recordings."""
    root = tmp_path / "demo"
    write_demo_recordings(root / "recordings", episodes=3, seconds=6.0)
    tc.convert(root / "recordings", root / "dataset", workers=0)
    made = {}
    with served(root) as running:
        page = opened(running.address(page="/dataset/0?episode=1&row=64"), color_scheme="light")
        page.wait_for_selector("body[data-checked]", state="attached", timeout=120_000)
        for key, row in (("i", 12), ("o", 150), ("s", 96), ("f", 64), ("g", 64)):
            page.evaluate("row => page.seek(row)", row)
            page.keyboard.press(key)
        page.evaluate("page.open(2, 0)")
        page.keyboard.press("d")
        page.wait_for_selector("#decided[data-revision='6']")
        page.evaluate("page.open(1, 64)")
        page.wait_for_function("() => [...document.querySelectorAll('figure')].every(f => f.dataset.shown === '64')")
        page.wait_for_function("() => document.querySelector('#plots').dataset.row === '64'")
        made["dataset"] = page.screenshot()
        page = opened(running.address(page="/recording/1"), color_scheme="dark")
        page.evaluate("page.strips.ask(2.0e9, 3.0e9)")
        page.wait_for_function("() => page.strips.data.window[1] === 3.0e9")
        page.evaluate("page.point(2.5e9)")
        page.wait_for_function(
            "() => [...document.querySelectorAll('#frames figcaption')].some(f => f.textContent.includes('row 7'))"
        )
        made["recording"] = page.screenshot()
    for name, png in made.items():
        file = IMAGES / f"view-{name}.webp"
        if os.environ.get("TELECINE_DOCS_IMAGES"):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(webp(read_png(png)))
        with av.open(file) as shown:
            (picture,) = (frame.to_ndarray(format="rgb24") for frame in shown.decode(video=0))
        assert f"images/{file.name}" in (IMAGES.parent / "view.md").read_text()
        assert np.abs(picture.astype(int) - read_png(png)).mean() < 12, f"docs/images/{file.name} looks otherwise"


def test_what_cannot_be_opened_says_why_and_offers_nothing_else(starlette, mcap, opened, tmp_path):
    root = tmp_path / "data"
    write(root / "empty", [episode(5)])
    shutil.rmtree(root / "empty" / "meta" / "episodes")
    whole = write_mcap(tmp_path / "whole.mcap", some_messages(20)).read_bytes()
    (root / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    with served(root) as running:
        for address, name, why in (
            ("/dataset/1", "empty cannot be shown", "holds no Parquet file"),
            ("/recording/0", "cut.mcap cannot be read", "--recover"),
        ):
            page = opened(running.address(page=address), wait="body[data-failed]")
            page.get_by_text(name).wait_for()
            assert page.get_by_text(why).first.is_visible()
            assert page.get_by_role("button").filter(visible=True).count() == 0
            assert page.locator("#back").is_visible()
        page = opened(running.address(page="/list"), wait="body[data-counted]")
        assert page.locator("[data-entry='0']").text_content() == "cannot be read"
