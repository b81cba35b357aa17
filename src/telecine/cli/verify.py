"""`telecine verify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.layout import show_sentence
from telecine.cli.screen.next_steps import after_dataset, command, show_steps
from telecine.cli.screen.progress import Bar
from telecine.cli.screen.tables import console, escape, findings_dict, print_json, show_findings
from telecine.commands.stores import stores
from telecine.commands.verify import verify
from telecine.core.findings import Finding, has_errors
from telecine.core.text.addresses import as_typed
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.frames import Depth
from telecine.inspection.compare import compared
from telecine.lerobot_format.read import NAME_ONE, lacks_dataset

FRAMES: dict[Depth, str] = {
    "all": "all frames decoded",
    "sample": "frames sampled",
    "none": "no frame decoded",
}


def run(given: Path, *, against: list[str], decode: Depth, json: bool, reading: dict[str, Any]) -> Outcome:
    """Done when there are no errors."""
    dataset = as_typed(given)
    with Bar(quiet=json) as bar:
        findings = verify(dataset, against or None, decode=decode, progress=bar, **reading)
    failed = has_errors(findings)
    if json:
        print_json({"ok": not failed, "dataset": str(dataset), "findings": findings_dict(findings)})
        return Outcome(not failed, tuple(findings))
    out = console()
    show_findings(out, findings)
    if any(f.code == "verify-version" for f in findings):
        out.print(f"{escape(str(dataset))}: [bold]not judged[/bold]")
    elif failed:
        missing = any(f.fix.startswith(NAME_ONE) for f in findings)
        damaged = any(f.severity == "error" and f.code != "verify-against" for f in findings)
        text = (
            "no dataset"
            if missing
            else "not fit for training"
            if damaged
            else "differs from its recordings, or was not compared"
        )
        out.print(f"{escape(str(dataset))}: [bold red]{text}[/bold red], as listed above", soft_wrap=True)
        if damaged and not lacks_dataset(Path(dataset)):
            show_steps(out, [("what can be saved of it", command("telecine", "repair", dataset))])
    else:
        with stores() as here:
            opened = Dataset(here.dataset(dataset, lambda key: key.startswith("meta/")))
            text = _checked(opened, findings, decode, compare=bool(against))
        show_sentence(out, f"{escape(str(dataset))}: [bold]verified: OK[/bold]. {text}")
        show_steps(out, after_dataset(Path(dataset), inspected=True))
    return Outcome(not failed, tuple(findings))


def _checked(dataset: Dataset, findings: Sequence[Finding], decode: Depth, *, compare: bool) -> str:
    """What was looked at, in numbers."""
    rows = sum(episode.length for episode in dataset.episodes)
    frames = FRAMES[decode] if dataset.cameras else "no camera"
    text = f"{counted(len(dataset.episodes), 'episode')}, {counted(rows, 'row')}, {frames}"
    if compare:
        done, known = compared(dataset, findings)
        text += f"; compared with {done} of {counted(known, 'recording')}"
    warnings = sum(f.severity == "warning" for f in findings)
    return text + (f"; {counted(warnings, 'warning')}, as listed above" if warnings else "")
