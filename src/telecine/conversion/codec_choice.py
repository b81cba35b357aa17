"""Which codec each camera of a dataset has: one per camera, settled before the first episode is made.

The plan's own choice comes first, then the codec of the dataset that is appended to, then that of the first usable
recording whose packets can be copied, then the preset's.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from telecine.conversion.cameras import prepare
from telecine.conversion.video_index import CODECS
from telecine.core.copying.splice import Splice
from telecine.core.errors import TelecineError
from telecine.core.plan.bind import find_stream
from telecine.core.plan.model import Plan
from telecine.core.recording import Codec, Recording, Ref
from telecine.dataset.existing import ExistingDataset
from telecine.run.executor import Executor, Tell, serial, silent
from telecine.sources.part_cache import opened


def settle_codecs(
    plan: Plan, refs: Iterable[Ref], executor: Executor = serial, *, existing: Mapping[str, Codec] | None = None
) -> Plan:
    """The plan with the codecs of its cameras that all workers then agree on.

    existing: codec by camera key of the dataset that is appended to.
    """
    plan = _with_codecs(plan, {k: c for k, c in (existing or {}).items() if _preset(plan, k) != "images"})
    if all(plan.video_of(f).codec for f in plan.features):
        return plan
    for ref in refs:
        (found,) = executor(partial(_copied_codecs, plan=plan), [ref], silent)
        if isinstance(found, dict):
            return _with_codecs(plan, found)
    return plan


def existing_codecs(published: ExistingDataset | None) -> dict[str, Codec]:
    """Codec by camera key of the dataset that is appended to."""
    cameras = published.features.videos if published else ()
    return {camera.key: codec for camera in cameras if (codec := camera.format.codec) != "png"}


def _copied_codecs(ref: Ref, tell: Tell, *, plan: Plan) -> dict[str, Codec] | None:
    """Camera key -> codec, for the cameras of this recording that can be copied; None when it is not usable."""
    del tell
    try:
        with opened(ref) as recording:
            codecs = _source_codecs(plan, recording)
            if not codecs:
                return {}
            cameras = prepare(recording, _with_codecs(plan, codecs)).cameras
    except TelecineError:
        return None  # the worker meets it again and reports it
    copied = {camera.pick.feature.key for camera in cameras if isinstance(camera.decision, Splice)}
    return {key: codec for key, codec in codecs.items() if key in copied}


def _source_codecs(plan: Plan, recording: Recording) -> dict[str, Codec]:
    """Camera key -> codec of its stream, where the plan leaves the codec open and it is not the preset's."""
    found: dict[str, Codec] = {}
    for feature in plan.features:
        video, stream = plan.video_of(feature), find_stream(feature.sources[0].stream, recording.streams)
        is_open = video.codec is None and video.preset == "train" and video.copy_policy != "never"
        # Only planned cameras are asked: a schema can mean reading the stream.
        if is_open and not isinstance(stream, str) and stream.kind == "video" and stream.schema.depth is None:
            codec = next((c for c in CODECS if c == stream.schema.encoding), None)
            if codec and codec != "h264":
                found[feature.key] = codec
    return found


def _preset(plan: Plan, key: str) -> str:
    return next((plan.video_of(f).preset for f in plan.features if f.key == key), "")


def _with_codecs(plan: Plan, codecs: Mapping[str, Codec]) -> Plan:
    """The plan with these codecs by camera key, where it names none."""
    features = []
    for feature in plan.features:
        video = plan.video_of(feature)
        if video.codec is None and feature.key in codecs:
            feature = feature.model_copy(update={"video": video.model_copy(update={"codec": codecs[feature.key]})})
        features.append(feature)
    return plan.model_copy(update={"features": tuple(features)})
