"""What requests hold, read with bounds; whatever else they hold is a 4xx."""

import json
import math
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from telecine.viewer.guard import MOST_BODY_BYTES

MOST_DIGITS = 18


def number(request: Request, name: str, default: int | None = None) -> int:
    """A whole number from 0 of the query. Raises: HTTPException 400."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise HTTPException(400, f"{name}: a whole number is needed")
    return int(text)


async def body(request: Request) -> dict[str, Any]:
    """The JSON object of a request. Raises: HTTPException 400, 413."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BODY_BYTES:
            raise HTTPException(413, "the request is too large")
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is no JSON") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "the request is no JSON object")
    return found


def field(body: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of a JSON object that is of this kind. Raises: HTTPException 400."""
    found = body.get(name, default)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise HTTPException(400, f"{name}: {kind.__name__} is needed")
    return found


def plain_json(values: Any, status: int = 200) -> Response:
    """As JSON; what is no finite number is null, which JSON has no word for."""
    try:
        text = json.dumps(values, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError:
        text = json.dumps(_finite(values), separators=(",", ":"), default=str)
    return Response(text, status, media_type="application/json", headers={"cache-control": "no-store"})


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {str(key): _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
