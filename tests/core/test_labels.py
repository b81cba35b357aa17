"""Labels: checked with their rows, moved by laws, stored as LeRobot stores them."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.memory import every, ramp, recording, text
from telecine.core.edit.flags import combined
from telecine.core.edit.labels import edit_of_labels
from telecine.core.edit.model import make_edit
from telecine.core.edit.resolve import SourceDataset, SourceEpisode, resolve
from telecine.core.errors import AlignError, EditError, PlanError
from telecine.core.label import EVENTS, PERSISTENT, STYLES, Label, TimedLabels, label_problems
from telecine.core.labels.columns import (
    as_language,
    hugging_face_type,
    labels_of,
    language_array,
    language_type,
    numbers_over,
    with_labels,
)
from telecine.core.labels.spans import at_ticks, cut, in_order, open_rows, over, without
from telecine.core.labels.spelling import spelling_findings, spelling_variants
from telecine.core.labels.table import label_fields, label_lines
from telecine.core.plan.model import make_plan
from telecine.core.resample.resample import resample

COUNT = 30
CAMERA = "observation.images.top"


def label(start, stop, words="grasp", style="subtask", **more):
    return Label(start, stop, style, words, **more)


@st.composite
def labels(draw):
    """Labels as an episode of COUNT rows can have them: no two of one selector at once."""
    found = []
    for style in ("subtask", "plan", "interjection", "task_aug"):
        borders = sorted(draw(st.sets(st.integers(0, COUNT), max_size=6)))
        for start, stop in pairwise(borders):
            if draw(st.booleans()):
                event = style == "interjection"
                found.append(label(start, start + 1 if event else stop, draw(st.sampled_from("abc")), style))
    return in_order(found)


@given(labels(), labels(), st.integers(0, COUNT - 1), st.integers(1, COUNT))
def test_trim_then_label_is_label_then_trim(old, new, start, length):
    stop = min(start + length, COUNT)
    assert cut(over(old, new), start, stop) == over(cut(old, start, stop), cut(new, start, stop))


@settings(max_examples=50)
@given(labels(), labels())
def test_new_labels_leave_no_row_with_two_of_one_selector(old, new):
    assert list(label_problems(over(old, new), COUNT)) == []


@settings(max_examples=50)
@given(labels())
def test_the_columns_say_what_the_labels_say_where_none_ends_early(given_labels):
    """LeRobot's columns have no end of a label, so each lasts until the next of its kind."""
    rows = pa.table({key: language_array(key, given_labels, COUNT, 30) for key in (PERSISTENT, EVENTS)})
    found = labels_of(rows, 30)
    starts = {(one.start, one.style, one.text) for one in found}
    assert {(one.start, one.style, one.text) for one in given_labels} >= starts
    again = pa.table({key: language_array(key, found, COUNT, 30) for key in (PERSISTENT, EVENTS)})
    assert labels_of(again, 30) == found
    for row in range(COUNT):
        for one in given_labels:
            if one.style == "subtask" and one.start <= row < one.stop:
                assert any(s.start <= row < s.stop and s.text == one.text for s in found if s.style == "subtask")


def test_mistakes_name_the_rows():
    wrong = [
        label(25, 31), label(3, 3, "x"), label(0, 5, "reach"), label(4, 9, "lift"), label(9, 12, "  "),
        Label(1, 2, "vqa", "what is it?"), Label(3, 4, "vqa", "what?", camera="nowhere"),
        label(20, 21, "a", camera=CAMERA), Label(0, 3, "reward"), Label(0, 3, "intervention", "maybe"),
        label(12, 13, "b", role="robot"), Label(7, 8, "interjection", "a"), Label(7, 8, "interjection", "b"),
    ]  # fmt: skip
    found = {problem.text: problem.rows for problem in label_problems(wrong, COUNT, [CAMERA])}
    for said, rows in (
        ("ends behind the last of 30 rows", (25, 31)),
        ("holds no row", (3, 3)),
        ("'reach' [0, 5) and 'lift' [4, 9) hold at once", (4, 5)),
        ("subtask [9, 12) has no text", (9, 12)),
        ("say which with `camera`", (1, 2)),
        ("names the camera 'nowhere'; there are observation.images.top", (3, 4)),
        ("has a camera, which only vqa, trace may have", (20, 21)),
        ("reward [0, 3) has neither a value nor a text that means one", (0, 3)),
        ("intervention [0, 3) has neither", (0, 3)),
        ("has the role 'robot', not one of user", (12, 13)),
        ("interjection: 'a' [7, 8) and 'b' [7, 8) hold at once", (7, 8)),
    ):
        assert [r for text, r in found.items() if said in text] == [rows], said
    assert (
        list(
            label_problems([Label(0, 3, "done", "true"), Label(0, 9, "task_aug", "a"), Label(0, 9, "task_aug", "b")], 9)
        )
        == []
    )


