"""Replay buffers in zarr: those of Diffusion Policy and of UMI, as folders or zip files.

All episodes lie one after the other in arrays below `data`; `meta/episode_ends` says where each ends. Sources:
diffusion_policy `replay_buffer.py`; UMI `umi_image_dataset.py`. UMI stores no action: where the hand was one step
later is offered as `/next/...`, and the last step of an episode has none.
"""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure, raised_as
from telecine.core.naming import camera_name, element_names
from telecine.core.plan.model import IMAGES
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.sources.format import Found, MissingExtra
from telecine.sources.shared.arrays import ArrayPart, PixelLayout, StoredArray, stream_of
from telecine.sources.shared.episode_ends import check_ends, episode_names, span_of
from telecine.sources.shared.fingerprint import size_bytes
from telecine.sources.shared.stamps import times_of_seconds
from telecine.sources.shared.timing import Timing
from telecine.sources.zarr.allowed import MOST_BYTES, most_bytes

NAME = "zarr"
SUFFIXES = (".zarr", ".zarr.zip")
_GROUPS = (".zgroup", "zarr.json")
_ENDS = "meta/episode_ends"
_ERRORS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SystemError, MemoryError,
    zipfile.BadZipFile,
)  # fmt: skip
"""What zarr and its codecs raise on metadata that makes no sense to them."""
_MOST_EPISODES = 10_000_000
_LARGEST_ELEMENT = 1 << 16
_UMI_POSE = ("eef_pos", "eef_rot_axis_angle", "gripper_width")


def claims(path: str) -> bool:
    """True for a folder or a zip file that holds a zarr group with ends of episodes."""
    place = Path(path)
    if place.is_dir():
        return any((place / g).is_file() for g in _GROUPS) and (place / _ENDS).is_dir()
    with place.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith(f"{_ENDS}/") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode; see `Format.index`."""
    del recover, token
    root, store = _opened(path)
    try:
        ends = _ends(root, path)
    finally:
        store.close()
    size = size_bytes(path) // max(len(ends), 1)
    return Found(tuple(Ref(NAME, path, name, size) for name in episode_names(ends)))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    root, store = _opened(ref.path)
    with closed_on_failure(store.close):
        return _recording(ref, root, store)


def _opened(path: str) -> tuple[Any, Any]:
    """(root group, its store)."""
    try:
        import zarr

        from telecine.sources.zarr.codecs import register_image_codecs
        from telecine.sources.zarr.store import store_of
    except ImportError as error:
        raise MissingExtra("reading zarr needs: pip install 'telecine[zarr]'") from error
    register_image_codecs()
    with raised_as(SourceError, f"{path}: cannot be read as zarr", *_ERRORS):
        store = store_of(path)
        return zarr.open_group(store, mode="r"), store


def _ends(root: Any, path: str) -> list[int]:
    from telecine.sources.zarr.codecs import checked

    with raised_as(SourceError, f"{path}: {_ENDS} cannot be read", *_ERRORS), checked():
        array = root[_ENDS]
        if fault := _array_fault(array, path):
            raise ValueError(fault)
        if array.ndim != 1 or array.shape[0] > _MOST_EPISODES:
            raise ValueError(f"has the shape {array.shape}, expected one number per episode")
        ends = [int(end) for end in array[:]]
    check_ends(ends, f"{path}: {_ENDS}")
    return ends


def _array_fault(array: Any, path: str) -> str:
    """What makes an array unfit to be read, by its metadata; "" for nothing."""
    if not hasattr(array, "chunks"):
        return "is a group, not an array"
    if array.dtype.kind == "O" or array.dtype.itemsize > _LARGEST_ELEMENT:
        return "holds no numbers or short text"
    together = int(np.prod(array.chunks, dtype=object)) * max(int(array.dtype.itemsize), 1)
    most = most_bytes(size_bytes(path)) if together > MOST_BYTES else MOST_BYTES
    return (
        f"has chunks of {counted(together, 'byte')}; more than {most} are taken for damage" if together > most else ""
    )


def _recording(ref: Ref, root: Any, store: Any) -> Recording:
    ends = _ends(root, ref.path)
    first, stop = span_of(ref.id, ends, ref.path)
    left_out: list[LeftOut] = []
    arrays = dict(_arrays(root, ref.path, store.children("data"), stop, left_out))
    streams = {s.name: s for s in _streams(arrays, first, stop, _timing(arrays, first, stop))}
    is_umi = "robot0_eef_pos" in arrays
    features = {k: n for k, n in _features(arrays, is_umi=is_umi).items() if all(name in streams for name in n)}
    attrs = {"layout": "umi" if is_umi else "diffusion-policy"}
    return Recording(ref, streams, attrs, (), store.close, features, left_out=tuple(left_out))


def _arrays(
    root: Any, path: str, names: Iterable[str], stop: int, left_out: list[LeftOut]
) -> Iterator[tuple[str, StoredArray]]:
    """Every array that can be read; the others go to `left_out`, each with the reason."""
    from telecine.sources.zarr.codecs import checked

    for name in names:
        try:
            with checked():
                array = root[f"data/{name}"]
            fault = _array_fault(array, path)
        except _ERRORS as error:
            fault = str(error).removeprefix(f"data/{name}: ")
        if fault:
            fix = "pip install 'telecine[zarr]'" if "imagecodecs_" in fault and "not available" in fault else ""
            left_out.append(LeftOut(f"/{name}", "unreadable", f"data/{name} {fault}", fix))
        elif array.ndim and array.shape[0] < stop:
            raise SourceError(f"{path}: data/{name} has {counted(array.shape[0], 'row')}, an episode ends at {stop}")
        elif array.ndim:
            yield name, array


def _timing(arrays: dict[str, StoredArray], first: int, stop: int) -> Timing:
    """Real stamps where the recorder kept them; nothing here tells a rate."""
    stamps = arrays.get("timestamp")
    if stamps is None or len(stamps.shape) != 1:
        return Timing()
    with raised_as(SourceError, "data/timestamp cannot be read", *_ERRORS):
        seconds = np.asarray(stamps[first:stop], np.float64)
    return Timing(stamps=times_of_seconds(seconds))


def _streams(arrays: dict[str, StoredArray], first: int, stop: int, timing: Timing) -> Iterator[Stream]:
    for name, array in arrays.items():
        made = stream_of(ArrayPart(f"/{name}", array, first, stop, timing), PixelLayout(), _names)
        if made is not None:
            yield made
        if name.endswith(_UMI_POSE) and stop - first > 1:
            ahead = stream_of(ArrayPart(f"/next/{name}", array, first + 1, stop, timing), PixelLayout(), _names)
            if ahead is not None:
                yield ahead


def _names(name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    return element_names(name.rpartition("/")[2], shape)


def _features(arrays: dict[str, StoredArray], *, is_umi: bool) -> dict[str, tuple[str, ...]]:
    shown = {IMAGES + camera_name(n): (f"/{n}",) for n, a in arrays.items() if len(a.shape) == 4}
    if not is_umi:
        state = next((s for s in ("state", "robot_eef_pose") if s in arrays), None)
        return {**({"observation.state": (f"/{state}",)} if state else {}), "action": ("/action",), **shown}
    hands = sorted({n.partition("_")[0] for n in arrays if n.endswith("_eef_pos")})
    poses = [f"{hand}_{part}" for hand in hands for part in _UMI_POSE]
    return {"observation.state": tuple(f"/{p}" for p in poses), "action": tuple(f"/next/{p}" for p in poses), **shown}
