"""Is what tenants used told to the byte by a real product, whatever of it is killed?"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudgate.host.access_log.record import PERIOD_SECONDS
from cloudgate.host.manager_link.sync import USAGE_SECONDS
from tests.support.machine import processes
from tests.support.ports import free_port
from tests.support.running.product import Installation, Product, accepts
from tests.support.running.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import looks, until

pytestmark = pytest.mark.end_to_end
TARGET = "vault.example:8443"
TOLD_SECONDS = PERIOD_SECONDS + USAGE_SECONDS + 5.0
"""How long it may take until the manager has heard of what a live tunnel carried."""


@dataclass(frozen=True)
class Traffic:
    """What went through tunnels."""

    tunnels: int
    bytes_up: int
    bytes_down: int


class Site:
    """`cloudgate up` with a gateway, which a test may kill in parts."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self._stack = stack
        self._installation = Installation(data, stack)
        self.port = free_port()

    @property
    def product(self) -> Product:
        """What the operator has started last."""
        return self._installation.product

    def open(self, address: str) -> None:
        """Have the operator do his part."""
        with self.product.client() as client:
            client.create_gateway(self.port)
            uid = client.add_repository("vault", TARGET, address)
            for tenant in ("acme", "other"):
                client.add_tenant(tenant, "p4ssword", uid)

    def tunnel(self, tenant: str) -> Tunnel:
        """A new tunnel of a tenant, as soon as there is a host service that checks passwords."""

        def answered() -> Tunnel | None:
            login = f"{tenant}:p4ssword"
            found = open_tunnel(self.port, self.product.ca_file, TARGET, login)
            return None if found.status == 503 else found

        found = until(answered, TOLD_SECONDS)
        assert found is not None
        self._stack.callback(found.close)
        assert found.status == 200, found.reason
        return found

    def used(self, tenant: str) -> Traffic:
        """What the manager says that a tenant used."""
        with self.product.client() as client:
            entities = client.http.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
            uid = next(each["UID"] for each in entities if each["Name"] == tenant)
            shown = client.http.get(f"/cloud/tenants/{uid}/usage").json()["CloudTenantUsages"]
        names = ("Tunnels", "BytesUp", "BytesDown")
        return Traffic(*(sum(each[name] for each in shown) for name in names))

    def wait_for(self, tenant: str, bytes_up: int) -> Traffic:
        """What a tenant used, once it is that much."""
        for _ in looks(TOLD_SECONDS):
            if (found := self.used(tenant)).bytes_up >= bytes_up:
                return found
        raise AssertionError(f"{tenant} used {found}")

    def pid_of(self, words: str) -> int:
        """A process of the product, as soon as it is there."""
        for _ in looks(TOLD_SECONDS):
            found = [pid for pid, said in self._installation.processes().items() if words in said]
            if len(found) == 1:
                return found[0]
        raise AssertionError(f"One is wanted: {self._installation.processes()}")

    def kill(self, words: str) -> None:
        """End a process of the product at once, and see that it is gone."""
        pid = self.pid_of(words)
        processes.kill([pid])
        until(lambda: pid not in self._installation.processes())

    def kill_manager_and_start_again(self) -> None:
        """The process that was started is killed, and the operator starts it again."""
        self.product.kill()
        self._installation.start_again()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        address = stack.enter_context(repository())
        made = Site(tmp_path_factory.mktemp("product") / "data", stack)
        made.open(address)
        yield made


def test_every_byte_of_tunnels_that_live_through_kills_of_the_other_parts_is_counted_once(
    site: Site,
) -> None:
    going = site.tunnel("acme")
    envoy = site.pid_of("--config-path")
    going.exchange(100_000, 7)
    site.kill_manager_and_start_again()
    going.exchange(20_000, 1_000_003)
    with_manager_anew = site.tunnel("acme")
    site.kill("host run")
    # Nobody looks right now: what ends meanwhile is read of the log later.
    with_manager_anew.exchange(3_000, 50_000)
    with_manager_anew.close()
    going.exchange(400, 900)
    site.wait_for("acme", 100_000)
    site.kill("host run")
    site.kill_manager_and_start_again()
    going.exchange(16, 1)
    going.close()
    assert site.wait_for("acme", 123_416) == Traffic(2, 123_416, 1_050_911)
    assert site.pid_of("--config-path") == envoy


def test_an_envoy_that_is_killed_takes_no_more_along_than_it_had_not_said_and_nothing_comes_twice(
    site: Site,
) -> None:
    going = site.tunnel("other")
    going.exchange(1_000_000, 500_000)
    site.wait_for("other", 1_000_000)
    going.exchange(30_000, 20_000)
    site.kill("--config-path")
    assert not going.lives()
    until(lambda: accepts(site.port))
    after = site.tunnel("other")
    after.exchange(400_000, 200_000)
    after.close()
    found = site.wait_for("other", 1_400_000)
    assert found.tunnels == 2
    assert 1_400_000 <= found.bytes_up <= 1_430_000
    assert 700_000 <= found.bytes_down <= 720_000
