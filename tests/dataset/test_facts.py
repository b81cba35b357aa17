"""Facts of episodes in a dataset: meta/episodes, provenance, `next.success`, and calibrations of cameras."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, PLAIN, TOP, clip, episode, write
from telecine.core.episode import EpisodeFacts
from telecine.core.outcome import OUTCOME, SUCCESS
from telecine.core.recording import CameraCalibration
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.calibrations import read_calibrations
from telecine.lerobot_format.paths import Limits
from telecine.lerobot_format.schema import FACTS_FIELDS

GOOD, BAD, UNKNOWN = (EpisodeFacts(s, w) for s, w in ((True, "success"), (False, "failed"), (None, None)))


def known(facts, index, count=6, **options):
    return replace(episode(count, index, **options), facts=facts)


def last_rows(root, key=SUCCESS.key):
    dataset = Dataset(root)
    return [dataset.rows(i).column(key).to_pylist()[-1] for i in range(len(dataset))]


def records(root, kind):
    folder = {"episodes": "meta/episodes", "provenance": "meta/telecine"}[kind]
    return pa.concat_tables(map(pq.read_table, sorted((root / folder).rglob("*.parquet")))).to_pylist()


@pytest.mark.parametrize("order", [(UNKNOWN, UNKNOWN, GOOD, BAD), (GOOD, UNKNOWN, BAD, UNKNOWN)])
def test_success_is_a_column_from_whichever_episode_knows_it(tmp_path, order):
    writer = DatasetWriter.create(tmp_path / "out", fps=FPS, robot_type="arm", limits=Limits(row_groups=2))
    with writer:
        for index, facts in enumerate(order):
            writer.add(known(facts, index))
        (finding,) = writer.findings
        writer.commit()
    assert finding.severity == "warning"
    assert "2 of 4 episodes" in finding.message
    assert last_rows(tmp_path / "out") == [bool(f.success) for f in order]
    assert not any(any(Dataset(tmp_path / "out").rows(i).column(SUCCESS.key).to_pylist()[:-1]) for i in range(4))
    for kind in ("episodes", "provenance"):
        assert [row["success"] for row in records(tmp_path / "out", kind)] == [f.success for f in order]
    assert verify(tmp_path / "out") == []


def test_a_column_that_comes_late_gives_what_it_gives_from_the_start(tmp_path):
    episodes = [known(facts, i) for i, facts in enumerate((UNKNOWN, BAD, GOOD))]
    late, early = write(tmp_path / "late", episodes), write(tmp_path / "early", episodes, outcomes=True)
    assert (late / "meta/stats.json").read_bytes() == (early / "meta/stats.json").read_bytes()
    assert records(late, "episodes") == records(early, "episodes")
    assert [Dataset(late).rows(i) for i in range(3)] == [Dataset(early).rows(i) for i in range(3)]


def test_frames_in_rows_survive_a_column_that_comes_late(tmp_path):
    clips = [clip(tmp_path, TOP, 6, preset="images")]
    root = write(tmp_path / "out", [known(UNKNOWN, 0, clips=clips), known(GOOD, 1, clips=clips)])
    assert verify(root, decode="all") == []
    assert last_rows(root) == [False, True]


def test_nothing_is_invented_where_nothing_is_known(tmp_path):
    root = write(tmp_path / "out", [known(UNKNOWN, 0), known(UNKNOWN, 1)])
    assert SUCCESS.key not in {column.key for column in Dataset(root).features}
    assert [row["success"] for row in records(root, "episodes")] == [None, None]


def test_the_last_row_of_an_own_column_decides(tmp_path):
    values = pa.array([False, False, True])
    own = episode(3, 0)
    own = replace(own, rows=own.rows.add_column(len(PLAIN), SUCCESS.key, values), columns=(*PLAIN, SUCCESS))
    root = write(tmp_path / "out", [own, known(EpisodeFacts(None, "unknown"), 1)])
    assert [row["outcome"] for row in records(root, "provenance")] == ["success", "unknown"]
    assert [row["success"] for row in records(root, "provenance")] == [True, None]


def test_all_facts_are_stored_and_no_folder_among_them(tmp_path):
    facts = EpisodeFacts(False, "timeout", "slipped", interrupted=True, tags=("a", "b"), part=2)
    root = write(tmp_path / "out", [known(facts, 0)])
    for kind in ("episodes", "provenance"):
        (row,) = records(root, kind)
        assert (row["outcome"], row["error_cause"], row["interrupted"]) == ("timeout", "slipped", True)
        assert (row["tags"], row["recording"], row["part"]) == (["a", "b"], "recording-0.rrd#id-0", 2)


def append(root, *episodes):
    with DatasetWriter.append(root, fps=FPS, robot_type="arm") as writer:
        for one in episodes:
            writer.add(one)
        writer.commit()
        return writer.findings


def test_an_old_dataset_with_a_column_outcome_can_be_appended_to(tmp_path):
    rows = pa.array(["success"] * 6)
    old = episode(6, 0)
    old = replace(old, rows=old.rows.add_column(len(PLAIN), OUTCOME.key, rows), columns=(*PLAIN, OUTCOME))
    root = write(tmp_path / "out", [old])
    for path in (root / "meta/episodes").rglob("*.parquet"):  # as before episodes had facts
        table = pq.read_table(path)
        pq.write_table(table.drop_columns([name for name, _ in FACTS_FIELDS]), path)
    (finding,) = append(root, known(BAD, 1))
    assert (finding.code, finding.severity) == ("success-unknown", "info")
    assert last_rows(root, OUTCOME.key) == ["success", "failed"]
    assert [row["success"] for row in records(root, "provenance")] == [None, False]
    assert all("success" not in row for row in records(root, "episodes"))
    assert verify(root) == []


def test_appending_fills_next_success(tmp_path):
    root = write(tmp_path / "out", [known(GOOD, 0)])
    (finding,) = append(root, known(BAD, 1), known(UNKNOWN, 2))
    assert "1 of 2 episodes" in finding.message
    assert last_rows(root) == [True, False, False]
    assert [row["success"] for row in records(root, "episodes")] == [True, False, None]
    assert verify(root) == []


def test_calibrations_are_kept_by_camera_and_recording_and_when_appending(tmp_path):
    one = CameraCalibration(
        64, 48, (60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0), "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0)
    )
    other = replace(one, extrinsics=tuple(float(i) for i in range(16)), frame="base")
    clips = [clip(tmp_path, TOP, 6)]
    made = [replace(episode(6, i, clips=clips), calibrations={TOP: c}) for i, c in enumerate((one, one, other))]
    root = write(tmp_path / "out", made[:2])
    append(root, made[2])
    names = [f"recording-{i}.rrd#id-{i}" for i in range(3)]
    assert read_calibrations(root) == {TOP: dict(zip(names, (one, one, other), strict=True))}
