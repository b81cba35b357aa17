"""An edit: which episodes of one dataset, or of several, become a new one, and what changes in them.

Canonical form of everything that the command line, tables and the page can ask for. Data only: it compares, prints,
and is written beside a dataset while a person decides. `resolve.py` applies it to given datasets.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from telecine.core.errors import EditError, PlanError
from telecine.core.label import StyleName
from telecine.core.plan.derived import Derived
from telecine.core.plan.fields import Model
from telecine.core.text.documents import keys_of, mistakes, read_mapping, to_yaml
from telecine.core.text.numbers import counted
from telecine.core.text.pages import page

Success = bool | Literal["unknown"]


def _text_key(value: Any) -> Any:
    """Episodes as text: YAML reads 3 as a number."""
    return {str(key): entry for key, entry in value.items()} if isinstance(value, Mapping) else value


def _text_keys(value: Any) -> Any:
    return tuple(str(key) for key in value) if isinstance(value, list | tuple) else value


class Marks(Model):
    """What an edit makes of an episode or a part of it; None: as it was."""

    drop: bool = Field(False, description="Leave it out.")
    task: str | None = Field(None, min_length=1, description="The task text of all its rows.")
    success: Success | None = Field(None, description="true, false, or unknown.")
    outcome: str | None = Field(None, description="What became of it, in a word.")
    tags: tuple[str, ...] | None = Field(None, description="Words to find it by; replaces those it has.")
    comment: str | None = Field(None, description="For people; kept in the edit only.")


class PartEdit(Marks):
    """Rows [start, stop) of an episode, as an episode of their own."""

    rows: tuple[int, int] = Field(description="[start, stop), counted from 0 in the source episode.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 <= self.rows[0] < self.rows[1]:
            raise ValueError(f"rows: [{self.rows[0]}, {self.rows[1]}] holds no row; write [start, stop), start < stop")
        return self


class EpisodeEdit(Marks):
    """What happens to one episode. Without `parts` all of it stays; with them, just those rows."""

    parts: tuple[PartEdit, ...] = Field((), description="In order, without overlaps; rows outside them are left out.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for one, other in pairwise(self.parts):
            if other.rows[0] < one.rows[1]:
                raise ValueError(f"parts: {list(one.rows)} and {list(other.rows)} overlap or are not in order")
        if self.drop and self.parts:
            raise ValueError("drop: and parts: exclude each other")
        return self


class EditInput(Model):
    """A dataset that episodes are taken from."""

    path: str = Field(description="Its folder, as seen from where the command runs.")
    fingerprint: str | None = Field(None, description="What it held when the edit was made; another is refused.")
    episodes: int | None = Field(None, ge=0, description="How many episodes the fingerprint covers.")


class FeatureEdit(Model):
    """Columns renamed, left out, or computed."""

    rename: Mapping[str, str] = Field({}, description="Old key: new key.")
    drop: tuple[str, ...] = Field((), description="Keys that are left out.")
    add: tuple[Derived, ...] = Field((), description="Columns computed from others, under their keys of the source.")


class CameraEdit(Model):
    """How a camera is stored anew: all of its frames are re-encoded."""

    size: tuple[int, int] | None = Field(None, description="[width, height] in px.")
    crop: tuple[int, int, int, int] | None = Field(None, description="[left, top, width, height] in px, before size.")
    codec: Literal["h264", "hevc", "av1"] | None = Field(None, description="Codec to encode with.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size is None and self.crop is None and self.codec is None:
            raise ValueError("size, crop or codec: say what is to change")
        if min(self.size or (1,)) < 1 or min((self.crop or (0, 0, 1, 1))[2:]) < 1 or min((self.crop or (0, 0))[:2]) < 0:
            raise ValueError("size and crop are whole numbers of px, at least 1 wide and high")
        return self


class LabelEdit(Model):
    """What rows of an episode are; over the labels of the same style that are there."""

    episode: Annotated[str, BeforeValidator(str)] = Field(description='"input/episode", or "episode" alone.')
    rows: tuple[int, int] | None = Field(None, description="[start, stop) in the source episode; default: all of it.")
    style: StyleName = Field(description=f"What the label is; the styles: {page('labels')}")
    text: str | None = Field(None, min_length=1, description="The words.")
    value: float | None = Field(None, description="The number, of intervention (1: human), reward, done and success.")
    role: str = Field("", description="Who says it: user, assistant, system, tool; default: by the style.")
    camera: str | None = Field(None, description="Key of the camera that it is about (vqa, trace), as it is renamed.")
    drop: bool = Field(False, description="Take away the labels of this style in these rows.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("text", "value", "role", "camera") if getattr(self, name)]
        if self.drop and given:
            raise ValueError(f"drop: does not go with {', '.join(given)}")
        return self


class Edit(Model):
    """A whole edit, version 1 of its format."""

    edit: Literal[1] = Field(1, description="Version of this format.")
    revision: int = Field(0, ge=0, description="Counts writes; a writer with an older one gets a conflict.")
    inputs: tuple[EditInput, ...] = Field((), description="Several make a merge.")
    episodes: Annotated[Mapping[str, EpisodeEdit], BeforeValidator(_text_key)] = Field(
        {}, description='By "input/episode", or "episode" alone where there is one input; numbers of the source.'
    )
    labels: tuple[LabelEdit, ...] = Field((), description="Subtasks and the like, in rows of the source.")
    label_texts: Mapping[str, str] = Field({}, description="Old text of labels: new one, in all episodes.")
    tasks: Mapping[str, str] = Field({}, description="Old task text: new one, in all episodes.")
    features: FeatureEdit = FeatureEdit()
    cameras: Mapping[str, CameraEdit] = Field({}, description="By key, as it is after renaming.")
    order: Annotated[tuple[str, ...] | None, BeforeValidator(_text_keys)] = Field(
        None, description="All episodes that stay, in the order wanted."
    )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the shape of the YAML file; defaults left out, the version always there."""
        return {"edit": 1, **self.model_dump(mode="json", exclude_defaults=True)}

    def to_yaml(self) -> str:
        """Text that `parse_edit` reads back as an equal edit."""
        return to_yaml(self.to_dict())


def make_edit(body: Mapping[str, Any]) -> Edit:
    """The edit that plain values in the shape of the YAML file describe. Raises: EditError with every mistake.

    >>> make_edit({"episodes": {3: {"drop": True}}}).episodes["3"].drop
    True
    """
    try:
        return Edit.model_validate(body)
    except ValidationError as error:
        models = (Edit, EditInput, EpisodeEdit, PartEdit, FeatureEdit, CameraEdit, LabelEdit, Derived)
        problems = mistakes(error, keys_of(*models))
    raise EditError(f"the edit has {counted(len(problems), 'mistake')}:\n  " + "\n  ".join(problems))


def parse_edit(text: str) -> Edit:
    """The edit in YAML or JSON `text` (at most 1 MB; plain data only, no tags). Raises: EditError."""
    try:
        body = read_mapping(text, "edit", "it begins with `edit: 1`")
    except PlanError as error:
        raise EditError(str(error)) from error
    return make_edit(body)


def json_schema() -> dict[str, Any]:
    """JSON Schema of the edit file, so that editors complete and check it."""
    schema = Edit.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "telecine edit"}
