"""Is one request followed through the logs of manager and host, and is no secret in any of them?"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tarfile
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.ports import free_port
from tests.support.running.product import PASSWORD, Client, Product, product
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.end_to_end
MARK = "s3cr3t"
"""In every secret; each has a number besides, that tells which it is."""
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Secrets:
    """Makes secrets, and knows them."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {"administrator": PASSWORD}

    def new(self, name: str) -> str:
        """A secret that is nowhere else."""
        self.made[name] = f"{MARK}-{len(self.made)}-/+%ü"
        return self.made[name]

    def forms(self, name: str) -> set[bytes]:
        """What a secret looks like in JSON, in URLs, in Basic, and as it is."""
        text = self.made[name]
        plain = text.encode()
        return {
            plain,
            json.dumps(text)[1:-1].encode(),
            b64encode(plain)[:-4],
            *(b64encode(b"\0" * shift + plain)[4:-4] for shift in (1, 2)),
        }


def put_everywhere(client: Client, secrets: Secrets) -> dict[str, Any]:
    """Say a secret wherever the API takes one, rightly and wrongly; a tenant that may come in."""
    http = client.http
    uid = client.add_repository("vault", "vault.example:8443", "127.0.0.1:9")
    tenant = {"Name": "zephyr", "Password": secrets.new("tenant")}
    quota = [{"Name": "quota", "RepositoryUid": uid, "QuotaMb": 10240}]
    task = client.done(
        http.post(
            "/cloud/tenants",
            json={**tenant, "Resources": {"BackupResources": quota}},
            headers=HEADERS,
        )
    )
    made: dict[str, Any] = http.get("/cloud/tenants?format=Entity").json()["CloudTenants"][0]
    href = made["Href"].partition("?")[0]
    subtenant = {
        "Name": "laptop",
        "Password": secrets.new("subtenant"),
        "TenantResourceId": made["Resources"]["CloudTenantResources"][0]["Id"],
        "UnlimitedQuota": True,
    }
    client.done(http.post(f"{href}/subtenants", json=subtenant))
    client.done(http.put(href, json={"Password": secrets.new("changed tenant")}))
    wrong = [
        ("/cloud/tenants", {"Name": "zephyr", "Password": secrets.new("of a name that is taken")}),
        ("/cloud/tenants", {"Name": "x", "Passwort": secrets.new("of no element")}),
        ("/cloud/tenants", {"Name": "x", "Password": {"Text": secrets.new("of another form")}}),
        ("/nowhere", {"Password": secrets.new("of no resource")}),
    ]
    for path, body in wrong:
        assert http.post(path, json=body).is_client_error
    probe = {
        "Method": "S3",
        "Url": "https://127.0.0.1:9",
        "Bucket": "b-{tenant}",
        "Username": "u",
        "Password": secrets.new("probe"),
    }
    http.put(f"/repositories/{uid}", json={"UsageProbe": probe}).raise_for_status()
    for user, password in (("admin", "guess"), ("", "guess of nobody"), ("zephyr", "tenant's")):
        basic = (user, secrets.new(password))
        assert httpx2.post(
            f"{http.base_url}sessionMngr/",
            auth=basic,
            verify=http_context(http),
            timeout=PATIENCE_SECONDS,
        ).is_client_error
    account = {"UserName": "eve", "Password": secrets.new("account"), "Roles": ["PortalUser"]}
    http.post("/security/accounts", json=account)
    return task


def http_context(_http: httpx2.Client) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def come_in(port: int, ca: Path, *logins: str) -> list[str]:
    """What a gateway answers to some logins."""
    context = ssl.create_default_context(cafile=str(ca))
    answers = []
    for login in logins:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        basic = b64encode(login.encode()).decode()
        writer.write(
            b"CONNECT vault.example:8443 HTTP/1.1\r\nHost: vault.example:8443\r\n"
            b"Proxy-Authorization: Basic " + basic.encode() + b"\r\n\r\n"
        )
        answers.append((await reader.readline()).decode())
        writer.close()
        with suppress(OSError):  # the gateway may have closed first
            await writer.wait_closed()
    return answers


