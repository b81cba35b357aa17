"""What a progress display gets, whatever is worked on."""

from typing import Protocol


class Progress(Protocol):
    """A display of work that has a size in bytes: those of recordings, or of a dataset's rows and videos."""

    def begin(self, total_bytes: int) -> None:
        """Before the first part."""
        ...

    def advance(self, done_bytes: int, label: str) -> None:
        """After a part of `label`; parts of one recording or file add up to its size."""
        ...


class Silent:
    """A `Progress` that shows nothing."""

    def begin(self, total_bytes: int) -> None:
        """Ignored."""

    def advance(self, done_bytes: int, label: str) -> None:
        """Ignored."""
