"""What can a program do with a real manager, by both clients?"""

import asyncio
import hashlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudgate.client import (
    AsyncClient,
    BackupResource,
    ChangedMeanwhileError,
    Client,
    CloudGateway,
    CloudTenant,
    CreateCloudGatewaySpec,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
    CreateManagedServerSpec,
    CreateRepositorySpec,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    Repository,
    TaskFailedError,
    TaskLeftError,
    TenantClient,
    UnreachedError,
    UntrustedError,
)
from cloudgate.client.core import resources
from cloudgate.client.core.retries import NONE
from cloudgate.manager.sessions import totp
from cloudgate.protocol import GatewayState
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenantCreateSpec
from cloudgate.wire.resources.infrastructure import BackupServerSpec
from cloudgate.wire.resources.second_factor import SecondFactor, SecondFactorCodeSpec
from cloudgate.wire.resources.security import EnterpriseAccountCreateSpec, EnterpriseRoleRef
from cloudgate.wire.resources.sessions import LogonSessions
from cloudgate.wire.resources.tokens import CreateApiTokenSpec
from tests.support.ports import free_port
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import PASSWORD, RunningManager, manager_of_module

site = manager_of_module()
"""One manager for all of them: each makes things of its own."""


@pytest.fixture(scope="module")
def gateway_host(site: RunningManager) -> Iterator[ScriptedHost]:
    joined = ScriptedHost(site)
    joined.poll()
    yield joined
    joined.close()


@pytest.fixture(scope="module")
def cloudgate(site: RunningManager) -> Iterator[Client]:
    with Client(site.url, password=PASSWORD, ca=site.ca_file) as client:
        yield client


def obeying(host: ScriptedHost, state: GatewayState, reason: str = "") -> threading.Thread:
    thread = threading.Thread(target=host.obey, args=(state, reason))
    thread.start()
    return thread


def sessions(client: Client) -> int:
    return len(client.call("GET", "/logonSessions", LogonSessions).logon_sessions)


def test_a_gateway_is_made_changed_and_taken_away_and_each_is_waited_for(
    cloudgate: Client, gateway_host: ScriptedHost
) -> None:
    spec = CreateCloudGatewaySpec(server_host_name=gateway_host.name, network_type="Direct")
    working = obeying(gateway_host, GatewayState.FAILED, "Port 6180 is taken by nginx.")
    with pytest.raises(TaskFailedError, match=r"^Port 6180 is taken by nginx\.$"):
        cloudgate.gateways.create(spec)
    working.join()
    gateway_host.obey(GatewayState.ABSENT)  # it was taken back
    working = obeying(gateway_host, GatewayState.LISTENING)
    made = cloudgate.gateways.create(spec)
    working.join()
    assert (made.name, made.external_port, made.enabled) == (gateway_host.name, 6180, True)
    with pytest.raises(TaskLeftError, match=r"EditCloudGateway has not ended within 0\.2 seconds"):
        cloudgate.gateways.edit(
            gateway_host.name, CloudGateway(external_port=7000), patience_seconds=0.2
        )
    obeying(gateway_host, GatewayState.LISTENING).join()
    task = cloudgate.gateways.begin_delete(gateway_host.name, drain_seconds=0)
    obeying(gateway_host, GatewayState.ABSENT).join()
    assert cloudgate.tasks.wait(task).state == "Finished"
    assert cloudgate.gateways.list() == []
    assert cloudgate.tasks.timeline(str(task.task_id)).steps
    with pytest.raises(InvalidRequestError, match="DELETE of gateways has no endTunnels"):
        cloudgate.gateways.delete(str(made.uid), end_tunnels=True)


def test_what_belongs_to_a_tenant_is_named_as_everything_else_is(
    cloudgate: Client, site: RunningManager
) -> None:
    cellar = cloudgate.repositories.create(
        CreateRepositorySpec(name="cellar", endpoint="cellar.example:8")
    )
    cafe, large = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "Caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    quota = BackupResource(name=cafe, repository_uid=cellar.uid, quota_mb=50_000)
    spec = CreateCloudTenantSpec(name="named", password="a word of its own", resources=(quota,))
    cloudgate.tenants.create(spec)
    quotas, users = cloudgate.tenants.quotas("named"), cloudgate.tenants.subtenants("named")
    made = quotas.list()[0]
    user = CloudSubtenantCreateSpec(
        name=cafe,
        password="a word of the user's",
        tenant_resource_id=made.id,
        quota_mb=1024,
        unlimited_quota=False,
    )
    of_user = users.create(user).id
    wide = "".join(chr(ord(each) + 0xFEE0) for each in "CAF")
    for word in (f"{wide}E\N{COMBINING ACUTE ACCENT}", f" {large} "):
        assert quotas.get(word).id == made.id
        assert users.get(word).id == of_user
    for form in ("{}", "{{{}}}", "urn:veeam:{}:{}"):
        for things, kind, identifier in (
            (quotas, "CloudTenantResource", made.id),
            (users, "CloudSubtenant", of_user),
        ):
            said = (identifier,) if form.count("{}") == 1 else (kind, identifier)
            assert things.get(form.format(*said).upper()).id == identifier
    with pytest.raises(NotFoundError, match="The tenant has no user named"):
        users.get(f"urn:veeam:CloudTenantResource:{of_user}")


