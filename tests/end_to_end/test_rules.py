"""Do a tenant's rules, set by the API of a real product, take hold of tunnels that are live?"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.running.product import Client, Product, product
from tests.support.running.tunnel import Tunnel, open_tunnel, repository

pytestmark = pytest.mark.end_to_end
VAULT, STORE = "vault.example:8443", "store.example:8443"
CUT_SECONDS = 5.0
"""How soon somebody who may not be here any more is gone."""
LEASE_SECONDS = 3.0
MEGABYTE = 1024 * 1024
LIMIT_MEGABYTES = 4
SETTLED_SECONDS = 2.0
"""How long what is under way already may come faster."""
_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A tenant with a quota on two repositories, as its provider and its programs know it."""

    product: Product
    client: Client
    port: int
    name: str
    path: str
    opened: list[Tunnel] = field(default_factory=list)

    def change(self, query: str = "", **what: Any) -> None:
        """PUT the tenant."""
        task = self.client.done(self.client.http.put(self.path + query, json=what))
        assert task["Result"]["Success"], task

    def tunnel(self, password: str = "p4ssword", *, target: str = VAULT, user: str = "") -> Tunnel:
        """Ask for a tunnel."""
        login = f"{self.name}{user}:{password}"
        found = open_tunnel(self.port, self.product.ca_file, target, login)
        self.opened.append(found)
        return found

    def live(self, **how: str) -> Tunnel:
        """A tunnel that carries data."""
        found = self.tunnel(**how)
        assert found.status == 200, found.reason
        assert found.lives()
        return found

    def quota_of_vault(self) -> str:
        """The id of its quota on the vault."""
        quotas = self.client.http.get(self.path + "?format=Entity").json()["Resources"]
        (vault,) = [
            each["Id"]
            for each in quotas["CloudTenantResources"]
            if each["RepositoryQuota"]["DisplayName"] == "quota 0"
        ]
        return str(vault)

    def add_subtenant(self, name: str, password: str) -> str:
        """The path of a new subtenant that may reach the vault."""
        spec = {"Name": name, "Password": password, "TenantResourceId": self.quota_of_vault()}
        added = self.client.http.post(
            self.path + "/subtenants", json={**spec, "UnlimitedQuota": True}
        )
        assert self.client.done(added)["Result"]["Success"]
        (made,) = self.client.http.get(self.path + "/subtenants").json()["CloudSubtenants"]
        return f"{self.path}/subtenants/{made['Id']}"


