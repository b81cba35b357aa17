"""Families of damage that pair rows with frames of others: no command makes a clean dataset of them that is wrong.

Every row and every frame carries its number and its episode. Where nothing in a dataset tells the damage any more, the
family is in `UNTOLD`, with the reason: there both commands can only take what the dataset says. Some robot could have
recorded just these files: its recorder would have written the same metadata, the same counts and times and, to what a
codec leaves of them, the same statistics. So a reader of the files that refused them would refuse a sound dataset, too.
Only the recordings, `verify --against`, tell.
"""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support import corruptions as families
from support.corruptions import FAMILIES, FIRST_FILE, LENGTHS, make, with_statistics, without_statistics, wrong_rows
from telecine import convert
from telecine.core.errors import DatasetError
from telecine.core.findings import has_errors
from telecine.dataset.v2_writer import write_v2
from telecine.dataset.verify.verify import verify
from telecine.recovery.repair import repair

UNTOLD = {
    # Counts and times are right. Statistics of an episode are of its frames as a set: in another order they are the
    # same, exactly; one frame of n that stands for its neighbour moves them by 1 / n of what differs between the two.
    (families.frame_missing_and_another_twice_on_the_grid, with_statistics),
    (families.frames_played_backwards, with_statistics),
    # Every index was counted anew, and statistics are those of the rows in any order, exactly.
    (families.rows_not_in_order_and_counted_anew, with_statistics),
    # Files, counts, times, sizes and tasks are those of a robot that did it the other way round. (Of unequal episodes
    # the frames together fill the same file.) Only statistics state a value of the rows and frames a second time.
    (families.frame_missing_and_another_twice_on_the_grid, without_statistics),
    (families.frames_played_backwards, without_statistics),
    (families.rows_not_in_order_and_counted_anew, without_statistics),
    (families.rows_of_equal_episodes_exchanged, without_statistics),
    (families.frames_of_equal_episodes_exchanged, without_statistics),
    (families.frames_of_unequal_episodes_exchanged, without_statistics),
    (families.one_file_of_cameras_exchanged, without_statistics),
    (families.cameras_exchanged, without_statistics),
}
"""(family, witnesses) of which nothing tells."""
QUICK = (
    (families.frames_of_equal_episodes_exchanged, with_statistics),
    (families.spans_of_equal_episodes_exchanged, without_statistics),
    (families.row_missing_and_metadata_counted_anew, without_statistics),
    (families.rows_not_in_order, without_statistics),
    (families.row_missing_and_a_frame_of_an_earlier_episode, with_statistics),
)
CASES = [(f, w) for f in FAMILIES for w in (with_statistics, without_statistics) if (f, w) not in UNTOLD]


def named(value):
    return getattr(value, "__name__", None)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("good"))


def spoilt(good: Path, folder: Path, family, witness) -> Path:
    root = Path(shutil.copytree(good, folder / "dataset"))
    family(root)
    witness(root)
    return root


def check_convert(root: Path, out: Path) -> None:
    """Every row of every episode that is made is exact; a damaged one is refused by name."""
    report = convert(root, out, task="x", workers=0, verify=False)
    assert report.rejected or wrong_rows(out) == []
    if report.episodes:
        assert wrong_rows(out) == []
    assert all("telecine repair" in f"{refused.reason.message}" for refused in report.rejected)


def check_repair(root: Path, out: Path) -> None:
    try:
        done = repair(root, out)
    except DatasetError:
        assert not out.exists()
        return
    assert done.out is None or wrong_rows(out) == []


@pytest.mark.parametrize(
    ("family", "witness"),
    [
        pytest.param(family, witness, marks=() if family is families.frames_played_backwards else pytest.mark.long)
        for family, witness in sorted(UNTOLD, key=str)
    ],
    ids=named,
)
def test_what_is_untold_no_check_tells_from_a_sound_dataset(good, tmp_path, family, witness):
    sound = Path(shutil.copytree(good, tmp_path / "sound"))
    witness(sound)
    root = spoilt(good, tmp_path, family, witness)
    assert verify(root, decode="all") == verify(sound, decode="all")


def test_the_dataset_says_what_it_is(good: Path) -> None:
    assert wrong_rows(good) == []
    assert verify(good, decode="all") == []


@pytest.mark.parametrize(("family", "witness"), QUICK, ids=named)
def test_no_row_is_converted_with_the_frame_of_another(good, tmp_path, family, witness):
    root = spoilt(good, tmp_path, family, witness)
    check_convert(root, tmp_path / "converted")
    check_repair(root, tmp_path / "repaired")


@pytest.mark.long
@pytest.mark.parametrize(("family", "witness"), CASES, ids=named)
def test_no_family_of_damage_becomes_a_clean_dataset_that_is_wrong(good, tmp_path, family, witness):
    root = spoilt(good, tmp_path, family, witness)
    check_convert(root, tmp_path / "converted")
    check_repair(root, tmp_path / "repaired")


