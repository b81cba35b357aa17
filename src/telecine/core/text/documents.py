"""Files that people write, plans and edits: read as plain data within bounds, every mistake with its path."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel, ValidationError

from telecine.core.errors import PlanError

MAX_YAML_BYTES = 1_000_000
Body: TypeAlias = Mapping[str, Any]


def read_mapping(text: str, what: str, hint: str) -> dict[str, Any]:
    """The plain values of a document in YAML `text` (at most 1 MB; plain data only, no tags), not yet checked.

    what: "plan" or "edit". hint: what to do when it is no mapping.

    Raises: PlanError when it is no mapping.
    """
    if len(text.encode(errors="replace")) > MAX_YAML_BYTES:
        raise PlanError(f"the {what} is larger than {MAX_YAML_BYTES} bytes; is this the right file?")
    try:
        body = plain_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # numbers and dates too great, lists too deep
        raise PlanError(f"the {what} is not YAML that can be taken: {error}") from error
    if not isinstance(body, dict):
        raise PlanError(f"the {what} is not a mapping; {hint}")
    return body


DEEPEST_YAML = 64
_MOST_COLONS = 10_000
"""Of one value: YAML 1.1 takes `1:30:00` for a number."""
# Safe ones both; the one in C where there is one.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def plain_yaml(text: str) -> Any:
    """The plain values of a document in YAML, of any size that the caller takes: no tags, no aliases, no great depth.

    Raises: yaml.YAMLError, ValueError.
    """
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it uses YAML aliases (*name), which can expand without bound; write the values out")
        if isinstance(event, yaml.ScalarEvent) and event.value.count(":") > _MOST_COLONS:
            raise ValueError(
                "it has a number in base 60 of very many digits, whose calculation takes the square of them"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_YAML:
            raise ValueError(f"it is nested deeper than {DEEPEST_YAML}")
    return own_yaml(text)


def own_yaml(text: str) -> Any:
    """The plain values of a document in YAML that telecine wrote, or that is known not to expand without bound."""
    loader = _LOADER(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def to_yaml(body: Body) -> str:
    """Text that `read_mapping` reads back as `body`."""
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=100)
    # PyYAML writes some characters (\x85) bare that it reads back as line breaks.
    return text if own_yaml(text) == body else yaml.safe_dump(body, sort_keys=False, width=100)


def mistakes(
    error: ValidationError, known: Iterable[str], place: Callable[[tuple[int | str, ...]], list[str]] | None = None
) -> list[str]:
    """Every mistake with its path and, for a misspelt word, the nearest known one.

    known: keys that the document may use. place: the path of a mistake as its writer sees it.
    """
    problems: list[str] = []
    for item in error.errors(include_url=False):
        loc = item["loc"]
        path = [str(p) for p in loc if not str(p).startswith(("function-", "tagged-", "literal["))]
        where = ".".join(place(loc) if place is not None else path)
        if item["type"] == "value_error":
            text = str(item["ctx"]["error"]) if "ctx" in item else item["msg"]
            problems += [f"{where}: {line}" if where else line for line in text.split("\n")]
        else:
            problems.append(f"{where}: {_sentence(item, known)}")
    return list(dict.fromkeys(problems))


def _sentence(item: Any, known: Iterable[str]) -> str:
    given = item.get("input")
    match item["type"]:
        case "extra_forbidden":
            name = str(item["loc"][-1])
            elsewhere = " here; it belongs to another part of the file" if name in known else ""
            return f"unknown key {name!r}" + (elsewhere or suggest(name, known))
        case "literal_error":
            expected = str(item["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
            return f"{given!r} is not one of {expected}" + suggest(str(given), expected.split(", "))
        case "missing" if item["loc"] == ("task",):
            return 'is required; give --task-text "what the robot does", or `task:` in the plan'
        case "missing":
            return "is required"
        case _:
            return f"{item['msg'][:1].lower()}{item['msg'][1:]}, got {given!r}"


def keys_of(*models: type[BaseModel]) -> list[str]:
    """Every key that documents of these models may use, at any level."""
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def suggest(word: str, known: Iterable[str]) -> str:
    """A "did you mean" for the nearest of `known`, or nothing.

    What tells names apart counts most: a part that many names share, such as `joint_states`, says little.

    >>> suggest("/rist/image", ["/camera/front/image", "/camera/wrist/image"])
    "; did you mean '/camera/wrist/image'?"
    """
    names = list(known)
    shared = Counter(part for name in names for part in set(_parts(name)))
    likest = max(((*_likeness(word, name, shared), name) for name in names), default=(0.0, 0.0, ""))
    return f"; did you mean {likest[2]!r}?" if likest[1] >= 0.5 else ""


def _parts(name: str) -> list[str]:
    return re.findall(r"[a-z]+|[0-9]+", name.lower())


def _likeness(word: str, name: str, shared: Counter[str]) -> tuple[float, float]:
    """(What decides which is likest, and whether it is like at all), 0 to 1; shared: how many names have a part."""
    last = [re.split(r"[./:]", text)[-1] for text in (word, name)]
    whole = max(SequenceMatcher(None, a, b).ratio() for a, b in ((word, name), (last[0], last[1])))
    parts, weights = _parts(name), {part: 1 / (1 + shared[part]) for part in _parts(word)}
    if not parts or not weights:
        return whole, whole
    found = sum(w * max(SequenceMatcher(None, part, p).ratio() for p in parts) for part, w in weights.items())
    telling = found / sum(weights.values())
    return whole / 2 + telling, whole
