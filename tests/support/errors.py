"""What a piece of work ends in."""

from collections.abc import Callable

from telecine.core.errors import DatasetError


def caught(work: Callable[[], object]) -> str | None:
    """What the DatasetError says that `work` ends in; None when it works."""
    try:
        work()
    except DatasetError as error:
        return str(error)
    return None
