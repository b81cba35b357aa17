"""Whether every video holds exactly the frames that the rows point at, where LeRobot looks for them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import field, replace

from telecine.core.dataclass import dataclass
from telecine.core.errors import VideoError
from telecine.core.text.numbers import counted
from telecine.dataset.verify.finding_log import FindingLog
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta, FeatureMeta
from telecine.lerobot_format.paths import FLOAT32_SAFE_S, video_path
from telecine.lerobot_format.video_spans import HiddenFrames, placed_episodes, span_problems
from telecine.video.mp4_reader import FileFacts, probe_file

TOLERANCE_S = 1e-4
_CODE = "verify-video"


@dataclass(frozen=True, slots=True)
class CheckedVideo:
    """One video file and the episodes whose frames it holds, in order, with each one's first frame."""

    key: str
    name: str
    """Relative path."""
    episodes: tuple[tuple[EpisodeMeta, int], ...]
    frames: int
    keyframes: tuple[int, ...] = ()
    coding: tuple[str, str] = ("", "")
    """Codec and pixel format."""
    facts: FileFacts | None = field(default=None, compare=False)
    """What the file states, with its first frame; None once its frames are checked, as there may be thousands."""


def check_video(
    metadata: DatasetMeta, key: str, name: str, episodes: Sequence[EpisodeMeta], hidden: HiddenFrames, log: FindingLog
) -> CheckedVideo | None:
    """Check one file of camera `key` without decoding; None when it cannot be read."""
    path = metadata.root / name
    if not path.is_file():
        return None  # reported by the check of files
    try:
        facts = probe_file(str(path))
    except (VideoError, UnicodeDecodeError) as error:  # PyAV decodes the file's tags as text
        log.error(_CODE, name, str(error))
        return None
    _check_format(name, facts, metadata.features[key], log)
    _check_timing(name, facts, metadata.fps, log)
    found_at = placed_episodes(key, episodes, metadata.fps)
    video = CheckedVideo(
        *(key, name, tuple(found_at), facts.frames, tuple(facts.keyframes.tolist()), (facts.codec, facts.pix_fmt)),
        facts,
    )
    _check_tiling(video, metadata.fps, hidden, log)
    _check_float32(video, log)
    inside = tuple((e, first) for e, first in found_at if first >= 0 and first + e.length <= facts.frames)
    return replace(video, episodes=inside)


def check_coding(feature: FeatureMeta, videos: Sequence[CheckedVideo], log: FindingLog) -> None:
    """Codec and pixel format declared are those of a file; others may differ, as those that LeRobot adds do."""
    declared = tuple(feature.info.get(name) for name in ("video.codec", "video.pix_fmt"))
    if videos and not any(declared == video.coding for video in videos):
        found = " and ".join(sorted({" ".join(video.coding) for video in videos}))
        message = f"found {found} in the files, declared is {' '.join(map(str, declared))}"
        log.error(_CODE, f"videos/{feature.key} ({feature.key} in meta/info.json)", message)


def by_file(metadata: DatasetMeta, key: str) -> dict[str, list[EpisodeMeta]]:
    """The episodes in each file of a camera, by the file's relative path."""
    groups: dict[str, list[EpisodeMeta]] = defaultdict(list)
    for episode in metadata.episodes:
        groups[video_path(key, episode.videos[key].file_index)].append(episode)
    return dict(groups)


def _check_format(name: str, facts: FileFacts, feature: FeatureMeta, log: FindingLog) -> None:
    """The declared size, codec and pixel format are the real ones, and LeRobot's tools know the codec."""
    found = {
        "video.height": facts.height,
        "video.width": facts.width,
        "has_audio": facts.has_audio,
    }
    where = f"{name} ({feature.key} in meta/info.json)"
    for key, value in found.items():
        if feature.info.get(key) != value:
            log.error(_CODE, where, f"found {key} {value!r} in the file, declared is {feature.info.get(key)!r}")
    if (facts.height, facts.width) != feature.shape[:2]:
        message = f"found frames of {facts.height} x {facts.width}, declared shape is {list(feature.shape)}"
        log.error(_CODE, where, f"{message} (height, width, channels)")
    if facts.codec not in ("h264", "hevc", "av1"):
        log.warning(_CODE, name, f"found codec {facts.codec}; LeRobot's tools edit only av1, h264 and hevc")
    if facts.tracks != 1:
        log.error(_CODE, name, f"found {counted(facts.tracks, 'track')}, expected one: decoders choose differently")
    if facts.rotation:
        log.error(_CODE, name, f"found a rotation by {facts.rotation} degrees, which only one decoder applies")


def _check_timing(name: str, facts: FileFacts, fps: int, log: FindingLog) -> None:
    """Frame k is shown at k / fps, the first is a keyframe, and the file states how long it is."""
    if abs(facts.average_rate - fps) > 1e-3 * fps:
        message = f"found {float(facts.average_rate):.4f} frames per second, expected {fps}"
        log.error(_CODE, name, f"{message}: LeRobot turns times into frame numbers with it")
    elif facts.off_grid:
        number, time = facts.off_grid
        log.error(_CODE, name, f"found frame {number} at {time:.6f} s, expected at {number / fps:.6f} s (k / fps)")
    elif abs(float(facts.duration) - facts.frames / fps) >= TOLERANCE_S:
        message = f"found a duration of {float(facts.duration):.6f} s, expected {facts.frames / fps:.6f} s"
        log.error(_CODE, name, f"{message}: merging takes it for the start of what follows")
    if not facts.keyframes.size or facts.keyframes[0] != 0:
        log.error(_CODE, name, "found no keyframe at the start, expected the first frame to be one")


def _check_tiling(video: CheckedVideo, fps: int, hidden: HiddenFrames, log: FindingLog) -> None:
    for problem in span_problems(video.key, video.episodes, video.frames, fps, hidden):
        if problem.episode is None:
            log.error(_CODE, video.name, problem.message)
            continue
        with log.at(episode=problem.episode.index):
            log.error(_CODE, f"{video.name} episode {problem.episode.index}", problem.message)


def _check_float32(video: CheckedVideo, log: FindingLog) -> None:
    for episode, _ in video.episodes:
        span = episode.videos[video.key]
        if span.to_s > FLOAT32_SAFE_S and span.from_s > 0:
            with log.at(episode=episode.index):
                log.error(
                    _CODE, f"{video.name} episode {episode.index}",
                    f"found frames from {span.from_s:.1f} s to {span.to_s:.1f} s, expected all before 1024 s: LeRobot "
                    "compares times as float32, too coarse beyond, unless the episode starts the file",
                )  # fmt: skip
