"""What a camera of the dataset shall look like: presets resolved to codec, quality, keyframes and encoder options.

train    H.264 superfast, CAVLC, no B-frames, a keyframe every 5 frames: read in training faster than LeRobot's
         own default at the same quality, in two thirds of its bytes, and encoded five times faster.
lerobot  AV1 exactly as LeRobot's recorder writes it, so that the two merge in any order.
archive  AV1 with effort, high quality, a keyframe every 60 frames: the fewest bytes, slow random reads.
images   PNG without loss, one by one in Parquet.

Every option that changes the bytes is stated, and one thread is the default, so that the same frames give the
same bytes on any machine.
"""

from typing import Any, Literal, TypeAlias

from telecine.core.dataclass import dataclass
from telecine.core.depth import PIX_FMT, DepthScale
from telecine.core.errors import PlanError
from telecine.core.plan.model import Video
from telecine.core.recording import Codec
from telecine.core.text.numbers import counted
from telecine.core.video import VideoSettings
from telecine.video.encoder import Setup

Preset: TypeAlias = Literal["train", "lerobot", "archive", "images"]
AnyCodec: TypeAlias = Codec | Literal["png"]


@dataclass(frozen=True, slots=True)
class _Setting:
    """Quality and effort of one codec under one preset; `effort` is the encoder's own `preset` option."""

    crf: int
    effort: str | int


_PRESET_CODEC: dict[Preset, AnyCodec] = {"train": "h264", "lerobot": "av1", "archive": "av1", "images": "png"}
_PRESET_GOP: dict[Preset, int] = {"train": 5, "lerobot": 2, "archive": 60, "images": 1}

_SETTINGS: dict[tuple[Preset, AnyCodec], _Setting] = {
    # crf values of one preset give about the same PSNR in each codec.
    ("train", "h264"): _Setting(20, "superfast"),
    ("train", "hevc"): _Setting(22, "superfast"),
    # From effort 9 up SVT-AV1 3 leaves out changes of flat areas when keyframes are more than 2 apart: a lamp that
    # goes on stays dark for a frame or more, at any crf.
    ("train", "av1"): _Setting(32, 8),
    # LeRobot 0.6 asks for crf 30 whatever the codec, and leaves the effort of x264 and x265 at their default.
    ("lerobot", "av1"): _Setting(30, 12),
    ("lerobot", "h264"): _Setting(30, "medium"),
    ("lerobot", "hevc"): _Setting(30, "medium"),
    # Efforts below AV1's 8 cost twice the time for some 8 % of the bytes.
    ("archive", "av1"): _Setting(24, 8),
    ("archive", "h264"): _Setting(17, "medium"),
    ("archive", "hevc"): _Setting(19, "medium"),
    ("images", "png"): _Setting(0, 1),
}

_MOST_CRF: dict[AnyCodec, int] = {"h264": 51, "hevc": 51, "av1": 63, "png": 0}

# B-frames would delay frames in the file and make it impossible to append to files without them; a keyframe
# where the scene changes would move all that follow. Without the deblocking filter a frame is decoded a quarter
# faster; at the quality of `train` there is no block to smooth: PSNR is the same to 0.1 dB.
_X264 = {"bf": "0", "x264-params": "cabac=0:scenecut=0:no-deblock=1"}
_X264_ARCHIVE = {"bf": "0", "x264-params": "scenecut=0"}
# Leading frames of an open group cannot be decoded after a seek: 29 of 60 reads fail in torchcodec.
_X265 = {"x265-params": "open-gop=0:bframes=0:scenecut=0"}
# Higher levels cost 1.5 to 4 times the time for 5 to 12 % of the bytes; other filters give up to 40 % more bytes.
_DEPTH = {"x265-params": "lossless=1:open-gop=0:bframes=0:scenecut=0"}
_PNG = {"compression_level": "1", "pred": "paeth"}


def video_settings(
    preset: Preset,
    codec: Codec | None = None,
    crf: int | None = None,
    gop: int | None = None,
    *,
    size: tuple[int, int] | None = None,
    copy: Literal["auto", "always", "never"] = "auto",
) -> VideoSettings:
    """The preset with every choice made; what is given takes precedence.

    size: (width, height) in px, even unless the codec is av1 or the preset images.

    Raises:
        PlanError: a value does not fit the codec; all that do not are named.
    """
    chosen: AnyCodec = codec or _PRESET_CODEC[preset]
    setting = _SETTINGS.get((preset, chosen))
    if setting is None:
        raise PlanError(f"video.codec: preset images stores PNG, not {chosen}; leave one of the two out")
    out = VideoSettings(
        codec=chosen,
        copy=copy,
        crf=setting.crf if crf is None else crf,
        gop=_PRESET_GOP[preset] if gop is None else gop,
        preset=preset,
        size=size,
    )
    problems = [*_quality_problems(out), *_size_problems(out)]
    if problems:
        raise PlanError("; ".join(problems))
    return out