def test_a_tenant_gets_quotas_users_and_passwords(cloudgate: Client, site: RunningManager) -> None:
    vault, attic = (
        cloudgate.repositories.create(CreateRepositorySpec(name=name, endpoint=f"{name}.example:8"))
        for name in ("vault", "attic")
    )
    quota = BackupResource(name="main", repository_uid=vault.uid, quota_mb=50_000)
    spec = CreateCloudTenantSpec(name="acme", password="a word of acme", resources=(quota,))
    assert cloudgate.tenants.create(spec).name == "acme"
    quotas = cloudgate.tenants.quotas("ACME")
    more = CreateCloudTenantResourceSpec(name="more", repository_uid=attic.uid, quota_mb=2048)
    quotas.create(more)
    granted = [each.repository_quota and each.repository_quota.quota for each in quotas.list()]
    assert granted == [50_000, 2048]
    quotas.delete("more", end_tunnels=True)
    with pytest.raises(NotFoundError, match="The tenant has no quota named 'more'; it has: main"):
        cloudgate.tenants.quotas("acme").get("more")
    users = cloudgate.tenants.subtenants("acme")
    main = quotas.list()[0].id
    ann = CloudSubtenantCreateSpec(
        name="ann",
        password="a word of ann's",
        tenant_resource_id=main,
        quota_mb=1024,
        unlimited_quota=False,
    )
    assert users.create(ann).name == "ann"
    assert users.get("Ann").enabled is True
    generated = cloudgate.tenants.rotate_password("acme").new_password
    assert generated
    cloudgate.tasks.wait(cloudgate.tenants.end_old_password("acme"))
    with TenantClient(site.url, tenant="acme", password=generated, ca=site.ca_file) as acme:
        own = acme.overview()
        assert [each.endpoint for each in own.quotas or ()] == ["vault.example:8"]
        assert [each.name for each in acme.subtenants()] == ["ann"]
        assert acme.logins()
        assert not acme.tunnels().cloud_gateway_tunnels
        assert not acme.usage()
        assert not acme.usage(7, "Minutes>1", total=True)
        assert not acme.held_back()
    cloudgate.tenants.delete("acme")
    assert cloudgate.repositories.edit("attic", Repository(capacity=1024)).capacity == 1024
    cloudgate.repositories.delete("attic")


def test_all_of_a_kind_come_page_by_page_filtered_and_sorted(
    cloudgate: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "PAGE_SIZE", 2)
    for name in "edcba":
        spec = CreateRepositorySpec(name=f"page {name}", endpoint=f"{name}.example:8443")
        cloudgate.repositories.create(spec)
    chosen = 'Name>="page b";Name<"page z"'
    found = cloudgate.repositories.list(chosen, sort_by="name", descending=True)
    assert [each.name for each in found] == [f"page {name}" for name in "edcb"]
    assert len(list(cloudgate.repositories.each(chosen))) == 4
    written = list(cloudgate.audit('Operation=="CreateRepository"', sort_by="Number"))
    numbers = [each.number or 0 for each in written]
    assert len(numbers) >= 5
    assert numbers == sorted({*numbers})
    with pytest.raises(InvalidRequestError, match="filter"):
        cloudgate.repositories.list("Name=")
    with pytest.raises(InvalidRequestError, match="The query service has no API tokens"):
        cloudgate.tokens.list("Name==x")


def test_two_who_change_the_same_thing_do_not_undo_what_the_other_did(cloudgate: Client) -> None:
    cloudgate.tenants.create(CreateCloudTenantSpec(name="both", password="a word of both"))
    seen = cloudgate.tenants.tag("both")
    cloudgate.tenants.edit("both", CloudTenant(description="mine"), tag=seen)
    with pytest.raises(ChangedMeanwhileError, match="both was changed since you looked at it"):
        cloudgate.tenants.edit("both", CloudTenant(description="theirs"), tag=seen)
    assert cloudgate.tenants.get("both").description == "mine"


def test_a_server_is_expected_with_a_token_that_is_told_once(cloudgate: Client) -> None:
    made = cloudgate.servers.create(CreateManagedServerSpec(name="gw9.example"))
    assert made.join_token
    assert made.join_token not in repr(made)
    assert cloudgate.servers.renew_join_token("gw9.example").join_token != made.join_token
    assert cloudgate.servers.get("gw9.example").join_token is None
    cloudgate.servers.delete("gw9.example")
    far = cloudgate.backup_servers.create(BackupServerSpec(dns_name_or_ip_address="far.example"))
    assert far.name == "far.example"
    cloudgate.backup_servers.delete("far.example")


