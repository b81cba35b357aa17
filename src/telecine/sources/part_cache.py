"""Recordings of which several episodes are made, and files of several recordings, opened once for all of them.

Opening a long recording can mean a pass over it, and so can finding the stamps of its messages: without this, a
recording of fifty episodes would be read fifty times.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from telecine.core.errors import closed_on_failure
from telecine.core.recording import Recording, Ref
from telecine.core.text.addresses import is_stored
from telecine.sources import registry
from telecine.sources.border import border
from telecine.sources.shared import fingerprint
from telecine.sources.shared.stay_open import close_latest, files_stay_open


@dataclass(slots=True)
class _Open:
    """A recording without its part, and the state that its files had."""

    ref: Ref
    state: fingerprint.Stamp
    recording: Recording


class _Latest(threading.local):
    """What the last episode of this thread was a part of."""

    open: _Open | None = None


_latest = _Latest()


@contextmanager
def opened(ref: Ref, *, parts: bool = False) -> Iterator[Recording]:
    """What `registry.open` gives; inside, every failure is this recording's (`border`).

    That of a part stays open for the next one, until its files change or reading fails.

    A file of several recordings stays open for the next one. Whoever opens recordings in this way sees to it that none
    is left (`none_left_open`), or ends.

    parts: the parts of `ref` come next.

    Raises: see `registry.open`.
    """
    with border(ref.label), _addressed(ref), _opened(ref, parts) as recording:
        yield recording


def hold(ref: Ref) -> None:
    """Make the local copy now that a recording in a store is read from; nothing for others. Raises: StoreError."""
    if is_stored(ref.path):
        from telecine.sources.stored.copies import is_whole, local_ref

        if not is_whole():
            _let_go()  # it reads files of a folder that may go now
        local_ref(ref)


def _addressed(ref: Ref) -> AbstractContextManager[None]:
    if not is_stored(ref.path):
        return nullcontext()
    from telecine.sources.stored.copies import addressed

    return addressed()


@contextmanager
def _opened(ref: Ref, parts: bool) -> Iterator[Recording]:
    state = fingerprint.stamp_of(ref) if parts or ref.part is not None else None
    if state is None:
        _let_go()
        with files_stay_open():
            recording = registry.open(ref)
        with recording:
            yield recording
        return
    whole, latest = replace(ref, part=None, size_bytes=0), _latest.open
    if latest is None or (latest.ref, latest.state) != (whole, state):
        _let_go()
        latest = _latest.open = _Open(whole, state, registry.open(whole))
    with closed_on_failure(_let_go):
        yield replace(latest.recording, ref=ref)


@contextmanager
def none_left_open() -> Iterator[None]:
    """Close, at the end, what is open for further parts and recordings. Also a decorator."""
    try:
        yield
    finally:
        _let_go()
        close_latest()
        if stored := sys.modules.get("telecine.sources.stored.copies"):
            stored.let_go()


def _let_go() -> None:
    latest, _latest.open = _latest.open, None
    if latest is not None:
        latest.recording.__exit__(None, None, None)
