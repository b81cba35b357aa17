"""Addresses such as s3://bucket/folder where a path could stand. Pure.

`pathlib` takes "s3://bucket/x" for a folder named "s3:", so an address is recognised in what it made of it, too.
"""

import re

from telecine.core.errors import PlanError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FOLDER = re.compile(r"(?:.*/)?([A-Za-z][A-Za-z0-9+.-]+):/", re.DOTALL)


def scheme_of(path: object) -> str:
    """The scheme of an address, also of one that went through `pathlib`; "" of a path.

    >>> scheme_of("s3://bucket/x"), scheme_of("s3:/bucket/x"), scheme_of("data/x"), scheme_of("C:/x")
    ('s3', 's3', '', '')
    """
    match = _ADDRESS.match(str(path).replace("\\", "/"))
    return match[1].lower() if match else ""


def require_local(target: object) -> None:
    """Nothing, for a path on this machine. Raises: PlanError for an address, or the folder that one would become."""
    match = _FOLDER.match(str(target).replace("\\", "/"))
    if match:
        raise PlanError(
            f"{target}: {match[1]}: is the scheme of an address, and this command writes to folders of this machine; "
            "name a folder, then copy it there"
        )
