"""Copy or encode: a decision on packet numbers. Never sees a frame."""

import numpy as np

from telecine.core.copying.splice import Copied, Encoded, Repeated, Run, Splice, splice_obstacle
from telecine.core.depth import PIX_FMT
from telecine.core.grid import Rows
from telecine.core.text.numbers import counted, percent_text
from telecine.core.video import Encode, Flags, PacketIndex, VideoSettings

LONGEST_GOP = 60
"""Above this `copy: auto` encodes: one random read decodes half a GOP on average."""
DECODING = 0.25
"""What decoding a frame costs, encoding one being 1 (docs/benchmarks.md)."""
PAYS = 0.7
"""`copy: auto` encodes everything when encoding parts would cost more than this share of it: at keyframes 30 frames
apart from about one frame in 22 left out."""


def decide(rows: Rows, index: PacketIndex, settings: VideoSettings) -> Splice | Encode:
    """Copy as much as shows exactly the frames that `rows` ask for, reads well and pays; else why not.

    rows: (count,) int64, non-decreasing positions in display order, count > 0.
    """
    obstacle = copy_obstacle(index, settings)
    if obstacle:
        return Encode(obstacle)
    always = settings.copy == "always"
    starts = np.flatnonzero(index.keyframe)
    obstacle = _groups_obstacle(rows, index, starts)
    if obstacle:
        return Encode(obstacle)
    splice = _runs(rows, index, starts, keep=always)
    obstacle = splice_obstacle(index) if splice.encoded else ""
    if not splice.copied:
        return Encode("the episode lies between two keyframes" if one_to_one(rows) else not_one_to_one(rows))
    if obstacle:
        return Encode(f"{_why_parts(rows)}, and {obstacle}")
    share = _share(splice, rows, index, starts)
    if not always and share > PAYS:
        return Encode(
            f"{_why_parts(rows)}; encoding the rest of each group of pictures would cost {percent_text(share)} of all"
        )
    gop = _longest_copied(splice, index, starts)
    if not always and gop > LONGEST_GOP:
        return Encode(
            f"keyframes are up to {counted(gop, 'frame')} apart, slow to read in training (copy: always keeps them)"
        )
    return splice


def decide_kept(rows: Rows, index: PacketIndex, *, depth: bool = False) -> Splice | Encode:
    """Copy the groups of pictures that hold these rows, with what they show before and after them; else why not.

    For streams that are in a dataset already, so that nothing is asked of how well they read: a file keeps its codec,
    pixel format and keyframes, whatever those of other files are.

    rows: (count,) int64, increasing by one, positions in display order, count > 0. depth: the frames are codes of
        distances.
    """
    starts = np.flatnonzero(index.keyframe)
    obstacle = _formats_obstacle(index) or _groups_obstacle(rows, index, starts)
    if not obstacle and depth and index.formats[0].pix_fmt != PIX_FMT:
        obstacle = f"depth is {index.formats[0].pix_fmt}, which is not {PIX_FMT}"
    return Encode(obstacle) if obstacle else _runs(rows, index, starts, keep=True)


def decide_cut(rows: Rows, index: PacketIndex) -> Splice | Encode:
    """Copy every group of pictures of which all frames stay, and re-encode what is left of the others; else why not.

    For streams that are in a dataset already, so that nothing is asked of how well they read.

    rows: (count,) int64, increasing by one, positions in display order, count > 0.
    """
    starts = np.flatnonzero(index.keyframe)
    obstacle = _formats_obstacle(index) or _groups_obstacle(rows, index, starts)
    if obstacle:
        return Encode(obstacle)
    splice = _runs(rows, index, starts, keep=False)
    obstacle = splice_obstacle(index) if splice.encoded else ""
    if obstacle or not splice.copied:
        return Encode(obstacle or "it lies between two keyframes")
    return splice


def _whole_run(rows: Rows, index: PacketIndex, starts: Rows) -> Copied | None:
    """What `_runs` would give, at once, where rows show each frame once from a keyframe on, as nearly all do.

    The last group is whole, or has no B-frames.
    """
    shown, packets = np.append(index.display[starts], index.count), np.append(starts, index.count)
    at, end = np.searchsorted(shown, (rows[0], rows[-1] + 1)).tolist()
    if not one_to_one(rows) or shown[at] != rows[0] or not np.all(np.diff(shown) > 0):
        return None
    first, stop = int(packets[at]), int(packets[at]) + rows.size
    if end < shown.size and shown[end] == rows[-1] + 1:
        return Copied(first, int(packets[end]))
    return Copied(first, stop) if np.array_equal(index.display[first:stop], rows) else None


