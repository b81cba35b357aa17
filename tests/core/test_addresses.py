"""Addresses where a path could stand are known, also after pathlib took one for a folder."""

import pytest

from telecine.core.errors import PlanError
from telecine.core.text.addresses import require_local, scheme_of


@pytest.mark.parametrize(
    ("text", "scheme"),
    [("s3://b/x", "s3"), ("S3:/b/x", "s3"), ("hf://datasets/a/b", "hf"), ("data/s3/x", ""), ("C:\\data", ""), ("", "")],
)
def test_a_scheme_is_told_from_a_folder(text, scheme):
    assert scheme_of(text) == scheme


@pytest.mark.parametrize("text", ["s3://bucket/x", "/data/s3:/bucket/x", "unheard+of://x"])
def test_an_address_is_no_folder_to_write_to(text):
    with pytest.raises(PlanError, match="is the scheme of an address"):
        require_local(text)
    require_local("C:/data/s3/x")
