"""The one module that touches rerun-sdk, whose names move from release to release (tested: 0.33 and 0.41).

Imported lazily, so that telecine starts quickly and works without it.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from telecine.core.errors import SourceError
from telecine.core.text.secrets import scrubbed
from telecine.sources.format import MissingExtra


def reader(path: str) -> Any:
    """Rerun's RrdReader on a file: `recordings()`, `stream(store=)`, `store(store=)`.

    Raises:
        MissingExtra: rerun-sdk is not installed.
        SourceError: it refuses the file.
    """
    opened = _reader_class()
    with warnings.catch_warnings():
        # A finding of ours for files that end without a table of contents.
        warnings.filterwarnings("ignore", message="RRD file has no footer", category=Warning)
        with asked(f"{path}: rerun-sdk cannot read it"):
            return opened(path)


def _reader_class() -> Callable[[str], Any]:
    """The compiled reader where it is as we know it, else the public class around it.

    Importing the package `rerun`, with all its archetypes, takes longer than reading a recording of a minute; the
    compiled half of rerun-sdk, which holds the reader, loads at once. Both have the same methods.
    """
    try:
        from rerun_bindings import RrdReaderInternal

        if hasattr(RrdReaderInternal, "store_entries"):
            return partial(_CompiledReader, RrdReaderInternal)
    except ImportError:
        pass  # the public names decide
    try:
        from rerun.chunk import RrdReader  # since 0.38
    except ImportError:
        try:
            from rerun.experimental import RrdReader  # 0.32 .. 0.37
        except ImportError as error:
            raise MissingExtra("reading .rrd needs: pip install 'telecine[rrd]'") from error
    found: Callable[[str], Any] = RrdReader
    return found


class _CompiledReader:
    """The compiled reader with the two methods that the public class adds."""

    def __init__(self, compiled: Callable[[str], Any], path: str) -> None:
        self._file = compiled(path)
        self.stream, self.store = self._file.stream, self._file.store

    def recordings(self) -> list[Any]:
        """Entries of recordings: `recording_id`, `application_id`."""
        return self._of_kind("recording")

    def blueprints(self) -> list[Any]:
        """Entries of the viewer's layouts."""
        return self._of_kind("blueprint")

    def _of_kind(self, kind: str) -> list[Any]:
        return [entry for entry in self._file.store_entries() if entry.kind == kind]


def client(url: str, token: str | None) -> Any:
    """A connection to a Rerun catalog server.

    Raises:
        MissingExtra: rerun-sdk is not installed with its catalog client.
        SourceError: no server answers there, or it refuses the token.
    """
    try:
        import datafusion  # noqa: F401 - rerun.catalog needs it, and its own error is less clear
        from rerun.catalog import CatalogClient
    except ImportError as error:
        raise MissingExtra("reading a Rerun catalog needs: pip install 'telecine[catalog]'") from error
    with asked(url, token):
        return CatalogClient(url, token=token)


@contextmanager
def asked(what: str, token: str | None = None) -> Iterator[None]:
    """Inside it, errors of rerun-sdk become a SourceError that begins with `what`, without the token."""
    try:
        yield
    except SourceError:
        raise
    except _errors() as error:
        raise SourceError(f"{what}: {first_line(error, token)}") from without(error, token)


def _errors() -> tuple[type[Exception], ...]:
    """What rerun-sdk raises when data or a connection is bad."""
    import rerun_bindings

    found = [RuntimeError, ValueError, OSError, LookupError, TypeError]
    for name in ("NotFoundError", "AlreadyExistsError"):
        error = getattr(rerun_bindings, name, None)
        if isinstance(error, type) and issubclass(error, Exception):
            found.append(error)
    return tuple(found)


def first_line(error: Exception, token: str | None = None) -> str:
    """The message without the server's trace, and never with the token."""
    text = (str(error).splitlines() or [""])[0] or type(error).__name__
    return scrubbed(text, token)


def without(error: Exception, token: str | None) -> Exception | None:
    """The cause to chain: nothing when it would show the token in a traceback."""
    text = str(error)
    return None if scrubbed(text, token) != text else error
