"""What of messages is worth proposing: positions of joints, the first point, and no transforms beside joints."""

import pytest

from telecine.core.proposal.messages import worthwhile
from telecine.core.recording_summary import StreamSummary


def kept(*names):
    found, guesses = worthwhile([StreamSummary(n, "vector", "float64", (2,)) for n in names])
    return [s.name for s in found], len(guesses)


@pytest.mark.parametrize(
    ("names", "expected", "guesses"),
    [
        (["/j:position", "/j:velocity", "/j:effort", "/k:velocity"], ["/j:position", "/k:velocity"], 1),
        (["/j:position", "/j:position(grip)", "/j:velocity(grip)"], ["/j:position", "/j:position(grip)"], 1),
        (["/c:feedback.positions", "/c:error.positions", "/c:error.velocities"],
         ["/c:feedback.positions", "/c:error.positions"], 1),
        (["/t:first.positions", "/t:last.positions", "/t:last.velocities"], ["/t:first.positions"], 2),
        (["/t:last.positions"], ["/t:last.positions"], 0),
        (["/tf:a->b", "/j:position"], ["/j:position"], 1),
        (["/tf:a->b", "/tf:b->c"], ["/tf:a->b", "/tf:b->c"], 0),
        (["position", "velocity"], ["position", "velocity"], 0),
    ],
)  # fmt: skip
def test_only_what_a_policy_would_use_is_proposed(names, expected, guesses):
    assert kept(*names) == (expected, guesses)
