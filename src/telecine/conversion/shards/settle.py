"""Settles what all parts of a conversion share: the recordings, the codecs of cameras, the features of every row."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from telecine.conversion import checkpoint
from telecine.conversion.codec_choice import existing_codecs, settle_codecs
from telecine.conversion.derived import computed
from telecine.conversion.discovery import Episodes, discover
from telecine.conversion.pipeline import Options
from telecine.conversion.shards.job import NEW, Request, ShardJob, named, versions
from telecine.conversion.worker import Made, WorkerContext, build
from telecine.core.errors import DatasetError, VideoError
from telecine.core.plan.model import Plan
from telecine.core.recording import Ref
from telecine.core.shards import MOST_CHUNKS
from telecine.core.text.numbers import counted
from telecine.dataset.existing import ExistingDataset
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.schema import Features
from telecine.run.executor import Executor, silent
from telecine.sources.registry import Claim


@dataclass(frozen=True, eq=False, slots=True)
class AskedJob:
    """What a command is asked for. base: see `ShardJob`; existing: the dataset that episodes are added to.

    claims: the files; found: the recordings, where they were looked for before.
    """

    paths: tuple[str, ...]
    root: object
    plan: Plan
    options: Options
    request: Request
    base: str = NEW
    existing: ExistingDataset | None = None
    claims: Sequence[Claim] | None = None
    found: Episodes | None = None


def settle(asked: AskedJob, executor: Executor) -> tuple[ShardJob, tuple[Ref, ...]]:
    """The job, and its recordings in order: finds all, and makes the first usable episode to know the features.

    Raises: SourceError without a recording; DatasetError when there are more parts than chunks of files.
    """
    plan, options, existing = asked.plan, asked.options, asked.existing
    episodes = asked.found or discover(asked.paths, plan, **options.access, claims=asked.claims, executor=executor)
    settled = settle_codecs(plan, episodes.refs, executor, existing=existing_codecs(existing))
    features = existing.features if existing else _features(episodes.refs, settled, options, executor)
    first = first_chunk(existing)
    if first + asked.request.shards > MOST_CHUNKS:
        raise DatasetError(
            f"{asked.root}: it has {counted(first, 'chunk')} of {MOST_CHUNKS}, so there can be fewer parts"
        )
    job = ShardJob(
        asked.request, asked.paths, plan.to_dict(), settled.to_dict(), features, len(episodes.refs),
        episodes.size_bytes, asked.base, first, episodes.rejected, episodes.findings, episodes.folders, versions(),
        dict(options.tools.paths),
    )  # fmt: skip
    return named(job, episodes.refs), episodes.refs


def first_chunk(existing: ExistingDataset | None) -> int:
    """The first chunk that no file of the dataset is in."""
    nexts = () if existing is None else (existing.next_data, *existing.next_videos.values())
    return max((_after(index) for index in nexts), default=0)


def _after(index: FileIndex) -> int:
    return index.chunk + (index.file > 0)


def _features(refs: Sequence[Ref], plan: Plan, options: Options, executor: Executor) -> Features | None:
    """What the first episode that a writer takes sets for all; None where no recording is usable."""
    with tempfile.TemporaryDirectory(prefix="telecine-") as folder:
        scratch = Path(folder).resolve()
        context = WorkerContext(scratch, scratch / "episodes", sync=False, where=options.where)
        for number, ref in enumerate(refs):
            (made,) = executor(partial(build, plan=plan, context=context), [ref], silent)
            if not isinstance(made, Made):
                continue
            with suppress(DatasetError, VideoError), _writer(scratch / f"try-{number}", plan) as writer:
                writer.add(computed(checkpoint.load(made.folder, ref), plan, options.tools))
                return writer.features
    return None


def _writer(root: Path, plan: Plan) -> DatasetWriter:
    return DatasetWriter.create(root, fps=plan.fps, robot_type=plan.robot_type, relative=plan.stats.relative)
