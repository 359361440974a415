"""Is all that a list has within reach, however long it is?"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request

import cloudgate.console
from cloudgate.console.api import Api
from cloudgate.console.declarations import Visit, paged
from cloudgate.manager.storage.tables import (
    Account,
    BackupServer,
    CloudTenant,
    GatewayPool,
    Subtenant,
    TenantCertificate,
)
from cloudgate.protocol import LiveTunnel
from tests.support.running.console import Visitor, signed_in
from tests.support.running.customers import SECRET, TARGET, Customer, add_vault, listening_host
from tests.support.running.manager import RunningManager, manager_of_module

MANY = 230
"""More than was ever shown of anything."""
TEMPLATES = Path(cloudgate.console.__file__).parent / "templates"


def visit_of(**asked: str) -> Visit:
    return Visit(
        api=Api(Starlette(), Request({"type": "http"}), ""),
        now=datetime(2030, 1, 1, tzinfo=UTC),
        path={},
        query=asked,
    )


@given(st.lists(st.integers(), max_size=30), st.integers(1, 7))
def test_the_pages_of_a_list_are_together_the_list(rows: list[int], size: int) -> None:
    first = paged(visit_of(), rows, "users", size)
    pages = [
        paged(visit_of(users=str(number + 1)), rows, "users", size)["rows"]
        for number in range(first["pages"])
    ]
    assert [each for page in pages for each in page] == rows
    assert (first["count"], first["number"], first["rows"]) == (len(rows), 1, pages[0])
    assert all(pages) or not rows
    for beyond in ("999", "0", "-1", "x"):
        assert paged(visit_of(users=beyond), rows, "users", size)["rows"] in pages


def test_who_turns_a_page_of_one_list_stays_where_the_others_are() -> None:
    shown = paged(visit_of(users="2", certificates='3"&x'), [1, 2, 3], "users", 1)
    assert shown["others"] == "&certificates=3%22%26x"


def test_nothing_is_left_out_of_a_list_without_a_word() -> None:
    for template in TEMPLATES.glob("*.html"):
        for line in template.read_text("utf-8").splitlines():
            cut = re.findall(r"\[:\s*\d+\]\s*%\}", line)
            assert len(cut) <= line.count("parts.more("), (template.name, line)


running = manager_of_module()


@pytest.fixture(scope="module")
def acme(running: RunningManager) -> Iterator[Customer]:
    """With many users, certificates and tunnels; one of many in a pool, and many accounts."""
    client = running.logged_on()
    with listening_host(running, client) as host:
        made = Customer(client, "acme", add_vault(client), users=())
        with running.manager.changing() as work:
            tenant = work.session.get_one(CloudTenant, made.id)
            site = work.session.scalars(select(BackupServer.id)).one()
            pool = GatewayPool(backup_server_id=site, name="apart")
            work.session.add(pool)
            for number in range(MANY):
                name = f"{number:03d}"
                end = work.now + timedelta(hours=1)
                other = CloudTenant(
                    backup_server_id=site,
                    name=f"tenant {name}",
                    login=f"tenant {name}",
                    directory_revision=1,
                )
                pool.tenants.append(other)
                work.session.add_all(
                    (
                        Account(name=f"account {name}"),
                        Subtenant(
                            tenant_id=tenant.id,
                            name=f"user {name}",
                            login=f"user {name}",
                            resource_id=tenant.resources[0].id,
                        ),
                        TenantCertificate(
                            id=uuid4(),
                            tenant_id=tenant.id,
                            certificate_pem=f"pem {name}",
                            fingerprint=name,
                            issued_at=work.now - timedelta(seconds=number),
                            ends_at=end,
                        ),
                    )
                )
        host.tunnels = tuple(
            LiveTunnel(
                tunnel=f"tunnel {number:03d}",
                tenant_id=made.id,
                target=TARGET,
                client=f"198.51.100.7:4{number:03d}",
                started_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
                bytes_up=1,
                bytes_down=1,
            )
            for number in range(MANY)
        )
        yield made


def seen_on_all_pages(came: Visitor, path: str, at: str, what: str) -> list[str]:
    """What is found in a part of a page, when all that leads on there is followed."""
    found: list[str] = []
    led = ""
    for _page in range(MANY):
        page: Any = html.fromstring(came.get(path + led).text)
        (part,) = page.xpath(f"//*[@id='{at}']") if at else page.xpath("//main")
        found += re.findall(what, html.tostring(part, encoding="unicode"))
        ways = part.xpath(".//nav[contains(@class, 'pager')]/a[@rel='next']/@href")
        if not ways:
            break
        led = ways[0].partition("#")[0]
    return found


def test_each_user_certificate_and_tunnel_of_a_tenant_is_within_reach_of_the_operator(
    running: RunningManager, acme: Customer
) -> None:
    came, path = signed_in(running), f"tenants/{acme.id}"
    for at, what in (
        ("users", r"user \d{3}(?=</bdi></td>)"),
        ("certificates", r"pem \d{3}"),
        ("tunnels", r"7:4\d{3}(?=</td>)"),
    ):
        assert len(set(seen_on_all_pages(came, path, at, what))) == MANY, at
    third = came.get(f"{path}?users=3&certificates=2").text
    assert 'href="?users=4&amp;certificates=2#users"' in third
    assert 'href="?certificates=3&amp;users=3#certificates"' in third


def test_each_tunnel_of_a_gateway_is_within_reach(running: RunningManager, acme: Customer) -> None:
    assert acme.name
    (gateway,) = running.logged_on().get("/query?type=CloudGateway").json()["Refs"]["Refs"]
    path = f"gateways/{gateway['UID'].rpartition(':')[2]}"
    found = seen_on_all_pages(signed_in(running), path, "tunnels", r"tunnel%20\d{3}/close")
    assert len(set(found)) == MANY


def test_each_tenant_of_a_pool_and_each_account_is_within_reach(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    came = signed_in(running)
    (pool,) = running.logged_on().get("/query?type=CloudGatewayPool").json()["Refs"]["Refs"]
    path = f"pools/{pool['UID'].rpartition(':')[2]}"
    found = seen_on_all_pages(came, path, "tenants", r"tenant \d{3}")
    assert len(set(found)) == MANY
    found = seen_on_all_pages(came, "accounts", "", r"account \d{3}(?=</bdi></b>)")
    assert len(set(found)) == MANY


def test_a_tenant_reaches_all_that_it_has_at_the_portal(
    running: RunningManager, acme: Customer
) -> None:
    came = signed_in(running, acme.name, SECRET, "portal")
    for path, at, what in (
        ("", "tunnels", r"7:4\d{3}"),
        ("certificates", "", r"pem \d{3}"),
        ("users", "", r"user \d{3}"),
    ):
        assert len(set(seen_on_all_pages(came, path, at, what))) == MANY, path


def test_what_a_live_page_hears_is_of_the_page_that_is_open(
    running: RunningManager, acme: Customer
) -> None:
    came = signed_in(running)
    asked = {"page": f"tenants/{acme.id}?users=5"}
    with came.http.stream("GET", "events", params=asked) as stream:
        said = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert "user 229" in said
    assert "user 000" not in said
