"""`tf.train.Example`, the message of one record, without TensorFlow.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/example.proto and `feature.proto`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array
from telecine.sources.format import MissingExtra

Values = Array | Sequence[bytes]
"""Of one feature: (n,) float32 or int64, or n byte strings."""


def parse_example(data: bytes) -> Mapping[str, Values]:
    """Name -> values. Raises: SourceError for what is no Example; MissingExtra."""
    message, error = _message()
    try:
        features = message.FromString(data).features.feature
    except error as problem:
        raise SourceError(f"is no tf.train.Example: {problem}") from problem
    return {str(name): _values(features[name]) for name in features}


def _values(feature: Any) -> Values:
    match feature.WhichOneof("kind"):
        case "bytes_list":
            return list(feature.bytes_list.value)
        case "float_list":
            return np.array(feature.float_list.value, np.float32)
        case "int64_list":
            return np.array(feature.int64_list.value, np.int64)
        case _:
            return []


@cache
def _message() -> tuple[Any, Any]:
    """(class of the message, what it raises)."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
    except ModuleNotFoundError as error:
        raise MissingExtra("reading RLDS needs: pip install 'telecine[rlds]'") from error
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file(descriptor_pb2))
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
    return found, message.DecodeError


def _file(pb: Any) -> Any:
    """The two files of TensorFlow as one, in the words of descriptors."""
    field = pb.FieldDescriptorProto
    file = pb.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    for name, kind in (("Bytes", field.TYPE_BYTES), ("Float", field.TYPE_FLOAT), ("Int64", field.TYPE_INT64)):
        values = file.message_type.add(name=f"{name}List")
        values.field.add(name="value", number=1, type=kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("Bytes", "Float", "Int64"), 1):
        of_type = {"type": field.TYPE_MESSAGE, "type_name": f".tensorflow.{name}List"}
        feature.field.add(
            name=f"{name.lower()}_list", number=number, label=field.LABEL_OPTIONAL, oneof_index=0, **of_type
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry", options=pb.MessageOptions(map_entry=True))
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    inner = {"type": field.TYPE_MESSAGE, "type_name": ".tensorflow.Feature"}
    entry.field.add(name="value", number=2, label=field.LABEL_OPTIONAL, **inner)
    entries = {"type": field.TYPE_MESSAGE, "type_name": ".tensorflow.Features.FeatureEntry"}
    features.field.add(name="feature", number=1, label=field.LABEL_REPEATED, **entries)
    example = file.message_type.add(name="Example")
    whole = {"type": field.TYPE_MESSAGE, "type_name": ".tensorflow.Features"}
    example.field.add(name="features", number=1, label=field.LABEL_OPTIONAL, **whole)
    return file