@dataclass
class Site:
    """A provider with a gateway and two repositories."""

    product: Product
    client: Client
    port: int
    repositories: tuple[str, ...]

    def tenant(self, name: str) -> Tenant:
        """A new tenant."""
        task = self.client.add_tenant(name, "p4ssword", *self.repositories)
        href = next(link["Href"] for link in task["Links"] if link["Rel"] == "Related")
        path = str(href).partition("/api")[2].partition("?")[0]
        return Tenant(self.product, self.client, self.port, name, path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        started = stack.enter_context(product(tmp_path_factory.mktemp("product") / "data"))
        client = stack.enter_context(started.client())
        port = free_port()
        client.create_gateway(port)
        address = stack.enter_context(repository())
        targets = {"vault": VAULT, "store": STORE}
        uids = [client.add_repository(name, at, address) for name, at in targets.items()]
        yield Site(started, client, port, tuple(uids))


@pytest.fixture
def tenant(site: Site) -> Iterator[Tenant]:
    made = site.tenant(f"tenant{next(_numbers)}")
    yield made
    for tunnel in made.opened:
        tunnel.close()


@pytest.fixture
def other(site: Site) -> Iterator[Tenant]:
    """Somebody who is to feel nothing."""
    made = site.tenant(f"other{next(_numbers)}")
    yield made
    for tunnel in made.opened:
        tunnel.close()


def test_a_tenant_that_is_disabled_loses_its_tunnel_and_gets_no_other(
    tenant: Tenant, other: Tenant
) -> None:
    tunnel, undisturbed = tenant.live(), other.live()
    tenant.change(Enabled=False)
    assert tunnel.is_cut(CUT_SECONDS)
    refused = tenant.tunnel()
    assert (refused.status, refused.reason) == (403, "The tenant is disabled.")
    assert undisturbed.lives()
    tenant.change(Enabled=True)
    assert tenant.tunnel().status == 200


def test_a_lease_that_runs_out_cuts_the_tunnel_at_its_time_and_not_before(tenant: Tenant) -> None:
    tunnel = tenant.live()
    ends = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
    tenant.change(LeaseExpirationDate=ends.isoformat())
    assert tunnel.lives()
    left = (ends - datetime.now(UTC)).total_seconds()
    assert tunnel.is_cut(left + CUT_SECONDS)
    assert datetime.now(UTC) >= ends
    refused = tenant.tunnel()
    assert (refused.status, refused.reason) == (403, "The tenant's lease has expired.")


@pytest.mark.alone
def test_a_speed_limit_slows_a_transfer_that_runs_and_lifting_it_frees_it(tenant: Tenant) -> None:
    tunnel = tenant.live()
    tunnel.ask(2**40)
    limit_bytes = LIMIT_MEGABYTES * MEGABYTE
    assert tunnel.received_bytes(1) > 3 * limit_bytes
    speed: dict[str, Any] = {"ThrottlingSpeedLimit": LIMIT_MEGABYTES, "ThrottlingSpeedUnit": "MBps"}
    tenant.change(ThrottlingEnabled=True, **speed)
    tunnel.received_bytes(SETTLED_SECONDS)
    slow = tunnel.received_bytes(3) / 3
    assert 0.4 * limit_bytes < slow < 1.3 * limit_bytes
    tenant.change(ThrottlingEnabled=False)
    tunnel.received_bytes(SETTLED_SECONDS)
    assert tunnel.received_bytes(1) > 3 * limit_bytes


def test_a_new_password_is_asked_of_new_tunnels_only(tenant: Tenant) -> None:
    tunnel = tenant.live()
    tenant.change(Password="another one")
    assert tenant.tunnel().status == 407
    assert tenant.live(password="another one").status == 200
    assert tunnel.lives()


def test_a_new_password_ends_the_tunnels_when_that_is_asked_for(
    tenant: Tenant, other: Tenant
) -> None:
    tunnel, undisturbed = tenant.live(), other.live()
    tenant.change("?endTunnels=true", Password="another one")
    assert tunnel.is_cut(CUT_SECONDS)
    assert tenant.live(password="another one").status == 200
    assert undisturbed.lives()


def test_a_quota_that_is_taken_away_ends_the_tunnels_there_and_no_others_when_that_is_asked_for(
    tenant: Tenant, other: Tenant
) -> None:
    there, elsewhere, undisturbed = tenant.live(), tenant.live(target=STORE), other.live()
    path = f"{tenant.path}/resources/{tenant.quota_of_vault()}?endTunnels=true"
    assert tenant.client.done(tenant.client.http.delete(path))["Result"]["Success"]
    assert there.is_cut(CUT_SECONDS)
    assert tenant.tunnel().status == 403
    later = tenant.live(target=STORE)
    assert elsewhere.lives()
    assert undisturbed.lives()
    tenant.change("?endTunnels=true", Description="all of them")
    for each in (elsewhere, later):
        assert each.is_cut(CUT_SECONDS)
    assert tenant.live(target=STORE).status == 200
    assert undisturbed.lives()


def test_a_subtenant_reaches_its_own_target_and_not_the_tenants_other(tenant: Tenant) -> None:
    tenant.add_subtenant("anna", "her own")
    assert tenant.live(password="her own", user="\\anna").status == 200
    refused = tenant.tunnel("her own", user="\\anna", target=STORE)
    assert (refused.status, refused.reason) == (403, f"The tenant has no right to {STORE}.")
    assert tenant.live(target=STORE).status == 200


def test_a_subtenant_that_is_disabled_is_cut_and_its_tenant_is_not(tenant: Tenant) -> None:
    path = tenant.add_subtenant("anna", "her own")
    hers, theirs = tenant.live(password="her own", user="\\anna"), tenant.live()
    tenant.client.done(tenant.client.http.put(path, json={"Enabled": False}))
    assert hers.is_cut(CUT_SECONDS)
    refused = tenant.tunnel("her own", user="\\anna")
    assert (refused.status, refused.reason) == (403, "This user of the tenant is disabled.")
    assert theirs.lives()
