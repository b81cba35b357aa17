"""`telecine demo`."""

from collections.abc import Iterator
from pathlib import Path

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen import loudness
from telecine.cli.screen.next_steps import after_dataset, command, show_steps
from telecine.cli.screen.progress import Bar
from telecine.cli.screen.tables import console, escape, print_json, show_report
from telecine.commands.demo import demo
from telecine.core.text.numbers import bytes_text, counted


def run(out: Path, *, episodes: int, seconds: float, seed: int, json: bool) -> Outcome:
    """Record, convert, verify. Done when the dataset verified clean."""
    recordings, dataset = out / "recordings", out / "dataset"
    with Bar(quiet=json) as bar:
        report = demo(out, episodes=episodes, seconds=seconds, seed=seed, progress=bar)
    if json:
        print_json({"recordings": str(recordings), "dataset": str(dataset), "report": report.to_dict()})
        return Outcome(report.ok, report.all_findings)
    text = console()
    if loudness.quiet():
        show_report(text, report)
        return Outcome(report.ok, report.all_findings)
    text.print(
        f"[bold]recorded[/bold] {counted(episodes, 'episode')} of {seconds:g} s, as a robot would: "
        "streams share no timestamp"
    )
    for line in _tree(recordings):
        text.print(f"  {escape(line)}")
    text.print("\n[bold]converted and verified[/bold]" if report.ok else "\n[bold red]not clean[/bold red]")
    show_report(text, report)
    for line in _tree(dataset):
        text.print(f"  {escape(line)}")
    plan = command(
        "telecine", "convert", recordings, f"{out}-10fps", "--plan", out / "plan.yaml", "--fps", "10", "--dry-run"
    )
    before = [
        ("what the recordings hold", command("telecine", "inspect", recordings)),
        ("what ten rows a second would take; nothing is written", plan),
    ]
    show_steps(text, [*before, *after_dataset(dataset, [str(recordings)])])
    return Outcome(report.ok, report.all_findings)


def _tree(folder: Path) -> Iterator[str]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield f"{path.relative_to(folder.parent)}  {bytes_text(path.stat().st_size)}"