def one_to_one(rows: Rows) -> bool:
    """Whether each row shows the frame after that of the row before."""
    return bool(np.all(np.diff(rows) == 1))


def not_one_to_one(rows: Rows) -> str:
    """How often frames and rows are not one to one."""
    steps = np.diff(rows)
    repeats, skips = int(np.sum(steps == 0)), int(np.sum(steps > 1))
    return f"frames and rows are not one to one ({repeats} repeated, {counted(skips, 'time')} some left out)"


def _why_parts(rows: Rows) -> str:
    return "the episode starts between keyframes" if one_to_one(rows) else not_one_to_one(rows)


def copy_obstacle(index: PacketIndex, settings: VideoSettings) -> str:
    """Why nothing of this stream can be copied, whatever rows ask for; "" when something may be."""
    return _settings_obstacle(index, settings) or _stream_obstacle(index, settings)


def _settings_obstacle(index: PacketIndex, settings: VideoSettings) -> str:
    if settings.copy == "never":
        return "the plan has copy: never"
    if settings.codec == "png":
        return "frames are stored as PNG"
    if any(f.codec != settings.codec for f in index.formats):
        return f"the source is {index.formats[0].codec}, the dataset {settings.codec}"
    if settings.size is not None and any((f.width, f.height) != settings.size for f in index.formats):
        fmt = index.formats[0]
        return f"the source is {fmt.width}x{fmt.height}, resized to {settings.size[0]}x{settings.size[1]}"
    return ""


def _formats_obstacle(index: PacketIndex) -> str:
    if len(index.formats) != 1:
        return f"the stream changes its frame format {counted(max(len(index.formats) - 1, 0), 'time')}"
    return ""


def _stream_obstacle(index: PacketIndex, settings: VideoSettings) -> str:
    if obstacle := _formats_obstacle(index):
        return obstacle
    (fmt,) = index.formats
    plain = fmt.pix_fmt == "yuv420p" or (fmt.pix_fmt == "yuvj420p" and fmt.codec != "av1")
    if not (fmt.pix_fmt == PIX_FMT if settings.depth else plain):
        return f"pixel format {fmt.pix_fmt} reads wrong in LeRobot's decoders or is refused by its tools"
    if fmt.codec == "hevc" and index.reorder_delay > 1:
        # torchcodec 0.11 answers some backward seeks with an earlier frame (meta-pytorch/torchcodec#1339).
        return "H.265 with nested B-frames: random reads in torchcodec would show wrong frames"
    if index.open_gop:
        return "open groups of pictures: random reads would fail"
    if index.intra_refresh:
        return "intra refresh without keyframes: random reads would fail"
    return ""


def _groups_obstacle(rows: Rows, index: PacketIndex, starts: Rows) -> str:
    """Why no group of pictures can be copied for these rows; "" when some may be."""
    if not starts.size or index.display[starts[0]] > rows[0]:
        return "no keyframe at or before the first row"
    return "" if _whole_groups(index, starts) else "frames are not stored in whole groups"


def _whole_groups(index: PacketIndex, starts: Rows) -> bool:
    """Whether the packets from each keyframe to the next hold a gapless run of frames that it begins."""
    lengths = np.diff(np.append(starts, index.count))
    lowest, highest = (f.reduceat(index.display, starts) for f in (np.minimum, np.maximum))
    return bool(np.all(lowest == index.display[starts]) and np.all(highest - lowest == lengths - 1))


def _runs(rows: Rows, index: PacketIndex, starts: Rows, *, keep: bool) -> Splice:
    """Each group of pictures copied as far as it can be, the rows after that re-encoded.

    keep: rather keep frames before the first and after the last row than re-encode rows.
    """
    if (whole := _whole_run(rows, index, starts)) is not None:
        return Splice((whole,))
    ends = np.append(starts[1:], index.count)
    bounds = np.searchsorted(rows, np.append(index.display[starts], index.count))
    runs: list[Run] = []
    preroll = unused = 0
    for group in np.flatnonzero(np.diff(bounds)).tolist():
        first, stop, at, end = int(starts[group]), int(ends[group]), int(bounds[group]), int(bounds[group + 1])
        wanted = rows[at:end] - index.display[first]
        before = int(wanted[0]) if keep and at == 0 else 0
        copied, done, left = _group(
            np.append(np.arange(before), wanted), index, (first, stop), keep and end == rows.size
        )
        if done > before:
            runs += copied
            at, preroll, unused = at + done - before, preroll + before, left
        if at < end:
            runs.append(Encoded(at, end))
    return Splice(_merged(runs), preroll, unused)


