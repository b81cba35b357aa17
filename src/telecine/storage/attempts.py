"""Calls of a store that can fail in passing: tried again with limits, then named."""

import os
import re
import time
from collections.abc import Callable
from typing import TypeVar

from telecine.core.errors import StoreError
from telecine.core.text.secrets import scrubbed

T = TypeVar("T")
TRIES = 5
FIRST_PAUSE_S = 0.1
_SECRET = re.compile(r"(?i)key|secret|token|password|sas|credential")
_OF_STORES = ("AWS_", "GOOGLE_", "AZURE_", "HF_", "HUGGING_FACE_")
_LONGEST = 300
_ADVICE = "see to the network, then the same command goes on"


class PassingError(Exception):
    """A call failed in a way that may be gone the next time."""


def tried(what: str, call: Callable[[], T]) -> T:
    """What `call` gives, called up to `TRIES` times. Raises: StoreError that begins with `what`; its other errors."""
    for number in range(1, TRIES + 1):
        try:
            return call()
        except PassingError as error:
            # Chained, the error would show in a traceback what is taken out of the message.
            last = shown(str(error))
        if number < TRIES:
            time.sleep(FIRST_PAUSE_S * 3 ** (number - 1))
    raise StoreError(f"{what}: failed {TRIES} times, the last time with: {last}; {_ADVICE}")


def shown(text: str) -> str:
    """What a store says, in one line without the credentials of the environment."""
    text = " ".join(text.partition("\n\nDebug source")[0].split())
    named = {name: value for name, value in os.environ.items() if name.startswith(_OF_STORES) and _SECRET.search(name)}
    longest_first = sorted((value for value in named.values() if len(value) > 3), key=len, reverse=True)
    return scrubbed(text, *longest_first)[:_LONGEST]