def test_a_token_does_in_place_of_a_logon_and_one_that_was_revoked_is_told(
    cloudgate: Client, site: RunningManager
) -> None:
    spec = CreateApiTokenSpec(name="nightly", role="Portal User", valid_days=1)
    secret = cloudgate.tokens.create(spec).secret or ""
    before = sessions(cloudgate)
    with Client(site.url, token=lambda: secret, ca=site.ca_file) as program:
        assert [each.name for each in program.backup_servers.list()] == ["localhost"]
        assert sessions(cloudgate) == before
        cloudgate.tokens.delete("nightly")
        with pytest.raises(NotAuthenticatedError) as told:
            program.warnings()
    assert told.value.__notes__ == [f"This was the answer to GET {site.url}/api/warnings."]
    with pytest.raises(InvalidRequestError, match="Give a password or an API token"):
        Client(site.url)


def test_an_account_with_a_second_factor_logs_on_by_its_code(
    cloudgate: Client, site: RunningManager
) -> None:
    role = EnterpriseRoleRef(enterprise_role_uid=cloudgate.roles.get("portal user").uid)
    spec = EnterpriseAccountCreateSpec(
        account_type="User", account_name="ann", password="s3cret of ann", roles=(role,)
    )
    assert cloudgate.accounts.create(spec).name == "ann"
    site.clock.begin(totp.STEP_SECONDS)
    moment = totp.step_at(site.clock())
    known: Any = {"user": "ann", "password": "s3cret of ann", "ca": site.ca_file}
    with Client(site.url, **known) as ann:
        secret = ann.call("POST", "/security/factor", SecondFactor).secret or ""
        code = SecondFactorCodeSpec(code=totp.code_of(secret, moment - 1))
        ann.call("PUT", "/security/factor", SecondFactor, code)
    with Client(site.url, **known, code=lambda: totp.code_of(secret, moment)) as ann:
        assert ann.tenants.list() is not None
    with (
        Client(site.url, **known) as ann,
        pytest.raises(NotAuthenticatedError, match="with a second factor shows its code, too"),
    ):
        ann.tenants.list()
    cloudgate.accounts.delete("ann")


def test_a_manager_is_known_by_the_fingerprint_of_its_authority(site: RunningManager) -> None:
    der = ssl.PEM_cert_to_DER_cert(site.ca_file.read_text())
    pin = hashlib.sha256(der).hexdigest().upper()
    with Client(site.url, password=PASSWORD, fingerprint=pin) as client:
        assert client.maintenance().enabled is False
    with (
        Client(site.url, password=PASSWORD, fingerprint=pin[::-1]) as client,
        pytest.raises(UntrustedError, match="is not the one that is meant"),
    ):
        client.warnings()
    with (
        Client(site.url, password=PASSWORD) as client,
        pytest.raises(UntrustedError, match=r"Give the certificate authority.*with ca\."),
    ):
        client.warnings()
    with pytest.raises(InvalidRequestError, match="64 hexadecimal digits"):
        Client(site.url, password=PASSWORD, fingerprint="12")


def test_threads_share_one_logon(cloudgate: Client, site: RunningManager) -> None:
    before = sessions(cloudgate)
    with (
        Client(site.url, password=PASSWORD, ca=site.ca_file) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        found = list(threads.map(client.backup_servers.get, ["localhost"] * 12))
        assert {each.name for each in found} == {"localhost"}
        assert sessions(cloudgate) == before + 1


def test_the_one_that_awaits_logs_on_once_for_all_and_goes_to_the_manager_that_is_there(
    cloudgate: Client, site: RunningManager
) -> None:
    gone = f"https://127.0.0.1:{free_port()}"
    before = sessions(cloudgate)

    async def ask() -> None:
        async with AsyncClient([gone, site.url], password=PASSWORD, ca=site.ca_file) as client:
            found = await asyncio.gather(*(client.backup_servers.get("localhost") for _ in "1234"))
            assert {each.name for each in found} == {"localhost"}
            assert await asyncio.to_thread(sessions, cloudgate) == before + 1
            assert client.url == site.url
            assert [each.name async for each in client.backup_servers.each()] == ["localhost"]
        async with AsyncClient(gone, password=PASSWORD, retries=NONE) as client:
            with pytest.raises(UnreachedError, match="Check that the manager runs"):
                await client.warnings()

    asyncio.run(ask())
    assert sessions(cloudgate) == before


def test_what_no_manager_can_be_reached_by_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(InvalidRequestError, match="holds no certificates in PEM format"):
        Client("https://manager.example", password="x", ca=tmp_path / "ca.pem")
    with pytest.raises(InvalidRequestError, match="must begin with https://"):
        Client("http://manager.example", password="x")
