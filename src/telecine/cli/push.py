"""`telecine push`: a finished dataset onto the Hugging Face Hub."""

import shlex
from pathlib import Path

from telecine.cli.exit_codes import Outcome
from telecine.cli.tables import bytes_text, console, escape, print_json, show_findings
from telecine.compat.hub import files, push
from telecine.core.errors import DatasetError
from telecine.core.findings import has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import CARD, VERSION

LARGE_BYTES = 1 << 30
"""From here on a dataset is uploaded in several commits, so that an interrupted push leaves what it committed."""


def run(root: Path, repo_id: str, *, private: bool | None, dry_run: bool, json: bool) -> Outcome:
    """Done when the dataset is on the Hub, or would be without `dry_run`."""
    dataset = Dataset(root)
    if not (root / CARD).is_file():
        raise DatasetError(f"{root}: has no {CARD}, which the Hub shows as its card; `telecine repair` writes one")
    findings = verify(root, decode="none")
    names = files(root)
    size = sum((root / name).stat().st_size for name in names)
    if not has_errors(findings) and not dry_run:
        push(
            root,
            repo_id,
            private=private,
            branch=None,
            tag_version=True,
            push_videos=True,
            allow_patterns=None,
            upload_large_folder=size >= LARGE_BYTES,
        )
    ok, command = not has_errors(findings), train_command(dataset, repo_id)
    if json:
        facts = {"files": len(names), "size_bytes": size, "tag": VERSION, "private": private, "dry_run": dry_run}
        print_json({"ok": ok, "dataset": str(root), "repo_id": repo_id, **facts, "train": command})
        return Outcome(ok, tuple(findings))
    out = console()
    show_findings(out, findings)
    seen = {None: "visible as the Hub's default", True: "private", False: "public"}[private]
    done = "not pushed: not fit for training" if not ok else "would be pushed" if dry_run else "pushed"
    about = f"{len(names)} files, {bytes_text(size)}, tag {VERSION}, {seen}"
    out.print(f"[bold]{escape(str(root))}: {done}[/bold] to {escape(repo_id)}: {about}")
    if ok:
        out.print("\nto train:")
        out.print(f"  {escape(command)}", soft_wrap=True)
    return Outcome(ok, tuple(findings))


def train_command(dataset: Dataset, repo_id: str) -> str:
    """The `lerobot-train` command for it: ACT, which needs a camera; without one a person has to choose the policy."""
    policy = "act" if dataset.cameras else "POLICY"
    parts = [
        "lerobot-train",
        f"--dataset.repo_id={repo_id}",
        f"--policy.type={policy}",
        f"--policy.repo_id={repo_id}-{policy.lower()}",
        f"--output_dir=outputs/train/{repo_id.rpartition('/')[2]}",
        "--steps=100000",
    ]
    return shlex.join(parts)
