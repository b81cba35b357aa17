"""`telecine push`."""

import sys
from pathlib import Path

import typer

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.next_steps import show_steps
from telecine.cli.screen.tables import console, escape, print_json, show_findings
from telecine.commands.inspect import is_dataset
from telecine.commands.push import push
from telecine.core.text.numbers import bytes_text, counted
from telecine.dataset.card import license_of
from telecine.dataset.existing import card_at


def run(
    root: Path,
    repo_id: str,
    *,
    private: bool | None,
    license: str | None,  # noqa: A002 - as the Hub calls it
    dry_run: bool,
    follow_links: bool,
    json: bool,
) -> Outcome:
    """Done when the dataset is on the Hub, or would be without `dry_run`."""
    if license is None and is_dataset(root) and license_of(card_at(root)) is None and not json and sys.stdin.isatty():
        asked = typer.prompt("Licence of the dataset (apache-2.0, cc-by-4.0, mit ...; empty: none)", default="")
        license = asked.strip() or None  # noqa: A001
    pushed = push(root, repo_id, private=private, license=license, dry_run=dry_run, follow_links=follow_links)
    outcome = Outcome(pushed.ok, pushed.findings)
    if json:
        print_json(pushed.to_dict())
        return outcome
    out = console()
    show_findings(out, pushed.findings)
    seen = {None: "visible as the Hub's default", True: "private", False: "public"}[private]
    done = "not pushed: not fit for training" if not pushed.ok else "would be pushed" if dry_run else "pushed"
    about = f"{counted(pushed.files, 'file')}, {bytes_text(pushed.size_bytes)}, tag {pushed.tag}, {seen}"
    out.print(f"[bold]{escape(pushed.dataset)}: {done}[/bold] to {escape(repo_id)}: {about}")
    if pushed.ok:
        show_steps(out, [("train on it, where LeRobot is installed", pushed.train)])
    return outcome
