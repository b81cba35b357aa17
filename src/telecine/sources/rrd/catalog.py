"""Datasets of a Rerun catalog server, one recording per segment, read with the same chunk code as files.

Addresses:

    rerun+http://host:port/dataset/NAME                  every segment, by segment id
    rerun+http://host:port/dataset/NAME?segment_id=ID    one segment

`rerun+https://` and `rerun://` work as well; NAME may be percent-encoded, or the id that Rerun shows in its own
addresses. The access token travels in `Ref.token` and is in no message.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.recording import Recording, Ref
from telecine.core.text.secrets import scrubbed
from telecine.sources.format import Found
from telecine.sources.rrd import sdk
from telecine.sources.rrd.chunks import StoredChunks
from telecine.sources.rrd.source import recording_of

NAME = "catalog"
SUFFIXES: tuple[str, ...] = ()
_SCHEMES = ("rerun", "rerun+http", "rerun+https")
_ENTRY_ID = re.compile(r"[0-9A-Fa-f]{32}")
_WANTED = "rerun+http://host:port/dataset/NAME"


@dataclass(frozen=True, slots=True)
class Address:
    """A dataset, or one of its segments."""

    server: str
    dataset: str
    segment: str = ""

    @property
    def url(self) -> str:
        """The dataset's address, in the one form that Refs carry."""
        return f"{self.server}/dataset/{quote(self.dataset, safe='')}"


def dataset_url(server: str, name: str) -> str:
    """The address of the dataset `name` on `server` (rerun+http://host:port), for `find`."""
    return Address(server.rstrip("/"), name).url


def parse(url: str) -> Address:
    """The parts of an address.

    Raises:
        SourceError: it is none.
    """
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    if parts.scheme not in _SCHEMES or not parts.netloc or len(path) != 2 or path[0] not in ("dataset", "entry"):
        raise SourceError(f"{scrubbed(url)}: not the address of a dataset; expected {_WANTED}")
    asked = parse_qs(parts.query)
    segment = (asked.get("segment_id") or asked.get("partition_id") or [""])[0]
    return Address(f"{parts.scheme}://{parts.netloc}", unquote(path[1]), segment)


def claims(path: str) -> bool:
    """True for addresses with one of Rerun's schemes."""
    return path.partition("://")[0] in _SCHEMES and "://" in path


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per segment, by segment id; see `Format.index`."""
    del recover  # a server serves what it has
    where = parse(path)
    dataset = _dataset(where, token)
    with _asked(where, token):
        ids = sorted(str(name) for name in dataset.segment_ids())
    if where.segment:
        if where.segment not in ids:
            raise SourceError(f"{where.url}: no segment {where.segment!r}; it has {len(ids)}: {_few(ids)}")
        ids = [where.segment]
    if not ids:
        fix = "register recordings with the server, or look at its log for files it refused"
        return Found(findings=(Finding("source-empty", "error", where.url, "the dataset has no segments", fix),))
    return Found(tuple(Ref(NAME, where.url, name, token=token) for name in ids))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The segment `ref` names; see `Format.open`."""
    where = replace(parse(ref.path), segment=ref.id)
    dataset = _dataset(where, ref.token)
    if not hasattr(dataset, "segment_store"):
        raise SourceError(f"{where.url}: reading segments needs rerun-sdk 0.34 or newer: pip install -U rerun-sdk")
    with _asked(where, ref.token):
        store = dataset.segment_store(ref.id)
    return recording_of(ref, StoredChunks(store, ref.label, lambda: None, ref.token))


def _dataset(where: Address, token: str | None) -> Any:
    client = sdk.client(where.server, token)
    with _asked(where, token):
        names = sorted(str(name) for name in client.dataset_names())
        if where.dataset in names:
            return client.get_dataset(where.dataset)
        if _ENTRY_ID.fullmatch(where.dataset):
            return client.get_dataset(id=where.dataset)
    raise SourceError(f"{where.server}: no dataset {where.dataset!r}; the server has: {_few(names)}")


def _asked(where: Address, token: str | None) -> AbstractContextManager[None]:
    return sdk.asked(f"{where.url}: the server says", token)


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") or "none"
