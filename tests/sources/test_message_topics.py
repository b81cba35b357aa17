"""Every topic of real recordings: as many messages as other libraries count, and a fate of its own.

Small recordings of other projects are in `tests/data`; larger ones are outside this repository.
"""

from types import ModuleType

import pytest

from support.samples import sample, samples
from support.topics import by_library
from telecine.core.accounting import account
from telecine.core.plan.model import make_plan
from telecine.core.recording import Recording
from telecine.sources import registry

PLAN = make_plan({"fps": 10, "clock": {"timeline": "log_time"}, "features": {"action": "/none"}, "task": "x"})
RECORDINGS = [name for name in samples("mcap", ".mcap", ".bag", ".db3") if not name.endswith("/Dockerfile.mcap")]


def fates(recording: Recording) -> dict[str, set[str]]:
    """Topic -> what became of its streams."""
    found: dict[str, set[str]] = {}
    for item in account(recording, PLAN).left_out:
        found.setdefault(item.stream.partition(":")[0], set()).add(item.what)
    return found


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_topic_has_the_messages_that_others_count_and_one_fate(name: str, mcap: ModuleType) -> None:
    path = sample(name)
    theirs, (ref, *_) = by_library(path), registry.find([path], recover=True).refs
    with registry.open(ref) as recording:
        ours, made = fates(recording), account(recording, PLAN)
        names = [name for name, _ in made.used] + [item.stream for item in made.left_out]
        sizes = {name: s.times("log_time").size for name, s in recording.streams.items() if "log_time" in s.clocks}
    assert len(names) == len(set(names))
    if theirs is None:
        return  # damaged: only we read it
    assert ours.keys() == theirs.keys()
    assert [t for t, (_, decoded) in theirs.items() if decoded and ours[t] == {"unreadable"}] == []
    assert [t for t, (count, _) in theirs.items() if not count and ours[t] != {"offered"}] == []
    whole = {name: size for name, size in sizes.items() if "->" not in name}
    assert {name: size for name, size in whole.items() if size > theirs[name.partition(":")[0]][0]} == {}
