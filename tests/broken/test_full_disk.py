"""A disk that is full is no fault of the data: every writing command stops and says so, at six fill levels.

What was finished stays whole, nothing partial stays under a name of its own, and the same command works again.
"""

import errno
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import telecine as tc
from support.dataset import TOP, clip, episode, write
from support.full_disk import files_up_to, levels, mount, small_disk, state, used_bytes
from telecine.core.errors import DatasetError, TelecineError, VideoError, disk_problem
from telecine.dataset.claimed_folder import claimed, is_claimable, mark_of
from telecine.lerobot_format.paths import INFO
from telecine.video import clip as clips
from telecine.video.live import LiveClip
from telecine.video.presets import video_settings

SIM = {"episodes": 2, "seconds": 1.0, "fps": 10, "size": (64, 48)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return write(
        folder / "dataset", [episode(n, i, clips=[clip(folder, TOP, n, episode=i)]) for i, n in enumerate((8, 4))]
    )


@pytest.fixture(scope="module")
def damaged(dataset):
    """Without its metadata of episodes, and with a video that ends early: a repair writes beside its target too."""
    dataset = Path(shutil.copytree(dataset, dataset.with_name("damaged")))
    for path in (dataset / "meta" / "episodes").rglob("*.parquet"):
        path.rename(path.with_suffix(".gone"))
    return dataset


def convert(source, out):
    assert tc.convert(source, out, fps=30, workers=0, overwrite=True).ok


def repair(source, out):
    done = tc.repair(source, out)
    assert done.ok
    assert done.episodes == 2


def edit(source, out):
    tc.edit(source, out, trim="0:1..6", task="1=wipe", overwrite=True)


def merge(source, out):
    tc.merge([source, source], out, overwrite=True)


def downgrade(source, out):
    assert tc.convert(source, out, fps=30, layout="v2.1", workers=0, overwrite=True).ok


OF_DATASETS = {"convert": convert, "edit": edit, "merge": merge, "layout": downgrade}
COMMANDS = {
    "demo": lambda out: tc.demo(out, episodes=2, seconds=1),
    **{kind: partial(tc.record_sim, kind=kind, **SIM) for kind in ("dataset", "run", "rrd", "mcap")},
}
NEEDS = {"demo": ["rerun"], "rrd": ["mujoco", "rerun"], "mcap": ["mujoco", "mcap"]}


@pytest.fixture(params=[*OF_DATASETS, "repair", *COMMANDS])
def command(request, dataset):
    """Writes at the path that it is given."""
    if request.param == "repair":
        return partial(repair, request.getfixturevalue("damaged"))
    if request.param in OF_DATASETS:
        return partial(OF_DATASETS[request.param], dataset)
    for name in NEEDS.get(request.param, ["mujoco"]):
        request.getfixturevalue(name)
    return COMMANDS[request.param]


def refused(command, out):
    """What the command says when its disk refuses."""
    with pytest.raises(TelecineError, match="no space left|writing failed|disk refuses") as caught:
        command(out)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def comparable(folder):
    """Every file and its content; only the name where each run has identifiers of its own. No scratch files."""
    files = {name: data for name, data in state(folder).items() if ".telecine" not in name}
    has_own = any(name.endswith(".rrd") or (name == INFO and b"telecine_sim" in data) for name, data in files.items())
    return dict.fromkeys(files, b"") if has_own else files


def check_what_stays(out, whole, message):
    """Only finished recordings, and what the message names."""
    for path in out.parent.iterdir():
        assert path == out or str(path) in message or path.name == mark_of(out, beside=True).name, path
    stays = comparable(out) if out.exists() else {}
    assert {name: data for name, data in stays.items() if whole.get(name) != data} == {}


def test_every_command_stops_at_a_full_disk_and_works_again(command, tmp_path, request):
    """Drawing the demo's recordings takes seconds: it is tried at all levels by `-m long` only."""
    command(tmp_path / "whole")
    whole, size = comparable(tmp_path / "whole"), used_bytes(tmp_path / "whole")
    for level in levels(size)[
        :: 3 if command is COMMANDS["demo"] and "long" not in request.config.option.markexpr else 1
    ]:
        with small_disk(tmp_path / "disk", level // 1024 + 4) as disk:
            message = refused(command, disk / "out")
            check_what_stays(disk / "out", whole, message)
            mount(disk, "size=30m")
            command(disk / "out")
            assert comparable(disk / "out") == whole
            assert not [p.name for p in disk.iterdir() if p.name.startswith(".")]


def test_every_command_stops_where_the_system_refuses_any_write(command, tmp_path):
    command(tmp_path / "whole")
    whole = comparable(tmp_path / "whole")
    largest = max(len(data) for data in state(tmp_path / "whole").values())
    for number, level in enumerate(levels(largest)[1::3]):
        (tmp_path / str(number)).mkdir()
        out = tmp_path / str(number) / "out"
        with files_up_to(level):
            message = refused(command, out)
        check_what_stays(out, whole, message)
        command(out)
        assert comparable(out) == whole


def test_a_push_whose_card_does_not_fit_sends_nothing(dataset, tmp_path, monkeypatch):
    """All that it writes here is the card and the picture of the cameras; both are there whole, or as they were."""
    sent = []
    monkeypatch.setattr("telecine.compat.hub.require_reachable", lambda *a: None)
    monkeypatch.setattr("telecine.compat.hub.push", lambda root, *args, **how: sent.append(state(root)))
    whole = Path(shutil.copytree(dataset, tmp_path / "whole"))
    assert tc.push(whole, "me/picks", license="mit").ok
    (whole_files,) = sent
    new = sum(-(-len(data) // 4096) for name, data in whole_files.items() if state(dataset).get(name) != data)
    for free in sorted({level // 4096 for level in levels(new * 4096)}):
        sent.clear()
        with small_disk(tmp_path / "disk", 30 << 10) as disk:
            out = Path(shutil.copytree(dataset, disk / "out"))
            mount(disk, f"size={used_bytes(disk) + free * 4096}")
            with pytest.raises(DatasetError, match=r"cannot be written: No space left on device"):
                tc.push(out, "me/picks", license="mit")
            assert not sent
            stays = state(out)
            assert {n: d for n, d in stays.items() if d not in (whole_files.get(n), state(dataset).get(n))} == {}
            mount(disk, "size=30m")
            assert tc.push(out, "me/picks", license="mit").ok
            assert sent == [whole_files]


@pytest.mark.parametrize(("module", "call", "number"), [(os, "fsync", errno.EIO), (clips, "FileIO", errno.ENOSPC)])
def test_a_repair_whose_disk_fails_stops_and_drops_no_episode(damaged, tmp_path, monkeypatch, module, call, number):
    """Halfway through its calls: a clip that cannot be written is no damaged episode."""
    really, calls, fail_at = getattr(module, call), [], 0

    def failing(*args):
        calls.append(args)
        if len(calls) == fail_at:
            raise OSError(number, os.strerror(number))
        return really(*args)

    monkeypatch.setattr(module, call, failing)
    repair(damaged, tmp_path / "whole")
    fail_at = len(calls) // 2
    assert fail_at
    calls.clear()
    with pytest.raises(TelecineError, match=os.strerror(number)) as caught:
        repair(damaged, tmp_path / "out")
    assert str(caught.value).startswith("no space left" if number == errno.ENOSPC else "writing failed")
    assert [p.name for p in tmp_path.iterdir()] == ["whole"]
    repair(damaged, tmp_path / "out")
    assert state(tmp_path / "out") == state(tmp_path / "whole")


def test_a_live_encoder_whose_last_packets_do_not_fit_ends(tmp_path, monkeypatch):
    """The end of the frames had been taken from the queue when the clip failed: nobody may wait for a second end."""
    clip = LiveClip("front", video_settings("train"), 10, str(tmp_path / "clip"))
    clip.add(np.zeros((48, 64, 3), np.uint8))
    with files_up_to(100), pytest.raises(VideoError, match="File too large"):
        clip.close()


def test_a_folder_is_claimed_again_by_the_same_command_only(tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(DatasetError, match="no space left: .* nothing stays"), claimed(folder, {"seed": 0}):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not folder.exists()
    folder.mkdir()
    (folder / ".telecine-unfinished.json").write_text('{"seed": 0}')
    (folder / "first").touch()
    with pytest.raises(DatasetError, match="no space left: .*first stays"), claimed(folder, {"seed": 0}):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [is_claimable(folder, {"seed": seed}) for seed in (0, 1)] == [True, False]
    with pytest.raises(KeyError), claimed(folder, {"seed": 0}):
        raise KeyError
    with claimed(folder, {"seed": 0}):
        pass
    assert not is_claimable(folder, {"seed": 0})


def test_only_errors_of_the_system_are_the_disks():
    assert disk_problem(OSError(errno.EIO, "Input/output error", "/disk/out/clip"), "/disk/out") == "writing failed"
    assert disk_problem(OSError(errno.EIO, "Input/output error", "/recordings/a"), "/disk/out") == ""
    assert disk_problem(OSError("/disk/out/rows: Couldn't deserialize thrift"), "/disk/out") == ""
