"""Limits of a tenant: what is said of them in the API means the same to gateways and the audit."""

from dataclasses import fields
from itertools import combinations
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cloudgate import protocol
from cloudgate.manager.storage.migrations import migrate
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants.limits import Limits, from_document
from cloudgate.wire.resources.cloud.own import CloudSelf
from cloudgate.wire.resources.cloud.tenants import CloudTenant as TenantEntity
from cloudgate.wire.resources.cloud.tenants import CreateCloudTenantSpec


@pytest.mark.parametrize("body", [TenantEntity, CreateCloudTenantSpec])
def test_bodies_of_the_api_have_each_limit_by_its_name(body: type) -> None:
    missing = {each.name for each in fields(Limits)} - {each.name for each in fields(body)}
    assert not missing, "in wire/resources/cloud/tenants.py, by the same name"


NOT_A_TENANTS_TO_SEE = {"throttling_enabled", "egress_quota_hard"}
"""Said to it by what it sees: a speed that is there, and what its gateways answer."""


def test_a_tenant_sees_its_limits() -> None:
    own = {each.name for each in fields(CloudSelf)}
    unseen = {each.name for each in fields(Limits)} - own
    assert unseen == NOT_A_TENANTS_TO_SEE, (
        "show it at the portal: CloudSelf in wire/schema.xsd and wire/resources/cloud/own.py,"
        " filled in by api/handlers/cloud/own.py; or name it in NOT_A_TENANTS_TO_SEE"
    )


EACH_CHANGED = (
    Limits(throttling_enabled=True),
    Limits(throttling_enabled=True, throttling_speed_limit=7),
    Limits(throttling_enabled=True, throttling_speed_unit="Mbps"),
    Limits(max_concurrent_tasks=7),
    Limits(egress_quota_mb=7),
    Limits(egress_quota_mb=7, egress_quota_hard=True),
)


def test_the_audit_log_and_the_api_tell_one_limit_from_another() -> None:
    names = {each.name for each in fields(Limits)}
    without = Limits()
    changed = {
        name
        for name in names
        for limits in EACH_CHANGED
        if getattr(limits, name) != getattr(without, name)
    }
    assert names == changed, "add Limits with a value for it to EACH_CHANGED of this module"
    everything = (without, *EACH_CHANGED)
    for one, other in combinations(everything, 2):
        assert one.documented != other.documented, "say it in `documented` of Limits"
        assert one.resource_fields != other.resource_fields, "say it in `resource_fields`"


@pytest.mark.parametrize(
    ("limits", "speed_limit_bytes", "concurrent_tunnels"),
    [
        (Limits(), None, None),
        (Limits(throttling_enabled=True, throttling_speed_limit=0), None, None),
        (Limits(throttling_speed_limit=5), None, None),
        (Limits(throttling_enabled=True, throttling_speed_limit=5), 5 * 1024 * 1024, None),
        (
            Limits(throttling_enabled=True, throttling_speed_limit=8, throttling_speed_unit="Mbps"),
            1_000_000,
            None,
        ),
        (Limits(max_concurrent_tasks=0), None, None),
        (Limits(max_concurrent_tasks=3), None, 3),
    ],
)
def test_gateways_are_told_what_limits_mean(
    limits: Limits, speed_limit_bytes: int | None, concurrent_tunnels: int | None
) -> None:
    told = limits.to_message
    assert (told.speed_limit_bytes, told.concurrent_tunnels) == (
        speed_limit_bytes,
        concurrent_tunnels,
    )
    assert from_document(limits.as_document()) == limits


def test_limits_stand_beside_the_other_members_of_a_tenant_on_the_wire() -> None:
    said = protocol.Tenant(
        tenant_id=uuid4(),
        name="acme",
        password_hash="",
        **Limits(max_concurrent_tasks=3).to_message.model_dump(),
    )
    assert '"concurrent_tunnels":3' in said.model_dump_json()


def test_what_was_filled_in_for_the_api_and_comes_back_is_nobodys_choice() -> None:
    limits = Limits(throttling_speed_limit=7)
    assert limits.changed(limits.resource_fields, as_shown=True) == limits
    assert limits.changed({"max_concurrent_tasks": 1}).max_concurrent_tasks == 1


def test_limits_of_an_old_database_are_known_as_before(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "old.db"))
    with engine.connect() as connection:
        migrate(connection, "0019")
        for name, values in (("limited", (1, 20, "Mbps", 4)), ("free", (0, 1, "MBps", None))):
            connection.exec_driver_sql(
                "INSERT INTO cloud_tenants (id, backup_server_id, name, login, description,"
                " password_hash, enabled, throttling_enabled, throttling_speed_limit,"
                " throttling_speed_unit, max_concurrent_tasks, public_ip_count,"
                " backup_protection_enabled, backup_protection_period, failover_to_others,"
                " directory_revision) VALUES (?, ?, ?, ?, '', '', 1, ?, ?, ?, ?, 0, 0, 1, 0, 5)",
                (uuid4().hex, uuid4().hex, name, name, *values),
            )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        found = {each.name: each.limits for each in session.query(CloudTenant)}
    engine.dispose()
    assert from_document(found["limited"]) == Limits(
        throttling_enabled=True,
        throttling_speed_limit=20,
        throttling_speed_unit="Mbps",
        max_concurrent_tasks=4,
    )
    assert from_document(found["free"]) == Limits()
