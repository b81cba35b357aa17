"""Nothing that opens doors stands in a message, whoever put it there."""

import pytest

from telecine.core.text.secrets import scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "http://me:s3cret@host/x refused",
        "401 for url https://host/x?access_token=s3cret&b=1",
        "Authorization: Bearer s3cret-s3cret",
        "token is s3cret",
        "https://host/x?a=1&key=s3cret refused",
        "s3:/me:s3cret@bucket/x",
        "your token hf_s3cretS3CRETs3cret is invalid",
        "jwt eyJhbGciOiJIUzI1NiJ9.s3cret.s3cret is expired",
    ],
)
def test_what_a_server_or_a_person_wrote_is_struck_out(text):
    shown = scrubbed(text, "s3cret" if "token is" in text else None)
    assert "s3cret" not in shown
    assert "***" in shown


def test_a_token_in_an_address_is_known_in_its_other_spelling():
    assert scrubbed("refused: a%2Fb", "a/b") == "refused: ***"


def test_other_words_stay():
    for text in ("episode 3: key=frame is no timeline; not KEY=STREAM", "mail to me@host; a://b/c@d"):
        assert scrubbed(text) == text
