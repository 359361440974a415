"""Is the client made of what the API's routes say? And is its half that blocks as the other?"""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, get_args

import pytest

import cloudgate.client
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.queries import TYPES
from cloudgate.api.http.router import Route
from cloudgate.api.table import ROUTES
from cloudgate.client import Client, surface
from cloudgate.client.blocking_collections import ReadableCollection
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Kind
from cloudgate.wire.description import ResourceType, json_parts, parts
from cloudgate.wire.resources.queries import Entities, Resources
from tests.support.project.client_twin import written


@dataclass(frozen=True)
class TypedKind:
    """A kind with the types by which a member of the client has it; None where it has none."""

    kind: Kind
    entity: type[ResourceType]
    spec: type[ResourceType] | None
    change: type[ResourceType] | None


def typed(member: ReadableCollection[Any, Any, Any]) -> TypedKind:
    """Types stand where the member is made, or at its class."""
    made_as = vars(member).get("__orig_class__")
    arguments = get_args(made_as) or get_args(vars(type(member))["__orig_bases__"][0])
    entity, *rest = arguments
    assert entity is member._these.entity
    spec, change = (None if each is ResourceType else each for each in rest)
    return TypedKind(member._these.kind, entity, spec, change)


def members() -> list[TypedKind]:
    with Client("https://manager.example:9398", password="x") as client:
        inside = (client.tenants.quotas("acme"), client.tenants.subtenants("acme"))
        found = (*vars(client).values(), *inside)
        return [typed(each) for each in found if isinstance(each, ReadableCollection)]


ALL = {each.kind.many: each for each in members()}
each_kind = pytest.mark.parametrize("of", ALL.values(), ids=ALL)


def test_a_client_has_a_member_for_each_kind() -> None:
    known = {each.many for each in vars(kinds).values() if isinstance(each, Kind)}
    assert set(ALL) == known, "make it in client/asynchronous_client.py"


def collection_path(of: TypedKind) -> str:
    return f"/cloud/tenants/{{id}}/{of.kind.path}" if of.kind.inside else of.kind.path


def route(verb: str, path: str, action: str | None = None) -> Route | None:
    found = [one for one in ROUTES if (one.verb, one.path, one.action) == (verb, path, action)]
    return found[0] if found else None


def one_of(of: TypedKind, verb: str) -> Route | None:
    """The call on one thing of a kind."""
    begins = f"{collection_path(of)}/{{"
    found = [
        one
        for one in ROUTES
        if one.verb == verb and one.action is None and one.path.startswith(begins)
        if "/" not in one.path.removeprefix(begins)
    ]
    return found[0] if found else None


@each_kind
def test_a_kind_is_listed_and_shown_as_the_routes_say(of: TypedKind) -> None:
    listed = route("GET", collection_path(of))
    assert listed is not None
    assert listed.answers is not None
    part = {part.name: part for part in parts(listed.answers.kinds[-1])}[of.kind.array]
    assert part.value_type is of.entity
    shown = one_of(of, "GET")
    assert shown is not None
    assert shown.answers is not None
    assert of.entity in shown.answers.kinds


@each_kind
def test_a_kind_is_made_and_changed_by_the_types_that_the_routes_take(of: TypedKind) -> None:
    made = route("POST", collection_path(of), of.kind.action or None)
    edited, deleted = one_of(of, "PUT"), one_of(of, "DELETE")
    assert (of.spec is None) == (made is None or not made.bodies)
    assert (of.change is None) == (edited is None or not edited.bodies)
    for call, body in ((made, of.spec), (edited, of.change), (deleted, None)):
        if call is not None and (body is not None or call is deleted):
            assert body is None or body in call.bodies
            assert (call.answers == TASK) == of.kind.by_task
            said = {parameter.name for parameter in call.query}
            assert of.kind.parameters.get(call.verb, frozenset()) == said


@each_kind
def test_a_kind_is_asked_for_where_the_query_service_has_it(of: TypedKind) -> None:
    known = {each.name: each for each in TYPES if each.whole or each.wholes}
    if of.kind.inside:
        return  # those of one tenant are few, and never asked for
    assert (of.kind.type in known) == bool(of.kind.queried)
    if of.kind.queried:
        assert known[of.kind.type].field == of.kind.queried
        where = {part.field: part for kind in (Entities, Resources) for part in json_parts(kind)}
        assert where[of.kind.queried].value_type is of.entity


def test_what_blocks_is_what_awaits_word_by_word() -> None:
    for file, text in written().items():
        assert file.read_text() == text, "run .venv/bin/python -m tests.support.project.client_twin"


def test_all_of_the_surface_is_in_the_package_and_nothing_else() -> None:
    for name in surface.__all__:
        assert getattr(cloudgate.client, name) is getattr(surface, name)
    with pytest.raises(AttributeError, match=r"^cloudgate\.client has no Nothing\.$"):
        _ = cloudgate.client.Nothing


def test_no_secret_is_in_what_a_body_is_printed_as() -> None:
    spec = cloudgate.client.CreateCloudTenantSpec(name="acme", password="hidden", enabled=True)
    assert repr(spec) == "CreateCloudTenantSpec(name='acme', password=..., enabled=True)"
    assert "hidden" not in f"{spec}"


def test_a_program_that_asks_loads_nothing_of_the_server() -> None:
    loads = "import sys, cloudgate.client; cloudgate.client.Client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "cloudgate.client.blocking_client" in loaded
    of_servers = ("cloudgate.manager", "cloudgate.api", "cloudgate.host", "sqlalchemy", "starlette")
    assert not loaded & {*of_servers, "typer", "structlog"}
