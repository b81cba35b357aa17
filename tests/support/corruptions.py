"""A dataset whose every row and frame says whose it is, and families of damage that pair rows with others' frames."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from support.dataset import COLUMNS, FPS, PLAIN, TOP, WRIST, episode, write
from support.pictures import draw_frame_id, read_frame_id
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.paths import Limits
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_at
from telecine.video.presets import video_settings

SIDE = "observation.images.side"
SIZES = {TOP: (64, 48), WRIST: (96, 64), SIDE: (64, 48)}
LENGTHS = (20, 20, 12, 15, 17, 15, 20)
"""Of two files of each camera: the first four episodes, and the others, which have as many rows less one."""
FIRST_FILE = 4
DATA, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"
Damage = Callable[[Path], None]


def tinted(frame: int, number: int, camera: int, size: tuple[int, int]):
    """A frame that carries its numbers, in the colours of its episode and camera."""
    tint = [40 + (number * 37 + camera * 91 + channel * 53) % 160 for channel in range(3)]
    return (draw_frame_id(frame, number, camera, *size) // 2 + np.array(tint) // 2).astype(np.uint8)


def make(folder: Path) -> Path:
    """The dataset: `LENGTHS` rows, each with its number and episode as text, and three cameras in two files each."""
    episodes = []
    for number, count in enumerate(LENGTHS):
        clips = []
        for camera, (key, size) in enumerate(SIZES.items()):
            shown = (av.VideoFrame.from_ndarray(tinted(i, number, camera, size), format="rgb24") for i in range(count))
            path = str(folder / f"{key}-{number}.clip")
            clips.append(
                encode(shown, video_settings("train"), FPS, count=count, key=key, path=path, why="made for a test")
            )
        task = ("pick up the cube", "put it down")[number % 2]
        episodes.append(episode(count, number, columns=(*PLAIN, COLUMNS[2]), clips=clips, task=task))
    frames = sum(LENGTHS[:FIRST_FILE])
    return write(folder / "dataset", episodes, limits=Limits(video_s=Fraction(frames, FPS)))


def wrong_rows(root: Path) -> list[tuple[int, str, int]]:
    """(episode, camera, row) of the rows that show the frame of another row, episode or camera."""
    dataset, found = Dataset(root), []
    for number, one in enumerate(dataset.episodes):
        notes = [text.split() for text in dataset.rows(number, ["note"]).column(0).to_pylist()]
        for key in dataset.cameras:
            path, first = dataset.frame(key, number, 0)
            shown = [read_frame_id(rgb) for _, rgb in decode_at(str(path), range(first, first + one.length))]
            camera = list(SIZES).index(key)
            found += [
                (number, key, row)
                for row, (note, ident) in enumerate(zip(notes, shown, strict=True))
                if ident != (int(note[1]), int(note[3]), camera)
            ]
    return found


def video(root: Path, key: str = TOP, file: int = 0) -> Path:
    return root / f"videos/{key}/chunk-000/file-{file:03d}.mp4"


def column(root: Path, path: str, key: str) -> list:
    return pq.read_table(root / path, columns=[key]).column(0).to_pylist()


def change(root: Path, path: str, **columns: list) -> None:
    """Other values in columns of a table; `/` and `.` of a column's name are written `__` and `_DOT_`."""
    table = pq.read_table(root / path)
    for name, values in columns.items():
        key = name.replace("__", "/").replace("_DOT_", ".")
        field = table.schema.field(key)
        table = table.set_column(table.column_names.index(key), field, pa.array(values, field.type))
    pq.write_table(table, root / path)


