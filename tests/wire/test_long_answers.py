"""Is an answer of megabytes the same in pieces, of which none is long enough to hold others up?"""

import asyncio
import json as stdlib_json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from cloudgate.api.http.bodies import PIECE_BYTES, LongAnswer
from cloudgate.wire import json
from cloudgate.wire.resources.cloud.usage import CloudTenantUsage, CloudTenantUsages

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def plainly_written(document: Any) -> bytes:
    return stdlib_json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_in_pieces_the_same_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "_AT_ONCE", 2)

    @settings(suppress_health_check=list(HealthCheck))
    @given(DOCUMENTS)
    def agrees(document: Any) -> None:
        assert b"".join(json._written(document)) == plainly_written(document)

    agrees()


def test_no_piece_of_a_long_list_has_more_than_some_of_its_items() -> None:
    one = CloudTenantUsage(
        begin_time=None,
        minutes=1,
        cloud_gateway="gateway.example",
        subtenant=None,
        target="vault.example:8443",
        tunnels=1,
        bytes_up=1,
        bytes_down=1,
    )
    many = CloudTenantUsages(cloud_tenant_usages=(one,) * 1001)
    document = json.to_object(many)
    pieces = list(json._written(document))
    assert b"".join(pieces) == json.write(many) == plainly_written(document)
    assert max(each.count(b"gateway.example") for each in pieces) == json._AT_ONCE


def sent(body: bytes) -> list[Message]:
    found: list[Message] = []

    async def send(message: Message) -> None:
        found.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is asked")

    answer = LongAnswer(body, 203, {"X-Said": "so"}, "application/json")
    asyncio.run(answer({"type": "http"}, receive, send))
    return found


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_it_is_sent_whole_in_pieces_that_are_not_long(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    head, *pieces = sent(body)
    assert head["status"] == 203
    assert (b"content-length", str(size).encode()) in head["headers"]
    assert (b"x-said", b"so") in head["headers"]
    assert b"".join(each["body"] for each in pieces) == body
    assert max(len(each["body"]) for each in pieces) <= PIECE_BYTES
    more = [each.get("more_body", False) for each in pieces]
    assert more == [True] * (len(pieces) - 1) + [False]
