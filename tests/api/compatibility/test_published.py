"""Every call of the published reference is there: served, truthfully empty, or refused with why."""

import re

import httpx2
import pytest

from cloudgate.api.compatibility.published import CALLS, PublishedCall
from cloudgate.api.handlers.absent import COLLECTIONS
from cloudgate.api.http.router import choose
from cloudgate.api.table import router
from tests.support.running.manager import client_of_module, manager_of_module

GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"

running = manager_of_module()
client = client_of_module()


def path_of(published: PublishedCall) -> str:
    return published.path.replace("{ID}", GUID).replace("{name}", "some machine.vbk")


def test_the_list_is_whole() -> None:
    assert len(CALLS) > 300
    assert len(set(CALLS)) == len(CALLS)
    assert PublishedCall("POST", "/backupServers/{ID}", "veeamzip") in CALLS
    assert PublishedCall("GET", "/cloud/tenants/{ID}/vCloudComputeResources") in CALLS


@pytest.mark.parametrize("published", CALLS, ids=str)
def test_every_published_call_has_a_route(published: PublishedCall) -> None:
    found = router().match(path_of(published))
    assert found is not None
    assert published.verb in found.routes
    route = choose(found.routes[published.verb], published.action)
    wanted = published.action.lower()
    assert route.action in (None, wanted)


@pytest.mark.parametrize("published", CALLS, ids=str)
def test_every_published_call_is_answered_with_what_it_is_about(
    client: httpx2.Client, published: PublishedCall
) -> None:
    if published.path in ("/sessionMngr", "/logonSessions/{ID}", "/query"):
        return
    path = path_of(published) + (f"?action={published.action}" if published.action else "")
    answer = client.request(published.verb, path, json={} if published.verb == "PUT" else None)
    if answer.status_code in (200, 201, 202, 204):
        assert published.verb == "GET" or published.action == "rebuildScope"
        return
    error = answer.json()
    assert error["StatusCode"] == answer.status_code
    assert answer.status_code in (400, 404, 501), error
    assert "has no resource at" not in error["Message"]
    assert "action: found" not in error["Message"]
    if answer.status_code == 501:
        assert re.match(r"Cloudgate does not offer [A-Za-z ]+", error["Message"]), error
    if answer.status_code == 404:
        assert GUID in error["Message"] or "some machine.vbk" in error["Message"], error


def test_doing_something_with_what_is_not_offered_is_501_with_the_reason(
    client: httpx2.Client,
) -> None:
    for path in (
        f"/backupServers/{GUID}?action=veeamzip",
        f"/backupServers/{GUID}?action=quickbackup",
        f"/jobs/{GUID}?action=start",
        f"/nas/jobs/{GUID}/start",
        f"/cloud/cloudFailoverPlans/{GUID}?action=test",
        f"/cloud/tenants/{GUID}/vCloudComputeResources",
        "/selfService/vSphere/Configs",
    ):
        answer = client.post(path)
        assert answer.status_code == 501, path
        assert answer.json()["Message"].startswith("Cloudgate does not offer ")


def test_an_action_that_nobody_published_is_named(client: httpx2.Client) -> None:
    answer = client.post(f"/backupServers/{GUID}?action=fly")
    assert answer.status_code == 400
    assert "expected collect, quickbackup, veeamzip" in answer.json()["Message"]


def test_each_empty_collection_is_a_published_one() -> None:
    published = {re.sub(r"\{\w+\}", "{}", each.path) for each in CALLS}
    for collection in COLLECTIONS:
        assert re.sub(r"\{\w+\}", "{}", collection.path) in published