def test_a_sound_dataset_converts_whole(good, tmp_path):
    report = convert(good, tmp_path / "out", task="x", workers=0)
    assert report.ok
    assert len(report.episodes) == len(families.LENGTHS)
    assert wrong_rows(tmp_path / "out") == []


def test_verify_names_whose_frames_they_are(good, tmp_path):
    root = spoilt(good, tmp_path, families.frames_of_equal_episodes_exchanged, with_statistics)
    for decode in ("sample", "all"):
        found = [f for f in verify(root, decode=decode) if "are like those of" in f.message]
        assert {f.episode for f in found} == {0, 1}
        assert has_errors(found)


@pytest.mark.parametrize("witness", [with_statistics, without_statistics], ids=named)
def test_a_camera_that_is_a_copy_of_another_is_named(good, tmp_path, witness):
    root = spoilt(good, tmp_path, families.camera_is_a_copy, witness)
    done = repair(root, tmp_path / "out")
    assert done.out is None
    assert any("byte for byte" in conflict.message for conflict in done.conflicts)
    lost = repair(root, trust="meta").lost
    assert {finding.where for finding in lost} == {f"episode {n}" for n in range(len(families.LENGTHS))}


def test_cameras_that_saw_the_same_by_their_statistics_are_no_conflict(good, tmp_path):
    root = spoilt(good, tmp_path, families.camera_is_a_copy, with_statistics)
    table = pq.read_table(root / families.EPISODES)
    for name in [n for n in table.column_names if n.startswith(f"stats/{families.SIDE}/")]:
        at = table.column_names.index(name.replace(families.SIDE, families.TOP))
        table = table.set_column(at, table.schema.field(at), table.column(name))
    pq.write_table(table, root / families.EPISODES)
    assert repair(root).conflicts == ()


def test_frames_that_a_recorder_left_cost_their_episode_and_those_behind_it_in_the_file(good, tmp_path):
    root = spoilt(good, tmp_path, families.frames_left_behind_an_episode, with_statistics)
    report = convert(root, tmp_path / "out", task="x", workers=0, verify=False)
    assert [refused.recording.rpartition("_")[2] for refused in report.rejected] == ["1", "2", "3"]
    assert wrong_rows(tmp_path / "out") == []


def test_cameras_of_other_sizes_that_were_exchanged_are_never_dropped_in_silence(good, tmp_path):
    root = spoilt(good, tmp_path, families.cameras_of_other_sizes_exchanged, with_statistics)
    report = convert(root, tmp_path / "out", task="x", workers=0)
    assert len(report.rejected) == len(families.LENGTHS)
    assert all("telecine repair" in refused.reason.message for refused in report.rejected)
    assert {refused.reason.code for refused in report.rejected} == {"source-metadata"}


def test_videos_of_an_older_layout_that_were_exchanged_are_refused(good, tmp_path):
    write_v2(good, tmp_path / "old", "v2.1", scratch=tmp_path)
    one, other = (tmp_path / f"old/videos/chunk-000/{families.TOP}/episode_{n:06d}.mp4" for n in (0, 6))
    families.exchanged(one, other)
    report = convert(tmp_path / "old", tmp_path / "out", task="x", workers=0, verify=False)
    assert [refused.recording.rpartition("_")[2] for refused in report.rejected] == ["0", "6"]
    assert all("like those of episode" in refused.reason.message for refused in report.rejected)


@pytest.mark.parametrize("coding", ["as written", "H.264"])
def test_a_damaged_packet_costs_only_the_episode_that_it_is_in(good, tmp_path, coding):
    root = tmp_path / "dataset"
    shutil.copytree(good, root)
    film = families.video(root)
    if coding == "H.264":
        families.recoded(film, range(sum(LENGTHS[:FIRST_FILE])))
    families.zeroed(film, LENGTHS[0] + 10)
    told = repair(root)
    assert not told.ok
    done = repair(root, tmp_path / "out")
    for found in (told, done):
        assert [finding.where for finding in found.lost] == ["episode 1"]
        assert (found.episodes, found.conflicts) == (len(LENGTHS) - 1, ())
    assert not has_errors(done.after)
    assert wrong_rows(tmp_path / "out") == []


def test_convert_holds_all_frames_of_a_file_in_doubt_where_one_may_be_of_a_lost_row(good, tmp_path):
    root = spoilt(good, tmp_path, families.row_missing_and_a_frame_of_an_earlier_episode, with_statistics)
    report = convert(root, tmp_path / "out", task="x", workers=0)
    refused = [
        r.reason.message for r in report.rejected if "episode 1 had 20 rows when it was written" in str(r.reason)
    ]
    assert len(refused) == families.FIRST_FILE
    assert len(report.episodes) == len(families.LENGTHS) - families.FIRST_FILE
