"""Clusters for tests of `--engine`, and a program that runs one of two raylets and kills one of them.

python cluster.py RECORDINGS OUT PLAN          in a network namespace of its own: Ray listens on all interfaces
python cluster.py RECORDINGS OUT PLAN store    nothing but a bucket between the nodes; then it is copied to OUT
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from telecine.run.cluster import Ended, run_command


class OneNode:
    """A `Cluster` that runs one command after the other, here. lost: names of those whose node dies, each once."""

    def __init__(self, slots=1, lost=()):
        self._slots, self.lost, self.ran = slots, set(lost), []

    def slots(self):
        return self._slots

    def run(self, commands, hear):
        for command in commands:
            if command.name in self.lost:
                self.lost.remove(command.name)
                yield Ended(command.name, "", 0.0, "lost with its node")
                continue
            self.ran.append(command.name)
            code, said = run_command(command, lambda done, name=command.name: hear(name, "here", done), "here")
            yield Ended(command.name, "here", 1.0, "" if command.is_done() else f"{code}: {said}")


class Watch:
    """A `Watcher` that remembers."""

    def __init__(self):
        self.total, self.done, self.notes = None, 0, []

    def begin(self, total_bytes, phase, items=0):
        self.total = total_bytes

    def advance(self, done_bytes, label):
        assert done_bytes > 0
        self.done += done_bytes

    def finish(self, items=1):
        pass

    def note(self, text):
        self.notes.append(text)


def main(recordings, out, plan_file, where="folder"):
    """All parts on two raylets, of which one is killed when it has just said that it works."""
    if where == "folder":
        run(recordings, out, plan_file)
        return
    from support.stores import Bucket, environment, s3_server

    with s3_server(f"{out}.log") as port:
        os.environ |= environment(f"http://127.0.0.1:{port}")
        bucket = Bucket("two-nodes", f"http://127.0.0.1:{port}")
        run(bucket.upload(recordings, "raw"), bucket.address("ds"), plan_file)
        bucket.download("ds", out)


def run(recordings, out, plan_file):
    """The same, of paths or addresses."""
    import telecine as tc
    from telecine.conversion.pipeline import Options
    from telecine.conversion.shards.engine import OnCluster, convert_on
    from telecine.run.executor import serial
    from telecine.run.ray import RayCluster, load

    load("made below")
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 << 20}
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    scratch = [tempfile.mkdtemp() for _ in range(2)]
    nodes = [machines.add_node(num_cpus=1, env_vars={"TELECINE_SCRATCH": folder}, **small) for folder in scratch]

    class Killing(Watch):
        killed = ""

        def note(self, text):
            super().note(text)
            print(text, file=sys.__stdout__, flush=True)
            if " is done on " in text and not Killing.killed:
                other = next(n for n in nodes if n.node_id[:8] not in text)
                Killing.killed = other.node_id[:8]
                machines.remove_node(other, allow_graceful=False)
                print(f"killed {Killing.killed}", file=sys.__stdout__, flush=True)

    plan = tc.parse_plan(Path(plan_file).read_text())
    asked = OnCluster([recordings], out, plan, Options(), ("--workers", "0"), 6)
    with RayCluster(machines.address, cpus=1, memory_bytes=0) as cluster:
        made = convert_on(asked, cluster, executor=serial, watcher=Killing())
    assert made.published, made
    assert Killing.killed
    print(f"published {made.episodes}", file=sys.__stdout__, flush=True)
    machines.shutdown()
    for folder in scratch:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(*sys.argv[1:])
    os.kill(os.getpid(), signal.SIGKILL)  # Ray's threads would wait for the raylet that is no more
