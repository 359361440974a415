"""Addresses that machines were seen to speak from, and those that tenants were told before."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "managed_servers",
        sa.Column("seen_addresses", sa.Text(), nullable=False, server_default=""),
    )
    op.add_column(
        "cloud_gateways", sa.Column("told_address", sa.Text(), nullable=False, server_default="")
    )
    # Tenants dial what was shown, and the manager has met the gateway there.
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT cloud_gateways.id, cloud_gateways.name, cloud_gateways.confirmed,"
            " managed_servers.facts FROM cloud_gateways"
            " JOIN managed_servers ON managed_servers.id = cloud_gateways.managed_server_id"
            " WHERE cloud_gateways.reach_warning = '' AND cloud_gateways.confirmed IS NOT NULL"
        )
    ).all()
    for gateway_id, name, confirmed, facts in rows:
        told = _told(name, _document(confirmed), _document(facts))
        connection.execute(
            sa.text("UPDATE cloud_gateways SET told_address = :told WHERE id = :id"),
            {"told": told, "id": gateway_id},
        )


def _document(kept: Any) -> dict[str, Any]:
    # SQLite gives the text, PostgreSQL what it says.
    found = json.loads(kept) if isinstance(kept, str) else kept
    return found if isinstance(found, dict) else {}


def _told(name: str, confirmed: dict[str, Any], facts: dict[str, Any]) -> str:
    addresses = [each for each in facts.get("addresses") or () if isinstance(each, str)]
    if confirmed.get("external_ip") or not addresses:
        return ""
    return name if name in addresses else addresses[0]
