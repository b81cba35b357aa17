"""Values into tables for people, with rich; and into one JSON object for machines."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape as without_markup
from rich.table import Table
from rich.text import Text

from telecine.cli.screen import loudness
from telecine.cli.screen.layout import show_table
from telecine.core.errors import PlanError
from telecine.core.findings import Finding, grouped
from telecine.core.resample.rates import distinct_rates
from telecine.core.text.numbers import bytes_text, counted
from telecine.core.text.visible import visible

if TYPE_CHECKING:
    from telecine.conversion.dry_run import DryRun
    from telecine.conversion.report import EpisodeReport, Rejected, Report
    from telecine.core.accounting import LeftOutEverywhere
    from telecine.core.episode import Use

SHOWN_INFOS = ("align-idle", "clock-shared")
"""Information about single episodes that is shown all the same: idle time that was left out, clocks that were moved."""
STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


USES = (
    "stream", "feature", "rate", "age median", "p99", "max", "gaps", "equal timestamps", "unused", "reused", "shifted"
)  # fmt: skip
"""What is told of each stream; docs/terminal.md explains the words."""
FILE_WIDTH = 200
"""Columns of text that does not go to a terminal, so that nothing is cut in a log."""


class _Terminal(Console):
    """A console that obeys no control character in what it is given, wherever that came from."""

    def render_str(self, text: str, **options: Any) -> Text:
        """See `Console.render_str`."""
        return super().render_str(visible(text, keep="\n"), **options)


def console() -> Console:
    """Where text for people goes."""
    return _Terminal(highlight=False, emoji=False, width=None if sys.stdout.isatty() else FILE_WIDTH)


def escape(text: str) -> str:
    """Text from a file or a person, for `console`: shown as it is, on one line."""
    return without_markup(visible(text))


def _message(finding: Finding) -> str:
    """What a finding says; the problems of a plan, which are a list, on lines of their own."""
    lines = finding.message.split("\n") if finding.code == PlanError.code else [finding.message]
    return "\n    ".join(escape(line.strip()) for line in lines)


def short(label: str) -> str:
    """A recording's label without its folder."""
    return label.replace("\\", "/").rpartition("/")[2]


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def _is_shown(finding: Finding) -> bool:
    return finding.severity != "info" or finding.code in SHOWN_INFOS or loudness.verbose()


def show_findings(out: Console, findings: Iterable[Finding], *, most: int = 30) -> None:
    """A line a finding, errors first; equal messages of several places once, with their number."""
    groups = grouped(f for f in findings if f.severity != "info" or not loudness.quiet())
    most = len(groups) if loudness.verbose() else most
    for f, more in groups[:most]:
        where = f.place + (f" and {more} more" if more else "")
        tail = f" [dim]-> {escape(f.fix)}[/dim]" if f.fix else ""
        style = STYLES[f.severity]
        out.print(f"  [{style}]{f.severity}[/{style}] {f.code} {escape(where)}: {_message(f)}{tail}", soft_wrap=True)
    if len(groups) > most:
        out.print(f"  [dim]... and {len(groups) - most} more; -v shows all[/dim]")


def show_left_out(out: Console, entries: "Iterable[LeftOutEverywhere]", *, most: int = 20) -> None:
    """A line for each stream that no feature uses, with the reason."""
    listed = [entry for entry in entries if entry.item.what != "offered" or not loudness.quiet()]
    most = len(listed) if loudness.verbose() else most
    if listed:
        out.print("\n[bold]left out[/bold]")
    for entry in listed[:most]:
        what = "" if entry.item.what == "offered" else f" [yellow]{entry.item.what}[/yellow]"
        count = f" [dim]({entry.recordings} recordings)[/dim]" if entry.recordings > 1 else ""
        out.print(f"  {escape(entry.item.stream)}{what}: {escape(entry.item.why)}{count}", soft_wrap=True)
    if len(listed) > most:
        out.print(f"  [dim]... and {len(listed) - most} more; -v shows all[/dim]")


