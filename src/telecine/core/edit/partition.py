"""Episodes shared out between datasets, such as train and val: by task, and no recording in two of them."""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

from telecine.core.edit.resolve import SourceEpisode
from telecine.core.errors import EditError
from telecine.core.text.numbers import counted, fraction_of


def parse_shares(text: str) -> dict[str, Fraction]:
    """Shares by name, of a text such as "train=0.9,val=0.1". Raises: EditError.

    >>> parse_shares("train=0.9,val=0.1")["val"]
    Fraction(1, 10)
    """
    shares: dict[str, Fraction] = {}
    for part in text.split(","):
        name, found, value = (piece.strip() for piece in part.partition("="))
        try:
            share = fraction_of(value) if found and len(value) < 30 else Fraction(0)
        except ValueError:
            share = Fraction(0)
        if not name.replace("-", "").replace("_", "").isalnum() or share <= 0 or name in shares:
            raise EditError(f"--into: {part.strip()!r} is not NAME=SHARE, e.g. train=0.9,val=0.1, each name once")
        shares[name] = share
    if sum(shares.values()) != 1 or len(shares) < 2:
        raise EditError(
            f"--into: the shares of {text} make {float(sum(shares.values())):g}, not 1, or there is only one"
        )
    return shares


def partition(episodes: Sequence[SourceEpisode], shares: Mapping[str, Fraction], *, seed: int) -> dict[str, list[int]]:
    """The numbers of the episodes of each share, in order: the same for the same seed.

    Episodes of one recording stay together; each task is shared out on its own, as nearly as its recordings allow.

    Raises: EditError when a share gets no episode.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for number, episode in enumerate(episodes):
        recording = episode.recording or f"/{number}"
        groups.setdefault((episode.tasks[0] if episode.tasks else "", recording), []).append(number)
    home: dict[str, str] = {}
    parts: dict[str, list[int]] = {name: [] for name in shares}
    for task in sorted({task for task, _ in groups}):
        own = sorted((key for key in groups if key[0] == task), key=lambda key: _chance(seed, key))
        held = dict.fromkeys(shares, 0)
        total = sum(len(groups[key]) for key in own)
        for key in sorted(own, key=lambda key: -len(groups[key])):
            lacking = {name: shares[name] * total - held[name] for name in shares}
            name = home.setdefault(key[1], max(lacking, key=lambda n: lacking[n]))
            parts[name] += groups[key]
            held[name] += len(groups[key])
    empty = [name for name, numbers in parts.items() if not numbers]
    if empty:
        raise EditError(
            f"--into: {counted(len(home), 'recording is', 'recordings are')} too few, nothing is left for "
            f"{', '.join(empty)}"
        )
    return {name: sorted(numbers) for name, numbers in parts.items()}


def _chance(seed: int, key: tuple[str, str]) -> bytes:
    return hashlib.sha256(f"{seed}\n{key[0]}\n{key[1]}".encode()).digest()
