"""The cameras of one episode that leave Isaac Lab's memory while it runs."""

from pathlib import Path

from telecine.core.grid import tick_at
from telecine.core.naming import camera_name
from telecine.core.plan.model import IMAGES
from telecine.core.recording import Array
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.isaac.episode import Settings, rgb_of
from telecine.recorder.options import RecorderOptions


class Streamed:
    """Encoders of an episode's cameras, one thread each; goes with the episode that it belongs to.

    paths: the observations that came this way.
    """

    def __init__(self, folder: Path, task: str, settings: Settings, fps: int) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        options = RecorderOptions(fps, preset=settings.preset, when_behind="wait")  # type: ignore[arg-type]
        self.live = LiveEpisode(task, folder, options, names=self.names)
        self.paths: set[str] = set()
        self._settings, self._fps = settings, fps
        self._taken: dict[str, int] = {}
        self._given = False

    def add(self, path: str, frame: Array) -> None:
        """Take the next frame of a camera; waits while its encoder is behind. Raises: VideoError."""
        key = IMAGES + self._settings.cameras.get(path, camera_name(path.rpartition("/")[2]))
        number = self._taken.get(key, 0)
        self.live.add(tick_at(number, self._fps), {key: rgb_of(frame)})
        self._taken[key] = number + 1
        self.paths.add(path)

    @property
    def counts(self) -> dict[str, int]:
        """Feature key -> frames so far."""
        return dict(self._taken)

    def given(self) -> LiveEpisode:
        """The episode, for whoever writes it and removes what the encoders wrote."""
        self._given = True
        return self.live

    def abandon(self) -> None:
        """Stop the encoders and remove what they wrote, unless that was given away."""
        if not self._given:
            self.live.abandon()