def show_report(out: Console, report: "Report") -> None:
    """The table at the end of a conversion."""
    if report.episodes and not loudness.quiet():
        shown = report.episodes if loudness.verbose() else report.episodes[:40]
        rows = [_episode_cells(e, report.fps) for e in shown]
        show_table(out, ("recording", "episode", "rows", "seconds", "oldest sample", "cameras"), rows)
        if len(report.episodes) > len(shown):
            out.print(f"[dim]... and {len(report.episodes) - len(shown)} more episodes; -v shows all[/dim]")
        show_uses(out, report.episodes)
    show_findings(out, [f for e in report.episodes for f in e.findings if _is_shown(f)] + list(report.findings))
    show_left_out(out, report.left_out)
    show_rejected(out, report.rejected)
    if report.rejected:
        out.print(f"[bold red]{len(report.rejected)} rejected[/bold red], as listed above")
    if report.episodes:
        size = sum(c.size_bytes for e in report.episodes for c in e.clips)
        outcomes = ", ".join(f"{count} {word}" for word, count in report.outcomes.items() if count)
        known = f" ({outcomes})" if outcomes else ""
        counts = f"{counted(len(report.episodes), 'episode')}{known}, {counted(report.rows, 'row')}"
        took = f"{bytes_text(size)} of video in {report.seconds:.1f} s"
        out.print(f"[bold]{counts}, {took}[/bold] -> {escape(report.root)}", soft_wrap=True)


def _episode_cells(e: "EpisodeReport", fps: int) -> tuple[str, ...]:
    oldest = max((u.age_max_ns for u in e.uses), default=0) / 1e6
    cameras = ", ".join(_clip_text(e, i) for i in range(len(e.clips)))
    return short(e.recording), str(e.index), str(e.rows), f"{e.rows / fps:.1f}", f"{oldest:.1f} ms", cameras


def _clip_text(episode: "EpisodeReport", number: int) -> str:
    clip = episode.clips[number]
    name = clip.key.rpartition(".")[2]
    reencoded = f", {clip.pictures.encoded} re-encoded" if clip.copied and clip.pictures.encoded else ""
    return f"{name} {'copied' if clip.copied else 'encoded'} ({clip.codec}{reencoded})"


def show_uses(out: Console, episodes: "Iterable[EpisodeReport]") -> None:
    """The age of the samples that rows got, per stream, the worst of all episodes."""
    streams: dict[tuple[str, str], list[Use]] = {}
    for e in episodes:
        for use in e.uses:
            streams.setdefault((use.key, use.stream), []).append(use)
    if not streams:
        return
    rows = []
    for (key, name), uses in streams.items():
        ages = [max(getattr(u, f"age_{part}_ns") for u in uses) / 1e6 for part in ("median", "p99", "max")]
        counts = [
            sum(getattr(u, part) for u in uses) for part in ("gaps", "duplicates", "dropped", "repeated", "shifted")
        ]
        rates = [f"{hz:.2f}" for hz in distinct_rates(u.rate_hz for u in uses)] or ["0.00"]
        rate = f"{rates[0]}, ... {rates[-1]} Hz" if len(rates) > 3 else f"{', '.join(rates)} Hz"
        feature = key.removeprefix("observation.")
        rows.append((name.partition(":")[0], feature, rate, *(f"{a:.1f} ms" for a in ages), *map(str, counts)))
    show_table(out, USES, rows)


def show_rejected(out: Console, rejected: "Iterable[Rejected]") -> None:
    """Every rejected recording with its reason."""
    for item in rejected:
        out.print(f"[bold red]rejected[/bold red] {escape(item.recording)}: {_message(item.reason)}", soft_wrap=True)
        if item.reason.fix:
            out.print(f"  [dim]-> {escape(item.reason.fix)}[/dim]", soft_wrap=True)


def show_forecast(out: Console, made: "DryRun") -> None:
    """The dry run: the plan, the decision per camera with its reason, sizes and times."""
    out.print("[bold]plan[/bold]")
    out.print(escape(made.plan.to_yaml()))
    table = Table("recording", "rows", "camera", "decision", "why", "about", box=None, pad_edge=False)
    for r in made.recordings:
        table.add_row(escape(short(r.recording)), str(r.rows), "", "", "", bytes_text(r.size_bytes))
        for c in r.cameras:
            table.add_row("", "", escape(c.key.rpartition(".")[2]), c.action, escape(c.why), bytes_text(c.size_bytes))
    out.print(table)
    findings = [f for r in made.recordings for f in r.findings if not f.code.startswith(("video-copied", "video-enc"))]
    show_findings(out, [*made.findings, *findings])
    show_left_out(out, made.left_out)
    show_rejected(out, made.rejected)
    total = made.to_dict()
    out.print(
        f"[bold]about {bytes_text(total['size_bytes'])} in about {total['seconds']:.0f} s on one core[/bold]; "
        "nothing was written"
    )


def findings_dict(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Plain values for JSON."""
    return [f.to_dict() for f in findings]