def spans(root: Path, edit: Callable[[list, list], None], key: str = TOP) -> None:
    """Other from_timestamp and to_timestamp, in frames, as `edit` makes them of the lists."""
    name = f"videos/{key}"
    starts, stops = ([t * FPS for t in column(root, EPISODES, f"{name}/{end}_timestamp")] for end in ("from", "to"))
    edit(starts, stops)
    table = pq.read_table(root / EPISODES)
    for end, values in (("from", starts), ("to", stops)):
        at = table.column_names.index(f"{name}/{end}_timestamp")
        table = table.set_column(at, table.schema.field(at), pa.array([v / FPS for v in values], pa.float64()))
    pq.write_table(table, root / EPISODES)


def recoded(path: Path, order, times=None, *, crf="12") -> None:
    """The video re-encoded: frames `order` of it, at `times` (in frames) or one after the other."""
    rest = path.with_name("rest.mp4")
    with av.open(str(path)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    with av.open(str(rest), "w") as target:
        stream = target.add_stream("h264", rate=FPS, options={"g": "2", "bf": "0", "crf": crf})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100 * FPS)
        for place, number in zip(range(len(order)) if times is None else times, order, strict=True):
            frame = av.VideoFrame.from_ndarray(frames[number], format="rgb24")
            frame.pts, frame.time_base = round(100 * place), Fraction(1, 100 * FPS)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    rest.replace(path)


def zeroed(path: Path, number: int) -> None:
    """Zeros in place of packet `number` of the video, as a bad sector leaves them."""
    with av.open(str(path)) as source:
        packet = [packet for packet in source.demux(video=0) if packet.size][number]
        at, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[at : at + size] = bytes(size)
    path.write_bytes(data)


def exchanged(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def _swap(values: list, i: int, j: int) -> None:
    values[i], values[j] = values[j], values[i]


def spans_of_equal_episodes_exchanged(root):
    spans(root, lambda a, b: (_swap(a, 0, 1), _swap(b, 0, 1)))


def spans_of_unequal_episodes_exchanged(root):
    spans(root, lambda a, b: (_swap(a, 1, 2), _swap(b, 1, 2)))


def span_of_another(root):
    def edit(a, b):
        a[1], b[1] = a[0], b[0]

    spans(root, edit)


def span_overlaps(root):
    def edit(a, b):
        a[1], b[1] = a[1] - 5, b[1] - 5

    spans(root, edit)


def span_shifted_by_one(root):
    def edit(a, b):
        a[1], b[1] = a[1] + 1, b[1] + 1

    spans(root, edit)


def all_spans_shifted(root):
    def edit(a, b):
        a[:], b[:] = [v + 1 for v in a], [v + 1 for v in b]

    spans(root, edit)


def span_begins_early(root):
    def edit(a, b):
        a[1] -= 3

    spans(root, edit)


def span_ends_late(root):
    def edit(a, b):
        b[0], a[1] = b[0] + 2, a[1] + 2

    spans(root, edit)


def span_between_frames(root):
    def edit(a, b):
        a[1], b[1] = a[1] + 0.6, b[1] + 0.6

    spans(root, edit)


def spans_of_another_camera_file(root):
    """Frames of the second file under the first episodes."""
    spans(root, lambda a, b: None)
    files = column(root, EPISODES, f"videos/{TOP}/file_index")
    files[0] = 1
    change(root, EPISODES, **{f"videos/{TOP}/file_index".replace("/", "__").replace(".", "_DOT_"): files})


def file_numbers_exchanged(root):
    files = [1 - f for f in column(root, EPISODES, f"videos/{TOP}/file_index")]
    change(root, EPISODES, **{f"videos/{TOP}/file_index".replace("/", "__").replace(".", "_DOT_"): files})


def files_exchanged(root):
    exchanged(video(root), video(root, file=1))


def cameras_exchanged(root):
    for file in (0, 1):
        exchanged(video(root, file=file), video(root, SIDE, file))


def one_file_of_cameras_exchanged(root):
    exchanged(video(root), video(root, SIDE))


def cameras_of_other_sizes_exchanged(root):
    for file in (0, 1):
        exchanged(video(root, file=file), video(root, WRIST, file))


def camera_is_a_copy(root):
    for file in (0, 1):
        shutil.copyfile(video(root, SIDE, file), video(root, file=file))


def _ends(file: int = 0) -> list[int]:
    lengths = LENGTHS[:FIRST_FILE] if file == 0 else LENGTHS[FIRST_FILE:]
    return [0, *np.cumsum(lengths).tolist()]


def frames_of_equal_episodes_exchanged(root):
    ends = _ends()
    recoded(video(root), [*range(ends[1], ends[2]), *range(ends[1]), *range(ends[2], ends[-1])])


def frames_of_unequal_episodes_exchanged(root):
    ends = _ends()
    recoded(
        video(root), [*range(ends[1]), *range(ends[2], ends[3]), *range(ends[1], ends[2]), *range(ends[3], ends[-1])]
    )


def frames_of_a_discarded_take(root):
    ends = _ends()
    recoded(video(root), [*range(ends[1]), *range(ends[1] - 4, ends[-1])])


def frames_left_behind_an_episode(root):
    """As LeRobot's recorder leaves those of a take that was recorded again, and says so in the span."""
    ends = _ends()
    recoded(video(root), [*range(ends[2]), *range(ends[1], ends[1] + 5), *range(ends[2], ends[-1])])

    def edit(a, b):
        b[1] += 5
        for i in (2, 3):
            a[i], b[i] = a[i] + 5, b[i] + 5

    spans(root, edit)


def frame_missing(root):
    recoded(video(root), [k for k in range(_ends()[-1]) if k != 24])


def frame_missing_in_time(root):
    order = [k for k in range(_ends()[-1]) if k != 24]
    recoded(video(root), order, order)


def frame_twice(root):
    recoded(video(root), [*range(25), *range(24, _ends()[-1])])


def frame_missing_and_another_twice(root):
    order = [k for k in range(_ends()[-1]) if k != 33]
    recoded(video(root), [*order[:10], 9, *order[10:]], [*order[:10], 9.5, *order[10:]])


def frame_missing_and_another_twice_on_the_grid(root):
    """Counts and times are right."""
    order = [k for k in range(_ends()[-1]) if k != 33]
    recoded(video(root), [*order[:10], 9, *order[10:]])


def video_cut(root):
    path = video(root)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 4])


