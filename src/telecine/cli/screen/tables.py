"""Values into tables for people, with rich; and into one JSON object for machines."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape as without_markup
from rich.text import Text

from telecine.cli.screen import loudness
from telecine.cli.screen.layout import short_labels, show_indented, show_sentence, show_table
from telecine.conversion.report import by_cause
from telecine.core.errors import PlanError
from telecine.core.findings import Finding, grouped
from telecine.core.resample.rates import distinct_rates
from telecine.core.text.numbers import bytes_text, counted, duration_text
from telecine.core.text.visible import visible
from telecine.lerobot_format.paths import PLAN

if TYPE_CHECKING:
    from telecine.conversion.dry_run import DryRun, RecordingDryRun
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
MANY = 1000
"""Elements of a list beyond which JSON is written for machines alone."""
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


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output; of a long list every element on a line, which is ten times as fast."""
    parts = (f"  {json.dumps(key)}: {_json_text(one)}" for key, one in value.items())
    sys.stdout.write("{\n" + ",\n".join(parts) + "\n}\n")


def _json_text(value: Any) -> str:
    if isinstance(value, list) and len(value) > MANY:
        return "[\n    " + ",\n    ".join(json.dumps(one, default=str) for one in value) + "\n  ]"
    return json.dumps(value, indent=2, default=str).replace("\n", "\n  ")


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
        show_sentence(out, f"  [{style}]{f.severity}[/{style}] {f.code} {escape(where)}: {_message(f)}{tail}")
    if len(groups) > most:
        out.print(f"  [dim]... and {len(groups) - most} more; -v shows all[/dim]")


def show_left_out(out: Console, entries: "Iterable[LeftOutEverywhere]", *, most: int = 20) -> None:
    """The streams that no feature uses: each reason once, with the names below it."""
    reasons: dict[tuple[str, str, int], list[str]] = {}
    for entry in entries:
        if entry.item.what != "offered" or not loudness.quiet():
            reasons.setdefault((entry.item.what, entry.item.why, entry.recordings), []).append(entry.item.stream)
    if reasons:
        out.print("\n[bold]left out[/bold]")
    most = len(reasons) if loudness.verbose() else most
    for (what, why, recordings), names in list(reasons.items())[:most]:
        what = "" if what == "offered" else f" [yellow]{what}[/yellow]"
        count = f" [dim]({counted(recordings, 'recording')})[/dim]" if recordings > 1 else ""
        if len(names) == 1:
            show_sentence(out, f"  {escape(names[0])}{what}: {escape(why)}{count}")
            continue
        show_sentence(out, f"  {counted(len(names), 'stream')}{what}: {escape(why)}{count}")
        show_indented(out, ", ".join(names), 4)
    if len(reasons) > most:
        rest = sum(map(len, list(reasons.values())[most:]))
        out.print(f"  [dim]... and {counted(rest, 'stream')} more; -v shows all[/dim]")


def show_guesses(out: Console, guesses: Iterable[str], plan: str = "") -> None:
    """What was chosen between readings. plan: the file that has all that was proposed, where there is one."""
    for number, guess in enumerate(guesses):
        if not number:
            kept = f" [dim](all that was proposed is in {escape(plan)})[/dim]" if plan else ""
            out.print()
            show_sentence(out, f"[bold]guessed, please check[/bold]{kept}")
        show_sentence(out, f"  {escape(guess)}")


def show_report(out: Console, report: "Report") -> None:
    """The table at the end of a conversion."""
    if report.episodes and not loudness.quiet():
        shown = report.episodes if loudness.verbose() else report.episodes[:40]
        names = short_labels([e.recording for e in shown])
        rows = [(name, *_episode_cells(e, report.fps)) for name, e in zip(names, shown, strict=True)]
        show_table(out, ("recording", "episode", "rows", "seconds", "oldest sample", "cameras"), rows)
        if len(report.episodes) > len(shown):
            out.print(f"[dim]... and {counted(len(report.episodes) - len(shown), 'more episode')}; -v shows all[/dim]")
        show_uses(out, report.episodes)
    elsewhere = {"stream-unreadable"} | ({"plan-proposed"} if report.guesses else set())  # in the lists below
    elsewhere |= {"convert-nothing"} if report.plan_is_wrong else set()
    about_run = [f for f in report.findings if f.code not in elsewhere]
    show_findings(out, [f for e in report.episodes for f in e.findings if _is_shown(f)] + about_run)
    show_guesses(out, report.guesses, f"{report.root}/{PLAN}" if report.episodes else "")
    show_left_out(out, report.left_out)
    show_rejected(out, report.rejected)
    if report.episodes:
        size = sum(c.size_bytes for e in report.episodes for c in e.clips)
        outcomes = ", ".join(f"{count} {word}" for word, count in report.outcomes.items() if count)
        known = f" ({outcomes})" if outcomes else ""
        counts = f"{counted(len(report.episodes), 'episode')}{known}, {counted(report.rows, 'row')}"
        videos = f", {bytes_text(size)} of video" if size else ""
        took = f"{videos} in {report.seconds:.1f} s"
        out.print(f"[bold]{counts}{took}[/bold] -> {escape(report.root)}", soft_wrap=True)
    elif loudness.quiet():
        _show_no_work(out, report)


