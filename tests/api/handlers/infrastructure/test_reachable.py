"""What may a Portal User make the manager and the gateways dial, or have measured?"""

import asyncio
import socket
from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest

from cloudgate.errors import AccessDeniedError
from cloudgate.host.authorization.resolver import Resolver
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck
from cloudgate.manager.jobs.reachability_probe import dial
from cloudgate.manager.probes import webdav
from cloudgate.manager.probes.rules import Probe, ProbeMethod, TenantStorage
from cloudgate.manager.sessions.administration import NewAccount, create_account
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.settings.reachable import reachable_by
from cloudgate.manager.storage_services.answers import Limits, UnansweredError
from cloudgate.trust.password_hashes import hash_password
from tests.support.addresses import FINE, LOOPBACK, NEVER
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager


def at(host: str) -> str:
    return f"[{host}]:8443" if ":" in host else f"{host}:8443"


@pytest.fixture
def user(running: RunningManager) -> httpx2.Client:
    password_hash = hash_password("a long password")
    with running.manager.changing() as work:
        spec = NewAccount(
            name="ann",
            kind="InternalUser",
            role_ids=[Role.PORTAL_USER.id],
            password_hash=password_hash,
        )
        create_account(work, spec)
    client = running.client(Accept="application/json")
    client.post("/sessionMngr/", auth=("ann", "a long password")).raise_for_status()
    return client


def added(client: httpx2.Client, name: str, **more: object) -> httpx2.Response:
    spec = {"Name": name, "Endpoint": f"{name}.example:1", **more}
    return client.post("/repositories", json=spec)


def test_nobody_names_a_metadata_service_and_administrators_only_the_machine_itself(
    running: RunningManager, user: httpx2.Client
) -> None:
    admin = running.logged_on()
    for number, host in enumerate(NEVER):
        for client in (admin, user):
            answer = added(client, f"never{number}", Address=at(host))
            assert answer.status_code == 400, host
    for number, host in enumerate((*LOOPBACK, "localhost", "a.localhost")):
        assert added(user, f"own{number}", Address=at(host)).status_code == 403, host
        assert added(admin, f"own{number}", Address=at(host)).status_code == 201, host
    assert added(user, "localhost", Endpoint="localhost:9").status_code == 403
    for number, host in enumerate(FINE):
        assert added(user, f"fine{number}", Address=at(host)).status_code == 201, host


def test_what_an_administrator_has_named_stays_when_others_edit_the_rest(
    running: RunningManager, user: httpx2.Client
) -> None:
    made = added(running.logged_on(), "vault", Address="127.0.0.1:8443").json()
    href, body = made["Href"], {**made, "Description": "edited"}
    assert user.put(href, json=body).status_code == 204
    assert user.put(href, json={"Address": "127.0.0.1:22"}).status_code == 403
    assert user.put(href, json={"Address": "10.0.0.1:22"}).status_code == 204
    assert user.put(href, json={"Address": "127.0.0.1:8443"}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "0.0.0.0"])
def test_no_port_is_told_from_another_by_a_probe_or_an_advertised_address(
    running: RunningManager, user: httpx2.Client, host: str
) -> None:
    joined = ScriptedHost(running)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for port in (listener.getsockname()[1], 1):
            url = {"Method": "WebDAV", "Url": f"http://{host}:{port}/{{tenant}}/"}
            answer = added(user, "vault", Address="10.0.0.1:1", UsageProbe=url)
            assert answer.status_code in (400, 403)
            gateway = {
                "ServerHostName": joined.name,
                "NetworkType": "NAT",
                "ExternalIP": host,
                "ExternalPort": port,
            }
            assert user.post("/cloud/gateways", json=gateway).status_code in (400, 403)
        assert listener.getsockname()
    assert user.get("/repositories").json() == {"Refs": []}
    joined.close()


def test_no_folder_is_measured_that_no_operator_has_named(
    running: RunningManager, user: httpx2.Client
) -> None:
    joined = ScriptedHost(running)
    uid = f"urn:veeam:ManagedServer:{joined.server_id}"

    def asked(client: httpx2.Client, name: str, path: str) -> int:
        wanted = {"Method": "Directory", "ManagedServerUid": uid, "Path": path}
        return added(client, name, Address="10.0.0.1:1", UsageProbe=wanted).status_code

    assert asked(user, "one", "/etc/{tenant}") == 403
    assert asked(running.logged_on(), "two", "/etc/{tenant}") == 201
    object.__setattr__(running.manager, "reachable", reachable_by([], ["/srv/backups"]))
    assert asked(user, "three", "/srv/backups/{tenant}") == 201
    assert asked(user, "four", "/srv/backups-of-others/{tenant}") == 403
    assert asked(user, "five", "/srv/backups/../../etc/{tenant}") in (400, 403)
    joined.close()


def test_where_a_name_leads_is_seen_when_it_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    led_to = ["127.0.0.1"]

    def lookup(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert host == "rebinding.example"
        return [(0, 0, 0, "", (each, port)) for each in led_to]

    monkeypatch.setattr("cloudgate.network.happy_eyeballs.socket.getaddrinfo", lookup)
    asked = Probe(method=ProbeMethod.WEBDAV, url="http://rebinding.example:1/{tenant}/")
    place = TenantStorage("http://rebinding.example:1/", ("acme",))
    texts = set()
    for led_to[0] in ("127.0.0.1", "169.254.169.254", "0.0.0.0"):
        with pytest.raises(UnansweredError) as found:
            webdav.measure(replace(asked, named_by_administrator=False), "", place)
        texts.add(found.value.message)
    assert len(texts) == 1, "what is there is not told"
    led_to[0] = "169.254.169.254"
    with pytest.raises(UnansweredError, match="does not dial"):
        webdav.measure(asked, "", place)
    led_to[0] = "10.0.0.1"
    limits = Limits(reachable=reachable_by(["192.0.2.0/24"], []))
    with pytest.raises(UnansweredError, match="does not dial"):
        webdav.measure(replace(asked, named_by_administrator=False), "", place, limits)


def test_a_gateway_connects_nobody_to_what_is_never_right() -> None:
    async def resolve() -> None:
        resolver = Resolver(own=lambda: ["192.0.2.10"])
        for host in NEVER:
            with pytest.raises(AccessDeniedError):
                await resolver.resolve(at(host))
        assert await resolver.resolve("127.0.0.1:8443") == ("127.0.0.1:8443",)
        resolver.close()

    asyncio.run(resolve())


def test_the_manager_is_not_led_to_itself_by_the_name_of_a_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(address: str) -> set[str]:
        texts = set()

        def lookup(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for port in (listener.getsockname()[1], 1):
                said = await dial(
                    ReachabilityCheck(uuid4(), "led.example", port, "", is_here=False)
                )
                texts.add(said.replace(str(port), "PORT"))
        return texts

    for address in ("127.0.0.1", "169.254.169.254"):
        (text,) = asyncio.run(ask(address))
        assert "is not dialled by the manager" in text
