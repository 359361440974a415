"""Does this release read what a later one has written into a column, before an operator went back?

A revision of the database keeps older releases out. A member more of a document needs none.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cloudgate.manager
from cloudgate.manager.certificates import orders
from cloudgate.manager.gateways import rules as gateways
from cloudgate.manager.gateways.rules import NAT, GatewaySettings
from cloudgate.manager.notifications import rules as notifications
from cloudgate.manager.probes import rules as probes
from cloudgate.manager.protection import rules as protection
from cloudgate.manager.quotas import rules as quotas
from cloudgate.manager.tenants import limits

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READERS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "settings of a gateway": (
        gateways.from_document,
        GatewaySettings(
            network_mode=NAT, external_ip="192.0.2.1", proxy_protocol_networks=("192.0.2.0/24",)
        ).as_document(),
    ),
    "limits of a tenant": (
        limits.from_document,
        limits.Limits(max_concurrent_tasks=3, egress_quota_mb=7).as_document(),
    ),
    "rules of quotas": (quotas.from_document, {"warning_percents": [70]}),
    "a probe": (probes.from_document, {"method": "S3", "url": "https://s3.example", "bucket": "b"}),
    "protection": (protection.from_document, {"method": "S3", "url": "https://s3.example"}),
    "what is known of protection": (
        protection.known_from_document,
        protection.ProtectionRecord(checked_at=NOW, due_at=NOW, held_at=NOW, days=3).as_document(),
    ),
    "a notification": (
        notifications.from_document,
        notifications.Condition(
            kind=notifications.Kind.TASK_FAILED,
            subject="s",
            name="n",
            object_type="Task",
            text="t",
        ).document(),
    ),
    "an order of a certificate": (
        orders.from_document,
        orders.OrderRequest(
            directory_url="https://acme.example", names=("gw.example",), challenge="http-01"
        ).as_document(),
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_member_that_a_later_release_has_written_is_no_obstacle(kind: str) -> None:
    read, document = READERS[kind]
    assert read({**document, "of_a_later_release": ["x"]}) == read(document)


def test_all_documents_are_read_in_that_way() -> None:
    sources = sorted(Path(cloudgate.manager.__file__).parent.rglob("*.py"))
    direct = re.compile(r"\(\*\*(\{\*\*)?document")
    assert [each.name for each in sources if direct.search(each.read_text("utf-8"))] == []
