"""Makes one part of a conversion: `telecine convert IN OUT --shard 7/200`."""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from telecine.conversion.discovery import Episodes
from telecine.conversion.pipeline import Options, Settled, convert_part, require_sound
from telecine.conversion.report import Report
from telecine.conversion.shards.adding import existing_of, require_whole
from telecine.conversion.shards.deliver import deliver
from telecine.conversion.shards.job import (
    JOB,
    Request,
    ShardJob,
    check_job,
    listing_digest,
    read_refs,
    write_job,
)
from telecine.conversion.shards.manifest import Manifest, manifest_of, write_manifest
from telecine.conversion.shards.place import JobPlace, place_of
from telecine.conversion.shards.settle import AskedJob, settle
from telecine.conversion.shards.survey import part_folder, part_state
from telecine.core.errors import DatasetError, PlanError, StoreError, TelecineError
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.core.progress import Progress
from telecine.core.shards import MOST_CHUNKS, Shard, chunks_of, cut
from telecine.core.text.numbers import counted
from telecine.core.text.renamed import rename_error
from telecine.dataset.existing import ExistingDataset
from telecine.dataset.staging import Asker, require_writable
from telecine.lerobot_format.paths import INFO, file_index_of
from telecine.run.executor import Executor
from telecine.sources import registry
from telecine.sources.registry import Claim
from telecine.storage.store import FileStore

Origins: TypeAlias = frozenset[tuple[str, str, int]]
"""See `ExistingDataset.origins`."""


def convert_shard(
    paths: Sequence[str],
    root: str | Path,
    plan: Plan,
    options: Options,
    *,
    shard: Shard,
    executor: Executor,
    progress: Progress | None = None,
) -> Report:
    """Make a part of the conversion of all recordings at `paths` into `root`, or find that it is there.

    The first part to come settles what all share (see `ShardJob`). Raises: as `pipeline.convert`, and PlanError for
    another conversion than the one that was begun.
    """
    place = place_of(root)
    claims = registry.claimed(paths, follow_links=options.follow_links)
    request = request_of(paths, plan, options, shards=shard.of, claims=claims)
    if is_published(place, request):
        return _report(
            place, plan, shard, f"the dataset of all {counted(shard.of, 'part')} is published; nothing is left to do"
        )
    job, known = begun(place, paths, plan, options, request=request, claims=claims, executor=executor)
    store = place.job(job.base)
    state, done = part_state(place, job, shard)
    if done is not None:
        text = f"this part is done ({counted(done.episodes, 'episode')}); `telecine finalize {root}` joins all parts"
        return replace(_report(place, plan, shard, text), rejected=done.rejected)
    try:
        if place.folder is None and state.what in ("incomplete", "foreign"):
            store.delete(f"{shard.name}.json")  # until it is whole again there is no such part
        report = _made(place, job, shard, paths, options, known, executor=executor, progress=progress)
        wrong = next((f for f in report.findings if f.severity == "error" and f.code.startswith("verify-")), None)
        _note(store, job, shard, str(wrong) if wrong else None)
    except TelecineError as error:
        rename_error(error, {f"{part_folder(place.local().job(job.base), shard)}: ": f"{place.name}: part {shard}: "})
        with suppress(StoreError):  # the error itself says more
            _note(store, job, shard, str(error))
        raise
    return report


def _note(store: FileStore, job: ShardJob, shard: Shard, why: str | None) -> None:
    """Say why the part's last run ended without a manifest, or that there is no such reason any more."""
    name = f"{shard.name}.failed.json"
    if why is None:
        store.delete(name)
    else:
        text = json.dumps({"job": job.id, "why": why}, ensure_ascii=False) + "\n"
        store.put(name, text.encode(errors="backslashreplace"))


def request_of(paths: Sequence[str], plan: Plan, options: Options, *, shards: int, claims: Sequence[Claim]) -> Request:
    """What is asked for, of these files. Raises: PlanError for what parts cannot do."""
    if plan.layout != "v3.0":
        raise PlanError(f"--shard makes LeRobot v3.0 datasets, not {plan.layout}; leave the layout out")
    if options.overwrite:
        raise PlanError("--shard does not go with --overwrite: another part may be there; remove the dataset before")
    if options.select.names or options.select.most is not None:
        raise PlanError("--shard converts all recordings; give only the files that are meant")
    listing = listing_digest(((claim.path, claim.size_bytes) for claim in claims), paths)
    return Request(shards, plan.digest(), listing, options.where, options.append, dict(options.tools.about))


def is_published(place: JobPlace, request: Request) -> bool:
    """True when the dataset is there and was made, or last added to, by the same request."""
    if not place.is_published():
        return False
    last = place.last_job()
    return last is not None and last.request == request


