"""Edits as values: read, checked, combined, and resolved to the episodes of the new dataset."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.edit.fingerprint import episode_digest, fingerprint
from telecine.core.edit.flags import EditFlags, combined, edit_of_flags, rows_of
from telecine.core.edit.model import Edit, json_schema, make_edit, parse_edit
from telecine.core.edit.resolve import OutputEpisode, SourceDataset, SourceEpisode, resolve
from telecine.core.edit.table import edit_of_table
from telecine.core.errors import EditError

FRONT = "observation.images.front"


def episodes(*lengths, tasks=("pick",)):
    return tuple(SourceEpisode(n, tasks, f"take_{i}.rrd", i % 2 == 0) for i, n in enumerate(lengths))


def dataset(*lengths, path="picks", fps=30, tasks=("pick",)):
    return SourceDataset(path, fps, ("action", "observation.state", FRONT), (FRONT,), episodes(*lengths, tasks=tasks))


ONE = [dataset(100, 90, 80, 70, 60)]
TWO = [dataset(100, 90), dataset(50, path="more", tasks=("place",))]


def spans(edit, inputs=ONE):
    return [(*e.source, e.start, e.stop) for e in resolve(edit, inputs)]


def flags(inputs=ONE, **given):
    return edit_of_flags(EditFlags(**given), inputs)


def kept(inputs=ONE, **given):
    return [e.source[1] for e in resolve(flags(inputs, **given), inputs)]


def test_without_an_edit_everything_stays():
    assert resolve(Edit(), TWO) == (
        OutputEpisode((0, 0), 0, 100), OutputEpisode((0, 1), 0, 90), OutputEpisode((1, 0), 0, 50),
    )  # fmt: skip
    assert resolve(Edit(), [dataset()]) == ()


def test_episodes_are_left_out_cut_and_marked():
    edit = parse_edit(
        """
        edit: 1
        episodes:
          0: {drop: true, comment: gripper slipped}
          "1": {task: pick it up, parts: [{rows: [45, 60], success: true, tags: [good]}, {rows: [60, 90], drop: true}]}
          2: {parts: [{rows: [0, 40]}, {rows: [40, 80], task: place it, outcome: late}]}
          4: {success: unknown}
        """
    )
    assert resolve(edit, ONE) == (
        OutputEpisode((0, 1), 45, 60, "pick it up", True, None, ("good",)),
        OutputEpisode((0, 2), 0, 40),
        OutputEpisode((0, 2), 40, 80, "place it", None, "late"),
        OutputEpisode((0, 3), 0, 70),
        OutputEpisode((0, 4), 0, 60, None, "unknown"),
    )
    assert resolve(edit, ONE)[0].length == 15
    assert parse_edit(edit.to_yaml()) == edit
    assert parse_edit(json.dumps(edit.to_dict())) == edit


def test_a_camera_is_named_as_it_is_after_renaming():
    top = "observation.images.top"
    edit = make_edit({"features": {"rename": {FRONT: top}}, "cameras": {top: {"size": [320, 240], "codec": "av1"}}})
    assert len(resolve(edit, ONE)) == 5


def test_the_order_can_be_stated_and_parts_stay_together():
    edit = make_edit({"order": [2, "0", 4], "episodes": {1: {"drop": True}, "3": {"drop": True}, "0": {
        "parts": [{"rows": [0, 10]}, {"rows": [10, 20]}]}}})  # fmt: skip
    assert spans(edit) == [(0, 2, 0, 80), (0, 0, 0, 10), (0, 0, 10, 20), (0, 4, 0, 60)]


def test_several_inputs_are_told_apart():
    edit = make_edit({"episodes": {"1/0": {"drop": True}}, "inputs": [{"path": "a"}, {"path": "b"}]})
    assert spans(edit, TWO) == [(0, 0, 0, 100), (0, 1, 0, 90)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"edit": 2}, "edit: input should be 1|edit: 2 is not one of 1"),
        ({"epissodes": {}}, "unknown key 'epissodes'; did you mean 'episodes'"),
        ({"episodes": {"1": {"drop": True, "parts": [{"rows": [0, 3]}]}}}, "exclude each other"),
        ({"episodes": {"1": {"parts": [{"rows": [5, 5]}]}}}, "holds no row"),
        ({"episodes": {"1": {"parts": [{"rows": [-1, 5]}]}}}, "holds no row"),
        ({"episodes": {"1": {"parts": [{"rows": [0, 5]}, {"rows": [4, 9]}]}}}, "overlap"),
        ({"episodes": {"1": {"parts": [{"rows": [5, 9]}, {"rows": [0, 5]}]}}}, "overlap or are not in order"),
        ({"episodes": {"1": {"success": "perhaps"}}}, "success"),
        ({"episodes": [1]}, "episodes: input should be a valid"),
        ({"order": 3}, "order: input should be a valid"),
        ({"inputs": [{}]}, "inputs.0.path: is required"),
        ({"cameras": {FRONT: {}}}, "say what is to change"),
        ({"cameras": {FRONT: {"size": [0, 3]}}}, "at least 1 wide"),
        ({"cameras": {FRONT: {"crop": [-1, 0, 3, 3]}}}, "at least 1 wide"),
        ({"cameras": {FRONT: {"crop": [0, 0, 0, 3]}}}, "at least 1 wide"),
    ],
)
def test_what_is_no_edit_is_told_with_its_path(body, why):
    with pytest.raises(EditError, match=why):
        make_edit(body)


@pytest.mark.parametrize("text", ["- 1", "a: [", "edit: &x 1\nrevision: *x"])
def test_what_is_no_document_is_refused(text):
    with pytest.raises(EditError, match="edit"):
        parse_edit(text)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"episodes": {"5": {"drop": True}}}, "there is no episode 5; picks has 0 to 4"),
        ({"episodes": {"x": {}}}, 'not of the form "episode" or "input/episode"'),
        ({"episodes": {"1/0": {}}}, "there is no input 1, only 1"),
        ({"episodes": {"1": {}, "0/1": {}}}, "named twice"),
        ({"episodes": {"4": {"parts": [{"rows": [0, 61]}]}}}, r"episodes.4.parts.0.rows: \[0, 61\] ends behind"),
        ({"episodes": {str(i): {"drop": True} for i in range(5)}}, "every episode is left out"),
        ({"inputs": [{"path": "a"}, {"path": "b"}]}, "the edit is of 2 dataset"),
        ({"features": {"rename": {"acton": "x"}}}, "no feature 'acton'; did you mean 'action'"),
        ({"features": {"rename": {"action": "observation.state"}}}, "observation.state is there already"),
        ({"features": {"rename": {"action": "timestamp"}}}, "timestamp is there already"),
        ({"features": {"drop": ["index"]}}, "index is a column that every dataset has"),
        ({"features": {"drop": ["action"], "rename": {"action": "x"}}}, "action is renamed and dropped"),
        ({"features": {"drop": ["action", "observation.state", FRONT]}}, "nothing would be left"),
        ({"features": {"add": [{"key": "action", "value": "action"}]}}, "features.add: action is there already"),
        ({"features": {"add": [{"key": "index", "value": "action"}]}}, "features.add: index is there already"),
        ({"features": {"add": [{"key": "a", "value": "action"}] * 2}}, "features.add: a is there already"),
        ({"cameras": {"front": {"codec": "av1"}}}, "there is no camera 'front'; did you mean"),
        ({"tasks": {"pik": "x"}}, "no episode has the task 'pik'; did you mean 'pick'"),
        ({"tasks": {"pick": " "}}, "gets no text"),
        ({"order": ["0", "1"]}, "not in it, but to stay: 3 episodes: 2, 3, 4"),
        ({"order": ["0", "0", "9"]}, "named twice"),
        ({"order": ["0", "9"]}, "there is no episode 9"),
        ({"order": ["0"], "episodes": {"0": {"drop": True}}}, "left out by the edit itself"),
    ],
)
def test_what_does_not_fit_the_dataset_is_told(body, why):
    with pytest.raises(EditError, match=why):
        resolve(make_edit(body), ONE)


def test_with_several_inputs_a_number_alone_is_not_enough():
    with pytest.raises(EditError, match="there are 2 inputs; write input/episode, e.g. 0/1"):
        resolve(make_edit({"episodes": {"1": {"drop": True}}}), TWO)
    with pytest.raises(EditError, match=r"order: not in it, but to stay: 2 episodes: 0/1, 1/0"):
        resolve(make_edit({"order": ["0/0"]}), TWO)
    many = [dataset(*[9] * 9)]
    with pytest.raises(EditError, match=r"not in it, but to stay: 8 episodes: 1, 2, 3, 4, 5 \.\.\."):
        resolve(make_edit({"order": ["0"]}), many)


def test_flags_leave_episodes_out():
    assert kept(delete=["3,1-2"]) == [0, 4]
    assert kept(keep=["0", "2-3"]) == [0, 2, 3]
    assert kept(delete=["take_3.rrd"]) == [0, 1, 2, 4]
    assert kept(keep=["recordings/take_3.rrd"]) == [3]
    assert kept(where="success == true and rows >= 70") == [0, 2]
    assert kept(where="success == true", delete=["0"]) == [2, 4]
    assert kept(where="seconds < 3 and 'pick' in tasks and recording != 'take_4.rrd' and tags == ()") == [2, 3]
    assert kept(delete=["0", "0"], trim=["0:1s..2s"]) == [1, 2, 3, 4]
    assert [e.source for e in resolve(flags(TWO, delete=["1/0", "0/1"]), TWO)] == [(0, 0)]


def test_flags_cut_episodes():
    assert spans(flags(trim=["4:0.5s..1.5s"]))[4] == (0, 4, 15, 45)
    assert spans(flags(trim=["4:15..45"]))[4] == (0, 4, 15, 45)
    assert spans(flags(trim=["4:..500ms"]))[4] == (0, 4, 0, 15)
    assert spans(flags(trim=["3-4:10.."]))[3:] == [(0, 3, 10, 70), (0, 4, 10, 60)]
    assert spans(flags(split=["4:1s,20"]))[4:] == [(0, 4, 0, 20), (0, 4, 20, 30), (0, 4, 30, 60)]
    assert spans(flags(split=["4:1s"], trim=["4:10..50"]))[4:] == [(0, 4, 10, 30), (0, 4, 30, 50)]


def test_flags_mark_and_rename():
    edit = flags(
        task=["4=pick = up", "pick=pick the cube"], success=["0-1=false", "2=unknown"], outcome=["1=dropped"],
        tag=["3=good, clean"], rename=["action=act"], drop=["observation.state"], order="4,3,2,1,0",
    )  # fmt: skip
    out = {e.source[1]: e for e in resolve(edit, ONE)}
    assert [e.source[1] for e in resolve(edit, ONE)] == [4, 3, 2, 1, 0]
    assert (out[4].task, out[0].success, out[2].success, out[1].outcome) == ("pick = up", False, "unknown", "dropped")
    assert out[3].tags == ("good", "clean")
    assert edit.tasks == {"pick": "pick the cube"}
    assert (edit.features.rename, edit.features.drop) == ({"action": "act"}, ("observation.state",))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"delete": ["7"]}, "--delete: there is no episode 7"),
        ({"delete": ["3-1"]}, "runs backwards; write 1-3"),
        ({"delete": ["0-999999999999"]}, "there is no episode 999999999999"),
        ({"delete": [""]}, "names no episode"),
        ({"delete": ["take_9.rrd"]}, "no episode was made of 'take_9.rrd'; did you mean"),
        ({"trim": ["4"]}, "not of the form EPISODE:TIME"),
        ({"trim": ["4:1s"]}, "not of the form START..STOP"),
        ({"trim": ["4:1s..1s"]}, "leaves no row of episode 4"),
        ({"trim": ["4:0..3s"]}, "lies behind the episode's end, 60 rows"),
        ({"trim": ["4:1.5..2s"]}, "is no moment"),
        ({"trim": ["4:0..10", "4:0..9"]}, "trimmed twice"),
        ({"split": ["4:0"]}, "leaves nothing on one side"),
        ({"task": ["4"]}, "not of the form NAME=VALUE"),
        ({"success": ["4=maybe"]}, "'maybe' is not one of true, false, unknown"),
        ({"where": "rows >"}, "--where: 'rows >' is no expression"),
        ({"where": "rows / 0 > 1"}, "--where: .* cannot be computed"),
        ({"order": "0,1,9"}, "--order: there is no episode 9"),
    ],
)
def test_flags_that_mean_nothing_are_named(given, why):
    with pytest.raises(EditError, match=why):
        flags(**given)


@given(st.integers(1, 240), st.integers(0, 10**6), st.integers(1, 10**4))
def test_a_row_is_in_from_the_moment_on(fps, millis, length):
    try:
        row = rows_of(f"{millis}ms", fps, length, "--trim")
    except EditError:
        assert millis * fps > (length) * 1000
        return
    assert row * 1000 >= millis * fps  # start <= k / fps
    assert row == 0 or (row - 1) * 1000 < millis * fps


def test_a_table_says_the_same_as_flags():
    table = """\ufeffEpisode,drop,start,stop,task,success,tags,comment,outcome