def test_labels_are_taken_away_beside_others():
    there = [label(0, 10), label(0, 10, "all", "plan"), Label(4, 5, "interjection", "hey")]
    assert without(there, "subtask", 3, 6) == in_order([label(0, 3), label(6, 10), *there[1:]])
    assert without(there, "interjection", 3, 6) == in_order(there[:2])
    assert in_order([label(0, 3), label(3, 6), label(3, 6)]) == (label(0, 6),)


def test_times_become_rows_and_what_no_row_has_is_given_back():
    ticks = np.arange(10) * 100
    found, lost = at_ticks(
        [label(-50, 150), label(110, 190, "short"), label(5000, 6000, "late"), Label(250, 251, "interjection", "a"),
         Label(0, 1, "interjection", "b"), Label(-5, 0, "interjection", "early"), Label(901, 902, "speech", "after")],
        ticks,
    )  # fmt: skip
    assert [(one.start, one.stop, one.text) for one in found] == [(0, 1, "b"), (0, 2, "grasp"), (3, 4, "a")]
    assert {one.text for one in lost} == {"short", "late", "early", "after"}
    assert open_rows([label(0, 3), label(5, 8), label(0, 4, "x", "plan")], 10) == {"subtask": 4, "plan": 6}


def test_entries_of_others_are_read_and_written_in_our_type():
    call = {"type": "function", "function": {"name": "say", "arguments": {"text": "ok"}}}
    other = {"type": "function", "function": {"name": "beep", "arguments": {"text": None}}}
    events = [[], [
        {"role": "assistant", "content": None, "style": None, "camera": None, "tool_calls": [call]},
        {"role": "assistant", "content": None, "style": None, "camera": None, "tool_calls": [other]},
        {"role": "user", "content": "x", "style": "mood", "camera": None, "tool_calls": None}], None]  # fmt: skip
    lasting = [
        {"role": "assistant", "content": "tired", "style": "mood", "timestamp": 0.1, "camera": None, "tool_calls": None}
    ]
    rows = pa.table({EVENTS: pa.array(events), PERSISTENT: pa.array([lasting] * 3)})
    found = labels_of(rows, 10)
    assert found == in_order((
        Label(1, 2, "speech", "ok"),
        Label(1, 2, "speech", None, tool_calls=(json.dumps(other, sort_keys=True),)),
        Label(1, 2, "mood", "x", "user", of_events=True),
        Label(1, 3, "mood", "tired"),
    ))  # fmt: skip
    ours = language_array(EVENTS, found, 3, 10)
    assert (ours.type, [len(row) for row in ours.to_pylist()]) == (language_type(EVENTS), [0, 3, 0])
    calls = [json.loads(entry["tool_calls"][0]) for entry in ours.to_pylist()[1] if entry["tool_calls"]]
    assert call in calls
    assert other in calls
    stored = as_language(rows.column(EVENTS), EVENTS)
    assert (stored.type, stored.to_pylist()[1][0]["tool_calls"]) == (ours.type, [json.dumps(call, sort_keys=True)])
    assert hugging_face_type(PERSISTENT)["feature"]["timestamp"] == {"dtype": "float32", "_type": "Value"}
    for odd in ([[{"content": "x"}]], [["text"]], [[{"timestamp": "soon"}]]):
        with pytest.raises(ValueError, match="language_persistent"):
            labels_of(pa.table({PERSISTENT: pa.array(odd)}), 10)
    with pytest.raises(ValueError, match="language_events"):
        as_language(pa.chunked_array([pa.array([[{"role": "a", "content": {"a": 1}}]])]), EVENTS)
    assert labels_of(pa.table({PERSISTENT: pa.array([None], language_type(PERSISTENT))}), 10) == ()
    broken = {"type": "function", "function": {"name": "say", "arguments": "{"}}
    kept = {**events[1][0], "tool_calls": [json.dumps(broken)]}
    assert labels_of(pa.table({EVENTS: pa.array([[kept]])}), 10)[0].tool_calls == (json.dumps(broken),)


