"""`telecine verify`."""

from pathlib import Path
from typing import Any

from telecine.cli.exit_codes import Outcome
from telecine.cli.tables import console, escape, findings_dict, print_json, show_findings
from telecine.commands.verify import verify
from telecine.core.findings import has_errors
from telecine.dataset.verify.frames import Depth


def run(dataset: Path, *, against: list[str], decode: Depth, json: bool, reading: dict[str, Any]) -> Outcome:
    """Done when there are no errors."""
    findings = verify(dataset, against or None, decode=decode, **reading)
    failed = has_errors(findings)
    if json:
        print_json({"ok": not failed, "dataset": str(dataset), "findings": findings_dict(findings)})
    else:
        out = console()
        show_findings(out, findings)
        text = "[bold red]not fit for training[/bold red]" if failed else "[bold]verified[/bold]"
        if any(f.code == "verify-version" for f in findings):
            text = "[bold]not judged[/bold]"
        out.print(f"{escape(str(dataset))}: {text}, {len(findings)} finding(s)")
    return Outcome(not failed, tuple(findings))
