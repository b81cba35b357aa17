"""Messages without what opens doors: a server, or an address that somebody typed, may repeat a token or a password."""

import re
from urllib.parse import quote

_HIDDEN = "***"
_KNOWN = (
    (re.compile(r"(?<=://)[^\s/@]+(?=@)"), _HIDDEN),
    (re.compile(r"(?<=[a-z0-9]{2}:/)[^\s/@]+(?=@)"), _HIDDEN),  # an address that went through `pathlib`
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"(?i)\b((?:access_|auth_|api_)?token|(?:access_|auth_|api_|(?<=[?&]))key|password|secret|x-amz-signature)"
            r"=[^\s&\"']+"
        ),
        rf"\1={_HIDDEN}",
    ),
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), _HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), _HIDDEN),  # a JSON Web Token, as Rerun's servers take
)


def scrubbed(text: str, *tokens: str | None) -> str:
    """The text without `tokens`, credentials in addresses, and what looks like a token wherever it comes from.

    >>> scrubbed("http://me:word@host/x refused Bearer abcdefgh", None)
    'http://***@host/x refused Bearer ***'
    >>> scrubbed("s3:/me:word@bucket/x")
    's3:/***@bucket/x'
    """
    for token in tokens:
        for shown in {token, quote(token, safe="")} if token else ():
            text = text.replace(shown, _HIDDEN)
    for pattern, instead in _KNOWN:
        text = pattern.sub(instead, text)
    return text