def video_of_another_rate(root):
    recoded(video(root), range(_ends()[-1]), [k * 1.02 for k in range(_ends()[-1])])


def video_with_jitter(root):
    rng = np.random.default_rng(3)
    recoded(video(root), range(_ends()[-1]), (np.arange(_ends()[-1]) + rng.uniform(0, 0.9, _ends()[-1])).tolist())


def frames_played_backwards(root):
    ends = _ends()
    recoded(video(root), [*range(ends[1] - 1, -1, -1), *range(ends[1], ends[-1])])


def _rows(root: Path, take, counted=()) -> None:
    """Rows `take` of the table, with columns counted anew."""
    table = pq.read_table(root / DATA).take(pa.array(take))
    numbers = table.column("episode_index").to_pylist()
    frames: list[int] = []
    for at, number in enumerate(numbers):
        frames.append(0 if not at or numbers[at - 1] != number else frames[-1] + 1)
    new = {"frame_index": frames, "timestamp": [f / FPS for f in frames], "index": list(range(len(frames)))}
    pq.write_table(table, root / DATA)
    change(root, DATA, **{key: new[key] for key in counted})


def _all_rows() -> list[int]:
    return list(range(sum(LENGTHS)))


def row_missing(root):
    _rows(root, [k for k in _all_rows() if k != 24], ("frame_index", "timestamp", "index"))


def row_missing_and_metadata_counted_anew(root):
    row_missing(root)
    lengths = [n - (i == 1) for i, n in enumerate(LENGTHS)]
    ends = np.cumsum(lengths).tolist()
    change(root, EPISODES, length=lengths, dataset_from_index=[0, *ends[:-1]], dataset_to_index=ends)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | {"total_frames": ends[-1]}))


