"""What the page of a recording asks."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telecine.core.errors import DatasetError, raised_as
from telecine.core.text.addresses import is_stored, require_local
from telecine.core.text.documents import to_yaml
from telecine.viewer.recording_view import RecordingView, lacks_task, plan_of
from telecine.viewer.requests import body, field, number, plain_json
from telecine.viewer.session import Session

MOST_PX = 4000
FARTHEST_NS = 1 << 62


def routes(session: Session) -> list[Any]:
    """The addresses below /api/recording/N/ITEM; items are the recordings of one file."""
    base = "/api/recording/{number:int}/{item:int}"

    def facts(request: Request) -> Response:
        view = session.recording(request.path_params["number"])
        listed = {"listed": len(session.entries) > 1, "read_only": session.read_only, "opened": session.path,
                  "stored": is_stored(session.path)}  # fmt: skip
        return plain_json({**view.facts(request.path_params["item"]), **listed})

    def frame(request: Request) -> Response:
        view = session.recording(request.path_params["number"])
        names = (request.query_params.get("stream", ""), request.query_params.get("clock", ""))
        data = view.frame(request.path_params["item"], *names, number(request, "sample"))
        return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})

    def samples(request: Request) -> Response:
        view = session.recording(request.path_params["number"])
        start, stop = number(request, "from", 0), number(request, "to", 0)
        if stop and not start < stop:
            raise HTTPException(400, "from, to: [start, stop) in whole ns")
        window, px = (start, stop) if stop else None, _px(number(request, "px", 1000))
        return plain_json(view.samples(request.path_params["item"], request.query_params.get("clock", ""), window, px))

    return [
        Route(base, facts),
        Route(f"{base}/samples", samples),
        Route(f"{base}/frame", frame),
        Route(f"{base}/rows", _answer(session, _rows), methods=["POST"]),
        Route(f"{base}/save", _answer(session, _save), methods=["POST"]),
        Route(f"{base}/lag", _answer(session, _lag), methods=["POST"]),
        Route(f"{base}/convert", _answer(session, _convert), methods=["POST"]),
    ]


Work = Callable[[Session, RecordingView, int, dict[str, Any]], dict[str, Any]]


def _answer(session: Session, work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        given = await body(request)

        def done() -> dict[str, Any]:
            view = session.recording(request.path_params["number"])
            return work(session, view, request.path_params["item"], given)

        return plain_json(await run_in_threadpool(done))

    return answer


def _rows(session: Session, view: RecordingView, item: int, given: dict[str, Any]) -> dict[str, Any]:
    """The rows of a plan. Asked by POST, because plans are long; nothing is changed by it."""
    del session
    part, px = field(given, "part", int, 0), _px(field(given, "px", int, 1000))
    others, window = field(given, "others", bool, False), given.get("window")
    if window is not None and not (
        isinstance(window, list)
        and len(window) == 2
        and all(isinstance(ns, int) and abs(ns) < FARTHEST_NS for ns in window)
        and window[0] < window[1]
    ):
        raise HTTPException(400, "window: [start, stop) in whole ns")
    no_task = lacks_task(given)
    plan = plan_of({"plan": {**given["plan"], "task": "-"}} if no_task else given)
    asked = None if window is None else (window[0], window[1])
    made = view.rows(item, plan, part, asked, px, others=others)
    if no_task:
        made["plan"] = {key: value for key, value in made["plan"].items() if key != "task"}
        made["yaml"] = to_yaml(made["plan"])
    return {**made, "lacks_task": no_task}


def _px(px: int) -> int:
    if not 1 <= px <= MOST_PX:
        raise HTTPException(400, f"px: 1 to {MOST_PX}")
    return px


def _save(session: Session, view: RecordingView, item: int, given: dict[str, Any]) -> dict[str, Any]:
    """Write the plan to a new file, by default beside the recording."""
    del session, item
    name = field(given, "file", str, "").strip()
    beside = Path() if is_stored(view.path) else Path(view.path).resolve().parent
    require_local(name)
    path = Path(name).expanduser() if name else beside / "plan.yaml"
    text = plan_of(given).to_yaml()
    if path.exists():
        raise DatasetError(f"{path}: exists; a plan is never overwritten, choose another name")
    with raised_as(DatasetError, f"{path}: cannot be written", OSError):
        path.write_text(text, encoding="utf-8")
    return {"file": str(path)}


def _lag(session: Session, view: RecordingView, item: int, given: dict[str, Any]) -> dict[str, Any]:
    """Measure how late the cameras are, in all recordings of the file; the answer names the job."""
    del item, given
    return {"job": session.start("lag", path=view.path)}


def _convert(session: Session, view: RecordingView, item: int, given: dict[str, Any]) -> dict[str, Any]:
    """Convert the file, or all that the page was opened for; the answer names the job."""
    del item
    out, dry_run = field(given, "out", str, "").strip(), field(given, "dry_run", bool, False)
    if not out:
        raise HTTPException(400, "out: name a folder for the new dataset")
    paths = [session.path] if field(given, "all", bool, False) else [view.path]
    require_local(out)
    out = str(Path(out).expanduser())
    plan = plan_of(given)
    job = session.start("convert", paths=paths, out=out, plan=plan.to_dict(), dry_run=dry_run)
    return {"job": job, "command": ["telecine", "convert", *paths, out, "--plan", "plan.yaml"]}