3,true,,,,,,gripper slipped,
take_4.rrd,,0.5s,1s,pick it up,true,good;clean,,
4,,1s,,,No,,,late
,,,,,,,,
"""
    edit = edit_of_table(table, ONE)
    assert edit.episodes["3"].comment == "gripper slipped"
    assert resolve(edit, ONE)[3:] == (
        OutputEpisode((0, 4), 15, 30, "pick it up", True, None, ("good", "clean")),
        OutputEpisode((0, 4), 30, 60, None, False, "late"),
    )
    assert edit_of_table("episode,success\n1/0,unknown\n", TWO).episodes["1/0"].success == "unknown"
    assert spans(edit_of_table("episode,stop\n4,20\n", ONE))[4] == (0, 4, 0, 20)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no column `episode`"),
        ("episode,taks\n", "unknown columns 'taks'; did you mean 'task'"),
        ("episode,drop\n9,true\n", "line 2: there is no episode 9"),
        ("episode,drop\n1,perhaps\n", "line 2: drop is 'perhaps'"),
        ("episode,success\n1,perhaps\n", "line 2: success is 'perhaps'"),
        ("episode,start\n1,soon\n", "line 2: start: 'soon' is no moment"),
        ("episode,task\n0,a,b\n", "line 2: more cells than columns"),
        ("episode,task\n1,a\n1,b\n", "line 3: episode 1 has a line already"),
        ("episode,start,stop\n1,0,10\n1,5,20\n", "overlap"),
        ('episode\n"1\n', "not CSV"),
    ],
)
def test_a_table_that_means_nothing_is_told_by_line(text, why):
    with pytest.raises(EditError, match=why):
        edit_of_table(text, ONE)


def test_edits_combine_and_contradictions_name_both():
    marks = make_edit({"revision": 3, "episodes": {"1": {"task": "a"}, "2": {"drop": True}}})
    more = make_edit(
        {"revision": 5, "episodes": {"1": {"task": "a", "success": True}}, "features": {"drop": ["action"]}}
    )
    both = combined([("marks.yaml", marks), ("the command line", more)])
    assert both.revision == 5
    assert both.episodes["1"].success is True
    assert both.episodes["2"].drop
    with pytest.raises(EditError, match=r"episodes.1.task: marks.yaml says 'a', b.csv says 'b'"):
        combined([("marks.yaml", marks), ("b.csv", make_edit({"episodes": {"1": {"task": "b"}}}))])


def test_the_schema_describes_every_key():
    schema = json_schema()
    assert schema["title"] == "telecine edit"
    assert all("description" in entry or "$ref" in entry or entry.get("default") is not None
               for entry in schema["properties"].values())  # fmt: skip


def test_a_fingerprint_survives_appending_and_notices_renumbering():
    features = [("action", "float32", (6,)), ("x", "bool", (1,))]
    digests = [episode_digest(n, ["pick"], bytes([n])) for n in (10, 20, 30)]
    whole = fingerprint(30, features, digests[:2])
    assert whole == fingerprint(30, features[::-1], digests[:2])
    assert whole != fingerprint(30, features, digests[1::-1])
    assert whole != fingerprint(30, features, digests)
    assert whole != fingerprint(15, features, digests[:2])
    assert digests[0] != episode_digest(10, ["place"], bytes([10]))


def test_flags_add_a_computed_column():
    made = flags(add=["speed=norm(action)"])
    assert [(one.key, one.value) for one in made.features.add] == [("speed", "norm(action)")]
    assert spans(made) == spans(Edit())
