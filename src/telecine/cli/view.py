"""`telecine view`."""

import threading
import webbrowser
from pathlib import Path
from typing import Any

import typer

from telecine.cli.exit_codes import Outcome
from telecine.commands.view import view

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def run(path: Path | str, *, show: bool, host: str, **how: Any) -> Outcome:
    """Serves until it is stopped, which is how it is meant to end."""
    with view(path, host=host, **how) as page:
        try:
            _tell(page.address, host, read_only=bool(how.get("read_only")))
            if show:
                threading.Thread(target=webbrowser.open, args=(page.address,), daemon=True).start()
            page.wait()
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
    return Outcome(done=True)


def _tell(address: str, host: str, *, read_only: bool) -> None:
    if host not in LOOPBACK:
        more = "" if read_only else " and write datasets; --read-only stops that"
        text = (
            f"warning: --host {host} lets other machines in: whoever has the address below can read these files{more}"
        )
        typer.echo(text, err=True)
    print(address, flush=True)