def test_spellings_of_one_text_are_found_and_other_texts_are_not():
    texts = [
        "Pick up the cube", "pick up the cube.", "pick up the cubes", "put it left", "put it right",
        "place the plate on shelf 1", "place the plate on shelf 2", "open the left drawer", "open the right drawer",
    ]  # fmt: skip
    assert spelling_variants(texts) == [("Pick up the cube", "pick up the cube.", "pick up the cubes")]
    many = [f"{i:x} move to the place" for i in range(300)] + ["A MOVE TO THE PLACE"]
    assert spelling_variants(many) == [("a move to the place", "A MOVE TO THE PLACE")]
    (finding,) = spelling_findings({"task": texts, "subtask": ["a"]}, "here")
    assert (finding.code, "'pick up the cube.'" in finding.message) == ("label-spelling", True)


def test_tables_are_csv_or_json_and_mistakes_name_their_line():
    csv = '\ufeffepisode, start ,stop,Style,text,value\n3,0s,1.5s,,"reach, slowly",\n\n4,2,,Intervention,,true\n'
    found = list(label_lines(csv, "a.csv", named_by="episode"))
    assert [place for place, _ in found] == ["a.csv line 2", "a.csv line 4"]
    assert found[0][1] == {"episode": "3", "start": "0s", "stop": "1.5s", "text": "reach, slowly", "style": "subtask"}
    assert label_fields(found[1][1], "x") == {"style": "intervention", "value": 1.0}
    body = [{"recording": "take", "start": 1.5, "text": "reach", "camera": None, "value": True}]
    ((place, cells),) = label_lines(json.dumps(body), "a.json", named_by="recording")
    assert (place, cells["start"], cells["value"]) == ("a.json entry 0", "1.5", "true")
    for text_, said in (
        ("episode,begin\n1,2", "a line 2: unknown column 'begin'"),
        ("episode,text\n1,a,b", "a line 2: more cells than columns"),
        ('episode,text\n1,"a', "a line 1: not CSV"),
        ("episode,text\n", "a: holds no label"),
        ("[", "a: not JSON"),
        ('{"episode": 1}', "a: expected a JSON list of objects"),
        ('[{"text": ["a"]}]', "a entry 0: text: expected a text or a number"),
    ):
        with pytest.raises(PlanError, match=said.replace("[", r"\[").replace("(", r"\(")):
            list(label_lines(text_, "a", named_by="episode"))
    with pytest.raises(PlanError, match="b: value 'much' is no number"):
        label_fields({"style": "reward", "value": "much"}, "b")


def source(*lengths):
    return SourceDataset("picks", 10, ("action", CAMERA), (CAMERA,), tuple(SourceEpisode(n, ("go",)) for n in lengths))


def test_an_edit_resolves_labels_and_reports_every_wrong_one_with_episode_and_rows():
    lines = ["episode,start,stop,style,text,value", "0-1,0s,1s,subtask,reach,", "1,1.5s,,interjection,stop it,"]
    lines += ["1,0,20,success,,1", "0,15,,plan,a,", "0,17,,plan,b,"]
    edit = edit_of_labels("\n".join(lines), "a.csv", [source(20, 20)])
    drop = {"episode": 0, "style": "subtask", "rows": [0, 5], "drop": True}
    both = combined([("a", edit), ("b", make_edit({"labels": [drop]}))])
    one, other = resolve(both, [source(20, 20)])
    plans = (label(15, 17, "a", "plan"), label(17, 20, "b", "plan"))
    assert (one.labels, one.unlabelled) == ((label(0, 10, "reach"), *plans), (Label(0, 5, "subtask"),))
    assert other.labels == (label(0, 10, "reach"), Label(15, 16, "interjection", "stop it"))
    assert (one.success, other.success) == (None, True)
    wrong = make_edit({
        "labels": [
            {"episode": 7, "style": "plan", "text": "x"},
            {"episode": 0, "style": "subtask", "text": "a", "rows": [0, 6]},
            {"episode": 0, "style": "subtask", "text": "b", "rows": [5, 30]},
        ],
        "label_texts": {"a": " "},
    })  # fmt: skip
    with pytest.raises(EditError) as caught:
        resolve(wrong, [source(20, 20)])
    for said in (
        "labels.0.episode: 7: there is no episode 7",
        "label_texts: 'a' gets no text",
        "labels: episode 0, rows 5 to 29: subtask [5, 30) ends behind the last of 20 rows",
        "labels: episode 0, rows 5 to 5: subtask: 'a' [0, 6) and 'b' [5, 30) hold at once",
    ):
        assert said in str(caught.value)
    with pytest.raises(EditError, match="drop: does not go with text"):
        make_edit({"labels": [{"episode": 0, "style": "plan", "drop": True, "text": "x"}]})
    with pytest.raises(EditError, match="a.csv line 2: start: 9s lies behind"):
        edit_of_labels("episode,start,text\n0,9s,x", "a.csv", [source(20)])
    with pytest.raises(EditError, match="unknown column"):
        edit_of_labels("episode,begin\n0,9s", "a.csv", [source(20)])


