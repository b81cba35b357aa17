"""The addresses of the page and what each answers. Files are named by numbers: no text of a request meets the disk."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from telecine.core.errors import DatasetError, EditError, PlanError, SourceError, TelecineError, VideoError
from telecine.core.text.visible import visible
from telecine.viewer import dataset_routes, recording_routes
from telecine.viewer.edit_file import EditConflict
from telecine.viewer.guard import App
from telecine.viewer.requests import plain_json
from telecine.viewer.session import Session

MEDIA_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_STATUS: tuple[tuple[type[TelecineError], int], ...] = (
    (EditConflict, 409),
    (EditError, 422),
    (PlanError, 422),
    (VideoError, 422),
    (SourceError, 422),
    (DatasetError, 404),
)
HEARTBEAT_S = 10.0


def make_app(session: Session) -> App:
    """The application, without the guard."""
    routes = [
        Route("/", _start(session)),
        Route("/list", _page("list.html")),
        Route("/dataset/{number:int}", _page("dataset.html")),
        Route("/recording/{number:int}", _page("recording.html")),
        Route("/page/{name}", _page_file),
        Route("/api/list", _list(session)),
        Route("/api/list/{number:int}", _count(session)),
        Route("/api/jobs/{number:int}/events", _events(session)),
        Route("/api/jobs/{number:int}/cancel", _cancel(session), methods=["POST"]),
        *dataset_routes.routes(session),
        *recording_routes.routes(session),
    ]
    handlers: Mapping[Any, Any] = {TelecineError: _refusal, HTTPException: _http_refusal}
    app: App = Starlette(routes=routes, exception_handlers=handlers)
    return app


async def _refusal(request: Request, error: TelecineError) -> Response:
    """An error as JSON; what the newer edit is, where two windows disagree."""
    del request
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    body: dict[str, Any] = {"error": visible(str(error), keep="\n")}
    if isinstance(error, EditConflict) and error.newer is not None:
        body["edit"] = error.newer.to_dict()
    return JSONResponse(body, status)


async def _http_refusal(request: Request, error: HTTPException) -> Response:
    del request
    return JSONResponse({"error": str(error.detail)}, error.status_code)


@cache
def _own_files() -> dict[str, tuple[str, bytes]]:
    """File name -> media type and content of the page's own files, which are few and small."""
    own = files("telecine.viewer").joinpath("page").iterdir()
    known = ((entry, MEDIA_TYPES.get(entry.name.rpartition(".")[2])) for entry in own)
    return {entry.name: (kind, entry.read_bytes()) for entry, kind in known if kind is not None}


def _own_file(name: str) -> Response:
    if name not in _own_files():
        raise HTTPException(404, "there is no such file")
    kind, data = _own_files()[name]
    return Response(data, media_type=kind, headers={"cache-control": "no-cache"})


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return _own_file(name)

    return answer


async def _page_file(request: Request) -> Response:
    """Not in a thread: a dozen are asked for at once, and each is there."""
    return _own_file(request.path_params["name"])


def _start(session: Session) -> Callable[[Request], Response]:
    """The only entry there is, or the list."""

    def answer(_request: Request) -> Response:
        entries = session.entries
        if len(entries) != 1 or entries[0].problem:
            return RedirectResponse("/list", 303)
        return RedirectResponse(f"/{entries[0].kind}/0", 303)

    return answer


def _list(session: Session) -> Callable[[Request], Response]:
    def answer(_request: Request) -> Response:
        return plain_json({"path": session.path, "entries": [entry.facts() for entry in session.entries]})

    return answer


def _count(session: Session) -> Callable[[Request], Response]:
    """How many recordings an entry of the list has, asked for one by one because each file is opened for it."""

    def answer(request: Request) -> Response:
        entry = session.entry(request.path_params["number"], "recording")
        count, problem = entry.recordings()
        return plain_json({"recordings": count, "problem": visible(problem)})

    return answer


def _events(session: Session) -> Callable[[Request], Response]:
    """Server-sent events; a browser that lost the connection names the last one it saw."""

    def answer(request: Request) -> Response:
        job = session.job(request.path_params["number"])
        last = request.headers.get("last-event-id", "0")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0

        def lines() -> Iterator[str]:
            for entry in job.events(after, wait_s=HEARTBEAT_S):
                if entry is None:
                    yield ": still at it\n\n"
                    continue
                yield f"id: {entry[0]}\ndata: {json.dumps(entry[1])}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    return answer


def _cancel(session: Session) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        session.job(request.path_params["number"]).cancel()
        return plain_json({})

    return answer
