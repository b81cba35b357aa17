"""Who may ask the page's server: whoever has its token, from a page of its own, and nobody else.

A server on loopback can be reached by every page that is open in the browser, so each request is checked: its Host
(against names that were made to point here), its Origin and Sec-Fetch-Site (against other pages), and its token, which
is in the first address alone and then in a cookie that scripts cannot read.
"""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

LONGEST_PATH = 300
MOST_BODY_BYTES = 4_000_000
SAFE = ("GET", "HEAD")
ASKING = ("/rows", "/lag")
"""Ends of the addresses that are asked by POST, because a plan is long and work is begun, and change nothing."""


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Who may ask. host: the address that the server listens on."""

    host: str
    port: int
    token: str = field(repr=False)
    read_only: bool = False
    in_notebook: bool = False
    """Pages of this machine may show it in a frame."""

    @property
    def cookie(self) -> str:
        """Its name; cookies are shared by all ports of a host."""
        return f"telecine-{self.port}"

    def is_host(self, name: str) -> bool:
        """True for a Host header that names this server: an address, which nobody can make point elsewhere."""
        address, _, port = name.rpartition(":")
        if port != str(self.port):
            return False
        if address in ("127.0.0.1", "localhost", "[::1]", self.host, f"[{self.host}]"):
            return True
        return self._is_open and _is_address(address.strip("[]"))

    @property
    def _is_open(self) -> bool:
        return self.host in ("0.0.0.0", "::")  # noqa: S104 # nosec B104  # compared, not bound

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of every answer."""
        frames = "http://localhost:* http://127.0.0.1:*" if self.in_notebook else "'none'"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
            f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {frames}"
        )
        return [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Guard:
    """An ASGI application around another one, which sees only requests that may be answered."""

    def __init__(self, app: App, access: ServerAccess) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not: 400, 401, 403, 413, 414."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, text, more = self._verdict(scope, headers)
        if status:
            await _answer(send, status, text, [*self._access.headers, *more])
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._access.headers]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _verdict(self, scope: Message, headers: dict[str, str]) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        """(status, text, headers) of the answer that ends it here; status 0 where it goes on."""
        access, host = self._access, headers.get("host", "")
        if not access.is_host(host):
            return 403, "this server does not go by that name", []
        if len(scope["path"]) > LONGEST_PATH:
            return 414, "the address is too long", []
        if scope["method"] not in SAFE:
            if headers.get("origin") != f"http://{host}":
                return 403, "only this server's own page may change something", []
            if access.read_only and not scope["path"].endswith(ASKING):
                return 403, "opened with --read-only: nothing can be changed", []
            if not headers.get("content-length", "0").isdigit():
                return 400, "content-length is no number", []
            if int(headers.get("content-length", "0")[:12]) > MOST_BODY_BYTES or "transfer-encoding" in headers:
                return 413, f"a request holds at most {MOST_BODY_BYTES} bytes, and says how many", []
        is_page = scope["method"] in SAFE and headers.get("sec-fetch-mode", "navigate") == "navigate"
        if not is_page and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "asked for by another page", []
        return self._token_verdict(scope, headers)

    def _token_verdict(self, scope: Message, headers: dict[str, str]) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        access = self._access
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = next((value for name, value in query if name == "token"), None)
        if given is not None and scope["method"] in SAFE and _same(given, access.token):
            rest = "&".join(
                f"{name}={value}" for name, value in query if name in ("episode", "row") and value.isdigit()
            )
            cookie = f"{access.cookie}={access.token}; HttpOnly; SameSite=Strict; Path=/"
            path = scope["path"] if scope["path"].isascii() and not scope["path"].startswith("//") else "/"
            target = path + (f"?{rest}" if rest else "")
            return 303, "", [(b"location", target.encode("latin-1")), (b"set-cookie", cookie.encode())]
        if not any(_same(value, access.token) for value in _cookies(headers.get("cookie", ""), access.cookie)):
            return 401, "open the address that `telecine view` printed: it has the token", []
        return 0, "", []


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _cookies(header: str, name: str) -> Iterable[str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return (value for key, _, value in pairs if key == name)


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = text.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*kind, *headers]})
    await send({"type": "http.response.body", "body": body})
