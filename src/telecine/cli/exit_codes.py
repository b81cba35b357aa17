"""The exit codes, the same for all commands; docs/exit_codes.md has the table for people."""

from collections.abc import Iterable, Sequence

from telecine.core.dataclass import dataclass
from telecine.core.errors import PlanError
from telecine.core.findings import CODES, Finding

DONE = 0
NOT_DONE = 1
WRONG = 2
INTERRUPTED = 130

MEANINGS = {
    DONE: "all that was asked for is done, perhaps with warnings",
    NOT_DONE: "something asked for was not done, or what was checked is not sound",
    WRONG: "the command line, the plan or the edit is wrong; nothing was done",
    INTERRUPTED: "interrupted",
}
SEVERITIES = ("warning", "error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did. done: all that was asked for; findings: everything that it noticed on the way.

    wrong: what it was given is wrong for all that it was to be applied to, so nothing was done.
    """

    done: bool
    findings: tuple[Finding, ...] = ()
    wrong: bool = False

    def exit_code(self, fail_on: Iterable[str] = ()) -> int:
        """The exit code; findings that `fail_on` names (`warning`, `error` or a code) count as not done."""
        if self.wrong:
            return WRONG
        named = set(fail_on)
        severities = {"error"} if "error" in named else set()
        severities |= set(SEVERITIES) if "warning" in named else set()
        failed = any(f.severity in severities or f.code in named for f in self.findings)
        return DONE if self.done and not failed else NOT_DONE


def check_fail_on(values: Sequence[str]) -> None:
    """Nothing, when every value of `--fail-on` means something. Raises: PlanError naming the nearest that does."""
    from telecine.core.text.documents import suggest  # most commands are given no such flag, and it loads pydantic

    for value in values:
        if value not in (*SEVERITIES, *CODES):
            hint = suggest(value, (*SEVERITIES, *CODES))
            raise PlanError(f"--fail-on {value!r} is not warning, error or the code of a finding{hint}")
