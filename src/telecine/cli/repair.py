"""`telecine repair`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.next_steps import Step, after_dataset, command, show_steps
from telecine.cli.screen.tables import console, escape, findings_dict, print_json, show_findings
from telecine.commands.repair import repair
from telecine.core.findings import has_errors
from telecine.core.text.numbers import counted
from telecine.recovery.conflicts import Trust
from telecine.recovery.repair import Repair


def run(
    dataset: Path,
    *,
    out: Path | None,
    task: str | None,
    without: list[str],
    trust: list[Trust],
    follow_links: bool,
    json: bool,
) -> Outcome:
    """Done when nothing is wrong, or the copy lacks nothing and verifies clean."""
    done = repair(dataset, out, task=task, without=without, trust=trust, follow_links=follow_links)
    if json:
        print_json(_values(done))
    else:
        more = [word for key in without for word in ("--without", key)] + (["--task", task] if task else [])
        _show(console(), done, out, [*more, "--follow-links"] if follow_links else more)
    return Outcome(done.ok, (*(done.after if done.out else done.wrong), *done.found))


def _values(done: Repair) -> dict[str, object]:
    findings = {name: findings_dict(getattr(done, name)) for name in ("wrong", "found", "after")}
    facts = {
        "ok": done.ok,
        "dataset": done.root,
        "out": done.out,
        "episodes": done.episodes,
        "rows": done.rows,
        "answers": done.answers,
    }
    return {**facts, **findings}


def _answer(copy: Sequence[str | Path], trust: Sequence[Trust]) -> Step:
    whom = " and ".join({"meta": "the metadata", "rows": "the rows", "video": "the videos"}[one] for one in trust)
    return f"write the copy, and believe {whom}", command(*copy, *(w for one in trust for w in ("--trust", one)))


def _show(out: Console, done: Repair, target: Path | None, more: Sequence[str]) -> None:
    """target, more: where the copy was to go, and the other options that were given."""
    nothing = ": what is lost, named below" if done.lost else ": nothing"
    out.print(f"[bold]wrong with {escape(done.root)}[/bold]" + ("" if done.wrong else nothing))
    show_findings(out, done.wrong)
    out.print("[bold]what a repaired copy holds[/bold]" if done.out is None else "[bold]what was repaired[/bold]")
    show_findings(out, done.found, most=len(done.found))
    lost = f", lost as named above: {len(done.lost)}" if done.lost else ", nothing lost"
    summary = f"{counted(done.episodes, 'episode')}, {counted(done.rows, 'row')}{lost}"
    if done.out is None:
        out.print(f"{summary}; nothing was written, frames were decoded here and there only")
        copy = ("telecine", "repair", done.root, "--apply", target or f"{done.root}-repaired", *more)
        if done.answers:
            out.print("[bold red]witnesses disagree[/bold red]: say whom to believe with --trust, see above")
            show_steps(out, [_answer(copy, trust) for trust in done.answers])
            return
        if not done.episodes:
            out.print("nothing can be saved: see above, or convert the recordings again")
        elif has_errors(done.wrong) or done.lost:
            show_steps(out, [("write the copy", command(*copy))])
        return
    show_findings(out, done.after)
    state = "[bold red]not fit for training[/bold red]" if has_errors(done.after) else "[bold]verified[/bold]"
    out.print(f"{summary} -> {escape(done.out)}: {state}", soft_wrap=True)
    if not has_errors(done.after):
        show_steps(out, after_dataset(Path(done.out)))