def begun(
    place: JobPlace,
    paths: Sequence[str],
    plan: Plan,
    options: Options,
    *,
    request: Request,
    claims: Sequence[Claim],
    executor: Executor,
    found: Episodes | None = None,
) -> tuple[ShardJob, Origins]:
    """The job, settled now or before, and the episodes of the dataset that it adds to. Raises: see `convert_shard`.

    found: the recordings, where they were looked for before.
    """
    base = place.base(append=request.append)
    store = place.job(base)
    if not request.append:
        _require_free(place, store)
    with existing_of(place, base) as existing:
        if existing is not None:
            _require_same(place, "fps", plan.fps, existing.info["fps"])
            _require_same(place, "robot_type", plan.robot_type, existing.info.get("robot_type"))
        job = place.begun(base)
        if job is None:
            if existing is not None:
                _require_sound(place, existing)
            asked = AskedJob(tuple(paths), place.name, plan, options, request, base, existing, claims, found)
            write_job(store, *settle(asked, executor))
            job = place.begun(base)
            assert job is not None
        check_job(job, request, plan, place.name)
        return job, existing.origins() if existing else frozenset()


def _require_sound(place: JobPlace, existing: ExistingDataset) -> None:
    if place.folder is None:
        require_whole(place, existing)
    else:
        require_sound(existing.root)


def _require_free(place: JobPlace, store: FileStore) -> None:
    """Nothing, when a dataset may appear there, or parts of it are there. Raises: DatasetError; StoreError."""
    if place.is_published():
        fix = "name another folder, or add episodes to it with --append"
        raise DatasetError(f"{place.name}: exists, and another command made it than this one; {fix}")
    if place.folder is not None:
        require_writable(place.folder, overwrite=False, asker=Asker(append="--append"))
        return
    # The job is looked for again at the end: another part may have begun it, and brought files, since the first look.
    free = store.head(JOB) is not None or next(place.dataset.list(), None) is None or store.head(JOB) is not None
    if not free:
        raise DatasetError(f"{place.name}: exists and is not empty; name another folder")


def plan_begun(root: str | Path, *, append: bool) -> Plan | None:
    """The plan of the conversion into `root` that was begun, if one was."""
    place = place_of(root)
    if append and not (place.is_published() or place.changing()):
        return None
    job = place.begun(place.base(append=append))
    return None if job is None else job.asked_plan


def _require_same(place: JobPlace, what: str, given: object, there: object) -> None:
    if given != there:
        text = f"{place.name}: has {what} {there!r}, the plan says {given!r}; append with the plan of the dataset"
        raise DatasetError(f"{text}, or make a new one")


def _made(
    place: JobPlace, job: ShardJob, shard: Shard, paths: Sequence[str], options: Options,
    known: Origins, *, executor: Executor, progress: Progress | None,
) -> Report:  # fmt: skip
    store = place.local().job(job.base)
    if place.folder is None and (made := part_state(place.local(), job, shard)[1]) is not None:
        deliver(place, job, shard, made)  # an earlier run could not
        text = f"this part was made before ({counted(made.episodes, 'episode')}), and is uploaded now"
        return replace(_report(place, job.asked_plan, shard, text), rejected=made.rejected)
    refs = read_refs(place.job(job.base), job, paths, token=options.token)
    mine = cut([ref.size_bytes for ref in refs], shard.of)[shard.number - 1]
    first = shard.number == 1  # it tells what was found of all
    found = (job.findings, job.rejected) if first else ((), ())
    episodes = Episodes(refs[mine.start : mine.stop], *found, folders=job.folders)
    settled = Settled(episodes, job.features, known)
    folder = part_folder(store, shard)
    if folder.is_dir() and not (folder / INFO).is_file():
        shutil.rmtree(folder)  # half a copy: a part appears by one rename, with all that it holds
    inner = replace(options, append=False, overwrite=True, where=job.request.where)
    report = convert_part(folder, job.settled_plan, settled, inner, executor=executor, progress=progress)
    told = (
        replace(finding, where=place.name) if finding.where == str(folder) else finding for finding in report.findings
    )
    report = replace(report, root=place.name, findings=tuple(told), shard=str(shard))
    if report.rejected and options.strict:
        raise DatasetError(f"{place.name}: part {shard}: --strict stops at {report.rejected[0].reason}")
    if any(f.severity == "error" and f.code.startswith("verify-") for f in report.findings):
        return report
    manifest = manifest_of(job.id, shard, report, folder, (*job.folders, str(folder.parent)))
    _check_room(place, job, shard, manifest)
    write_manifest(store, manifest, shard.name)
    if place.folder is None:
        deliver(place, job, shard, manifest)
    return report


def _check_room(place: JobPlace, job: ShardJob, shard: Shard, manifest: Manifest) -> None:
    """Nothing, when the part's files fit into the chunks that it may fill. Raises: DatasetError."""
    used = max((index.chunk for f in manifest.files if (index := file_index_of(f.name)) is not None), default=0) + 1
    if used > chunks_of(shard, job.first_chunk):
        text = (
            f"{place.name}: part {shard} fills {counted(used, 'chunk')} of files, and there are {MOST_CHUNKS} "
            "for all parts"
        )
        raise DatasetError(f"{text}; begin again with more parts, such as --shard 1/{min(shard.of * 4, MOST_CHUNKS)}")


def _report(place: JobPlace, plan: Plan, shard: Shard, text: str) -> Report:
    found = Finding("convert-shard", "info", place.name, text)
    return Report(place.name, plan.fps, plan.digest(), (), (), (found,), 0.0, shard=str(shard))