def depth_settings(video: Video, scale: DepthScale) -> VideoSettings:
    """How depth is stored: LeRobot's one way, H.265 without loss, whatever the preset of other cameras is.

    `size` is what its frames have to have: distances are never scaled.

    Raises:
        PlanError: the feature's own video settings ask for what that way cannot give; all of it is named.
    """
    asked = {
        "preset": video.preset if video.preset == "images" else None,
        "codec": video.codec if video.codec != "hevc" else None,
        "crf": video.crf, "gop": video.gop,
        "copy": video.copy_policy if video.copy_policy == "always" else None,
    }  # fmt: skip
    wrong = [f"{name}: {value}" for name, value in asked.items() if value is not None]
    if wrong:
        raise PlanError(
            f"video.{', '.join(wrong)}: depth is stored as lossless 12-bit H.265, LeRobot's one way; give the feature "
            "`video: {}` of its own to leave such settings to the other cameras"
        )
    return VideoSettings(
        codec="hevc", copy=video.copy_policy, crf=30, gop=2, preset="lerobot", size=video.size, depth=scale
    )


def _quality_problems(settings: VideoSettings) -> list[str]:
    problems = []
    if not 0 <= settings.crf <= _MOST_CRF[settings.codec]:
        problems.append(
            f"video.crf: {settings.crf} is not in 0..{_MOST_CRF[settings.codec]}, what {settings.codec} takes"
        )
    if settings.gop < 1:
        problems.append(f"video.gop: {counted(settings.gop, 'frame')} from keyframe to keyframe; at least 1 is needed")
    return problems


def _size_problems(settings: VideoSettings) -> list[str]:
    if settings.size is None:
        return []
    if min(settings.size) < 1:
        return [f"video.size: {settings.size[0]}x{settings.size[1]} is no size"]
    problem = size_problem(settings.codec, *settings.size)
    return [f"video.size: {problem}"] if problem else []


def size_problem(codec: AnyCodec, width: int, height: int) -> str:
    """Why `codec` cannot hold frames of this size in 4:2:0, with the way out; "" when it can."""
    if codec not in ("h264", "hevc") or (width % 2 == 0 and height % 2 == 0):
        return ""
    even = f"[{max(width // 2 * 2, 2)}, {max(height // 2 * 2, 2)}]"
    return (
        f"{codec} needs even width and height, not {width}x{height}; "
        f"set `video.size: {even}` to scale, or `video.codec: av1` to keep every pixel"
    )


def encoder_options(settings: VideoSettings, *, threads: int = 1, live: bool = False) -> Setup:
    """What `encode` opens the encoder with.

    Keyframes stand at multiples of `settings.gop` exactly, and nothing refers across them. live: it holds at most 20
    frames (otherwise up to 80), for 0 to 2 % more bytes: what it holds is lost with its process.
    """
    ahead = ":rc-lookahead=8" if live and _effort(settings) == "medium" else ""
    if settings.depth:
        x265 = (
            f"{_DEPTH['x265-params']}:keyint={settings.gop}:min-keyint={settings.gop}:log-level=error:pools={threads}"
        )
        own = {"g": str(settings.gop), "crf": str(settings.crf), "x265-params": f"{x265}:frame-threads=1"}
        return Setup("libx265", PIX_FMT, own)
    common = {"g": str(settings.gop), "crf": str(settings.crf), "preset": str(_effort(settings))}
    match settings.codec:
        case "h264":
            extra = _extra(settings)
            return Setup("libx264", "yuv420p", {**common, **extra, "x264-params": extra["x264-params"] + ahead})
        case "hevc":
            x265 = f"{_extra(settings)['x265-params']}:keyint={settings.gop}:min-keyint={settings.gop}:log-level=error"
            pools = f":pools={threads}:frame-threads=1"
            return Setup("libx265", "yuv420p", {**common, "x265-params": x265 + pools + ahead})
        case "av1":
            held = ":lookahead=0:hierarchical-levels=3" if live else ""
            return Setup("libsvtav1", "yuv420p", {**common, "svtav1-params": f"fast-decode=0:lp={threads}{held}"})
        case "png":
            return Setup("png", "rgb24", dict(_PNG))


def _effort(settings: VideoSettings) -> str | int:
    return _SETTINGS[settings.preset, settings.codec].effort


def _extra(settings: VideoSettings) -> dict[str, str]:
    if settings.codec == "h264":
        return _X264_ARCHIVE if settings.preset == "archive" else _X264
    return _X265 if settings.codec == "hevc" else {}


def encoder_info(settings: VideoSettings) -> dict[str, Any]:
    """The `video.*` keys of info.json from which LeRobot's tools build the same encoder again; {} for PNG.

    Names and order are those of `lerobot.configs.video.VideoEncoderConfig` 0.6.
    """
    if settings.codec == "png":
        return {}
    if settings.depth:
        return {
            "video.g": settings.gop,
            "video.crf": settings.crf,
            "video.preset": None,
            "video.fast_decode": 0,
            "video.video_backend": "pyav",
            "video.extra_options": dict(_DEPTH),
            **settings.depth.info,
        }
    return {
        "video.g": settings.gop,
        "video.crf": settings.crf,
        "video.preset": _effort(settings),
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": dict(_extra(settings)),
    }
