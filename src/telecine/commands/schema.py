"""`telecine.schema`: what `telecine schema` prints."""

from typing import Any

from telecine.core.plan.json_schema import json_schema


def schema() -> dict[str, Any]:
    """The JSON Schema of plan files, by which editors complete and check them.

    Returns:
        A JSON Schema (2020-12) as plain values.

    >>> import telecine as tc
    >>> tc.schema()["title"]
    'telecine plan'
    """
    return json_schema()
