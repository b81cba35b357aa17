"""Addresses such as s3://bucket/folder where a path could stand. Pure.

`pathlib` takes "s3://bucket/x" for a folder named "s3:", so an address is recognised in what it made of it, too.
"""

import re
from typing import TypeVar

from telecine.core.dataclass import dataclass
from telecine.core.errors import PlanError
from telecine.core.text.secrets import scrubbed

T = TypeVar("T")
STORES = {"s3": "cloud", "gs": "cloud", "az": "cloud", "hf": "hub"}
"""Scheme of a store -> the extra that reads and writes it."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FOLDER = re.compile(r"(?:.*/)?([A-Za-z][A-Za-z0-9+.-]+):/", re.DOTALL)
_KNOWN = ", ".join(f"{scheme}://" for scheme in STORES)


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A place in a store. container: bucket, container or repository; key: what is below it, "" for all of it.

    >>> str(StoreAddress("s3", "bucket", "data/picks"))
    's3://bucket/data/picks'
    """

    scheme: str
    container: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.container, self.key)))}"

    @property
    def name(self) -> str:
        """What a folder of it would be called."""
        return str(self).rpartition("/")[2]

    def below(self, key: str) -> "StoreAddress":
        """The place of `key` in it."""
        return StoreAddress(self.scheme, self.container, "/".join(filter(None, (self.key, key))))

    def parent(self) -> "StoreAddress":
        """The folder that it is in."""
        return StoreAddress(self.scheme, self.container, self.key.rpartition("/")[0])


def scheme_of(path: object) -> str:
    """The scheme of an address, also of one that went through `pathlib`; "" of a path.

    >>> scheme_of("s3://bucket/x"), scheme_of("s3:/bucket/x"), scheme_of("data/x"), scheme_of("C:/x")
    ('s3', 's3', '', '')
    """
    match = _ADDRESS.match(str(path).replace("\\", "/"))
    return match[1].lower() if match else ""


def is_stored(path: object) -> bool:
    """True for an address in a store that telecine knows."""
    return scheme_of(path) in STORES


def store_address(path: object) -> StoreAddress:
    """The address in a store that a path `is_stored` is.

    >>> store_address("hf:/datasets/me/picks@main/data").key
    'data'

    Raises: PlanError when no bucket is named, or there is more in it than a place.
    """
    text = str(path).replace("\\", "/")
    scheme, rest = scheme_of(text), text.partition(":")[2].strip("/")
    parts = [part for part in rest.split("/") if part]
    count = 1 if scheme != "hf" else 3 if parts[:1] in (["datasets"], ["spaces"]) else 2
    if scrubbed(text) != text or ("@" in rest and scheme != "hf"):
        raise PlanError(f"{scrubbed(text)}: secrets do not belong in an address; give them in the environment")
    if len(parts) < count:
        example = "hf://datasets/USER/NAME" if scheme == "hf" else f"{scheme}://BUCKET/FOLDER"
        raise PlanError(f"{text}: no whole address; it looks like {example}")
    if ".." in parts or "." in parts or "?" in rest or "#" in rest:
        raise PlanError(f"{text}: an address holds names and / alone")
    return StoreAddress(scheme, "/".join(parts[:count]), "/".join(parts[count:]))


def as_typed(path: T) -> T | str:
    """A path itself; an address in a store as it was before `pathlib` made a path of it.

    >>> as_typed("s3:/bucket/x")
    's3://bucket/x'
    """
    return str(store_address(path)) if is_stored(path) else path


def unknown_scheme(path: object) -> str:
    """Why an address cannot be used; "" for one in a store that is known, and for a path."""
    scheme = scheme_of(path)
    if not scheme or scheme in STORES:
        return ""
    shown = scrubbed(str(path))
    return f"{shown}: {scheme}: is the scheme of an address that telecine does not know; it knows {_KNOWN} and folders"


def require_local(target: object) -> None:
    """Nothing, for a path on this machine. Raises: PlanError for an address, or the folder that one would become."""
    if why := unknown_scheme(target):
        raise PlanError(why)
    match = _FOLDER.match(str(target).replace("\\", "/"))
    if match:
        raise PlanError(
            f"{target}: {match[1]}: is the scheme of an address, and this command writes to folders of this machine; "
            "name a folder, then copy it there"
        )
