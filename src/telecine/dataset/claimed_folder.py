"""A folder that one command fills, marked until it is whole: the same command may fill it again after a failure.

What the folder holds already stays while it is filled again; whoever fills it replaces file by file.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from telecine.core.errors import DatasetError, disk_problem
from telecine.core.text.addresses import require_local

_MARK = ".telecine-unfinished.json"


def mark_of(folder: Path, *, beside: bool = False) -> Path:
    """The file that says whose the folder is: in it, or `beside` it where the folder is a dataset."""
    return folder.with_name(f".{folder.name}{_MARK}") if beside else folder / _MARK


def is_unfinished(folder: Path, command: Mapping[str, Any], *, beside: bool = False) -> bool:
    """True when the same `command` began to fill the folder and did not come to its end."""
    try:
        return bool(json.loads(mark_of(folder, beside=beside).read_text(encoding="utf-8")) == command)
    except (OSError, ValueError):
        return False


def is_claimable(folder: Path, command: Mapping[str, Any]) -> bool:
    """True when there is no such folder, it is empty, or `is_unfinished`. Raises: PlanError for an address."""
    require_local(folder)
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    return is_free or is_unfinished(folder, command)


@contextmanager
def claimed(folder: Path, command: Mapping[str, Any], *, beside: bool = False) -> Iterator[None]:
    """Inside it the folder, which is made unless it is a dataset, belongs to `command`: plain values for JSON.

    Raises: DatasetError when the disk refuses, with what stays. Where nothing was finished, the folder goes again.
    """
    made, mark = not folder.exists(), mark_of(folder, beside=beside)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps(command), encoding="utf-8")
        yield
        mark.unlink()
    except BaseException as error:
        stays = _left(folder, mark, made=made)
        problem = disk_problem(error, str(folder)) or ("writing failed" if isinstance(error, OSError) else "")
        if not problem:
            raise
        named = ", ".join(stays[:3]) + (", ..." if len(stays) > 3 else "")
        raise DatasetError(
            f"{problem}: {folder} is not finished; {f'{named} stays' if stays else 'nothing stays'} there. Make space, "
            f"then run the same command again ({error})"
        ) from error


def _left(folder: Path, mark: Path, *, made: bool) -> list[str]:
    """Names of what stays in the folder; without any, the mark goes, and so does the folder if it is ours."""
    with suppress(OSError):
        stays = sorted(path.name for path in folder.iterdir() if path != mark) if folder.is_dir() else []
        if stays:
            return stays
        mark.unlink(missing_ok=True)
        if made and folder.is_dir():
            folder.rmdir()
    return []
