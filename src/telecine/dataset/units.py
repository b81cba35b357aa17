"""In which units the numbers of a dataset are, as far as it says so itself; nothing is guessed."""

import json
from pathlib import Path
from typing import Any

from telecine.core.text.documents import own_yaml
from telecine.lerobot_format.paths import DERIVED, PLAN


def units_of(root: Path) -> dict[str, str]:
    """Feature -> unit, where the plan states one for all of it, or it was computed into one."""
    found = _of_plan(_text(root / PLAN)) | _of_derived(_text(root / DERIVED))
    return {key: unit for key, unit in found.items() if unit}


def _text(path: Path) -> str:
    """Of a file that is there and can be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _of_plan(text: str) -> dict[str, str]:
    """The unit that numbers were converted to, or have, where the plan says so for all of a feature."""
    body = own_yaml(text) if text else None
    features = body.get("features") if isinstance(body, dict) else None
    found = {}
    for key, feature in (features or {}).items():
        sources = feature.get("from") if isinstance(feature, dict) else None
        parts = sources if isinstance(sources, list) else [sources]
        said = [feature.get("units")] if isinstance(feature, dict) and feature.get("units") else []
        said = said or [part.get("units") if isinstance(part, dict) else None for part in parts]
        if len({str(text) for text in said}) == 1 and isinstance(said[0], str):
            found[key] = said[0].rpartition(" to ")[2]
    return found


def _of_derived(text: str) -> dict[str, str]:
    """The units of computed columns, "" where nobody knows: such a column is in those of the plan no more."""
    try:
        body: Any = json.loads(text or "{}")
    except ValueError:
        return {}
    columns = body.items() if isinstance(body, dict) else ()
    said = {key: about.get("units") for key, about in columns if isinstance(about, dict)}
    return {key: unit if isinstance(unit, str) else "" for key, unit in said.items()}
