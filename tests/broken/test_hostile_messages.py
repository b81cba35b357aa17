"""Definitions, YAML and SQLite that ask for work or memory without end: refused by name, before any of it is spent."""

import json
import shutil
import sqlite3

import pytest
import yaml

from support.mcap import some_messages, write_rosbag2
from telecine.core.errors import SourceError
from telecine.core.text.documents import plain_yaml
from telecine.sources import registry
from telecine.sources.messages.decoding.json_decoder import JsonDecoder
from telecine.sources.messages.decoding.types import MOST_LEAVES, leaves, parse

needs_rosbags = pytest.mark.usefixtures("mcap")
"""Definitions are parsed by rosbags."""


def nested(levels: int, width: int) -> str:
    """A definition whose type has width ** levels fields."""
    parts = [f"p/N{i}\n" + "".join(f"N{i + 1} f{j}\n" for j in range(width)) for i in range(levels)]
    first, *rest = [*parts, f"p/N{levels}\nfloat64 x\n"]
    return first.partition("\n")[2] + "".join(f"{'=' * 80}\nMSG: {part}" for part in rest)


@needs_rosbags
def test_a_type_of_many_nested_fields_is_refused_before_it_is_spread_out():
    assert len(list(leaves(parse("p/msg/N0", nested(8, 2))))) == 256
    with pytest.raises(SourceError, match=f"more than {MOST_LEAVES} fields"):
        parse("p/msg/N0", nested(30, 3))


@needs_rosbags
def test_a_type_of_many_nested_types_without_fields_is_refused():
    """Nothing to read in any of them, but three to the power of thirty to look at."""
    with pytest.raises(SourceError, match=f"more than {MOST_LEAVES} fields"):
        parse("p/msg/N0", nested(30, 3).replace("float64 x\n", ""))


def descriptors(levels: int, width: int) -> bytes:
    """A protobuf file whose first message has width ** levels messages in it, the last without fields."""
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="p", syntax="proto3")
    for level in range(levels + 1):
        message = file.message_type.add(name=f"N{level}")
        for number in range(width if level < levels else 0):
            message.field.add(name=f"f{number}", number=number + 1, label=1, type=11, type_name=f".p.N{level + 1}")
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


@needs_rosbags
@pytest.mark.parametrize(("levels", "width", "reason"), [(30, 3, "more than"), (60, 1, "nested more than")])
def test_protobuf_of_many_nested_messages_is_refused(levels, width, reason):
    from telecine.sources.messages.decoding.protobuf_decoder import ProtobufDecoder

    with pytest.raises(SourceError, match=reason):
        ProtobufDecoder("p.N0", descriptors(levels, width))
    assert ProtobufDecoder("p.N0", descriptors(3, 2)).leaves == ()


def test_json_of_many_fields_is_refused_and_its_schema_read_in_bounds():
    message = json.dumps({f"f{i}": i for i in range(MOST_LEAVES + 1)}).encode()
    with pytest.raises(SourceError, match=f"more than {MOST_LEAVES} fields"):
        JsonDecoder(b"", [message])
    definitions = {f"N{i}": {"properties": {name: {"$ref": f"#/$defs/N{i + 1}"} for name in "abc"}} for i in range(39)}
    schema = json.dumps({"$ref": "#/$defs/N0", "$defs": definitions}).encode()
    assert [leaf.path for leaf in JsonDecoder(schema, [b'{"a": 1}', b"[" * 100_000]).leaves] == ["a"]


@pytest.mark.parametrize("size", ["-1", "99999999999999"])
def test_an_array_of_an_impossible_size_is_refused(size):
    with pytest.raises(SourceError):
        parse("p/msg/N0", f"float64[{size}] a")


IDL = "module p {{ module msg {{ const long long A = {}; struct J {{ double x; }}; }}; }};"


@needs_rosbags
@pytest.mark.parametrize("value", ["1<<99999999999", "1<<(9*9*9*9*9*9*9*9*9)", "9" * 50, "1" + "<<99" * 2000])
def test_a_constant_that_takes_all_memory_is_not_calculated(value):
    with pytest.raises(SourceError, match="too large to calculate"):
        parse("p/msg/J", IDL.format(value), True)


@needs_rosbags
@pytest.mark.parametrize("value", ["1<<3", "2*3", "7 /* << not code * */"])
def test_a_plain_constant_is(value):
    assert [leaf.path for leaf in leaves(parse("p/msg/J", IDL.format(value), True))] == ["x"]


def test_yaml_that_grows_is_refused():
    assert plain_yaml("a: [1, {b: 2}]") == {"a": [1, {"b": 2}]}
    for text in ("a: &a [x]\nb: *a", "[" * 100_000, "!!python/object/apply:os.system [true]", f"a: 1{':59' * 10_001}"):
        with pytest.raises((ValueError, yaml.YAMLError)):
            plain_yaml(text)


@pytest.fixture
def bag(tmp_path, mcap):
    write_rosbag2(tmp_path / "in" / "run", some_messages(20))
    return tmp_path / "in" / "run"


def refused(path) -> str:
    found = registry.find([path])
    assert found.refs == ()
    return " ".join(finding.message for finding in found.findings)


def test_metadata_with_aliases_is_refused(bag):
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text() + "\nx: &x [1]\ny: [*x, *x]\n")
    assert "aliases" in refused(bag)


@pytest.mark.parametrize("name", ["../../secret.db3", "{outside}", "link.db3"])
def test_parts_outside_of_the_folder_are_refused_by_name(bag, tmp_path, name):
    outside = tmp_path / "secret.db3"
    shutil.copy(next(bag.glob("*.db3")), outside)
    (bag / "link.db3").symlink_to(outside)
    metadata = bag / "metadata.yaml"
    body = yaml.safe_load(metadata.read_text())
    body["rosbag2_bagfile_information"]["relative_file_paths"] = [name.format(outside=outside)]
    next(p for p in bag.glob("*.db3") if not p.is_symlink()).unlink()
    metadata.write_text(yaml.safe_dump(body))
    message = refused(bag)
    assert "secret.db3" in message
    assert "--follow-links" in message
    assert len(registry.find([bag], follow_links=True).refs) >= 1


RECURSIVE = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT x AS id, x AS topic_id, x AS timestamp, x AS data FROM c"
)
CHANGES = {
    "a view": ["DROP TABLE messages", f"CREATE VIEW messages AS {RECURSIVE}"],
    "a virtual table": ["DROP TABLE messages", "CREATE VIRTUAL TABLE messages USING fts5(topic_id, timestamp, data)"],
    "64-bit": ["UPDATE messages SET timestamp = 1e300 WHERE rowid = 3"],
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_tables_of_numbers_are_read(bag, what):
    path = next(bag.glob("*.db3"))
    with sqlite3.connect(path) as database:
        for change in CHANGES[what]:
            try:
                database.execute(change)
            except sqlite3.OperationalError as error:  # an SQLite that was built without it
                pytest.skip(f"outside this repository: {error}")
    database.close()
    assert what in refused(path)
