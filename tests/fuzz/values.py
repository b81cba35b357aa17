"""Hostile values, and plain nested values with one of them somewhere."""

import random
from pathlib import Path
from typing import Any

NUMBERS = (-1, 0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, -(2**63), 2**64, 10**30, 1e308, -1e308)
FLOATS = (float("nan"), float("inf"), 1e-320, -0.0)
TEXTS = (
    "",
    "..",
    "../../outside/canary",
    "/etc/passwd",
    "a\x1b[31m\nb",
    "\u202egpj",
    "x" * 5000,
    "{}",
    "$(touch x)",
    "%s%n",
)
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
EXECUTING = ("pickle", "vlen-utf8", "os.system", "cos\nsystem\n(S'true'\ntR.", "!!python/object/apply:os.system [true]")


def hostile(rng: random.Random, outside: Path) -> Any:
    """A value that nobody expects: a number, a text, a path that leads outside, a code name, or something nested."""
    match rng.randrange(7):
        case 0 | 1:
            return rng.choice(NUMBERS)
        case 2:
            return rng.choice(FLOATS)
        case 3:
            return rng.choice(TEXTS)
        case 4:
            return str(rng.choice([outside, outside / "canary.h5", outside / "canary.json"]))
        case 5:
            return rng.choice(EXECUTING)
    return rng.choice([None, True, [], {}, [[[[[1]]]]] * 3, {"a": {"a": {"a": -1}}}, [1] * 3000])


def changed(value: Any, rng: random.Random, outside: Path, depth: int = 0) -> Any:
    """A copy of nested plain values in which one has become hostile, is gone, or is there twice under another name."""
    if isinstance(value, dict) and value and (depth < 1 or rng.random() < 0.85):
        key = rng.choice(list(value))
        match rng.randrange(12):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, str(hostile(rng, outside)): value[key]}
        return {**value, key: changed(value[key], rng, outside, depth + 1)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng, outside, depth + 1), *value[at + 1 :]]
    return hostile(rng, outside)
