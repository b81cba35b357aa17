"""Names of strangers as people may see them."""

from telecine.core.text.visible import safe, visible


def test_control_and_bidirectional_characters_are_escaped():
    assert visible("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"
    assert visible("\u202egpj.exe") == "\\u202egpj.exe"
    assert visible("a\tb\n", keep="\n") == "a\\tb\n"


def test_words_of_any_language_and_joined_emoji_stay():
    for text in ("Würfel 立方体", "\U0001f469\u200d\U0001f52c"):
        assert visible(text) == text


def test_what_is_safe_has_no_secret_either():
    assert safe("a\nb\x1b s3://me:word@bucket/x", keep="\n") == "a\nb\\x1b s3://***@bucket/x"
