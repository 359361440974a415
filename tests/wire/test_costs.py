"""Costs of bodies: is one of the longest that are taken refused for what its length costs?"""

import time
from itertools import count
from typing import Any

import pytest

from cloudgate.api.rest_api import BODY_LIMIT_BYTES
from cloudgate.errors import InvalidRequestError
from cloudgate.wire import json, schema, xml
from cloudgate.wire.resources.cloud.tenants import CreateCloudTenantSpec

DEEP = 250
"""Elements inside each other; libxml2 takes 256."""


def within(start: str, piece: str, end: str) -> str:
    """A body as long as any that is taken."""
    room = BODY_LIMIT_BYTES - len(start) - len(end)
    return start + piece * (room // len(piece)) + end


def in_root(inner: str, attributes: str = "") -> str:
    root = CreateCloudTenantSpec.root()
    return f'<{root} xmlns="{schema.NAMESPACE}"{attributes}>{inner}</{root}>'


def many_names() -> str:
    names, size, wanted = [], 0, BODY_LIMIT_BYTES - 100
    for number in count():
        names.append(f'"{number:x}":0')
        size += len(names[-1]) + 1
        if size > wanted:
            return "{" + ",".join(names) + f",{names[-1]}}}"
    raise AssertionError


BODIES: dict[str, tuple[Any, str]] = {
    "names of which the last comes twice": (json.read, many_names()),
    "what is empty, deep inside": (
        xml.read,
        in_root(within("<a>" * DEEP, "<b/>", "</a>" * DEEP + " " * 200)),
    ),
    "what is empty, deep inside what is known": (
        xml.read,
        in_root(within("<Resources>" * DEEP, "<Name/>", "</Resources>" * DEEP + " " * 200)),
    ),
    "prefixes that each element knows": (
        xml.read,
        in_root(
            "<p0:b/>" * 60_000, "".join(f' xmlns:p{number}="u{number}"' for number in range(20_000))
        ),
    ),
}


@pytest.mark.parametrize("body", BODIES)
def test_what_a_body_costs_grows_with_its_length_and_no_faster(body: str) -> None:
    read, text = BODIES[body]
    began = time.process_time()
    with pytest.raises(InvalidRequestError):
        read(text, CreateCloudTenantSpec)
    assert time.process_time() - began < 10
