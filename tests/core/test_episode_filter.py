"""What `convert --where` can say of a recording before it is aligned."""

import numpy as np
import pytest

from support.memory import every, recording, vector
from telecine.core import episode_filter
from telecine.core.episode_filter import why_not_before
from telecine.core.errors import SourceError


def plain():
    return recording(vector("a", every(0.1, 5), np.arange(5)))


@pytest.mark.parametrize("where", ["success == true", "rows >= 3", "outcome == 'dropped'"])
def test_nothing_is_said_of_what_is_not_known_yet(where):
    assert why_not_before(where, plain()) is None


def test_a_recording_is_left_out_by_its_name():
    assert why_not_before("recording == 'other'", plain()) == "recording is mem.rrd#rec"


def test_what_cannot_be_read_is_left_to_alignment(monkeypatch):
    def unreadable(given):
        raise SourceError("cut off")

    monkeypatch.setattr(episode_filter, "facts_of", unreadable)
    assert why_not_before("success == true", plain()) is None
