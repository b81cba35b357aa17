"""The entry of a derived column, in plans and edits; `core/derive` computes it. Pure."""

from pydantic import Field, field_validator

from telecine.core.plan.fields import Model


class Derived(Model):
    """A column that is computed from others."""

    key: str = Field(pattern=r"^[^\s/\\.][^\s/\\]{0,199}$", description="Name of the new column.")
    value: str = Field(min_length=1, description="Expression over columns, e.g. relative(action, observation.state).")
    names: tuple[str, ...] | None = Field(None, description="One name per element; default: by the expression.")
    dtype: str | None = Field(None, description="Default: float32, bool of comparisons.")
    units: str | None = Field(None, description="What the numbers are in; default: by the expression.")
    frame: str | None = Field(None, description="What they are relative to; default: by the expression.")

    @field_validator("dtype")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value not in (None, "float32", "float64", "int64", "bool"):
            raise ValueError(f"{value!r} is not one of float32, float64, int64, bool")
        return value
