"""Do the modules bring an installation to what a playbook says, and nothing else a second time?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudgate.client import (
    Client,
    CreateCloudTenantSpec,
    CreateRepositorySpec,
    NotFoundError,
)
from cloudgate.wire.resources.tokens import CreateApiTokenSpec
from tests.support.programs.playbooks import Ansible, Task, needs_ansible
from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import PASSWORD, RunningManager, running_manager

pytestmark = needs_ansible


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
    with running_manager(tmp_path_factory.mktemp("manager")) as running:
        host = ScriptedHost(running)
        host.poll()
        with obedient(host):
            yield running


@pytest.fixture(scope="module")
def ansible(site: RunningManager, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(
        tmp_path_factory.mktemp("ansible"),
        CLOUDGATE_URL=site.url,
        CLOUDGATE_CA=str(site.ca_file),
        CLOUDGATE_PASSWORD=PASSWORD,
    )


@pytest.fixture(scope="module")
def client(site: RunningManager) -> Iterator[Client]:
    with Client(site.url, password=PASSWORD, ca=site.ca_file) as connected:
        yield connected


def task(module: str, **options: Any) -> Task:
    return {f"cloudgate.cloudgate.{module}": options}


VAULT = task("repository", name="vault", endpoint="vault.example:8443", capacity="20TB")
GATEWAY = task("gateway", server="gw1.example", port=6180, proxy_protocol_from=["192.0.2.0/24"])
ACME = task(
    "tenant",
    name="acme",
    tenant_password="a word of acme",
    quotas=[{"repository": "vault", "gigabytes": 100}],
    lease="2030-12-31",
    tunnels=20,
    speed_mbps=200,
    networks=["2001:db8::1", "192.0.2.0/24"],
    egress_gigabytes=500,
    may_change_password=True,
    may_get_certificates=True,
    protection_days=7,
    failover_to_others=True,
)
POOL = task("pool", name="gold", gateways=["gw1.example"], tenants=["acme"], drain_seconds=0)
ALL = (VAULT, GATEWAY, ACME, POOL)


@pytest.fixture(scope="module")
def made(ansible: Ansible) -> list[Any]:
    """What is said beforehand of the first and the last; what came of all, and the second time."""
    looked = [{**each, "check_mode": True, "diff": True} for each in (VAULT, POOL)]
    return ansible.play(*looked, *ALL, *ALL)


def test_a_site_is_made_as_it_is_said_and_is_found_so_the_second_time(
    made: list[Any], client: Client
) -> None:
    assert [each["changed"] for each in made] == [True] * 6 + [False] * 4
    assert made[0]["diff"]["after"] == {"endpoint": "vault.example:8443", "capacity": 20 << 40}
    assert made[2]["resource"]["Capacity"] == 20 << 40
    assert made[3]["resource"]["State"] == "Listening"
    assert "a word of acme" not in json.dumps(made)
    acme = client.tenants.get("acme")
    quotas = [each.repository_quota for each in acme.resources or ()]
    assert [(each.display_name, each.quota) for each in quotas if each] == [("vault", 102400)]
    assert acme.allowed_networks == ("192.0.2.0/24", "2001:db8::1/128")
    assert (acme.backup_protection_enabled, acme.backup_protection_period) == (False, 7)
    assert acme.failover_to_others_gateways_if_fail is True


@pytest.mark.usefixtures("made")
def test_only_what_is_otherwise_is_changed_and_said(ansible: Ansible, client: Client) -> None:
    changes = (
        task("tenant", name="acme", quotas=[{"repository": "vault", "gigabytes": 50}], lease=""),
        task("repository", name="vault", quota_warnings=[90, 70], quota_grace=5),
        task("gateway", server="gw1.example", description="first", enabled=True),
        task("pool", name="gold", tenants=[]),
        task(
            "tenant",
            name="acme",
            tenant_password="another word",
            update_password="always",
            enabled=False,
            end_tunnels=True,
        ),
    )
    done = ansible.play(*changes, *changes[:2])
    assert [each["changed"] for each in done] == [True] * 5 + [False] * 2
    vault = client.repositories.get("vault").uid
    assert done[0]["diff"]["before"] == {
        "lease": "2030-12-31T00:00:00+00:00",
        "quotas": [[vault, 102400]],
    }
    assert done[0]["diff"]["after"] == {"lease": "", "quotas": [[vault, 51200]]}
    acme = client.tenants.get("acme")
    assert (acme.enabled, acme.max_concurrent_tasks) == (False, 20)
    assert client.pools.get("gold").cloud_tenants == ()


@pytest.mark.usefixtures("made")
def test_what_the_manager_writes_otherwise_is_not_changed_the_second_time(ansible: Ansible) -> None:
    said = (
        task("repository", name="odd", endpoint="Odd.Example.:8443", address="[2001:DB8:0::9]:443"),
        task("gateway", server="gw1.example", external_ip="GW1.Example"),
        task("gateway", server="gw1.example", proxy_protocol_from=["::ffff:192.0.2.0/120"]),
        task("tenant", name="acme", networks=["::ffff:192.0.2.0/120", "2001:DB8:0::/48"]),
    )
    done = ansible.play(*said, *said, task("repository", name="odd", state="absent"))
    assert [each["changed"] for each in done[len(said) :]] == [False] * len(said) + [True]


@pytest.mark.usefixtures("made")
def test_a_server_is_told_its_token_once(ansible: Ansible) -> None:
    told = ansible.play(
        task("server", name="gw2.example"),
        task("server", name="gw2.example"),
        task("server", name="gw2.example", renew_token="expected"),
        task("server", name="gw1.example", renew_token="expected"),
        task("server", name="gw2.example", state="absent"),
    )
    assert [each["changed"] for each in told] == [True, False, True, False, True]
    assert told[0]["join_token"] != told[2]["join_token"]
    assert len(told[2]["join_fingerprint"]) == 64
    assert "join_token" not in told[1]


@pytest.mark.usefixtures("made")
def test_what_goes_wrong_is_told_in_the_managers_words(ansible: Ansible, client: Client) -> None:
    wrong = ansible.play(
        task("tenant", name="other"),
        task("repository", name="vault", endpoint="*.example:1"),
        task("gateway", server="gw1.example", port=70000),
        task("pool", name="gold", gateways=["gw7.example"]),
        task("repository", name="vault", state="absent"),
        task("repository", name="vault", fingerprint="0" * 64, ca=None),
        task("tenant", name="acme", protect_backups=True),
    )
    assert [each["failed"] for each in wrong] == [True] * 7
    said = [each["msg"] for each in wrong]
    assert said[0] == "other is new: give its tenant_password."
    assert said[2].startswith("ExternalPort: found '70000'")
    assert said[3] == "There is no gateway named 'gw7.example'."
    assert "quota" in said[4]
    assert wrong[4]["where"].startswith("DELETE https://")
    assert "is not the one that is meant" in said[5]
    assert "nothing would be protected" in said[6]


def test_what_is_to_be_absent_goes_and_is_gone_the_second_time(
    site: RunningManager, client: Client, tmp_path: Path
) -> None:
    client.repositories.create(CreateRepositorySpec(name="attic", endpoint="attic.example:8443"))
    client.tenants.create(CreateCloudTenantSpec(name="gone", password="a word of gone's"))
    role = "Portal Administrator"
    token = client.tokens.create(CreateApiTokenSpec(name="playbook", role=role)).secret
    reached = {"url": [site.url], "ca": str(site.ca_file), "token": token}
    away = task("repository", name="attic", state="absent")
    gone = Ansible(tmp_path).play(
        {**away, "check_mode": True},
        away,
        away,
        task("tenant", name="gone", state="absent"),
        module_defaults={"group/cloudgate.cloudgate.cloudgate": reached},
    )
    assert [each["changed"] for each in gone] == [True, True, False, True]
    for things, name in ((client.repositories, "attic"), (client.tenants, "gone")):
        with pytest.raises(NotFoundError):
            things.get(name)


@pytest.mark.usefixtures("made")
def test_a_server_is_ready_when_it_is_online_of_its_release_and_its_gateway_listens(
    ansible: Ansible,
) -> None:
    late = task("server_ready", name="gw1.example", version="99.0.0", timeout=1)
    ready, seen, waited, unknown, looked = ansible.play(
        task("server_ready", name="gw1.example"),
        task("server_ready", name="gw1.example", version="99.0.0", state="seen"),
        late,
        task("server_ready", name="gw9.example"),
        {**late, "check_mode": True},
    )
    assert (ready["lacking"], ready["resource"]["State"]) == ("", "Online")
    assert ready["gateway"]["State"] == "Listening"
    said = f"it is of release {ready['resource']['Version']}, and not of 99.0.0"
    assert [each["lacking"] for each in (seen, waited, looked)] == [said] * 3
    assert waited["msg"] == f"gw1.example is not ready after 1 seconds: {said}."
    assert (waited["failed"], unknown["failed"], looked["failed"]) == (True, True, False)
    assert "gw9.example" in unknown["msg"]
