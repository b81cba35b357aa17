"""What the page of a dataset asks."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from telecine.core.errors import TelecineError
from telecine.core.text.addresses import require_local
from telecine.viewer.dataset_view import DatasetView, command
from telecine.viewer.requests import body, field, number, plain_json
from telecine.viewer.session import Session

CHANGEABLE = ("labels", "tasks")
"""Parts of an edit beside its episodes that the page may set."""
MOST_PX = 4000
Answer = Callable[[Request], Response]


def routes(session: Session) -> list[Any]:
    """The addresses below /api/dataset/N, and the videos."""
    base = "/api/dataset/{number:int}"

    def of_dataset(answer: Callable[[DatasetView, Request], Response]) -> Answer:
        return lambda request: answer(session.dataset(request.path_params["number"]), request)

    return [
        Route(base, of_dataset(lambda view, _: plain_json(_info(session, view)))),
        Route(f"{base}/episodes", of_dataset(lambda view, _: plain_json(view.episodes()))),
        Route(f"{base}/findings", of_dataset(lambda view, _: plain_json(view.findings()))),
        Route(f"{base}/episode/{{episode:int}}", of_dataset(_episode)),
        Route(f"{base}/curves/{{episode:int}}/{{column:int}}", of_dataset(_curves)),
        Route(f"{base}/still/{{episode:int}}/{{camera:int}}/{{row:int}}", of_dataset(_still)),
        Route(f"{base}/depth/{{episode:int}}/{{camera:int}}/{{row:int}}", of_dataset(_depth)),
        Route("/video/{number:int}/{camera:int}/{chunk:int}/{file:int}", of_dataset(_video)),
        Route(f"{base}/edit", of_dataset(lambda view, _: plain_json(_decided(view)))),
        Route(f"{base}/edit", _change(session), methods=["PUT"]),
        Route(f"{base}/write", _write(session), methods=["POST"]),
        Route(f"{base}/rerun", _rerun(session), methods=["POST"]),
        Route("/api/jobs/{job:int}/open", _open_result(session), methods=["POST"]),
    ]


def _info(session: Session, view: DatasetView) -> dict[str, Any]:
    more = {"rerun": bool(session.rerun), "read_only": session.read_only, "listed": len(session.entries) > 1}
    return {**view.info(), **more}


def _episode(view: DatasetView, request: Request) -> Response:
    return plain_json(view.episode(request.path_params["episode"]))


def _curves(view: DatasetView, request: Request) -> Response:
    episode, column = request.path_params["episode"], request.path_params["column"]
    length = view.episode_length(episode)
    stop = min(number(request, "to", length), length)
    start = number(request, "from", 0)
    data = view.curves(episode, column, start, stop, number(request, "steps", 1000))
    return Response(data, media_type="application/octet-stream", headers={"cache-control": "no-store"})


def _still(view: DatasetView, request: Request) -> Response:
    key = view.camera(request.path_params["camera"])
    width = number(request, "width", MOST_PX)
    if not 1 <= width <= MOST_PX:
        raise HTTPException(400, f"width: 1 to {MOST_PX}")
    view.episode_length(request.path_params["episode"])
    still = view.stills.still(key, request.path_params["episode"], request.path_params["row"], width)
    headers = {"cache-control": "no-store"}
    if still.near_mm is not None:
        headers["x-depth-mm"] = f"{still.near_mm},{still.far_mm}"
    return Response(still.data, media_type=still.media_type, headers=headers)


def _depth(view: DatasetView, request: Request) -> Response:
    key = view.camera(request.path_params["camera"])
    view.episode_length(request.path_params["episode"])
    where = request.path_params["episode"], request.path_params["row"]
    return plain_json({"mm": view.stills.depth_mm(key, *where, number(request, "x"), number(request, "y"))})


def _video(view: DatasetView, request: Request) -> Response:
    names = ("camera", "chunk", "file")
    path = view.video(*(request.path_params[name] for name in names))
    return FileResponse(path, media_type="video/mp4", headers={"cache-control": "no-cache"})


def _decided(view: DatasetView) -> dict[str, Any]:
    return {"edit": view.edits.read().to_dict(), "path": str(view.edits.path)}


def _change(session: Session) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        given = await body(request)
        revision, episodes = field(given, "revision", int), field(given, "episodes", dict, {})
        others = {name: given[name] for name in CHANGEABLE if name in given}

        def change() -> dict[str, Any]:
            view = session.dataset(request.path_params["number"])
            return view.edits.change(revision, episodes, others).to_dict()

        return plain_json({"edit": await run_in_threadpool(change)})

    return answer


def _write(session: Session) -> Callable[[Request], Awaitable[Response]]:
    """Begin writing, or say what would be written; the answer names the job."""

    async def answer(request: Request) -> Response:
        given = await body(request)
        out, dry_run = field(given, "out", str).strip(), field(given, "dry_run", bool, False)
        if not out:
            raise HTTPException(400, "out: name a folder for the new dataset")
        view = await run_in_threadpool(session.dataset, request.path_params["number"])
        require_local(out)
        out = str(Path(out).expanduser())
        job = session.start("edit", path=view.folder, out=out, file=str(view.edits.path), dry_run=dry_run)
        return plain_json({"job": job, "command": command(view, out)})

    return answer


def _rerun(session: Session) -> Callable[[Request], Awaitable[Response]]:
    """Rerun's viewer with one episode; the answer names the job that starts it."""

    async def answer(request: Request) -> Response:
        episode = field(await body(request), "episode", int)
        view = await run_in_threadpool(session.dataset, request.path_params["number"])
        view.episode_length(episode)
        if not session.rerun:
            raise HTTPException(404, "not offered: start telecine view with --rerun")
        how = {"folder": session.scratch(), "program": list(session.rerun)}
        return plain_json({"job": session.start("rerun", path=view.folder, episode=episode, **how)})

    return answer


def _open_result(session: Session) -> Callable[[Request], Response]:
    """The new dataset of a job that is done, as an entry of the list."""

    def answer(request: Request) -> Response:
        end = session.job(request.path_params["job"]).end
        report = (end or {}).get("report")
        if not isinstance(report, dict) or "root" not in report:
            raise TelecineError("this job made no dataset")
        return plain_json({"dataset": session.add(str(report["root"]))})

    return answer
