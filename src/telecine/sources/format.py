"""What a format has to give, so that `find` and `open` can use it: one module (or object) per format.

    NAME = "rrd"
    SUFFIXES = (".rrd",)
    def claims(path: str) -> bool: ...
    def index(path: str, *, recover: bool, token: str | None) -> Found: ...
    def open(ref: Ref) -> Recording: ...
    def join(refs: Sequence[Ref]) -> Found: ...           # optional: files of one id are one recording

A third party publishes such a module under the entry-point group `telecine.sources` and subclasses
`telecine.testing.SourceContract` to know that it is right. Nothing here reads a file.
"""

from collections.abc import Sequence
from typing import Protocol

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.recording import Recording, Ref


class MissingExtra(SourceError):
    """The package that reads this format is not installed: no file of the format can be read."""


@dataclass(frozen=True, slots=True)
class Found:
    """Recordings that can be opened, and what was wrong with the rest."""

    refs: tuple[Ref, ...] = ()
    findings: tuple[Finding, ...] = ()
    properties: tuple[Ref, ...] = ()
    """Recordings that hold properties and no data: no episodes, but perhaps layers of recordings in other files."""


class Joining(Protocol):
    """A format whose recordings can lie in several files, which share an id."""

    def join(self, refs: Sequence[Ref]) -> Found:
        """The recordings that files with one id make, in the order of their paths: one Ref with `layers`, as a rule.

        Copies are left out with a finding; files that cannot be one recording are refused with a finding that says
        what to do. Never raises SourceError.
        """
        ...


class Format(Protocol):
    """One recording format. Modules are fine: the attributes are module constants and functions."""

    @property
    def NAME(self) -> str:  # noqa: N802 - modules write constants in capitals
        """Goes into `Ref.format`; unique among all formats."""
        ...

    @property
    def SUFFIXES(self) -> tuple[str, ...]:  # noqa: N802
        """Lower-case suffixes; a file that has one and that no format claims is reported, not passed over."""
        ...

    def claims(self, path: str) -> bool:
        """True when the content (or the scheme of a URL) is this format's. Quick: reads a few bytes at most.

        Also asked of every folder; one that is claimed is indexed as a whole, and the files in it are not looked at.
        """
        ...

    def index(self, path: str, *, recover: bool, token: str | None) -> Found:
        """One Ref per recording in the file, and findings for what cannot be opened.

        Reads headers and tables of contents, not data. Refs carry `recover` and `token` on.

        Raises:
            SourceError: nothing in the file can be read.
            MissingExtra: the package that reads the format is not installed.
        """
        ...

    def open(self, ref: Ref) -> Recording:
        """The recording, its streams known by name, nothing decoded.

        Raises:
            SourceError: it cannot be read (any more).
        """
        ...