def _group(wanted: Rows, index: PacketIndex, packets: tuple[int, int], last: bool) -> tuple[list[Run], int, int]:
    """(runs, how many of the wanted frames they show, how many more than those) of one group of pictures.

    wanted: non-decreasing positions within the group. last: frames after the last wanted one may be shown as well.
    """
    first, stop = packets
    frames, times = np.unique(wanted, return_counts=True)
    gapless = int(np.argmin(np.append(frames == np.arange(frames.size), False)))
    display = index.display[first:stop] - index.display[first]
    if np.any(display != np.arange(display.size)):
        once = _until(times[:gapless] > 1)
        whole = np.flatnonzero(np.maximum.accumulate(display) == np.arange(display.size)) + 1
        enough = int(whole[whole >= once][0])
        shown = enough if last and once == wanted.size else int(np.max(whole[whole <= once], initial=0))
        return [Copied(first, first + shown)], min(shown, wanted.size), max(shown - wanted.size, 0)
    possible = np.zeros(gapless, np.int64) if index.repeats is None else index.repeats[first : first + gapless]
    tight = times[:gapless] - 1 > possible
    return _repeating(first, times[: _until(tight)], tight)


def _until(flags: Flags) -> int:
    """How many frames there are up to the first flagged one, that one included."""
    return int(np.argmax(flags)) + 1 if flags.any() else flags.size


def _repeating(first: int, times: Rows, tight: Flags) -> tuple[list[Run], int, int]:
    """Runs that show packet `first` + i `times[i]` times, but once where it is `tight`; the rest as `_group` has it."""
    runs: list[Run] = []
    at, done = first, 0
    for frame in np.flatnonzero((times > 1) & ~tight[: times.size]).tolist():
        more = int(times[frame]) - 1
        runs += [Copied(at, first + frame + 1), Repeated(first + frame, more)]
        at, done = first + frame + 1, done + more
    if at < first + times.size:
        runs.append(Copied(at, first + times.size))
    return runs, done + times.size, 0


def _merged(runs: list[Run]) -> tuple[Run, ...]:
    """The same runs with neighbours of one kind that continue each other made one."""
    out: list[Run] = []
    for run in runs:
        match (out[-1] if out else None), run:
            case Copied(first, middle), Copied(start, stop) if start == middle:
                out[-1] = Copied(first, stop)
            case Encoded(first, middle), Encoded(start, stop) if start == middle:
                out[-1] = Encoded(first, stop)
            case _:
                out.append(run)
    return tuple(out)


def _share(splice: Splice, rows: Rows, index: PacketIndex, starts: Rows) -> float:
    """What encoding the parts costs, relative to encoding all rows; decoding from the keyframe before is counted."""
    every = encoding_cost(rows, index, starts)
    parts = [rows[r.start : r.stop] for r in splice.runs if isinstance(r, Encoded)]
    return sum(encoding_cost(part, index, starts) for part in parts) / every


def encoding_cost(rows: Rows, index: PacketIndex, starts: Rows) -> float:
    """Of re-encoding the rows, in encoded frames: each row once, and what has to be decoded for it."""
    begins = index.display[starts]
    group = np.searchsorted(begins, rows, side="right") - 1
    last = np.append(np.flatnonzero(np.diff(group)), rows.size - 1)
    return rows.size + DECODING * int(np.sum(rows[last] + 1 - begins[group[last]]))


def _longest_copied(splice: Splice, index: PacketIndex, starts: Rows) -> int:
    """Greatest number of frames from keyframe to keyframe where packets are copied."""
    taken = np.zeros(index.count, np.int64)
    for run in splice.runs:
        if isinstance(run, Copied):
            taken[run.first : run.stop] += 1
        elif isinstance(run, Repeated):
            taken[run.packet] += run.times
    return int(np.add.reduceat(taken, starts).max())
