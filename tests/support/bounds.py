"""What reading an input costs, measured in a process of its own: seconds, and memory beyond that of a sound input."""

import json
import subprocess
import sys
from dataclasses import dataclass

READ = """
import json, resource, sys, time
import numpy as np
from telecine.core.errors import TelecineError
from telecine.sources import registry
from telecine.sources.border import border

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(path):
    said = []
    found = registry.find([path])
    said += [str(finding) for finding in found.findings]
    for ref in found.refs:
        try:
            with border(ref.label), registry.open(ref) as recording:
                said += [f"{item.stream}: {item.why}" for item in recording.left_out]
                for stream in recording.streams.values():
                    try:
                        with border(stream.name):
                            for clock in stream.clocks:
                                count = min(len(stream.times(clock)), 4)
                                if stream.kind == "video":
                                    list(stream.packets(clock, 0, count))
                                else:
                                    list(stream.take(np.arange(count), clock))
                    except TelecineError as error:
                        said.append(str(error))
        except TelecineError as error:
            said.append(str(error))
    return said

sound, path = sys.argv[1:]
read(sound)
before, began = peak(), time.monotonic()
said = read(path)
print(json.dumps([said, peak() - before, time.monotonic() - began]))
"""


@dataclass(frozen=True)
class Cost:
    """Everything that was said, and what that took."""

    said: tuple[str, ...]
    grown_bytes: int
    seconds: float


def cost_of(path, sound) -> Cost:
    """Read `path` whole after `sound`, which loads what is needed. A process that dies fails the test."""
    command = [sys.executable, "-X", "faulthandler", "-c", READ, str(sound), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said, grown, seconds = json.loads(done.stdout.splitlines()[-1])
    return Cost(tuple(said), grown, seconds)