def cloudgate(home: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "cloudgate", *words],
        env={"CLOUDGATE_PASSWORD": PASSWORD, "HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=60,
        check=False,
    )


def bundled(folder: Path, data: Path, started: Product) -> dict[str, bytes]:
    """The files of a support bundle."""
    file = folder / "bundle.tar.gz"
    log = ("--log", str(started.log_file))
    made = cloudgate(folder, "support-bundle", str(file), "--data", str(data), *log)
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    again = cloudgate(folder, "support-bundle", str(file), "--data", str(data))
    assert again.returncode == 1, "what is there is not written over"
    with tarfile.open(file) as bundle:
        found = {each.name: bundle.extractfile(each) for each in bundle.getmembers()}
        texts = {name: opened.read() for name, opened in found.items() if opened is not None}
    inside = {name.removeprefix("cloudgate-support/") for name in texts}
    assert inside >= {
        "versions.json", "checks.json", "host/directory.json", "logs/access.log",
        "manager/tasks.json", f"logs/{started.log_file.name}",
    }  # fmt: skip
    assert b"tenant-1" in texts["cloudgate-support/host/directory.json"]
    assert b"CreateCloudTenant" in texts["cloudgate-support/manager/tasks.json"]
    return texts


def logged(started: Product, data: Path) -> dict[Path, bytes]:
    """All logs, and all else that is written into files."""
    files = [*data.rglob("*"), started.log_file]
    return {each: each.read_bytes() for each in files if each.is_file()}


def test_a_request_is_followed_through_all_logs_and_no_secret_is_in_any(tmp_path: Path) -> None:
    data, secrets, port = tmp_path / "data", Secrets(), free_port()
    with product(data) as started, started.client() as client:
        client.create_gateway(port)
        task = put_everywhere(client, secrets)
        login = f"zephyr:{secrets.made['changed tenant']}"
        answers = asyncio.run(
            come_in(port, started.ca_file, login, f"zephyr:{secrets.new('guess at a gateway')}")
        )
        assert " 503 " in answers[0]
        assert " 407 " in answers[1]
        spoken = cloudgate(tmp_path, "status", "--url", started.url)
        checked = cloudgate(tmp_path, "doctor", "--data", str(data), "-o", "json")
        assert checked.returncode == 0, checked.stdout
        verdicts = {each["Check"]: each["Verdict"] for each in json.loads(checked.stdout)}
        for name in ("database", "keys", "module", "manager's name", "manager", "clock", "gateway"):
            assert verdicts[name] == "ok", checked.stdout
        bundle = bundled(tmp_path, data, started)
        processes = [
            (Path("/proc") / str(each) / "cmdline").read_bytes() for each in started.processes()
        ]
        assert started.interrupt() == 0
    texts = {str(path): text for path, text in logged(started, data).items()}
    texts["processes"] = b"\0".join(processes)
    texts["status"] = spoken.stdout + spoken.stderr
    texts |= bundle
    for name in ("zephyr", "laptop", "vault.example"):
        assert [path for path, text in bundle.items() if name.encode() in text] == []
    for name in secrets.made:
        for form in secrets.forms(name):
            found = [path for path, text in texts.items() if form in text]
            assert found == [], (name, form)
    ended = cloudgate(tmp_path, "doctor", "--data", str(data))
    assert ended.returncode == 1
    assert b"cannot be reached" in ended.stdout
    assert b"Nobody listens" in ended.stdout
    lines = [json.loads(line) for line in started.log.splitlines() if line.startswith("{")]
    assert all(list(each)[:3] == ["timestamp", "level", "event"] for each in lines)
    followed = {each["event"] for each in lines if each.get("trace_id") == TRACE}
    assert followed >= {"task began", "task ended", "directory changed"}
    assert {each.get("task") for each in lines if each.get("trace_id") == TRACE} >= {task["TaskId"]}
