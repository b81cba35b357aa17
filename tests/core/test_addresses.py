"""Addresses where a path could stand are known, also after pathlib took one for a folder."""

import pytest

from telecine.core.errors import PlanError
from telecine.core.text.addresses import as_typed, require_local, scheme_of, store_address


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


@pytest.mark.parametrize(
    ("text", "container", "key", "name"),
    [
        ("s3://b/x/y", "b", "x/y", "y"),
        ("s3:/b", "b", "", "b"),
        ("GS://b//x/", "b", "x", "x"),
        ("hf://datasets/me/picks@main/data", "datasets/me/picks@main", "data", "data"),
        ("hf://me/picks", "me/picks", "", "picks"),
    ],
)
def test_an_address_has_a_container_and_a_place_in_it(text, container, key, name):
    address = store_address(text)
    assert (address.container, address.key, address.name) == (container, key, name)
    assert str(address) == as_typed(text) == f"{address.scheme}://{'/'.join(filter(None, (container, key)))}"
    assert address.below("z").parent() == address
    assert address.below("") == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("s3://", "looks like s3://BUCKET/FOLDER"),
        ("hf://datasets/me", "looks like hf://datasets/USER/NAME"),
        ("s3://b/../x", "names and / alone"),
        ("s3://b/x?y", "names and / alone"),
        ("s3://me:secret@b/x", "secrets do not belong"),
        ("s3://me@b/x", "secrets do not belong"),
    ],
)
def test_an_address_that_names_no_place_is_refused(text, why):
    with pytest.raises(PlanError, match=why):
        store_address(text)
    assert as_typed("data/s3") == "data/s3"
