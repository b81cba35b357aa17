"""`telecine.inspect`: what `telecine inspect` does, with the same words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from telecine.commands.convert import Paths, path_list, reading_options, who_works
from telecine.commands.stores import is_stored_dataset, stores
from telecine.conversion.discovery import find_all, nothing_readable
from telecine.conversion.pipeline import Options
from telecine.core.errors import PlanError, SourceError, raised_as
from telecine.core.progress import Progress
from telecine.core.proposal.text import plan_yaml
from telecine.core.recording import Ref
from telecine.core.text.addresses import require_local
from telecine.inspection.contact_sheet import ContactSheet
from telecine.inspection.contact_sheet import contact_sheet as made_sheet
from telecine.inspection.curves import require_curves
from telecine.inspection.dataset_summary import DatasetSummary, summarize
from telecine.inspection.label_plots import draw_labels
from telecine.inspection.lag import measure_lag
from telecine.inspection.lag_of_path import lag_rows
from telecine.inspection.lag_row import lag_findings, with_offsets
from telecine.inspection.plots import write_pngs
from telecine.inspection.recordings import Inspection, inspect_found
from telecine.lerobot_format.paths import INFO
from telecine.run.executor import Executor, Lost, Tell, silent
from telecine.sources.registry import Found
from telecine.sources.shared.confinement import check_dataset, links_followed
from telecine.video.frames.png import write_png


def inspect(
    paths: Paths,
    *,
    plan: str | Path | None = None,
    png: str | Path | None = None,
    contact_sheet: str | Path | None = None,
    recover: bool = False,
    follow_links: bool = False,
    timeout: float | None = None,
    catalog_token: str | None = None,
    catalog_token_file: str | Path | None = None,
    checks: Sequence[str] = (),
    all: bool = False,  # noqa: A002 - the flag's name
    lag: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Inspection | DatasetSummary:
    """What recordings or a dataset hold, as `telecine inspect` shows it; a table in a notebook.

    Args:
        paths: recordings (a file, folder, glob or catalog address, or several), or the folder of one dataset.
        plan: write the proposed plan to this new file, commented.
        png: of a dataset: write each episode's frames and curves as PNG files into this folder.
        contact_sheet: write a PNG with every camera, red and blue both ways.
        recover: read damaged files up to their last whole message.
        follow_links: read files that links and names in recordings lead to outside.
        timeout: give up on a recording after so many seconds without progress.
        catalog_token: access token of a catalog server.
        catalog_token_file: a file with it.
        checks: of a dataset: checks to make, codes as `look-frozen`, or rows, tasks, frames, episodes; none: all.
        all: read all recordings, also of more than 1,000; else a sample of so many, which a finding says.
        lag: measure in ms how late cameras show the joints, and these follow the action; the plan gets an `offset`.
        progress: of a dataset: gets how far the checks are, in bytes.
        executor: who reads; None: a process of its own where that is safe.

    Returns:
        Of recordings: streams, rates in Hz, findings; `.plan`, which they suggest (None: see `.proposal.missing`), and
        `.left_out`, the streams that it does not use. Of a dataset: features, episodes and findings.

    Raises:
        SourceError: no recording is there. DatasetError: curves need matplotlib. Damaged metadata is a finding.
        PlanError: `plan` cannot be written, or something was given that is of recordings, or of a dataset, only.

    >>> import telecine as tc
    >>> seen = tc.inspect("recordings")
    >>> len(seen.recordings), seen.plan.fps, [entry.item.stream for entry in seen.left_out][:2]
    (2, 30, ['/ee_pose', '/next_state'])
    >>> tc.inspect("dataset").frames
    16
    """
    where = path_list(paths)
    if plan is None and len(where) == 1 and is_dataset(where[0]):
        _require_of_dataset(all=all, recover=recover, contact_sheet=contact_sheet, timeout=timeout)
        with links_followed(follow_links):
            return _of_dataset(where[0], png, lag=lag, checks=checks, executor=executor, progress=progress)
    _require_of_recordings(png=png, checks=checks)
    options = reading_options(
        catalog_token_file, recover=recover, follow_links=follow_links, timeout=timeout, catalog_token=catalog_token
    )
    return _of_recordings(where, plan, contact_sheet, options, all=all, lag=lag, executor=executor)


def _of_recordings(
    where: list[str],
    plan: str | Path | None,
    contact_sheet: str | Path | None,
    options: Options,
    *,
    all: bool,  # noqa: A002 - the flag's name
    lag: bool,
    executor: Executor | None,
) -> Inspection:
    if plan is not None:
        _require_new(Path(plan))
    with who_works(executor, options, where) as who:
        found = find_all(where, **options.access, executor=who)
        seen = inspect_found(found, who, all=all)
        seen = _with_lag(seen, found, who) if lag else seen
        sheet = None if contact_sheet is None else _write_sheet(Path(contact_sheet), where, found, who)
    if plan is not None:
        _write_plan(Path(plan), plan_yaml(seen.proposal))
    return seen if sheet is None else replace(seen, contact_sheet=sheet)


def _of_dataset(
    path: str,
    png: str | Path | None,
    *,
    lag: bool,
    checks: Sequence[str],
    executor: Executor | None,
    progress: Progress | None,
) -> DatasetSummary:
    if png is not None:
        require_curves()  # before any work
    with stores() as here:
        root = here.dataset(path)
        check_dataset(root)
        with who_works(executor, Options(), ()) as who:
            summary = summarize(root, checks=checks, executor=who, progress=progress)
            summary = _with_lag_of(summary, who) if lag and summary.version else summary
        return here.done(_drawn(summary, Path(png)) if png is not None and summary.version else summary)


def _require_of_recordings(*, png: str | Path | None, checks: Sequence[str]) -> None:
    """Raises: PlanError for what was asked for that only a dataset has."""
    if png is not None or checks:
        raise PlanError("--png and --checks are of one finished dataset; give its folder")


def _require_of_dataset(**of_recordings: object) -> None:
    """Raises: PlanError, naming what was asked for that only recordings have."""
    given = ", ".join("--" + name.replace("_", "-") for name, value in of_recordings.items() if value)
    if given:
        raise PlanError(
            f"{given}: of recordings only, and this is a finished dataset, which is always read whole; leave it out"
        )


def _with_lag(seen: Inspection, found: Found, executor: Executor) -> Inspection:
    rows = measure_lag(found.refs, seen.proposal, executor=executor)
    findings = (*seen.findings, *lag_findings(rows))
    return replace(seen, lag=rows, proposal=with_offsets(seen.proposal, rows), findings=findings)


def _with_lag_of(summary: DatasetSummary, executor: Executor) -> DatasetSummary:
    rows = lag_rows(summary.root, executor=executor)
    return replace(summary, lag=rows, findings=(*summary.findings, *lag_findings(rows)))


def _write_sheet(path: Path, paths: list[str], found: Found, executor: Executor) -> tuple[str, ...]:
    """What each row of the contact sheet, now at `path`, shows. Drawn where `executor` works, as everything is read."""
    if not found.refs:
        raise nothing_readable(paths, found.findings)
    (made,) = executor(_sheet, [found.refs], silent)
    if isinstance(made, Lost):
        raise SourceError(f"the contact sheet cannot be drawn: {made.why}")
    write_png(path, made.rgb)
    return made.rows


def _sheet(refs: tuple[Ref, ...], tell: Tell) -> ContactSheet:
    del tell
    return made_sheet(refs)


def is_dataset(path: str | Path) -> bool:
    """True for the folder of a LeRobot dataset, whatever its version."""
    return is_stored_dataset(path) or (Path(path) / INFO).is_file()


def _drawn(summary: DatasetSummary, folder: Path) -> DatasetSummary:
    drawn = [*write_pngs(summary.root, folder, summary.findings), *draw_labels(summary, folder)]
    return replace(summary, drawn=tuple(map(str, drawn)))


def _require_new(path: Path) -> None:
    require_local(path)
    if path.exists():
        raise PlanError(f"{path} exists; inspect never overwrites a plan, remove it or choose another name")


def _write_plan(path: Path, text: str) -> None:
    _require_new(path)
    with raised_as(PlanError, f"{path} cannot be written", OSError):
        path.write_text(text, encoding="utf-8")
