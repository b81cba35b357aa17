"""The page's server: one thread of this process, on loopback unless asked otherwise."""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telecine.core.errors import PlanError, raised_as
from telecine.viewer.entries import Entry
from telecine.viewer.guard import App, Guard, ServerAccess
from telecine.viewer.session import Session

LOOPBACK = "127.0.0.1"
STARTS_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the page is served. port: 0 takes one that is free."""

    host: str = LOOPBACK
    port: int = 0
    read_only: bool = False
    in_notebook: bool = False
    follow_links: bool = False
    """Show datasets and recordings whose links lead outside of them."""
    copied: Callable[[str], str] = str
    """The folder of a dataset: itself, or a copy of one in a store."""
    rerun: tuple[str, ...] = ()
    """The program that shows a dataset in Rerun's viewer; none: the page does not offer it."""


class Server:
    """A running server; `stop` ends it and what it started."""

    def __init__(self, path: str, entries: tuple[Entry, ...], options: ServerOptions) -> None:
        try:
            import uvicorn

            from telecine.viewer.app import make_app
        except ModuleNotFoundError as error:
            raise PlanError(f"the page needs {error.name}: pip install 'telecine[view]'") from error
        self._socket = _bound(options.host, options.port)
        port = self._socket.getsockname()[1]
        self._access = ServerAccess(
            options.host, port, secrets.token_urlsafe(24), options.read_only, options.in_notebook
        )
        how: dict[str, Any] = {
            "read_only": options.read_only,
            "follow_links": options.follow_links,
            "copied": options.copied,
        }
        self.session = Session(path, entries, rerun=options.rerun, **how)
        app: App = Guard(make_app(self.session), self._access)
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server: Any = uvicorn.Server(config)
        # Not Thread.join: up to Python 3.12 one that Ctrl-C interrupts takes the thread for dead (CPython issue 90882).
        self._ended = threading.Event()
        threading.Thread(target=self._serve, name="telecine view", daemon=True).start()
        threading.Thread(target=self.session.prepare, name="telecine view opens", daemon=True).start()
        self._wait(lambda: self._server.started)

    def _serve(self) -> None:
        """The socket is this thread's: closed elsewhere, uvicorn could not take it out of its loop."""
        try:
            with self._socket, contextlib.suppress(SystemExit):  # uvicorn's way to say that it cannot start
                self._server.run(sockets=[self._socket])
        finally:
            self._ended.set()

    def _wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + STARTS_WITHIN_S
        while not done() and not self._ended.is_set() and time.monotonic() < until:
            time.sleep(0.01)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._access.port

    def address(self, host: str = "", page: str = "/") -> str:
        """With the token, for the first visit. host: another name of this machine."""
        shown = host or self._access.host
        shown = LOOPBACK if shown in ("0.0.0.0", "::") else shown  # noqa: S104 # nosec B104  # compared, not bound
        shown = f"[{shown}]" if ":" in shown else shown
        mark = "&" if "?" in page else "?"
        return f"http://{shown}:{self.port}{page}{mark}token={self._access.token}"

    def join(self) -> None:
        """Wait until it ends; Ctrl-C comes through."""
        while not self._ended.wait(0.5):
            pass

    def stop(self) -> None:
        """End it; a dataset that is being written is given up, its staging removed."""
        self.session.close()
        self._server.should_exit = True
        self._ended.wait(5)


def _bound(host: str, port: int) -> socket.socket:
    """Raises: PlanError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with raised_as(PlanError, f"--host {host} --port {port}: cannot listen there", OSError, OverflowError):
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except BaseException:
            bound.close()
            raise
    return bound
