"""The border of one recording: whatever goes wrong while it is read is its own error, and never ends the run.

Formats turn what they expect of their libraries into SourceError. What nobody expected (a number that overflows, a
recursion without end, memory that is not there, a panic of a library in Rust, which is no Exception) is caught here,
and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from telecine.core.errors import SourceError, TelecineError

_LONGEST = 500


class UnexpectedError(SourceError):
    """A recording could not be read for a reason that telecine did not expect."""

    code = "convert-failed"


def is_stop(error: BaseException) -> bool:
    """True for what asks the whole program to end; a panic of PyO3 is no Exception either, but does not."""
    return not isinstance(error, Exception) and type(error).__name__ != "PanicException"


@contextmanager
def border(label: str) -> Iterator[None]:
    """Inside, one recording is read. Raises: TelecineError for every failure, and what stops the program as it is."""
    try:
        yield
    except TelecineError:
        raise
    except BaseException as error:
        if is_stop(error):
            raise
        raise UnexpectedError(f"{label}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """An error in one line, with its type."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  an error that cannot say what it is still has a type
        text = ""
    return f"{type(error).__name__}: {text[:_LONGEST]}".rstrip(": ")
