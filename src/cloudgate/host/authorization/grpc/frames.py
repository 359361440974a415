"""HTTP/2 frames: what does Envoy say in them (RFC 9113), and what does a gRPC answer look like?"""

import struct
from typing import Final

from cloudgate.errors import InvalidRequestError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct("!HBBBI")  # length (16 + 8 bits), kind, flags, stream
PREFIX: Final = struct.Struct("!BI")  # of a gRPC message: compressed or not, length
SETTING: Final = struct.Struct("!HI")
NUMBER: Final = struct.Struct("!I")

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9
END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
STREAM_BITS = 0x7FFFFFFF

SETTINGS_HEADER_TABLE_SIZE: Final = 1
SETTINGS_MAX_CONCURRENT_STREAMS: Final = 3
SETTINGS_INITIAL_WINDOW_SIZE: Final = 4
SETTINGS_MAX_FRAME_SIZE: Final = 5
FIRST_WINDOW_BYTES = 65_535
LARGEST_WINDOW_BYTES = 2**31 - 1
FRAME_BYTES = 16_384
"""Longest frame that either side sends when nobody said more."""
PROTOCOL_ERROR: Final = 1
FLOW_CONTROL_ERROR: Final = 3
FRAME_SIZE_ERROR: Final = 6
INTERNAL: Final = 13
"""The gRPC status code of a fault on this side."""


def _literal(name: str, value: str) -> bytes:
    """A header that no table remembers (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


_STATUS_200: Final = b"\x88"  # RFC 7541, appendix A
ANSWER: Final = _STATUS_200 + _literal("content-type", "application/grpc")
FINE: Final = _literal("grpc-status", "0")
FAULT: Final = ANSWER + _literal("grpc-status", str(INTERNAL))


class ProtocolError(Exception):
    """The other side does not speak as it has to; the connection ends."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def message(asked: bytearray) -> bytes:
    """The one message of a call.

    Raises:
        InvalidRequestError: it is compressed, or there is more or less than one.
    """
    if len(asked) < PREFIX.size:
        raise InvalidRequestError("A call came without a message.")
    compressed, length = PREFIX.unpack_from(asked)
    if compressed or length != len(asked) - PREFIX.size:
        raise InvalidRequestError("The message of a call is compressed or not whole.")
    return bytes(asked[PREFIX.size :])


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame as it is sent (section 4.1)."""
    length = len(content)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + content


def end(stream: int) -> bytes:
    """The trailers of a call that went well."""
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, FINE)
