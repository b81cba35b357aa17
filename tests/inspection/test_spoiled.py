"""Every kind of defect that `record sim --spoil` makes is found in its episode, feature and rows, and nothing else is.

What is expected stands here, in rows, and not where the defects are made. Sets of eight defects in eleven episodes: the
first two and the last are sound, so that a finding in them is a false alarm.
"""

import pytest

from telecine.inspection.quality import check_dataset
from telecine.recorder.sim.record import record
from telecine.recorder.sim.spoil import KINDS, Spoil

pytestmark = [
    pytest.mark.usefixtures("mujoco"),
    pytest.mark.filterwarnings("ignore:.*record-behind"),  # the encoder of a busy machine
]
STATE, ACTION, FRONT, WRIST = "observation.state", "action", "observation.images.front", "observation.images.wrist"
STEP = 2
"""Rows by which a place may be off."""
START, STOP = 18, 45
"""Per cent of an episode between which a stretch is spoiled."""
ALL = (0, 100)
SETS = (
    ("stuck", "dark", "dead", "frozen", "task", "units", "range", "white"),
    ("spikes", "torn", "gripper", "placeholder", "copy", "order", "frozen-all", "idle"),
    ("jump", "dim", "late-state", "first-frame", "cameras", "values", "short", "clipped"),
    ("repeated", "blurred", "action-state", "spelling", "timestamps", "dim-all", "blurred-all", "long"),
    ("stuck-briefly", "frozen-briefly", "flash", "shifted", "mirrored", "upside-down", "reversed", "inverted"),
)
FIRST = 2
EPISODES = FIRST + 8 + 1
PLACES = {
    "stuck": ("look-stuck", [STATE], (START, STOP)),
    "spikes": ("look-spikes", [STATE], (START, START)),
    "jump": ("look-jump", [STATE], (START, START)),
    "clipped": ("look-clipped", [STATE], None),
    "repeated": ("look-repeated", [None], (START, 2 * START)),
    "idle": ("look-idle", [None], (0, 30)),
    "action-state": ("look-action-state", [ACTION], ALL),
    "dead": ("look-dead", [STATE], ALL),
    "gripper": ("look-gripper", [STATE, ACTION], ALL),
    "copy": ("look-copy", [None], ALL),
    "units": ("look-units", [STATE, ACTION], ALL),
    "order": ("look-order", [STATE, ACTION], ALL),
    "late-state": ("look-lag", [STATE], ALL),
    "range": ("look-range", [STATE], ((START + STOP) / 2, (START + STOP) / 2)),
    "short": ("look-short", [None], (0, 10)),
    "long": ("look-long", [None], (0, 500)),
    "values": ("look-values", [STATE], (START, STOP)),
    "timestamps": ("look-timestamps", ["timestamp"], (START, STOP)),
    "task": ("look-task", ["task"], ALL),
    "placeholder": ("look-task", ["task"], ALL),
    "spelling": ("look-spelling", ["task"], ALL),
    "dark": ("look-dark", [FRONT], (START, STOP)),
    "white": ("look-white", [FRONT], (START, STOP)),
    "dim": ("look-dim", [FRONT], (START, STOP)),
    "dim-all": ("look-dim", [FRONT], ALL),
    "frozen": ("look-frozen", [FRONT], (START, STOP)),
    "frozen-all": ("look-frozen", [FRONT], ALL),
    "blurred": ("look-blurred", [FRONT], (START, STOP)),
    "blurred-all": ("look-blurred", [FRONT], ALL),
    "torn": ("look-torn", [FRONT], (START, STOP)),
    "first-frame": ("look-first-frame", [FRONT, WRIST], (0, 0)),
    "cameras": ("look-cameras", [FRONT], ALL),
    "stuck-briefly": ("look-stuck", [STATE], None),
    "frozen-briefly": ("look-frozen", [FRONT], None),
    "flash": ("look-flash", [FRONT], None),
    "shifted": ("look-torn", [FRONT], (START, STOP)),
    "mirrored": ("look-cameras", [FRONT], ALL),
    "upside-down": ("look-cameras", [FRONT], ALL),
    "reversed": ("look-reversed", [None], (START, STOP)),
    "inverted": ("look-gripper", [STATE, ACTION], ALL),
}
"""Kind -> (code, the features, [start, stop) in hundredths of an episode of 5 s; None where the motion decides, and the
recorder says what it was)."""
ALSO = {"long": [("look-idle", None)]}
"""What follows from a defect and is told as well: after its task the robot of a long episode waits."""


def found_in(folder, kinds, **about):
    """{(code, episode, key): rows} of a set with defects from the third episode on, and where they were made."""
    spoil = [Spoil(kind, FIRST + at) for at, kind in enumerate(kinds)]
    played = record(folder, episodes=FIRST + len(kinds) + 1, spoil=spoil, **about)
    found = {(f.code, f.episode, f.key): f.rows for f in check_dataset(folder, remember=False)}
    return found, {one.kind: one.rows for episode in played for one in episode.spoiled}


def misplaced(kinds, found, made, count):
    """What is expected and not found there, and what is found and not expected."""
    left, missed = dict(found), []
    for at, kind in enumerate(kinds):
        code, keys, place = PLACES[kind]
        for key in keys:
            rows = left.pop((code, FIRST + at, key), None)
            if rows is None or (off(rows, place, count) if place else apart(rows, made[kind])) > STEP:
                missed.append((kind, key, rows))
        for code, key in ALSO.get(kind, ()):
            left.pop((code, FIRST + at, key), None)
    return missed, left


def off(rows, place, count):
    """By how many rows a place differs from what is expected; single rows are one or two long."""
    start, stop = (round(share * count / 100) for share in place)
    if start == stop:
        return max(abs(rows[0] - start), abs(rows[1] - 1 - start))
    return max(abs(rows[0] - start), abs(rows[1] - stop))


def apart(rows, place):
    """By how many rows two places differ."""
    return max(abs(rows[0] - place[0]), abs(rows[1] - place[1]))


def test_every_kind_is_expected_somewhere():
    assert sorted(kind for kinds in SETS for kind in kinds) == sorted(PLACES) == sorted(KINDS)


def test_some_defects_are_found_to_the_row_and_nothing_else(tmp_path):
    kinds = ("stuck", "torn", "frozen", "dead", "dark")
    found, made = found_in(tmp_path / "set", kinds, fps=10, seconds=4.0, size=(96, 72))
    assert misplaced(kinds, found, made, 40) == ([], {})


@pytest.mark.long
@pytest.mark.parametrize(
    "about",
    [
        {"task": "pick", "fps": 20, "size": (160, 120), "seed": 0},
        {"task": "handover", "fps": 30, "size": (96, 72), "seed": 50},
        {"task": "pick", "fps": 15, "size": (320, 240), "seed": 900},
    ],
    ids=lambda about: f"{about['task']}-{about['fps']}",
)
@pytest.mark.parametrize("kinds", SETS, ids=lambda kinds: kinds[0])
def test_every_defect_is_found_to_the_row_and_nothing_else(tmp_path, kinds, about):
    found, made = found_in(tmp_path / "set", kinds, seconds=5.0, **about)
    assert misplaced(kinds, found, made, 5 * about["fps"]) == ([], {})
