"""Does an operator see what tenants have stored, on a real product with a real host service?"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import cloudgate
from tests.support.running.product import Product, product
from tests.support.waiting import PATIENCE_SECONDS, looks

pytestmark = pytest.mark.end_to_end


def quotas(started: Product, tenant: str) -> dict[str, Any]:
    """The only quota of a tenant, once there is something to say of its use."""
    for _ in looks(PATIENCE_SECONDS):
        said = cloudgate(started, "tenant", "resource", "list", tenant, "--output", "json")
        (found,) = json.loads(said)["CloudTenantResources"]
        quota: dict[str, Any] = found["RepositoryQuota"]
        if quota.keys() & {"UsedQuota", "Warning"}:
            return quota
    raise AssertionError(f"{tenant} was not measured: {started.log}")


def test_what_tenants_have_stored_is_seen_from_the_command_line(tmp_path: Path) -> None:
    stored = tmp_path / "backups"
    (stored / "acme").mkdir(parents=True)
    (stored / "acme" / "pack").write_bytes(os.urandom(3 * 1024 * 1024 + 1))
    (stored / "umbrella").symlink_to("/usr")
    with product(tmp_path / "data") as started:
        cloudgate(started, "repository", "create", "vault", "--endpoint", "vault.example:8443")
        for tenant in ("acme", "umbrella", "newcomer"):
            options = ("--repository", "vault=1", "--generate-password")
            cloudgate(started, "tenant", "create", tenant, *options)
        where = ("--server", os.uname().nodename, "--path", f"{stored}/{{tenant}}")
        shown = cloudgate(started, "repository", "probe", "vault", "Directory", *where)
        assert "Method Directory" in shown
        assert quotas(started, "acme")["UsedQuota"] == 4, "3 MB, and some of the fourth"
        assert quotas(started, "newcomer")["UsedQuota"] == 0
        odd = quotas(started, "umbrella")
        assert "UsedQuota" not in odd
        assert f"{stored}/umbrella: it is a symbolic link" in odd["Warning"]
        status = cloudgate(started, "status")
        assert "1 of 3 tenants could not be measured" in status
        table = cloudgate(started, "tenant", "resource", "list", "acme")
        assert "4 MB" in table
        cloudgate(started, "repository", "probe", "vault", "None")
        assert "UsageProbe" not in cloudgate(started, "repository", "show", "vault")
