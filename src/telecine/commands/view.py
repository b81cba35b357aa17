"""`telecine.view`: what `telecine view` does, with the same words."""

import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine.core.errors import PlanError
from telecine.core.text.addresses import as_typed, is_stored

if TYPE_CHECKING:
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

    def __init__(self, server: "Server", page: str) -> None:
        self._server, self._page = server, page

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
        path: a LeRobot dataset of v2.0, v2.1 or v3.0, a recording of any format, or a folder of such.
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

    if is_stored(path):
        where = as_typed(path)
        text = f"{where}: the page shows folders of this machine"
        raise PlanError(f"{text}; `telecine edit {where} FOLDER` makes a copy of a dataset")
    entries = find_entries(str(path), follow_links=follow_links)
    if (episode is not None or row is not None) and (len(entries) != 1 or entries[0].kind != "dataset"):
        raise PlanError("episode and row are those of one dataset; name it")
    page = "/" if len(entries) != 1 or entries[0].problem else f"/{entries[0].kind}/0"
    if episode is not None or row is not None:
        page += f"?episode={episode or 0}&row={row or 0}"
    if rerun and find_spec("rerun") is None:
        raise PlanError("rerun: Rerun's viewer is not installed: pip install 'telecine[rrd]'")
    program = (sys.executable, "-m", "rerun") if rerun else ()
    local = host == "127.0.0.1"
    how: dict[str, Any] = {"read_only": read_only, "in_notebook": local, "rerun": program, "follow_links": follow_links}
    options = ServerOptions(host, port, **how)
    return View(Server(str(path), entries, options), page)
