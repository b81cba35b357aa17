"""`telecine.view`: what `telecine view` does, with the same words."""

import sys
from contextlib import ExitStack
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine.commands.stores import copies_gone, is_stored_dataset, stores
from telecine.core.errors import PlanError
from telecine.core.text.addresses import as_typed, unknown_scheme

if TYPE_CHECKING:
    from telecine.viewer.entries import Entry
    from telecine.viewer.server import Server

HEIGHT_PX = 760
_SAME_HOST = (
    "if (location.hostname === '127.0.0.1') { const frame = document.currentScript.previousElementSibling; "
    "frame.src = frame.src.replace('//localhost:', '//127.0.0.1:'); }"
)


class View:
    """A page that is being served until `close()`, or until this program ends; an iframe in a notebook.

    address: what to open in a browser, once; it has the token.

    >>> import telecine as tc
    >>> with tc.view("dataset") as page:
    ...     page.address.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, server: "Server", page: str, copies: ExitStack) -> None:
        self._server, self._page, self._copies = server, page, copies

    @property
    def address(self) -> str:
        """For the first visit; afterwards the browser has a cookie."""
        return self._server.address(page=self._page)

    def wait(self) -> None:
        """Until it ends. Ctrl-C comes through."""
        self._server.join()

    def close(self) -> None:
        """Stop serving; what is being written is given up."""
        self._server.stop()
        self._copies.close()

    def __enter__(self) -> "View":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<telecine view: {self.address}>"

    def _repr_html_(self) -> str:
        # A page of another host name than the notebook's would not get its cookie in a frame.
        framed = escape(self._server.address("localhost", self._page))
        return (
            f'<iframe src="{framed}" width="100%" height="{HEIGHT_PX}" style="border:0" title="telecine view"></iframe>'
            f"<script>{_SAME_HOST}</script>"
            f'<p><a href="{escape(self.address)}" target="_blank" rel="noopener">open in a tab of its own</a></p>'
        )


def view(
    path: str | Path,
    *,
    episode: int | None = None,
    row: int | None = None,
    read_only: bool = False,
    rerun: bool = False,
    follow_links: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
) -> View:
    """A page for a dataset, recordings, or a folder of them, for browsers on this machine; an iframe in a notebook.

    Args:
        path: a LeRobot dataset of v2.0, v2.1 or v3.0, a recording of any format, or a folder of these,
            here or in a store.
        episode: of a dataset: the one to begin with.
        row: of that episode.
        read_only: decide and write nothing.
        rerun: offer to open the episode at hand in Rerun's viewer.
        follow_links: show files that links in datasets and recordings lead to outside.
        host: the address to listen on; another than loopback lets other machines in.
        port: 0 takes a free one.

    Returns:
        The page: `.address` is for a browser, `.close()` ends it.

    Raises:
        SourceError: there is nothing to show.
        PlanError: the extra `view`, or Rerun, is not installed, or the address cannot be had.

    >>> import telecine as tc
    >>> page = tc.view("dataset", episode=1, row=3)
    >>> "/dataset/0?episode=1&row=3&token=" in page.address
    True
    >>> page.close()
    """
    from telecine.viewer.entries import find_entries
    from telecine.viewer.server import Server, ServerOptions

    path = str(as_typed(path))
    if why := unknown_scheme(path):
        raise PlanError(why)
    with ExitStack() as stack:
        stack.enter_context(copies_gone())
        there = stack.enter_context(stores())
        entries = find_entries(path, follow_links=follow_links, is_stored_dataset=is_stored_dataset)
        page = _first_page(entries, episode, row)
        program = _rerun_program() if rerun else ()
        how: dict[str, Any] = {"read_only": read_only, "in_notebook": host == "127.0.0.1", "rerun": program}
        how |= {"follow_links": follow_links, "copied": lambda root: str(there.dataset(root))}
        return View(Server(path, entries, ServerOptions(host, port, **how)), page, stack.pop_all())


def _first_page(entries: "tuple[Entry, ...]", episode: int | None, row: int | None) -> str:
    if (episode is not None or row is not None) and (len(entries) != 1 or entries[0].kind != "dataset"):
        raise PlanError("episode and row are those of one dataset; name it")
    page = "/" if len(entries) != 1 or entries[0].problem else f"/{entries[0].kind}/0"
    return page if episode is None and row is None else f"{page}?episode={episode or 0}&row={row or 0}"


def _rerun_program() -> tuple[str, ...]:
    if find_spec("rerun") is None:
        raise PlanError("rerun: Rerun's viewer is not installed: pip install 'telecine[rrd]'")
    return (sys.executable, "-m", "rerun", "--bind", "127.0.0.1")  # else it listens for the whole network
