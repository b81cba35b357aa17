"""Which decoder reads the messages of a topic: by the labels of the recording, and by the bytes where those lie."""

from collections.abc import Iterator, Sequence

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.sources.messages.decoding import cdr, types
from telecine.sources.messages.decoding.cdr import Asked, DecodedBatch
from telecine.sources.messages.decoding.protocol import Batch, Decoder, Definition, FirstMessages


def decoder_of(definition: Definition, samples: FirstMessages) -> Decoder:
    """The decoder for messages so defined.

    Raises:
        SourceError: there is none, and why.
    """
    match definition.encoding:
        case "cdr" | "ros1" | "ros1msg":
            return _serial(definition, samples)
        case "protobuf":
            from telecine.sources.messages.decoding.protobuf_decoder import ProtobufDecoder

            return ProtobufDecoder(definition.name, definition.data)
        case "json":
            from telecine.sources.messages.decoding.json_decoder import JsonDecoder

            return JsonDecoder(definition.data, samples(JsonDecoder.SAMPLES))
    known = "cdr, ros1, protobuf, json"
    raise SourceError(f"messages encoded as {definition.encoding!r} cannot be read; telecine reads {known}")


def _serial(definition: Definition, samples: FirstMessages) -> Decoder:
    """CDR or ROS 1. Recorders have labelled ROS 1 messages `cdr`: where labels differ, the first message decides."""
    kinds = ["cdr"] if definition.encoding == "cdr" else ["ros1"]
    if kinds == ["cdr"] and definition.written_as == "ros1msg":
        kinds = ["ros1", "cdr"]
    root = _root(definition, kinds[0], samples)
    decoders = [SerialDecoder(root, kind) for kind in kinds]
    if len(decoders) > 1 and (first := samples(1)):
        none: Rows = np.zeros(1, np.int64)
        batch = Batch(none, np.frombuffer(first[0], np.uint8), none, none + len(first[0]))
        answers = [(decoder.decode(batch, ()), decoder) for decoder in decoders]
        readable = [(answer.tail[1], decoder) for answer, decoder in answers if len(answer.rows)]
        if readable:
            return min(readable, key=lambda item: item[0])[1]
    return decoders[0]


def _undefined(definition: Definition, kind: str, samples: FirstMessages) -> types.StructType:
    """A standard type, or one without fields: both have no definition."""
    try:
        return types.standard(definition.name, ros1=kind == "ros1")
    except SourceError:
        if all(len(sample) <= cdr.HEADER_BYTES + cdr.TAIL_BYTES for sample in samples(1)):
            return types.StructType(())
        raise


def _root(definition: Definition, kind: str, samples: FirstMessages) -> types.StructType:
    text = definition.data.decode("utf-8", "replace")
    if definition.written_as in ("ros2idl", "omgidl", "idl"):
        return types.parse(definition.name, text, idl=True)
    if definition.written_as not in ("ros2msg", "ros1msg", "msg", ""):
        raise SourceError(f"definitions written as {definition.written_as!r} cannot be read")
    if not text.strip():
        return _undefined(definition, kind, samples)
    return types.parse(definition.name, text)


class SerialDecoder:
    """CDR and ROS 1."""

    def __init__(self, root: types.StructType, encoding: str) -> None:
        self.encoding = encoding
        self.leaves = tuple(types.leaves(root))
        self._root = root
        self._decode = cdr.decode_cdr if encoding == "cdr" else cdr.decode_ros1

    def decode(self, batch: Batch, paths: Sequence[str], spans: Sequence[str] = ()) -> DecodedBatch:
        """See `Decoder.decode`."""
        asked = Asked(frozenset(paths), spans, batch.held)
        return self._decode(self._root, batch.data, batch.starts, batch.sizes, asked)

    def blobs(self, batch: Batch, path: str) -> Iterator[memoryview | str]:
        """See `Decoder.blobs`. Views of the data: nothing is copied."""
        answer = self.decode(batch, (), (path,))
        raw = memoryview(np.ascontiguousarray(batch.data).data).toreadonly()
        first, length = answer.byte_spans[path] if len(answer.rows) else (batch.starts, batch.sizes)
        found = {
            row: raw[a : a + n]
            for row, a, n in zip(answer.rows.tolist(), first.tolist(), length.tolist(), strict=False)
        }
        for row in range(len(batch.starts)):
            yield found[row] if row in found else answer.bad[row]