def row_missing_and_a_frame_of_an_earlier_episode(root):
    """Of each camera, in the first file; everything is counted anew."""
    row_missing_and_metadata_counted_anew(root)
    lengths = [n - (i == 1) for i, n in enumerate(LENGTHS)][:FIRST_FILE]
    stops = np.cumsum(lengths).tolist()
    for key in SIZES:
        recoded(video(root, key), [k for k in range(sum(LENGTHS[:FIRST_FILE])) if k != 5])
        spans(root, lambda a, b: (a.__setitem__(slice(0, FIRST_FILE), [0, *stops[:-1]]),
                                  b.__setitem__(slice(0, FIRST_FILE), stops)), key)  # fmt: skip


def rows_not_in_order(root):
    rows = _all_rows()
    _swap(rows, 5, 9)
    _rows(root, rows)


def rows_not_in_order_and_counted_anew(root):
    """Nothing but the values tells: frame_index is that of the new order."""
    rows = _all_rows()
    _swap(rows, 5, 9)
    _rows(root, rows, ("frame_index", "timestamp", "index"))


def rows_of_equal_episodes_exchanged(root):
    table = pq.read_table(root / DATA)
    names = [n for n in table.column_names if n in ("action", "observation.state", "note")]
    order = pa.array([*range(20, 40), *range(20), *range(40, table.num_rows)])
    for name in names:
        table = table.set_column(
            table.column_names.index(name), table.schema.field(name), table.column(name).take(order)
        )
    pq.write_table(table, root / DATA)


def episode_numbers_exchanged(root):
    numbers = column(root, DATA, "episode_index")
    change(root, DATA, episode_index=[{0: 1, 1: 0}.get(n, n) for n in numbers])


def row_of_another_episode(root):
    numbers = column(root, DATA, "episode_index")
    numbers[19] = 1
    change(root, DATA, episode_index=numbers)


def lengths_in_metadata_exchanged(root):
    lengths = list(LENGTHS)
    _swap(lengths, 1, 2)
    change(root, EPISODES, length=lengths)


def first_rows_shifted(root):
    first = [n + 2 for n in column(root, EPISODES, "dataset_from_index")]
    change(root, EPISODES, dataset_from_index=first)


FAMILIES: tuple[Damage, ...] = (
    spans_of_equal_episodes_exchanged, spans_of_unequal_episodes_exchanged, span_of_another, span_overlaps,
    span_shifted_by_one, all_spans_shifted, span_begins_early, span_ends_late, span_between_frames,
    spans_of_another_camera_file, file_numbers_exchanged, files_exchanged, cameras_exchanged,
    one_file_of_cameras_exchanged, cameras_of_other_sizes_exchanged, camera_is_a_copy,
    frames_of_equal_episodes_exchanged, frames_of_unequal_episodes_exchanged, frames_of_a_discarded_take,
    frames_left_behind_an_episode, frame_missing, frame_missing_in_time, frame_twice, frame_missing_and_another_twice,
    frame_missing_and_another_twice_on_the_grid, video_cut, video_of_another_rate, video_with_jitter,
    frames_played_backwards, row_missing, row_missing_and_metadata_counted_anew, rows_not_in_order,
    rows_not_in_order_and_counted_anew, rows_of_equal_episodes_exchanged, episode_numbers_exchanged,
    row_of_another_episode, lengths_in_metadata_exchanged, first_rows_shifted,
    row_missing_and_a_frame_of_an_earlier_episode,
)  # fmt: skip


def with_statistics(root: Path) -> None:
    """All witnesses."""
    del root


def without_statistics(root: Path) -> None:
    """No second witness of values and colours."""
    table = pq.read_table(root / EPISODES)
    pq.write_table(table.select([n for n in table.column_names if not n.startswith("stats/")]), root / EPISODES)
    (root / "meta/stats.json").unlink()
