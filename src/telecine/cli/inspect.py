"""`telecine inspect`."""

from pathlib import Path
from typing import Any

from rich.console import Console

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen import loudness
from telecine.cli.screen.lag_table import show_lag
from telecine.cli.screen.layout import short_labels, show_sentence, show_table
from telecine.cli.screen.next_steps import installing, recovering, show_steps
from telecine.cli.screen.tables import console, escape, print_json, show_findings, show_guesses, show_left_out
from telecine.commands.inspect import inspect
from telecine.core.findings import has_errors
from telecine.core.proposal.propose import Proposal
from telecine.core.proposal.text import command_line
from telecine.core.recording_summary import RecordingFacts, StreamSummary, across
from telecine.core.text.numbers import bytes_text, counted_of
from telecine.inspection.recordings import Inspection


def run(paths: list[str], *, plan: Path | None, json: bool, reading: dict[str, Any]) -> Outcome:
    """Done when every recording could be read, perhaps without some of its streams. reading: more of `inspect`."""
    seen = inspect(paths, plan=plan, **reading)
    assert isinstance(seen, Inspection)
    proposal = seen.proposal
    command = command_line(proposal, paths, "out", None if plan is None else str(plan))
    if json:
        body = {"proposed_plan": proposal.body, "missing": proposal.missing, "contact_sheet": seen.contact_sheet}
        print_json({**seen.to_dict(), **body, "command": command})
    else:
        _show(console(), seen, proposal, command, plan)
        for number, text in enumerate(seen.contact_sheet, 1):
            console().print(f"row {number} of {escape(str(reading['contact_sheet']))}: {escape(text)}")
    return Outcome(not has_errors(seen.findings), seen.findings)


def _show(out: Console, seen: Inspection, proposal: Proposal, command: str, plan_file: Path | None) -> None:
    _show_recordings(out, seen, proposal.timeline)
    if len(seen.recordings) < seen.found:
        out.print(f"[dim]{counted_of(len(seen.recordings), seen.found, 'recording', 'was', 'were')} read[/dim]")
    out.print()
    _show_streams(out, seen.recordings, proposal.timeline)
    show_left_out(out, seen.left_out)
    show_lag(out, seen.lag)
    findings = [f for f in seen.findings if f.code != "stream-unreadable"]  # they are left out, as listed
    if findings:
        out.print("\n[bold]findings[/bold]")
        show_findings(out, findings)
    if not any(recording.streams for recording in seen.recordings):
        out.print("\nnothing could be read, so there is nothing to convert")
        show_steps(out, [*installing(seen.findings), *recovering(seen.findings)])
        return
    if proposal.missing:
        out.print("\n[bold]you have to add[/bold]")
        for sentence in proposal.missing:
            show_sentence(out, f"  {escape(sentence)}")
    show_guesses(out, proposal.guesses)
    if plan_file is not None:
        how = "" if loudness.quiet() else "; read it, then use it"
        out.print(f"\nthe proposed plan is in {escape(str(plan_file))}{how}", soft_wrap=True)
    show_steps(out, [*installing(seen.findings), *recovering(seen.findings), ("convert", command)])


def _seconds(recording: RecordingFacts, timeline: str) -> float:
    """How long it is on the plan's timeline, or else on the clock on which it is longest."""
    clocks = (stream.on(timeline) for stream in recording.streams)
    return max((clock.seconds for clock in clocks if clock and clock.seconds), default=recording.seconds)


def _show_recordings(out: Console, seen: Inspection, timeline: str) -> None:
    """Those that were read, then those that were not, by the code of the finding that says why."""
    read = {r.label for r in seen.recordings}
    refused = {f.where: f.code for f in seen.findings if f.severity == "error" and f.where not in read}
    names = iter(short_labels([*(r.label for r in seen.recordings), *refused]))
    rows = [
        (
            name,
            bytes_text(r.size_bytes),
            f"{_seconds(r, timeline):.1f}",
            str(len(r.streams)),
            ", ".join(r.clock_names()),
            "",
        )
        for r, name in zip(seen.recordings, names, strict=False)
    ]
    rows += [(name, "", "", "", "", code) for name, code in zip(names, refused.values(), strict=True)]
    show_table(out, ("recording", "size", "seconds", "streams", "timelines", "not read"), rows)


def _show_streams(out: Console, recordings: tuple[RecordingFacts, ...], timeline: str) -> None:
    """Every stream once, as most recordings have it, on the plan's clock or else the one with most samples."""
    rows = []
    for stream, count in across(recordings):
        fullest = max(stream.clocks, key=lambda c: (c.samples, c.hz is not None), default=None)  # counts have no rate
        clock = stream.on(timeline) or fullest
        cells = ["static", "", "", "", ""]
        if clock is not None:
            rate = "-" if clock.hz is None else f"{clock.hz:.2f} Hz"
            jitter = "-" if clock.hz is None else f"{clock.jitter_ms:.2f} ms"
            cells = [clock.name, str(clock.samples), rate, jitter, str(clock.rate.gaps or "")]
        found = f"{count}/{len(recordings)}" if len(recordings) > 1 else ""
        rows.append((stream.name, stream.label, found, *cells, _more(stream)))
    show_table(out, ("stream", "what", "in", "clock", "samples", "rate", "jitter", "gaps", "more"), rows)


def _more(stream: StreamSummary) -> str:
    camera = stream.camera
    if camera is not None and stream.kind == "video":
        frames = f", {camera.reorder_delay} B-frame delay" if camera.reorder_delay else ", no B-frames"
        odd = ", open GOP" if camera.open_gop else ", intra refresh" if camera.intra_refresh else ""
        return f"{camera.pix_fmt}, keyframe every {camera.gop}{frames}{odd}"
    if camera is not None:
        return camera.pix_fmt
    if stream.texts:
        return repr(stream.texts[0]) + (f" and {len(stream.texts) - 1} more" if len(stream.texts) > 1 else "")
    return _named(stream.names or ()) or stream.value


_MOST_NAMES = 8


def _named(names: tuple[str, ...]) -> str:
    """Names of elements: all of a few, the first of many, and the ends of those that are numbered."""
    stem = names[0].removesuffix("0") if names else ""
    if len(names) > 2 and names == tuple(f"{stem}{k}" for k in range(len(names))):
        return f"{names[0]} to {names[-1]}"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