def plan(rules, **more):
    body = {"fps": 10, "clock": {"timeline": "real_time"}, "features": {"action": "joints"}, "task": "go"}
    return make_plan({**body, "labels": rules, **more})


def spoken(times, words):
    return text("say", np.array(times) * 10**8, words)


def test_texts_and_spans_of_a_plan_become_labels_of_rows():
    rec = recording(ramp("joints", every(10, 3)), spoken([0, 5, 12, 20], ["reach", "grasp", " ", "lift"]))
    made = resample(rec, plan([
        {"from": "say", "style": "subtask"},
        {"start": "1s", "stop": "1.5s", "style": "intervention", "value": 1},
        {"start": "0s", "style": "success", "text": "true"},
        {"recording": "another", "start": "0s", "style": "plan", "text": "x"},
        {"start": "2.05s", "style": "speech", "text": "hello"},
    ]))  # fmt: skip
    assert [(one.start, one.stop, one.style, one.text) for one in made.labels] == [
        (0, 5, "subtask", "reach"), (5, 12, "subtask", "grasp"), (10, 15, "intervention", None),
        (20, 30, "subtask", "lift"), (21, 22, "speech", "hello"),
    ]  # fmt: skip
    assert made.facts.success is True
    assert made.label_styles == ("subtask", "intervention", "plan", "speech")
    assert [f.message for f in made.findings if f.code == "label-open"] == [
        "8 rows behind the end of a subtask without one; LeRobot shows the last one until the next"
    ]


def test_labels_of_the_recording_stay_below_those_of_the_plan():
    own = TimedLabels("real_time", (label(0, 2 * 10**9, "reach"), label(10**9, 3 * 10**9, "lift"), label(0, 10**9, "")))
    rec = recording(ramp("joints", every(10, 3)))
    rec.labels = (own, TimedLabels("other", (label(0, 5),)))
    made = resample(rec, plan([{"start": "2.5s", "style": "subtask", "text": "rest"}]))
    assert [(one.start, one.stop, one.text) for one in made.labels] == [
        (0, 10, "reach"),
        (10, 25, "lift"),
        (25, 30, "rest"),
    ]
    said = [f.message for f in made.findings if f.code == "label-lost"]
    assert said == [
        "a label of the recording is left out: subtask [0, 10) has no text",
        "1 label is on other, not on real_time: left out",
    ]


def test_labels_that_no_row_has_are_counted_and_contradictions_reject_the_recording():
    rec = recording(ramp("joints", every(10, 3)))
    made = resample(rec, plan([
        {"start": "1.01s", "stop": "1.05s", "style": "subtask", "text": "blink"},
        {"start": "9s", "style": "interjection", "text": "late"},
    ]))  # fmt: skip
    assert [f.message for f in made.findings if f.code == "label-lost"] == [
        "1 label between two rows, which no row has: subtask blink",
        "1 label outside of the 30 rows of the episode",
    ]
    rules = [{"start": f"{n}s", "stop": "3s", "style": "subtask", "text": str(n)} for n in range(8)]
    said = r"2 wrong labels of the plan, by rows: subtask: '0' \[0, 30\) and '1' \[10, 30\) hold at once"
    with pytest.raises(AlignError, match=said):
        resample(rec, plan(rules[:3]))
    later = [{"start": f"{n}s", "style": "subtask", "text": str(n)} for n in range(3)]
    made = resample(rec, plan(later))
    assert [(one.start, one.stop) for one in made.labels] == [(0, 10), (10, 20), (20, 30)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"style": "subtask"}, "give `from` (a text stream) or `start` (a span), one of the two"),
        ({"from": "say", "style": "subtask", "text": "x"}, "text: has no meaning with `from`"),
        ({"start": "1s", "offset": "1ms", "style": "subtask", "text": "x"}, "timeline and offset"),
        ({"start": "1s", "stop": "1s", "style": "subtask", "text": "x"}, "stop does not lie after start"),
        ({"start": "1s", "stop": 1.7e9, "style": "subtask", "text": "x"}, "of two kinds"),
        ({"start": "1s", "stop": "2s", "style": "speech", "text": "x"}, "speech is an event, which has no end"),
        ({"start": "1s", "style": "subtask"}, "text: is needed for subtask"),
        ({"start": "1s", "style": "reward"}, "value: is needed for reward"),
        ({"start": "1s", "style": "vqa", "text": "x"}, "camera: is needed for vqa"),
        ({"start": "1s", "style": "subtaks", "text": "x"}, "did you mean 'subtask'?"),
    ],
)
def test_rules_that_mean_nothing_are_refused(rule, said):
    with pytest.raises(PlanError) as caught:
        plan([rule])
    assert said in str(caught.value)


