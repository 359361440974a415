"""Does the module for Envoy take what is a plain CONNECT, and nothing else?

Its C is held to a grammar that is written down here a second time, in another way.
"""

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_path.build import build_parser, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")

INCOMPLETE, PLAIN, OTHER = range(3)
LONGEST, MOST_HEADERS = 16384, 64
LOGIN = b"Proxy-Authorization: Basic YWNtZTpwYXNz\r\n"
LEFT_TO_ENVOY = {
    *(b"content-length", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"expect"),
    *(b"http2-settings", b"keep-alive"),
}
HOST = rb"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]{2,}\])"
FIRST_LINE = re.compile(rb"CONNECT (%b:[0-9]{1,5}) HTTP/1\.([01])" % HOST)
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x20-\x7e\t]*[\x21-\x7e])?)[ \t]*")
HOST_HEADER = re.compile(HOST + rb"(?::[0-9]{1,5})?")

Found = tuple[int, bytes, bytes, int, int]
"""Kind, authority, authorization, length of the head, minor version."""


class Span(ctypes.Structure):
    _fields_ = (("at", ctypes.c_size_t), ("length", ctypes.c_size_t))


class Request(ctypes.Structure):
    _fields_ = (
        ("authority", Span),
        ("authorization", Span),
        ("head_length", ctypes.c_size_t),
        ("minor", ctypes.c_int),
    )


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Found]:
    target = Path(tmp_path_factory.mktemp("parser")) / "request.so"
    build_parser(target)
    library = ctypes.CDLL(str(target))

    def look(data: bytes) -> Found:
        found = Request()
        # Of exactly this size: what is read beyond it is somebody else's.
        kind = library.read_request(data, ctypes.c_size_t(len(data)), ctypes.byref(found))
        if kind != PLAIN:
            return kind, b"", b"", 0, 0
        spans = (found.authority, found.authorization)
        authority, authorization = (data[each.at :][: each.length] for each in spans)
        return kind, authority, authorization, found.head_length, found.minor

    return look


def expected(data: bytes) -> Found:
    """The same by the grammar."""
    nothing = b"", b"", 0, 0
    *lines, _ = data.split(b"\n")
    is_cut = len(data) >= LONGEST or not data.startswith(b"CONNECT "[: len(data)])
    unfinished = (OTHER if is_cut else INCOMPLETE, *nothing)
    first = FIRST_LINE.fullmatch(lines[0].removesuffix(b"\r")) if lines else None
    if not lines:
        return unfinished
    if first is None or not lines[0].endswith(b"\r"):
        return (OTHER, *nothing)
    login, hosts, at = b"", 0, len(lines[0]) + 1
    for number, line in enumerate(lines[1:]):
        if number > MOST_HEADERS:
            return (OTHER, *nothing)
        at += len(line) + 1
        if line == b"\r":
            is_plain = login and at <= LONGEST
            return (PLAIN, first[1], login, at, int(first[2])) if is_plain else (OTHER, *nothing)
        header = HEADER.fullmatch(line[:-1]) if line.endswith(b"\r") else None
        if header is None:
            return (OTHER, *nothing)
        name, value = header[1].lower(), header[2]
        hosts += name == b"host"
        is_login = name == b"proxy-authorization"
        is_fine = {
            b"proxy-authorization": not login and value != b"",
            b"host": hosts == 1 and HOST_HEADER.fullmatch(value) is not None,
            b"connection": first[2] == b"1" and value.lower() == b"keep-alive",
            b"proxy-connection": first[2] == b"1" and value.lower() == b"keep-alive",
        }.get(name, name not in LEFT_TO_ENVOY)
        if not is_fine:
            return (OTHER, *nothing)
        login = value if is_login else login
    return (OTHER, *nothing) if len(lines) - 1 > MOST_HEADERS else unfinished


