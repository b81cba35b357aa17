"""The picture of the cameras, made by whoever reads recordings: this process does not decode their frames."""

from pathlib import Path

from telecine.core.findings import Finding
from telecine.dataset.camera_sheet import no_sheet, write_sheet
from telecine.run.executor import Executor, Lost, Tell, silent


def draw_by(executor: Executor, folder: Path) -> list[Finding]:
    """See `write_sheet`; that the process dies is one more reason why there is none."""
    (answer,) = executor(_draw, [folder], silent)
    return [no_sheet(answer.why)] if isinstance(answer, Lost) else answer


def _draw(folder: Path, tell: Tell) -> list[Finding]:
    del tell
    return write_sheet(folder)