def test_a_rule_that_does_not_fit_the_recording_or_the_features_is_refused():
    rec = recording(ramp("joints", every(10, 3)))
    with pytest.raises(PlanError, match=r"labels.0.from: joints is a vector stream, not text"):
        resample(rec, plan([{"from": "joints", "style": "subtask"}]))
    with pytest.raises(PlanError, match=r"labels.0.from: no stream 'say'"):
        resample(rec, plan([{"from": "say", "style": "subtask"}]))
    with pytest.raises(PlanError, match="labels: they make the column intervention, which features have too"):
        plan([{"start": "0s", "style": "intervention", "value": 1}], features={"action": "a", "intervention": "b"})


def test_every_style_is_stored_in_a_column():
    assert [Label(0, 1, "plan", "x").number, Label(0, 1, "intervention", "Policy").number] == [None, 0]
    assert {style.column for style in STYLES.values()} == {
        PERSISTENT, EVENTS, "intervention", "next.reward", "next.done", "next.success"}  # fmt: skip


def test_an_event_that_is_said_twice_is_one():
    event = Label(3, 4, "interjection", "stop", "user")
    assert event.is_event
    assert in_order([event, event]) == (event,)


def test_a_list_of_nothing_but_empty_labels_is_refused():
    with pytest.raises(PlanError, match="holds no label"):
        list(label_lines("[{}]", "a.json", named_by="episode"))


def test_an_episode_gets_the_columns_of_its_labels_and_those_that_are_asked_for():
    rules = [
        {"start": "1s", "stop": "1.5s", "style": "intervention", "value": 1},
        {"start": "0s", "style": "subtask", "text": "reach"},
    ]
    made = resample(recording(ramp("joints", every(10, 3))), plan(rules))
    spoken = with_labels(made, ())
    added = [column.key for column in spoken.columns if column not in made.columns]
    assert added == [PERSISTENT, EVENTS, "intervention"]
    assert spoken.rows.column_names[: len(spoken.columns)] == [column.key for column in spoken.columns]
    assert spoken.rows["intervention"].to_pylist() == [False] * 10 + [True] * 5 + [False] * 15
    assert [one.text for one in labels_of(spoken.rows, 10.0)] == ["reach"]
    assert with_labels(spoken, ()) is spoken
    bare = resample(recording(ramp("joints", every(10, 3))), plan([]))
    assert with_labels(bare, ()) is bare
    asked = with_labels(bare, {"intervention"})
    assert asked.rows["intervention"].to_pylist() == [False] * 30


def test_labels_change_the_numbers_of_their_own_column_alone():
    held = np.array([1, 1, 0, 0])
    changes = [
        label(1, 3, None, "intervention", value=1),
        label(0, 4, "reach"),
        label(0, 1, None, "intervention", value=0),
    ]
    assert numbers_over(held, changes, "intervention").tolist() == [0, 1, 1, 0]
    assert held.tolist() == [1, 1, 0, 0]


def test_subtasks_that_are_numbers_of_texts_are_read_where_no_words_say_them():
    rows = pa.table({"subtask_index": [0, 0, -1, 1, 1, 2, 3]})
    found = labels_of(rows, 10.0, subtasks=["reach", " grasp", " "])
    assert [(one.start, one.stop, one.text) for one in found] == [(0, 2, "reach"), (3, 5, "grasp")]
    assert labels_of(rows, 10.0) == ()
