"""Does a host hand on what tenants want for themselves, and is it believed nothing by that?"""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.protocol import OwnAnswer, OwnRequest
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.running.customers import SECRET, Customer, add_vault, listening_host
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

NEW = "another long password"
ADDRESS = "192.0.2.7"


@pytest.fixture
def acme(client: httpx2.Client) -> Customer:
    made = Customer(client, "acme", add_vault(client))
    allowed = {"MayGetCertificates": True, "MayChangePassword": True}
    finished(client, client.put(made.path, json=allowed).json())
    return made


def ask(host: ScriptedHost, acme: Customer, **more: Any) -> OwnAnswer:
    request = OwnRequest(tenant_id=acme.id, **{"address": ADDRESS, "password": SECRET, **more})
    answer = host.client.post("/own", content=request.model_dump_json()).raise_for_status()
    return OwnAnswer.model_validate_json(answer.content)


def test_what_a_tenant_wants_is_done_once_it_has_proved_itself_to_the_manager(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    key = new_key()
    with listening_host(running, client) as host:
        made = ask(host, acme, certificate_request=request_pem(key), user_id=acme.user_id("ann"))
        assert made.status == 200, made.message
        assert "BEGIN CERTIFICATE" in made.certificate_pem
        assert ask(host, acme, new_password=NEW).status == 200
        wrong = ask(host, acme, new_password="yet another password")
        assert (wrong.status, "password is wrong" in wrong.message) == (401, True)
        assert ask(host, acme, password=NEW, new_password="short").status == 400
        (listed,) = client.get(f"{acme.path}/certificates").json()["CloudTenantCertificates"]
        renewed = {
            "password": "",
            "certificate_id": UUID(listed["Id"]),
            "certificate_request": request_pem(key),
        }
        assert ask(host, acme, **renewed, user_id=acme.user_id("ann")).status == 200
        assert ask(host, acme, **renewed).status == 401, "it is the user's"
        forged = {**renewed, "certificate_request": request_pem(new_key())}
        assert ask(host, acme, **forged, user_id=acme.user_id("ann")).status == 401
    noted = [each for each in running.audited() if "Own" in each.operation]
    assert {(each.account, each.address) for each in noted} == {
        ("acme\\ann", str(ADDRESS)),
        ("acme", str(ADDRESS)),
    }
    assert [each.operation for each in noted if not each.success] == [
        "ChangeOwnCloudTenantPassword"
    ]


def test_of_whom_its_gateway_may_not_let_in_a_host_is_told_nothing(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    with listening_host(running, client) as host:
        assert ask(host, acme, new_password=NEW).status == 200
        (gateway,) = client.get("/cloud/gateways").json()["Refs"]
        apart = {"Name": "apart", "CloudGateways": {"CloudGatewayUids": [gateway["UID"]]}}
        finished(client, client.post("/cloud/gatewayPools", json=apart).json())
        right = ask(host, acme, password=NEW, new_password="yet another password")
        wrong = ask(host, acme, password="wrong", new_password="yet another password")
        assert right == wrong
        assert right.status == 401
        nobody = OwnRequest(tenant_id=UUID(int=5), address=ADDRESS, new_password=NEW)
        answer = host.client.post("/own", content=nobody.model_dump_json())
        assert OwnAnswer.model_validate_json(answer.content) == right


def test_a_host_that_is_not_known_asks_nothing(
    running: RunningManager, acme: Customer, host: ScriptedHost
) -> None:
    host.client.headers["Authorization"] = "Bearer nobody"
    request = OwnRequest(tenant_id=acme.id, address=ADDRESS, password=SECRET, new_password=NEW)
    answer = host.client.post("/own", content=request.model_dump_json())
    assert answer.status_code == 401
    assert SECRET not in repr(request) + str(request)
    assert NEW not in repr(request) + str(request)
