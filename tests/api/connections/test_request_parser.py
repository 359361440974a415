"""Is a request that offers another protocol read as any other, and what follows it, too?"""

from dataclasses import dataclass, field
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.connections.request_parser import RequestParser

OFFER = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
"""As Java's HttpClient and `curl --http2` make it with each request."""


@dataclass
class AskedRequest:
    """What was understood of one request."""

    method: bytes = b""
    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_whole: bool = False
    keeps_alive: bool = True


class Listener:
    """Stands where uvicorn's protocol does."""

    def __init__(self) -> None:
        self.asked: list[AskedRequest] = []
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser: Any = RequestParser(self)

    def on_message_begin(self) -> None:
        self.url, self.headers = b"", []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        assert not self.parser.should_upgrade()
        assert self.parser.get_http_version() == "1.1"
        known = AskedRequest(self.parser.get_method(), self.url, self.headers)
        known.keeps_alive = self.parser.should_keep_alive()
        self.asked.append(known)

    def on_body(self, body: bytes) -> None:
        self.asked[-1].body += body

    def on_message_complete(self) -> None:
        self.asked[-1].is_whole = True


def request(body: bytes, *, chunked: bool, offers: bool, url: bytes) -> bytes:
    lines = [b"POST " + url + b" HTTP/1.1", b"Host: localhost", *(OFFER if offers else ())]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
    elif body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "body": st.sampled_from([b"", b"x", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", bytes(300)]),
            "chunked": st.booleans(),
            "offers": st.booleans(),
            "url": st.sampled_from([b"/", b"/api/tasks?a=b"]),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(REQUESTS, st.integers(min_value=1, max_value=400))
def test_each_request_has_its_own_body_whatever_it_offers_and_however_it_arrives(
    requests: list[dict[str, Any]], piece_bytes: int
) -> None:
    listener = Listener()
    said = b"".join(request(**each) for each in requests)
    for begin in range(0, len(said), piece_bytes):
        listener.parser.feed_data(said[begin : begin + piece_bytes])
    assert [(each.method, each.url, each.body) for each in listener.asked] == [
        (b"POST", each["url"], each["body"]) for each in requests
    ]
    assert all(each.is_whole and each.keeps_alive for each in listener.asked)
    assert all(b"upgrade" not in dict(each.headers) for each in listener.asked)


def test_as_many_offers_in_one_piece_as_a_client_likes_are_read_one_after_the_other() -> None:
    listener = Listener()
    listener.parser.feed_data(request(b"", chunked=False, offers=True, url=b"/") * 5_000)
    assert len(listener.asked) == 5_000


def test_what_follows_connect_is_no_request() -> None:
    listener = Listener()
    after = request(b"", chunked=False, offers=False, url=b"/")
    listener.parser.feed_data(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" + after)
    listener.parser.feed_data(after)
    (only,) = listener.asked
    assert (only.method, only.is_whole, only.keeps_alive) == (b"CONNECT", True, False)


def test_what_is_no_http_is_so_with_an_offer_too() -> None:
    both = b"Content-Length: 1\r\nTransfer-Encoding: chunked"
    said = request(b"", chunked=False, offers=True, url=b"/").replace(b"Host: localhost", both)
    with pytest.raises(httptools.HttpParserError):
        Listener().parser.feed_data(said)
