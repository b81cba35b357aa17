"""Laws of editing, on small datasets of numbers: what an edit says is what is there, and edits add up."""

from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.dataset import COLUMNS, episode, write
from telecine.core.edit.model import make_edit
from telecine.dataset.assembly import row_batches
from telecine.dataset.assembly.row_groups import RowGroupFile
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.editing.diff import diff
from telecine.editing.edit import edit
from telecine.editing.merge import merge
from telecine.lerobot_format.metadata import INDEX_KEYS

LENGTHS = (9, 4, 12, 6, 3, 7)
TASKS = ("pick up the cube", "put it down")
FEW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Episodes of which two and four share a row group, since a merge puts small ones together."""
    folder = tmp_path_factory.mktemp("laws")
    made = [episode(n, i, columns=COLUMNS, task=TASKS[i % 2]) for i, n in enumerate(LENGTHS)]
    write(folder / "a", made[:2])
    write(folder / "b", made[2:])
    merge([folder / "a", folder / "b"], folder / "whole")
    return folder / "whole"


@contextmanager
def copying(copies):
    """Row groups are copied as they are encoded whatever their size, or none of them is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_batches, "COPIED_ROWS", 1 if copies else 1 << 30)
        yield


def content(root):
    """What each episode is: its tasks, facts and rows without the index columns."""
    dataset = Dataset(root)
    keys = [column.key for column in dataset.features if column.key not in INDEX_KEYS]
    facts = ("success", "outcome", "tags")
    return [
        (one.tasks, [one.facts.get(name) or None for name in facts], dataset.rows(number, keys).to_pydict())
        for number, one in enumerate(dataset.episodes)
    ]


@st.composite
def entries(draw, lengths=LENGTHS):
    """(episodes of an edit of episodes of these lengths, the parts [number, start, stop) that they leave)."""
    episodes, parts = {}, []
    for number, length in enumerate(lengths):
        what = draw(st.sampled_from(["keep", "keep", "drop", "trim", "split", "task", "tag"]))
        left = [(0, length)]
        if what == "drop":
            episodes[str(number)], left = {"drop": True}, []
        elif what == "trim" and length > 2:
            start = draw(st.integers(0, length - 2))
            left = [(start, draw(st.integers(start + 1, length - (start == 0))))]
        elif what == "split" and length > 1:
            middle = draw(st.integers(1, length - 1))
            left = [(0, middle), (middle, length)]
        elif what in ("task", "tag"):
            episodes[str(number)] = {"task": "wipe"} if what == "task" else {"tags": ["good"]}
        if what in ("trim", "split") and left != [(0, length)]:
            episodes[str(number)] = {"parts": [{"rows": list(span)} for span in left]}
        parts += [(number, *span, what) for span in left]
    if not parts:
        del episodes[str(len(lengths) - 1)]
        parts = [(len(lengths) - 1, 0, lengths[-1], "keep")]
    return episodes, parts


def applied(root, out, episodes, *, copies=True, **more):
    with copying(copies):
        edit(root, out, edits=[make_edit({"episodes": episodes, **more})])
    return out


@FEW
@given(entries(), st.booleans(), st.booleans())
def test_diff_says_exactly_the_edit(source, tmp_path_factory, drawn, renamed, copies):
    episodes, parts = drawn
    features = {"rename": {"wrench": "force"}, "drop": ["contacts"]} if renamed else {}
    out = applied(source, tmp_path_factory.mktemp("diff") / "out", episodes, copies=copies, features=features)
    found = diff(source, out)
    numbers = [number for number, *_ in parts]
    at = {number: [place for place, own in enumerate(numbers) if own == number] for number in numbers}
    spans = [[start, stop] for _, start, stop, _ in parts]
    assert found.removed == tuple(sorted(set(range(len(LENGTHS))) - set(numbers)))
    assert (found.added, found.moved) == ((), ())
    assert found.trimmed == tuple(
        {"a": number, "b": places[0], "rows": spans[places[0]]}
        for number, places in at.items()
        if len(places) == 1 and spans[places[0]] != [0, LENGTHS[number]]
    )
    assert found.split == tuple(
        {"a": number, "b": [{"b": place, "rows": spans[place]} for place in places]}
        for number, places in at.items()
        if len(places) > 1
    )
    assert [(one["a"], one["b"], list(one["what"])) for one in found.relabelled] == [
        (number, place, ["tasks" if what == "task" else "tags"])
        for place, (number, _, _, what) in enumerate(parts)
        if what in ("task", "tag")
    ]
    assert found.features["removed"] == (["contacts", "wrench"] if renamed else [])
    assert found.features["added"] == (["force"] if renamed else [])
    assert found.equal is (not episodes and not renamed)
    assert verify(out) == []


@FEW
@given(st.sets(st.integers(0, len(LENGTHS) - 1), min_size=1, max_size=len(LENGTHS) - 1), st.booleans())
def test_what_is_deleted_and_merged_back_is_the_same_content(source, tmp_path_factory, picked, copies):
    folder = tmp_path_factory.mktemp("back")
    listed = ",".join(map(str, sorted(picked)))
    with copying(copies):
        edit(source, folder / "some", delete=listed)
        edit(source, folder / "others", keep=listed)
        merge([folder / "some", folder / "others"], folder / "whole")
    order = [*(n for n in range(len(LENGTHS)) if n not in picked), *sorted(picked)]
    there = content(source)
    assert content(folder / "whole") == [there[number] for number in order]
    assert diff(source, folder / "whole").equal
    assert verify(folder / "whole") == []


@FEW
@given(st.data())
def test_two_edits_are_one_edit(source, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("compose")
    one, parts = data.draw(entries())
    other, left = data.draw(entries([stop - start for _, start, stop, _ in parts]))
    two = applied(applied(source, folder / "one", one), folder / "two", other)
    composed: dict[str, dict] = {str(number): {"drop": True} for number in range(len(LENGTHS))}
    for part, start, stop, what in left:
        number, first, _, before = parts[part]
        labels = {"task": {"task": "wipe"}, "tag": {"tags": ["good"]}}
        entry = {"rows": [first + start, first + stop], **labels.get(before, {}), **labels.get(what, {})}
        composed.setdefault(str(number), {})
        composed[str(number)] = {"parts": [*composed[str(number)].get("parts", []), entry]}
    at_once = applied(source, folder / "at-once", composed)
    assert content(two) == content(at_once)
    assert Dataset(two).tasks == Dataset(at_once).tasks
    found = diff(two, at_once)
    assert found.equal, found
    assert not found.moved


def test_whole_row_groups_are_copied_and_their_dataset_is_that_of_written_ones(source, tmp_path, monkeypatch):
    copied = []
    monkeypatch.setattr(
        RowGroupFile, "_copy", lambda file, group, copy=RowGroupFile._copy: copied.append(copy(file, group))
    )
    for copies in (True, False):
        applied(source, tmp_path / str(copies), {"1": {"drop": True}, "3": {"task": "wipe"}}, copies=copies)
    assert len(copied) == 1
    one, other = (
        {p.relative_to(root): p for p in root.rglob("*") if p.is_file()}
        for root in map(tmp_path.joinpath, ("True", "False"))
    )
    assert one.keys() == other.keys()
    different = [str(name) for name in one if one[name].read_bytes() != other[name].read_bytes()]
    assert different == ["data/chunk-000/file-000.parquet"]
    assert content(tmp_path / "True") == content(tmp_path / "False")