def _show_no_work(out: Console, report: "Report") -> None:
    """The result of a run that had nothing to make, which its findings tell otherwise."""
    results = [f for f in report.findings if f.code in ("convert-known", "convert-shard")]
    for finding in results:
        out.print(f"{_message(finding)} -> {escape(report.root)}", soft_wrap=True)
    if report.shard and not results and report.ok:
        out.print(f"part {report.shard} has no recording -> {escape(report.root)}", soft_wrap=True)


def _episode_cells(e: "EpisodeReport", fps: int) -> tuple[str, ...]:
    oldest = max((u.age_max_ns for u in e.uses), default=0) / 1e6
    cameras = ", ".join(_clip_text(e, i) for i in range(len(e.clips)))
    return str(e.index), str(e.rows), f"{e.rows / fps:.1f}", f"{oldest:.1f} ms", cameras


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


def show_rejected(out: Console, rejected: "Sequence[Rejected]") -> None:
    """Why recordings were rejected: each cause once, and which it holds for; -v tells more apart."""
    if rejected:
        out.print(f"\n[bold red]rejected: {counted(len(rejected), 'recording')}[/bold red]")
    alike = {name: at for at, (one, more) in enumerate(by_cause(rejected)) for name in (one.recording, *more)}
    for first, others in by_cause(rejected, any_numbers=not loudness.verbose()):
        more = f" and {len(others)} more" if others else ""
        show_sentence(out, f"  {escape(first.recording)}{more}: {_message(first.reason)}")
        if first.reason.fix:
            show_sentence(out, f"    [dim]-> {escape(first.reason.fix)}[/dim]")
        for other in others[: None if loudness.verbose() else _OTHERS]:
            note = "" if alike[other] == alike[first.recording] else ", with other numbers; -v tells them"
            out.print(f"    [dim]also {escape(other)}{note}[/dim]", soft_wrap=True)
        if len(others) > _OTHERS and not loudness.verbose():
            out.print(f"    [dim]... and {len(others) - _OTHERS} more; -v shows all[/dim]")


_OTHERS = 5
"""Recordings named besides the first, where one cause holds for many."""


def show_forecast(out: Console, made: "DryRun") -> None:
    """The dry run: the plan, the decision per camera with its reason, sizes and times."""
    if not loudness.quiet():
        out.print("[bold]plan[/bold]")
        for line in made.plan.to_yaml().splitlines():
            out.print(f"  {escape(line)}", soft_wrap=True)
        out.print()
    names = short_labels([r.recording for r in made.recordings])
    show_table(
        out,
        ("recording", "rows", "about"),
        [(n, str(r.rows), bytes_text(r.size_bytes)) for n, r in zip(names, made.recordings, strict=True)],
    )
    _show_decisions(out, made.recordings)
    about_run = [f for f in made.findings if f.code != "stream-unreadable"]
    show_findings(out, [*about_run, *(f for r in made.recordings for f in r.findings if _is_shown(f))])
    show_guesses(out, made.guesses)
    show_left_out(out, made.left_out)
    show_rejected(out, made.rejected)
    total = f"{bytes_text(made.size_bytes)} in about {duration_text(made.seconds)}"
    out.print(f"\n[bold]about {total}[/bold]; nothing was written")


def _show_decisions(out: Console, recordings: "Sequence[RecordingDryRun]") -> None:
    """What becomes of each camera and why, equal decisions of several recordings once."""
    decisions: dict[tuple[str, str], list[str]] = {}
    for r in recordings:
        for c in r.cameras:
            decisions.setdefault((c.key.rpartition(".")[2], c.action), []).append(c.why)
    for (name, action), reasons in decisions.items():
        like = "because" if len(set(reasons)) == 1 else "in the first because"
        text = f"{name}: {action}, in {len(reasons)} of {counted(len(recordings), 'recording')}, {like} {reasons[0]}"
        show_sentence(out, escape(text))


def findings_dict(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Plain values for JSON."""
    return [f.to_dict() for f in findings]
