"""Pages that are open in the browser."""

import pytest

from support.viewer import every_codec


@pytest.fixture(scope="session")
def codecs(tmp_path_factory):
    """A dataset whose cameras are coded in every way there is. Nobody writes beside it."""
    return every_codec(tmp_path_factory.mktemp("codecs") / "codecs")


def is_error(message):
    """A message of the console that is one; what the server refuses, the page says itself."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@pytest.fixture
def opened(browser):
    """Opens pages: address, then what a context takes."""
    contexts = []

    def make(address, *, wait="body[data-ready]", **how):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "bypass_csp": True, **how})
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda message: page.errors.append(message.text) if is_error(message) else None)
        page.goto(address)
        if wait:
            page.wait_for_selector(wait, state="attached")
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def problems():
    """Finds what axe-core calls serious or critical in a page: (rule, HTML) of each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()

    def find(page):
        found = [v for v in axe.run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        return [(v["id"], node["html"][:150]) for v in found for node in v["nodes"]]

    return find
