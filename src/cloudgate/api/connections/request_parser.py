"""Request parser: what is asked where another protocol is offered with it? The same as without.

A server may leave an offer of `Upgrade` alone, and then reads the request as any other (RFC 9110,
section 7.8). llhttp ends such a message at its head; its body would be the next request.
"""

from typing import Any, Protocol

import httptools

_CONNECT = b"CONNECT"
_UPGRADE = b"upgrade"


class RequestListener(Protocol):
    """What hears of requests: uvicorn's protocol of a connection."""

    url: bytes
    headers: list[tuple[bytes, bytes]]
    """Of the request that is read, with names in lower case."""
    parser: Any
    """The parser that calls it."""

    def on_message_begin(self) -> None: ...  # noqa: D102
    def on_url(self, url: bytes) -> None: ...  # noqa: D102
    def on_header(self, name: bytes, value: bytes) -> None: ...  # noqa: D102
    def on_headers_complete(self) -> None: ...  # noqa: D102
    def on_body(self, body: bytes) -> None: ...  # noqa: D102
    def on_message_complete(self) -> None: ...  # noqa: D102


class RequestParser:
    """Parses the requests of one connection. Stands where uvicorn has a parser of httptools'."""

    def __init__(self, listener: RequestListener) -> None:
        """`listener` hears of each request; its `parser` this has to be."""
        self._callbacks = _Callbacks(listener)
        self._head = b""
        self._is_over = False
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self._callbacks)
        # As uvicorn has it: the first of several requests is answered though it says close.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:
        """Parse on.

        Raises:
            httptools.HttpParserError: that is no HTTP.
        """
        left = memoryview(data)  # of which nothing is copied for each of many offers
        while left and not self._is_over:
            try:
                self._parser.feed_data(left)
            except httptools.HttpParserUpgrade as offer:
                left = left[offer.args[0] :]
            else:
                return
            self._begin()
            head, self._head = self._head, b""
            if head:
                self._parser.feed_data(head)
            else:  # what follows CONNECT is the tunnel's, which there is none of here
                self._is_over = True

    def leave_out_offer(self, listener: RequestListener) -> bool:
        """Whether the request whose head is there is to be read again, without its offer."""
        method = self._parser.get_method()
        if not self._parser.should_upgrade() or method == _CONNECT:
            return False
        version = self._parser.get_http_version().encode()
        lines = [method + b" " + listener.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in listener.headers if name != _UPGRADE]
        self._head = b"\r\n".join(lines) + b"\r\n\r\n"
        return True

    @property
    def is_read_again(self) -> bool:
        """Whether what was read of this request counts for nothing."""
        return bool(self._head)

    def should_upgrade(self) -> bool:
        """Whether another protocol follows: never."""
        return False

    def should_keep_alive(self) -> bool:
        """Whether another request may follow."""
        return self.get_method() != _CONNECT and self._parser.should_keep_alive()

    def get_method(self) -> bytes:
        """Of the request whose head is there."""
        return self._parser.get_method()

    def get_http_version(self) -> str:
        """Of the same, such as ``1.1``."""
        return self._parser.get_http_version()


class _Callbacks:
    """What httptools calls: the listener, but for requests that are to be read again."""

    def __init__(self, listener: RequestListener) -> None:
        self._listener = listener
        self.on_message_begin = listener.on_message_begin
        self.on_url = listener.on_url
        self.on_header = listener.on_header
        self.on_body = listener.on_body

    def on_headers_complete(self) -> None:
        parser = self._listener.parser
        if not parser.leave_out_offer(self._listener):
            self._listener.on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._listener.parser.is_read_again:
            self._listener.on_message_complete()
