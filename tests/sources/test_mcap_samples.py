"""Real recordings of others: every message is there or accounted for, and says what others' readers say.

Small ones are in `tests/data`; larger ones, or of other licences, outside this repository.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from support.others import differences
from support.samples import BESIDE, INSIDE, sample, samples
from telecine.sources import registry
from telecine.sources.mcap import source as mcap_format
from telecine.sources.messages.model import Contents
from telecine.sources.rosbag import source as rosbag
from telecine.sources.rosbag2 import source as rosbag2

pytestmark = pytest.mark.usefixtures("mcap")

MOST_COMPARED = 40
"""Messages of a topic whose leaves are compared one by one."""

Row = tuple[str, int, int, tuple[str, ...], tuple[str, ...]]
TABLE: tuple[Row, ...] = (
    ("_synthetic_edge/bitflip.mcap", 1900, 0, (), ()),
    ("_synthetic_edge/no_footer.mcap", 2000, 0, (), ("source-truncated",)),
    ("_synthetic_edge/no_index.mcap", 2000, 0, (), ()),
    ("_synthetic_edge/no_summary_no_stats.mcap", 2000, 0, (), ()),
    ("_synthetic_edge/ok_zstd.mcap", 2000, 0, (), ()),
    ("_synthetic_edge/trunc_midchunk.mcap", 1025, 0, (), ("source-truncated",)),
    ("_synthetic_edge/unchunked.mcap", 2000, 0, (), ()),
    ("_synthetic_edge/unchunked_trunc.mcap", 1000, 0, (), ("source-truncated",)),
    ("_synthetic_edge/zero_tail.mcap", 1025, 0, (), ("source-truncated",)),
    ("archebase+robocodec/tests/fixtures/robocodec_test_0.mcap", 6, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_3.mcap", 9, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_6.mcap", 12, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_12.mcap", 10, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_14.mcap", 188, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_16.mcap", 8, 0, (), ()),
    ("archebase+robocodec/tests/fixtures/robocodec_test_18.bag", 23, 0, (), ()),
    ("cruise-automation+rosbag.js/fixtures/example-lz4.bag", 8647, 0, (), ()),
    ("cruise-automation+rosbag.js/fixtures/example-unsorted-chunks.bag", 3, 0, (), ()),
    ("cruise-automation+rosbag.js/fixtures/no-messages.bag", 0, 0, (), ()),
    ("Extelligence-ai+bagel/data/sample/ros1/sample.bag", 34, 0, (), ()),
    ("Extelligence-ai+bagel/data/sample/ros2/db3", 6074, 0, (), ()),
    ("Extelligence-ai+bagel/data/sample/ros2/db3_zstd", 6, 0, (), ()),
    ("Extelligence-ai+bagel/data/sample/ros2/mcap", 15, 0, (), ()),
    ("Extelligence-ai+bagel/data/sample/ros2/mcap_zstd", 6, 0, (), ()),
    ("geocamxyz+rosbags-rs/tests/test_bags/test_bag_mcap", 188, 0, (), ()),
    ("geocamxyz+rosbags-rs/tests/test_bags/test_bag_sqlite3", 188, 0, (), ()),
    ("jsk-ros-pkg+jsk_pr2eus/_history/202d7309_pr1012_sensors.bag", 6933, 0, (), ()),
    ("jsk-ros-pkg+jsk_pr2eus/_history/11940fc2_pr1040_camera_info.bag", 806, 0, (), ()),
    ("PlotJuggler+pj-mcap-server/_history/3cf478f9_test_empty_channel.mcap", 100, 0, (), ()),
    ("PlotJuggler+pj-mcap-server/_history/4dbeb43a_test_large_arrays.mcap", 30, 0, (), ()),
    ("PlotJuggler+pj-mcap-server/_history/275243b2_test_publish_vs_log_time.mcap", 50, 0, (), ()),
    ("PlotJuggler+pj-mcap-server/_history/1941658b_test_embedded_timestamp.mcap", 50, 50, (), ()),
    ("PlotJuggler+pj-mcap-server/_history/2086965e_test_bad_schema.mcap", 20, 0, ("/bad/data",), ()),
    ("PlotJuggler+pj-mcap-server/_history/ee50684e_test_unsupported_encoding.mcap", 20, 0, ("/proto/data",), ()),
    ("rerun-io+rerun/_history/4dbcdd80_simple-protobuf.mcap", 293, 0, (), ()),
    ("rerun-io+rerun/_history/d38bd724_simple_protobuf_vec3.mcap", 5, 0, (), ()),
    ("rerun-io+rerun/_history/e588ff1a_foxglove_log.mcap", 6, 0, (), ()),
    ("ros2+rosbag2/rosbag2_py/test/resources/mcap/convert_a", 150, 0, (), ()),
    ("ros2+rosbag2/rosbag2_py/test/resources/mcap/wbag", 6074, 0, (), ()),
    ("ros2+rosbag2/rosbag2_py/test/resources/sqlite3/convert_a", 150, 0, ("b_basictypes",), ()),
    ("ros2+rosbag2/rosbag2_py/test/resources/sqlite3/wbag", 6074, 0, (), ()),
    (
        "ros2+rosbag2/rosbag2_tests/resources/mcap/bag_with_topics_and_service_events",
        10,
        0,
        ("/test_service1/_service_event", "/test_service2/_service_event"),
        (),
    ),
    ("ros2+rosbag2/rosbag2_tests/resources/mcap/cdr_test", 7, 0, (), ()),
    ("ros2+rosbag2/rosbag2_tests/resources/mcap/wrong_rmw_test", 7, 0, ("/array_topic", "/test_topic"), ()),
    (
        "ros2+rosbag2/rosbag2_tests/resources/sqlite3/bag_with_topics_and_service_events",
        10,
        0,
        ("/test_service1/_service_event", "/test_service2/_service_event"),
        (),
    ),
    ("ros2+rosbag2/rosbag2_tests/resources/sqlite3/cdr_test", 7, 0, (), ()),
    ("ros2+rosbag2/rosbag2_tests/resources/sqlite3/wrong_rmw_test", 7, 0, ("/array_topic", "/test_topic"), ()),
    ("rosbag-sharing-community+amber/tests/rosbag/soccer_goal", 2, 0, (), ("source-part-missing",)),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample.bag", 14, 0, (), ()),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample.mcap", 14, 0, (), ()),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample.mcap.zstd", 14, 0, (), ()),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample_no_rosout.bag", 3, 0, (), ()),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample_no_rosout.mcap", 3, 3, (), ()),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_sample_truncated.mcap", 14, 0, (), ("source-truncated",)),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_truncated.bag", 3, 0, (), ("source-truncated",)),
    ("Tiryoh+rosbag-analyzer-web/e2e/fixtures/test_unindexed.bag", 14, 0, (), ("source-truncated",)),
    ("UbiquityRobotics+fiducials/_history/d99eedfa_aruco_images.bag", 16, 0, (), ()),
)
"""Recording; messages; how many of them cannot be decoded; topics that cannot be read; finding codes."""


_OPEN: list[Contents] = []


@pytest.fixture(autouse=True)
def close_all() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def contents(path: Path, recover: bool = False) -> Contents:
    form: Any = rosbag2 if path.is_dir() or rosbag2.claims(str(path)) else rosbag
    form = mcap_format if form is rosbag and mcap_format.claims(str(path)) else form
    _OPEN.append(form.contents(str(path), recover))
    return _OPEN[-1]


@pytest.mark.parametrize("folder", [INSIDE, BESIDE], ids=["inside", "beside"])
def test_the_table_names_every_recording(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip("outside this repository: recordings of other projects")
    found = registry.find([folder / "mcap"], recover=True)
    named = {row[0] for row in TABLE if (folder / "mcap" / row[0]).exists()}
    assert {Path(ref.path).relative_to(folder / "mcap").as_posix() for ref in found.refs} == named
    assert len(named) >= 20
    unreadable = [finding for finding in found.findings if finding.severity == "error"]
    assert [Path(finding.where).name for finding in unreadable] == ["Dockerfile.mcap"]  # a Dockerfile indeed


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0][-60:])
def test_every_message_is_there_or_accounted_for(row: Row) -> None:
    name, count, failures, unreadable, codes = row
    path = sample(f"mcap/{name}")
    found = registry.find([path])
    assert tuple(finding.code for finding in found.findings) == codes
    held = contents(path, recover=not found.refs or name.endswith("bitflip.mcap"))
    assert sum(topic.count for topic in held.topics) == count
    assert tuple(topic.name for topic in held.topics if topic.unreadable) == unreadable
    read = [topic.read([leaf.path for leaf in topic.leaves]) for topic in held.topics if not topic.unreadable]
    assert sum(len(seen.failures) for seen in read) == failures
    if "source-truncated" in codes and not found.refs:
        assert [code for code, _ in held.notes] == ["source-recovered"]


@pytest.mark.parametrize("name", samples("mcap", ".mcap"))
def test_mcap_messages_equal_those_of_the_mcap_package(name: str, mcap: ModuleType) -> None:
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    path = sample(name)
    if path.name in ("Dockerfile.mcap", "bitflip.mcap"):
        return  # not a recording; theirs reads the flipped bit without a word
    theirs: dict[str, list[Any]] = {}
    with path.open("rb") as file:
        try:
            for schema, channel, message in make_reader(file).iter_messages(log_time_order=False):
                theirs.setdefault(channel.topic, []).append((schema, channel, message))
        except McapError:
            return  # cut: theirs does not read it
    held = contents(path)
    assert Counter({t.name: t.count for t in held.topics if t.count}) == Counter({k: len(v) for k, v in theirs.items()})
    wrong: list[str] = []
    for topic in held.topics:
        records = theirs.get(topic.name, [])
        assert topic.times("log_time").tolist() == [message.log_time for _, _, message in records]
        assert topic.times("publish_time").tolist() == [message.publish_time for _, _, message in records]
        if not topic.unreadable:  # those are in the table
            wrong += differences(topic, dict(_decoded(records[:MOST_COMPARED])))
    assert wrong == []


def _decoded(records: list[Any]) -> Iterator[tuple[int, Any]]:
    from mcap_protobuf.decoder import DecoderFactory as Protobuf
    from mcap_ros2.decoder import DecoderFactory as Ros2

    for row, (schema, channel, message) in enumerate(records):
        if channel.message_encoding == "json":
            yield row, json.loads(message.data)
            continue
        factory = Protobuf() if channel.message_encoding == "protobuf" else Ros2()
        try:
            decode = factory.decoder_for(channel.message_encoding, schema)
            theirs = decode(message.data) if decode else None
        except Exception:  # whatever they raise, there is nothing to compare with
            continue
        if theirs is not None:
            yield row, theirs


@pytest.mark.parametrize("name", samples("mcap", ".bag"))
def test_bag_messages_equal_those_of_rosbags(name: str, mcap: ModuleType) -> None:
    from rosbags.highlevel import AnyReader, AnyReaderError

    theirs: dict[str, list[Any]] = {}
    times: dict[str, list[int]] = {}
    path = sample(name)
    try:
        with AnyReader([path]) as reader:
            for connection, stamp, raw in reader.messages():
                try:
                    value = reader.deserialize(raw, connection.msgtype)
                except Exception:
                    value = None
                theirs.setdefault(connection.topic, []).append(value)
                times.setdefault(connection.topic, []).append(stamp)
    except AnyReaderError:
        return  # theirs does not read it
    held = contents(path)
    assert {t.name: t.count for t in held.topics if t.count} == {name: len(values) for name, values in theirs.items()}
    wrong: list[str] = []
    for topic in held.topics:
        if not topic.count:
            continue
        order = topic.times("log_time").argsort(kind="stable").tolist()
        assert topic.times("log_time")[order].tolist() == times[topic.name]
        values = {row: theirs[topic.name][place] for place, row in enumerate(order[:MOST_COMPARED])}
        wrong += differences(topic, {row: value for row, value in values.items() if value is not None})
    assert wrong == []


def test_what_was_recorded_as_mcap_and_as_db3_is_the_same() -> None:
    folder = sample("mcap/geocamxyz+rosbags-rs/tests/test_bags")
    first, second = contents(folder / "test_bag_mcap"), contents(folder / "test_bag_sqlite3")
    assert [(t.name, t.type, t.count) for t in first.topics] == [(t.name, t.type, t.count) for t in second.topics]
    for one, other in zip(first.topics, second.topics, strict=True):
        shared = [leaf.path for leaf in one.leaves if leaf in other.leaves and "sec" not in leaf.path]
        a, b = one.read(shared), other.read(shared)
        for path in shared:
            np.testing.assert_array_equal(a.columns[path].values, b.columns[path].values, err_msg=f"{one.name} {path}")
