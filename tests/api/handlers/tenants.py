"""Tenants and repositories, as a call makes each."""

from typing import Any

import httpx2

from tests.support.running.manager import finished


def add_repository(client: httpx2.Client, name: str = "vault", **more: str) -> str:
    spec = {"Name": name, "Endpoint": f"{name}.example:8443", **more}
    return str(client.post("/repositories", json=spec).raise_for_status().json()["UID"])


def quota(uid: str, name: str = "Cloud Repository", quota_mb: int = 307200) -> dict[str, Any]:
    return {"Name": name, "RepositoryUid": uid, "QuotaMb": quota_mb}


def add_tenant(client: httpx2.Client, name: str = "acme", **more: Any) -> dict[str, Any]:
    answer = client.post("/cloud/tenants", json={"Name": name, "Password": "s3cret", **more})
    assert answer.status_code == 202, answer.text
    task = finished(client, answer.json())
    assert task["Result"] == {"Success": True, "Message": "Ok"}
    assert task["Links"][1]["Name"] == name
    entity: dict[str, Any] = client.get(task["Links"][1]["Href"]).raise_for_status().json()
    return entity
