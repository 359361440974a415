"""Has all that a host says bounds, also in how much is told of what is wrong with it?"""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Message

from cloudgate.api.host_protocol.messages import BODY_LIMITS_BYTES, SHORT_BYTES, MessageReader
from cloudgate.errors import InvalidRequestError
from cloudgate.protocol import Answer, Demand, DemandReport, Document, Figures

KINDS = pytest.mark.parametrize("kind", BODY_LIMITS_BYTES, ids=lambda kind: kind.__name__)
OF_FEW_CHARACTERS = ("uuid", "date-time")


def nodes(said: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All parts of a schema, with their places."""
    if isinstance(said, dict):
        yield where, said
        for name, each in said.items():
            yield from nodes(each, f"{where}.{name}")
    elif isinstance(said, list | tuple):
        for each in said:
            yield from nodes(each, where)


@KINDS
def test_each_text_list_and_mapping_that_a_host_says_has_a_longest(kind: type[Document]) -> None:
    unbounded = [
        where
        for where, each in nodes(kind.model_json_schema())
        if (
            each.get("type") == "string"
            and not {"maxLength", "enum", "const"} & each.keys()
            and each.get("format") not in OF_FEW_CHARACTERS
        )
        or (each.get("type") == "array" and "maxItems" not in each)
        or ("additionalProperties" in each and "maxProperties" not in each)
    ]
    assert unbounded == [], "a host can say there what it likes; see protocol/bounds.py"


@KINDS
def test_of_each_list_that_a_host_says_the_first_fault_is_the_last_that_is_looked_for(
    kind: type[Document],
) -> None:
    going_on = [
        where
        for where, each in nodes(kind.__pydantic_core_schema__)
        if each.get("type") in ("tuple", "list", "set", "frozenset") and not each.get("fail_fast")
    ]
    assert going_on == [], "an error for each of a million costs a gigabyte: make it Many[...]"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Answer, {"question": "q", "tunnels": [{}] * 5000}),
        (Answer, {"question": "q", "ended": [1] * 5000}),
        (DemandReport, {"demands": [{}] * 5000}),
        (Figures, {"run": "r", "uptime_seconds": 1, "refused": {f"{n}": -1 for n in range(5000)}}),
    ],
)
def test_what_is_wrong_a_thousand_times_is_not_told_a_thousand_times(
    kind: type[Document], said: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as found:
        kind.model_validate(said)
    assert found.value.error_count() < 10


def said(body: bytes) -> Request:
    """A request with a body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


@pytest.mark.anyio
async def test_others_go_on_while_a_long_message_is_read() -> None:
    one = Demand(tenant_id=UUID(int=1), sent_bytes=1)
    body = DemandReport(demands=(one,) * 20_000).model_dump_json().encode()
    turns, is_read = 0, False

    async def others() -> None:
        nonlocal turns
        while not is_read:
            turns += 1
            await asyncio.sleep(0)

    going_on = asyncio.create_task(others())
    message = await MessageReader().read(said(body), DemandReport)
    is_read = True
    await going_on
    assert len(message.demands) == 20_000
    assert turns > 3, "the event loop has stood still until it was read"


@pytest.mark.anyio
async def test_a_long_message_that_nobody_wants_is_not_read_and_one_of_crumbs_neither() -> None:
    reader, rubbish = MessageReader(), b"[" + b"1," * SHORT_BYTES
    assert await reader.read_wanted(said(rubbish), Answer, lambda: False) is None
    with pytest.raises(InvalidRequestError, match="more parts"):
        await reader.read_wanted(said(rubbish), Answer, lambda: True)
    with pytest.raises(InvalidRequestError, match="malformed"):
        await reader.read_wanted(said(b"[1,"), Answer, lambda: False)
