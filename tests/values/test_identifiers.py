"""One rule for reading UIDs: in bodies, paths, filters, and on the command line."""

from collections.abc import Iterator
from uuid import UUID

import httpx2
import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.values import identifiers
from cloudgate.wire import json, xml
from cloudgate.wire.resources.cloud.tenants import CreateCloudTenantResourceSpec
from tests.support.running.manager import RunningManager, finished, manager_of_module

GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"
GOOD = (
    GUID,
    GUID.upper(),
    f"{{{GUID}}}",
    f"  {GUID}\n",
    f"urn:veeam:Repository:{GUID}",
    f"urn:veeam: Repository:{GUID}",
    f"urn:veeam:Repository: {GUID} ",
    f" urn : veeam :\tRepository :\r\n {GUID}",
    f"URN:VEEAM:REPOSITORY:{GUID.upper()}",
    f"urn:veeam:repository:{{{GUID}}}",
)
BAD = (
    "7",
    GUID[:-1],
    f"{GUID}0",
    GUID.replace("-", ""),
    f"{{{GUID}",
    f"urn:veeam:Repository:{GUID} {GUID}",
    f"urn:veeam::{GUID}",
    f"urn:other:Repository:{GUID}",
    f"veeam:Repository:{GUID}",
    f"Repository:{GUID}",
    f"urn:veeam:Reposi tory:{GUID}",
    "\N{FULLWIDTH DIGIT TWO}9e5d158-1f58-44bc-bbaa-2752d787a91d",
)
NS = "http://www.veeam.com/ent/v1.0"


def spec_in_xml(uid: str) -> bytes:
    return (
        f'<CreateCloudTenantResourceSpec xmlns="{NS}"><Name>q</Name>'
        f"<RepositoryUid>{uid}</RepositoryUid><QuotaMb>1024</QuotaMb>"
        "</CreateCloudTenantResourceSpec>"
    ).encode()


def spec_in_json(uid: str) -> bytes:
    escaped = uid.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return f'{{"Name": "q", "RepositoryUid": "{escaped}", "QuotaMb": 1024}}'.encode()


@pytest.mark.parametrize("text", GOOD)
def test_every_way_to_write_a_uid_is_read_and_is_what_the_schema_allows(text: str) -> None:
    assert identifiers.parse(text, "Repository") == UUID(GUID)
    for found in (
        xml.read(spec_in_xml(text), CreateCloudTenantResourceSpec),
        json.read(spec_in_json(text), CreateCloudTenantResourceSpec),
    ):
        assert identifiers.parse(found.repository_uid or "", "Repository") == UUID(GUID)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_uid_is_refused_everywhere(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not"):
        identifiers.parse(text, "Repository")
    for read, body in ((xml.read, spec_in_xml(text)), (json.read, spec_in_json(text))):
        with pytest.raises(InvalidRequestError, match="RepositoryUid: found"):
            read(body, CreateCloudTenantResourceSpec)


def test_the_uid_of_something_else_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError, match="is not the UID of a Repository"):
        identifiers.parse(f"urn:veeam:CloudTenant:{GUID}", "Repository")


running = manager_of_module()


def variants(uid: str) -> Iterator[str]:
    """The good ways to write a UID, of a thing that is there."""
    start, _, guid = uid.rpartition(":")
    yield from (guid, uid, uid.upper(), f"{{{guid}}}", f" {guid} ", f"{start} : {guid}")
    yield uid.replace(":veeam:", ":veeam: ")


def test_paths_bodies_and_filters_take_all_of_them(running: RunningManager) -> None:
    client: httpx2.Client = running.logged_on()
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "vault:1"}).json()
    for number, uid in enumerate(variants(vault["UID"])):
        assert client.get(f"/repositories/{uid}").status_code == 200, uid
        found = client.get("/query", params={"type": "Repository", "filter": f'UID=="{uid}"'})
        assert [ref["Name"] for ref in found.json()["Refs"]["Refs"]] == ["vault"], uid
        quota = {"Name": "q", "RepositoryUid": uid, "QuotaMb": 1024}
        task = client.post(
            "/cloud/tenants",
            json={"Name": f"t{number}", "Password": "p", "Resources": {"BackupResources": [quota]}},
        ).json()
        assert finished(client, task)["Result"]["Success"]
    events = client.get("/audit", params={"filter": f'ObjectId=="{{{vault["UID"]}}}"'})
    assert events.status_code == 400
    for uid in variants(vault["UID"]):
        events = client.get("/audit", params={"filter": f'ObjectId=="{uid}"'}).json()
        assert events["AuditEvents"]["AuditEvents"], uid
