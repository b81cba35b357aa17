"""How much a command tells, and whom: `-q` only what is wrong and the result, `-v` every remark; `--json` machines."""

from enum import IntEnum


class Loudness(IntEnum):
    """`-q`, neither, `-v`."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_chosen = Loudness.NORMAL
_json = False


def choose(*, quiet: bool, verbose: bool, json: bool = False) -> None:
    """For the rest of this process. Of both flags the louder one counts."""
    global _chosen, _json  # as standard output is: one command a process
    _json = json
    _chosen = Loudness.VERBOSE if verbose else Loudness.QUIET if quiet else Loudness.NORMAL


def json() -> bool:
    """One JSON object on standard output, also of an error that has findings."""
    return _json


def quiet() -> bool:
    """Only what is wrong, and the result: no tables, no progress, no next steps."""
    return _chosen is Loudness.QUIET


def verbose() -> bool:
    """Every remark and all rows of tables."""
    return _chosen is Loudness.VERBOSE
