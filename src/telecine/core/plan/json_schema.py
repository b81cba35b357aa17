"""The JSON Schema of plan files, in the shape in which people write them. Pure."""

from typing import Any

from telecine.core.plan.model import Plan


def json_schema() -> dict[str, Any]:
    """JSON Schema of the plan file, so that editors complete and check it."""
    schema = Plan.model_json_schema(by_alias=True, mode="validation")
    take = {"$ref": "#/$defs/Take"}
    one = {"anyOf": [{"type": "string"}, take]}
    feature = schema["$defs"]["Feature"]
    feature["properties"].pop("key")
    feature["required"].remove("key")
    feature["properties"]["from"] = {"anyOf": [*one["anyOf"], {"type": "array", "items": one}]}
    body = {"anyOf": [{"$ref": "#/$defs/Feature"}, {"type": "string"}]}
    schema["properties"]["features"] = {"type": "object", "minProperties": 1, "additionalProperties": body}
    schema["properties"]["task"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Task"}]}
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    schema["$defs"]["Task"]["properties"]["recordings"] = texts
    duration = {"type": "string", "examples": ["40ms", "0.5s"]}
    schema["$defs"]["Take"]["properties"]["offset"] |= duration
    schema["$defs"]["LabelRule"]["properties"]["offset"] |= duration
    for model, name in (("Split", "gaps"), ("Split", "shortest"), ("Trim", "margin")):
        described = schema["$defs"][model]["properties"][name]
        schema["$defs"][model]["properties"][name] = {"description": described["description"], **duration}
    for model, name in ((m, n) for m in ("EpisodeSpan", "LabelRule") for n in ("start", "stop")):
        moment = schema["$defs"][model]["properties"][name]
        schema["$defs"][model]["properties"][name] = {
            "description": moment["description"],
            "type": ["number", "string"],
        }
    for model, name in (("Feature", "limit"), ("Clock", "phase"), ("Video", "slack")):
        described = schema["$defs"][model]["properties"][name]
        schema["$defs"][model]["properties"][name] = {"description": described["description"], **duration}
    schema["$defs"]["Clock"]["properties"]["rate"] = {"type": ["number", "string", "null"]}
    schema["description"] = schema["description"].partition("\n\n")[0]  # an editor shows it: no examples in Python
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "telecine plan"}
