"""The errors telecine raises on purpose.

    TelecineError
    |- SourceError    a recording cannot be read: unknown format, truncated, missing extra
    |- PlanError      the plan is malformed or does not fit this recording; every problem with its path
    |   '- EditError  the same of an edit and the datasets it is for
    |- AlignError     no usable sample at some ticks
    |- VideoError     a codec is not supported, or decoding, encoding or muxing failed
    '- DatasetError   the target exists, is not a dataset, is damaged or locked, or commit failed

Each takes one positional message, so that it survives pickling between processes; add context with `add_note`.
`code` is the code of the finding (core/findings.py) that reports the error; a subclass inherits it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class TelecineError(Exception):
    """Base of every error that telecine raises on purpose."""

    code: ClassVar[str] = "convert-failed"


class SourceError(TelecineError):
    """A recording cannot be read."""

    code = "source-unreadable"


class PlanError(TelecineError, ValueError):
    """The plan is malformed or cannot be carried out on this recording."""

    code = "plan-mismatch"


class EditError(PlanError):
    """The edit is malformed or does not fit the datasets that it is given."""


class AlignError(TelecineError, ValueError):
    """A stream has no usable sample at some ticks."""

    code = "align-missing"


class VideoError(TelecineError):
    """Frames cannot be decoded, encoded or stored."""

    code = "video-damaged"


class DatasetError(TelecineError):
    """The dataset cannot be written or is damaged."""

    code = "dataset-mismatch"


@contextmanager
def raised_as(kind: type[TelecineError], what: str, *causes: type[BaseException]) -> Iterator[None]:
    """Inside it, `causes` become a `kind` that begins with `what`: "FILE: cannot be read: Permission denied".

    What telecine raised itself stays as it is.
    """
    try:
        yield
    except TelecineError:
        raise
    except causes as error:
        raise kind(f"{what}: {getattr(error, 'strerror', None) or error}") from error
