"""Names with dead addresses, said by a real name server: does whoever dials one get there?

Each name leads to an address that swallows all packets, to one that refuses, and to one that lives,
in IPv6 and IPv4. What swallows counts what came, so that it shows whether it is still asked.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.certificates.brought import Made, pem_of
from tests.support.machine.network import PUBLIC, Provider, missing, provider
from tests.support.running.product import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
    pytest.mark.skipif(
        shutil.which("dnsmasq") is None or shutil.which("rclone") is None,
        reason="to run this: sudo apt-get install dnsmasq-base rclone",
    ),
]
MEBIBYTE = 1024 * 1024
STORE, SWALLOWS, REFUSES = "10.77.0.20", "10.77.0.21", "10.77.0.22"
SWALLOWS_IPV6, REFUSES_IPV6 = "fd77::21", "fd77::22"
MANAGER_SWALLOWS, MANAGER_SWALLOWS_IPV6 = "10.77.0.3", "fd77::3"
OUTSIDE, OUTSIDE_IPV6 = "203.0.113.66", "2001:db8::66"
"""Addresses on the internet where nobody is and nothing comes back."""
TARGETS = {
    "ipv6-swallows": (SWALLOWS_IPV6, STORE),
    "ipv6-refuses": (REFUSES_IPV6, STORE),
    "first-swallows": (SWALLOWS, STORE),
    "first-refuses": (REFUSES, STORE),
    "all-but-one": (SWALLOWS_IPV6, REFUSES_IPV6, SWALLOWS, REFUSES, STORE),
}
NAMES = {
    **{f"{name}.example": addresses for name, addresses in TARGETS.items()},
    "again.example": TARGETS["all-but-one"],
    "manager.example": (MANAGER_SWALLOWS_IPV6, MANAGER_SWALLOWS, "10.77.0.2"),
    "gate.example": (OUTSIDE_IPV6, OUTSIDE, PUBLIC),
    "certified.example": ("10.77.0.2",),
}
PORT, ACME_PORT, TOKENS_PORT = 8080, 14000, 5002
GATEWAY = "gate.example:6180"


class Place:
    """A provider whose manager, storage and gateway have dead addresses beside those that live."""

    def __init__(self, started: Provider) -> None:
        self.provider, self.network = started, started.network
        self.folder = self.network.folder
        self.uids: dict[str, str] = {}

    def open(self) -> None:
        """Bring up a gateway, by names alone."""
        self.network.also("store", SWALLOWS, REFUSES, SWALLOWS_IPV6, REFUSES_IPV6)
        self.network.swallow("store", SWALLOWS, SWALLOWS_IPV6)
        self.network.also("manager", MANAGER_SWALLOWS, MANAGER_SWALLOWS_IPV6)
        self.network.swallow("manager", MANAGER_SWALLOWS, MANAGER_SWALLOWS_IPV6)
        self.network.also("router", OUTSIDE, OUTSIDE_IPV6, device="to-tenant")
        self.network.swallow("router", OUTSIDE, OUTSIDE_IPV6)
        (self.folder / "kept" / "acme").mkdir(parents=True)
        (self.folder / "kept" / "acme" / "backup").write_bytes(bytes(2 * MEBIBYTE))
        words = ("rclone", "serve", "webdav", "--addr", f"{STORE}:{PORT}", "--config", os.devnull)
        self.network.start("store", *words, str(self.folder / "kept"))
        self.open_gateway()
        for name in (*TARGETS, "again"):
            repository = {"Name": name, "Endpoint": f"{name}.example:{PORT}"}
            self.uids[name] = self.provider.call("POST", "/repositories", repository)["UID"]
        self.create_tenant("acme")
        self.create_tenant(
            "slow", ThrottlingEnabled=True, ThrottlingSpeedLimit=10, ThrottlingSpeedUnit="MBps"
        )

    def open_gateway(self) -> None:
        """Have a machine join by its manager's name, and make it a gateway."""
        server = self.provider.call("POST", "/managedServers", {"Name": "gw1"})
        told = ("--token", server["JoinToken"], "--fingerprint", server["JoinFingerprint"])
        state = ("--data", str(self.folder / "gw1" / "data"))
        join = ("host", "join", "https://manager.example:9398", *told, *state)
        self.provider.cloudgate(*join, place="gw1")
        self.provider.run_host("gw1")
        nat = {"NetworkType": "NAT", "ExternalIp": "gate.example", "InternalPort": 8080}
        self.provider.call("POST", "/cloud/gateways", {"ServerHostName": "gw1", **nat})

    def create_tenant(self, name: str, **more: Any) -> None:
        """Add a tenant that may reach all storage."""
        quotas = [
            {"Name": each, "RepositoryUid": uid, "QuotaMb": 10240}
            for each, uid in self.uids.items()
        ]
        resources = {"Resources": {"BackupResources": quotas}}
        self.provider.call(
            "POST", "/cloud/tenants", {"Name": name, "Password": PASSWORD, **more, **resources}
        )

    def answer(self, name: str, tenant: str = "acme") -> str:
        """What a storage answers through the gateway: ``200 200``."""
        words = ("curl", "--silent", "--output", os.devnull, "--proxytunnel", "--max-time", "30")
        proxy = ("--proxy", f"https://{GATEWAY}", "--proxy-user", f"{tenant}:{PASSWORD}")
        trusted = ("--proxy-cacert", str(self.provider.ca_file))
        said = ("--write-out", "%{http_connect} %{http_code}")
        url = f"http://{name}.example:{PORT}/acme/backup"
        return self.network.run("tenant", *words, *proxy, *trusted, *said, url).stdout

    def gateway_uid(self) -> str:
        """Of the only gateway."""
        (gateway,) = self.provider.call("GET", "/cloud/gateways?format=Entity")["CloudGateways"]
        return str(gateway["UID"])

    def quota(self, repository: str) -> dict[str, Any]:
        """A tenant's quota on a repository."""
        tenants = self.provider.call("GET", "/cloud/tenants?format=Entity")["CloudTenants"]
        (acme,) = [each for each in tenants if each["Name"] == "acme"]
        (found,) = [
            each["RepositoryQuota"]
            for each in acme["Resources"]["CloudTenantResources"]
            if each["RepositoryQuota"]["DisplayName"] == repository
        ]
        return dict(found)

    @contextmanager
    def local_port(self, name: str) -> Iterator[str]:
        """A port of a connector that leads to a storage."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        words = (sys.executable, "-m", "cloudgate", "connect", GATEWAY, "--tenant", "acme")
        secret = ("--password-file", str(password), "--ca", str(self.provider.ca_file))
        forward = ("-L", f"10000:{name}.example:{PORT}")
        process = self.network.start("tenant", *words, *secret, *forward)
        try:
            yield "http://localhost:10000"
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    options = ("--http-port", str(TOKENS_PORT))
    with provider(
        tmp_path_factory.mktemp("names"), *options, names=NAMES, called="manager.example"
    ) as started:
        made = Place(started)
        made.open()
        yield made


def test_a_host_joins_and_reports_by_the_address_of_its_manager_that_lives(place: Place) -> None:
    place.provider.wait_until("server", "gw1", State="Online")
    place.provider.wait_until("gateway", "gw1", State="Listening")
    before = place.network.swallowed("manager")
    assert before > 0
    place.provider.call("PUT", f"/cloud/gateways/{place.gateway_uid()}", {"Description": "named"})
    assert place.network.swallowed("manager") == before


@pytest.mark.parametrize("tenant", ["acme", "slow"], ids=["unlimited", "limited"])
@pytest.mark.parametrize("name", TARGETS)
def test_a_tunnel_leads_to_the_address_of_its_target_that_lives(
    place: Place, name: str, tenant: str
) -> None:
    assert place.answer(name, tenant) == "200 200"


def test_what_worked_is_remembered_also_under_another_name(place: Place) -> None:
    assert place.answer("all-but-one") == "200 200"
    before = place.network.swallowed("store")
    assert before > 0
    assert place.answer("again") == "200 200"
    assert place.network.swallowed("store") == before


def test_the_connector_reaches_its_gateway_by_the_address_that_lives(place: Place) -> None:
    with place.local_port("first-swallows") as url:
        words = ("curl", "--silent", "--fail", "--output", os.devnull, f"{url}/acme/backup")
        until(lambda: place.network.run("tenant", *words, check=False).returncode == 0)
    assert place.network.swallowed("router") > 0


def test_a_probe_measures_by_the_address_that_lives(place: Place) -> None:
    probe = {"Method": "WebDAV", "Url": f"http://all-but-one.example:{PORT}/{{tenant}}"}
    uid = place.uids["all-but-one"]
    place.provider.call("PUT", f"/repositories/{uid}", {"UsageProbe": probe})
    until(
        lambda: "UsedQuota" in place.quota("all-but-one"), said=lambda: place.quota("all-but-one")
    )
    assert place.quota("all-but-one")["UsedQuota"] == 2


@pytest.mark.skipif(shutil.which("pebble") is None, reason="needs the Debian package pebble")
def test_a_certificate_is_ordered_by_the_address_of_the_acme_server_that_lives(
    place: Place,
) -> None:
    own = Made("all-but-one.example")
    files = place.folder / "acme"
    files.mkdir()
    (files / "cert.pem").write_text(pem_of(own.leaf))
    (files / "key.pem").write_text(own.key_pem)
    settings = {
        "listenAddress": f"{STORE}:{ACME_PORT}",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": str(files / "cert.pem"),
        "privateKey": str(files / "key.pem"),
        "httpPort": TOKENS_PORT,
        "tlsPort": 5001,
    }
    (files / "pebble.json").write_text(json.dumps({"pebble": settings}))
    words = ("pebble", "-config", str(files / "pebble.json"), "-dnsserver", "10.77.0.1:53")
    place.network.start("store", *words, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0")
    until(
        lambda: "Listening" in place.network.log("store"), said=lambda: place.network.log("store")
    )
    order = {
        "DirectoryUrl": f"https://all-but-one.example:{ACME_PORT}/dir",
        "Names": "certified.example",
        "CaFile": pem_of(own.issuer),
    }
    task = place.provider.call("POST", "/cloud/certificates?action=order", order)
    assert task["Result"]["Success"], task