plain_lines = st.sampled_from(
    [
        LOGIN,
        b"Host: repo.example:443\r\n",
        b"Proxy-Connection: Keep-Alive\r\n",
        b"User-Agent: restic/0.18\r\n",
        b"proxy-authorization:\tBasic YTpi \t\r\n",
    ]
)
odd_lines = st.sampled_from(
    [
        b"Host: [::1]:443\r\n",
        b"Host:\r\n",
        b"Host: a b\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Content-Length: 0\r\n",
        b"TE: trailers\r\n",
        b" folded: yes\r\n",
        b"no colon\r\n",
        b"Bare: end\n",
        b"A:\x00\r\n",
        b"A: \xff\r\n",
        b"\r\n",
        b"\rx\n",
        b"\n",
        b": empty\r\n",
        b"Space : x\r\n",
        b"X: " + b"x" * 5000 + b"\r\n",
    ]
)
first_lines = st.sampled_from(
    [
        b"CONNECT repo.example:443 HTTP/1.1\r\n",
        b"CONNECT repo.example:443 HTTP/1.0\r\n",
        b"CONNECT [2001:db8::7]:443 HTTP/1.1\r\n",
        b"CONNECT repo_1.example:443 HTTP/1.1\r\n",
        b"CONNECT repo.example HTTP/1.1\r\n",
        b"CONNECT repo.example:443456 HTTP/1.1\r\n",
        b"CONNECT  repo.example:443 HTTP/1.1\r\n",
        b"CONNECT repo.example:443 HTTP/2.0\r\n",
        b"CONNECT []:1 HTTP/1.1\r\n",
        b"CONNECT :1 HTTP/1.1\r\n",
        b"CONNECT a@b:1 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n",
        b"CONNECT repo.example:443 HTTP/1.1\n",
        b"\r\n",
    ]
)
heads = st.builds(
    lambda first, lines, end: b"".join([first, *lines, end]),
    first_lines,
    st.lists(st.one_of(plain_lines, plain_lines, plain_lines, odd_lines), max_size=8),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\nmore\r\n\r\n", b"", b"\r", b"\n\n"]),
)
cut = st.builds(lambda head, at: head[:at], heads, st.integers(0, 300))
changed = st.builds(
    lambda head, at, byte: head[:at] + bytes((byte,)) + head[at + 1 :],
    heads,
    st.integers(0, 200),
    st.integers(0, 255),
)
PLAIN_HEAD = b"CONNECT repo.example:443 HTTP/1.1\r\n" + LOGIN + b"\r\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(heads, cut, changed, st.binary(max_size=200)))
@example(b"")
@example(b"CONNECT a:1 HTTP/1.1\r\n" + LOGIN + b"\rX\n\r\n")
@example(b"CONNECT a:1 HTTP/1.1\r\n" + LOGIN + b"X: y\r\n" * 63 + b"\r\n")
@example(b"CONNECT a:1 HTTP/1.1\r\n" + LOGIN + b"X: y\r\n" * 64 + b"\r\n")
@example(b"CONNECT a:1 HTTP/1.1\r\n" + LOGIN + b"X: " + b"y" * 16316 + b"\r\n\r\n")
@example(b"CONNECT a:1 HTTP/1.1\r\n" + LOGIN + b"X: " + b"y" * 16317 + b"\r\n\r\n")
def test_the_module_takes_what_the_grammar_says(
    read: Callable[[bytes], Found], data: bytes
) -> None:
    assert read(data) == expected(data)


def test_a_head_in_pieces_is_waited_for_and_what_follows_it_is_not_its_own(
    read: Callable[[bytes], Found],
) -> None:
    for at in range(len(PLAIN_HEAD)):
        assert read(PLAIN_HEAD[:at])[0] == INCOMPLETE
    found = read(PLAIN_HEAD)
    assert found == (
        PLAIN, b"repo.example:443", b"Basic YWNtZTpwYXNz", len(PLAIN_HEAD), 1
    )  # fmt: skip
    assert read(PLAIN_HEAD + b"\x16\x03\x01 and more") == found
