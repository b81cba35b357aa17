"""The errors telecine raises on purpose.

    TelecineError
    |- SourceError    a recording cannot be read: unknown format, truncated, missing extra
    |   '- ContradictionError  what it says twice differs, so that its rows or frames may be another's
    |- PlanError      the plan is malformed or does not fit this recording; every problem with its path
    |   '- EditError  the same of an edit and the datasets it is for
    |- AlignError     no usable sample at some ticks
    |- VideoError     a codec is not supported, or decoding, encoding or muxing failed
    |- DatasetError   the target exists, is not a dataset, is damaged or locked, or commit failed
    |   '- MetadataError  the metadata of a dataset is damaged; `path` names the file
    '- StoreError     a folder or an object store refused to read or write

Each takes one positional message, so that it survives pickling between processes; add context with `add_note`.
`code` is the code of the finding (core/findings.py) that reports the error; a subclass inherits it.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class TelecineError(Exception):
    """Base of every error that telecine raises on purpose."""

    code: ClassVar[str] = "convert-failed"
    findings: tuple[Any, ...] = ()
    """The findings that say it in detail, where there are some; see `core.findings.with_notes`."""


class SourceError(TelecineError):
    """A recording cannot be read."""

    code = "source-unreadable"


class OutsideError(SourceError):
    """A recording leads to what was not given."""

    code = "source-outside"


class ContradictionError(SourceError):
    """A recording says two things that cannot both be true, so that its rows or frames may be another's."""

    code = "source-metadata"


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


class MetadataError(DatasetError):
    """The metadata of a dataset is missing or damaged: "ROOT/meta/info.json: fps: found '30', expected ..."."""

    code = "verify-structure"
    path: str = ""
    """The file, below the dataset's folder."""
    problem: str = ""
    """What is wrong with it."""


def metadata_error(root: object, path: object, problem: str) -> MetadataError:
    """The error for a file of metadata at `path` below the folder `root`."""
    error = MetadataError(f"{root}/{path}: {problem}")
    error.path, error.problem = str(path), problem
    return error


class StoreError(TelecineError):
    """A store refused to read or write, also when asked several times."""

    code = "store-refused"


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def disk_is_full(error: BaseException) -> bool:
    """True when the error, or one behind it, says that the disk or the quota is full."""
    return any(getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for cause in causes_of(error))


def disk_problem(error: BaseException, folder: str) -> str:
    """What is wrong with the disk that `folder` is on, in a few words; "" when that is not what the error is about.

    A disk can fail where recordings lie as well: an error other than a full disk counts when it names `folder`, and
    comes from the system. Arrow raises OSError for damaged files too, which has no number then.
    """
    if disk_is_full(error):
        return "no space left"
    refused = any(isinstance(cause, OSError) and cause.errno is not None for cause in causes_of(error))
    return "writing failed" if refused and folder in str(error) else ""


@contextmanager
def disk_errors_named(folder: str) -> Iterator[None]:
    """Inside it `folder` is written to. Raises: DatasetError for what its disk refuses, and all else as it is."""
    try:
        yield
    except Exception as error:
        problem = disk_problem(error, folder)
        if not problem or (isinstance(error, DatasetError) and str(error).startswith(problem)):
            raise
        raise DatasetError(f"{problem}: {folder} cannot be written: {error}") from error


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


@contextmanager
def closed_on_failure(close: Callable[[], object]) -> Iterator[None]:
    """Inside it, something that is open becomes a part of what is made; `close` lets go of it when that fails."""
    try:
        yield
    except BaseException:
        close()
        raise
