"""Schemathesis: does a manager, asked all that its description allows, hold to what it says?"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import settings as profiles

from cloudgate.trust import login_throttle
from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import PASSWORD, RunningManager, finished, running_manager

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


TIME_LIMIT_SECONDS = 1800


HEADER = "X-RestSvcSessionId"


THERE = (
    r"^/$|^/(cloud|security|backupServers|managedServers|repositories|reports|logonSessions|tasks"
    r"|audit|warnings|sessionMngr|query|lookup|querySvc|lookupSvc|schema|openapi\.json|docs)(/|$)"
)
"""Paths of what there is; test_contract_of_absent.py tries the others beside it."""


SETTINGS = """
{hooks}
headers = {{ Accept = "application/json" }}
seed = 1
workers = 1
continue-on-failure = true
tls-verify = "{ca}"
# Calls that refuse most of what the schema allows are those with rules that it cannot say.
warnings = {{ display = [] }}

[generation]
deterministic = true
database = "none"
max-examples = {examples}
no-shrink = true

[checks]
enabled = true
# The contract answers 501 to whoever asks for what a product does not have.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]

# Names that are taken, things that are in use, properties that must fit each other: no schema can
# say these rules, and the contract knows no status but 400 for what breaks them. That the schema of
# a body allows no more and no less than is read, tests/wire/test_agreement.py proves.
[[operations]]
include-method = ["POST", "PUT", "DELETE"]
[operations.checks.positive_data_acceptance]
enabled = false

# Which parameters a filter or an order may name depends on the type that is asked for.
[[operations]]
include-path-regex = "^/(query|audit|cloud/usage)$"
[operations.checks.positive_data_acceptance]
enabled = false

# Of the two calls on this path, the one with ?action=rebuildScope takes no body and reads none.
[[operations]]
include-path = "/security/accounts"
include-method = "POST"
[operations.checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false

[auth.openapi.sessionHeader]
api_key = "{token}"
[auth.openapi.sessionCookie]
api_key = "{token}"
[auth.openapi.logon]
username = "admin"
password = "{password}"
"""


# Schemathesis would close the session that it works with.
OTHER_SESSION = """
[[operations]]
include-path = "/logonSessions/{{id}}"
parameters = {{ "path.id" = "{value}" }}
"""


EXISTING = """
[[operations]]
include-path-regex = '^{path}(/|$)'
exclude-method = "DELETE"
parameters = {{ "path.{name}" = "{value}" }}
"""


def existing(client: httpx2.Client) -> list[tuple[str, str, str]]:
    """Path, name and value of an id of each kind, so that calls find something."""

    def guid(found: dict[str, Any]) -> str:
        return str(found["Href"]).partition("?")[0].rpartition("/")[2]

    def create(path: str, body: dict[str, Any]) -> str:
        """Add to a collection, and tell the GUID of the one thing that is there then."""
        task = client.post(path, json=body).raise_for_status().json()
        task = finished(client, task)
        assert task["Result"]["Success"], task
        (found,) = client.get(path).json().values()
        return guid(found[0])

    site = guid(client.get("/backupServers").json()["Refs"][0])
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "vault:1"}).json()
    gateway = create("/cloud/gateways", {"ServerHostName": "gw1.example", "NetworkType": "Direct"})
    pool = create(
        "/cloud/gatewayPools",
        {"Name": "pool", "CloudGateways": {"CloudGatewayUids": [gateway]}},
    )
    quota = {"Name": "quota", "RepositoryUid": vault["UID"], "QuotaMb": 4096}
    tenant = create(
        "/cloud/tenants",
        {"Name": "acme", "Password": "secret", "Resources": {"BackupResources": [quota]}},
    )
    found = client.get(f"/cloud/tenants/{tenant}/resources").json()
    resource = guid(found["CloudTenantResources"][0])
    subtenant = create(
        f"/cloud/tenants/{tenant}/subtenants",
        {"Name": "u", "Password": "p", "TenantResourceId": resource, "UnlimitedQuota": True},
    )
    return [
        (r"/backupServers/\{id\}", "id", site),
        (r"/repositories/\{id\}", "id", guid(vault)),
        (r"/cloud/gateways/\{id\}", "id", gateway),
        (r"/cloud/gatewayPools/\{id\}", "id", pool),
        (r"/cloud/tenants/\{id\}", "id", tenant),
        (r"/cloud/tenants/\{id\}/resources/\{resource\}", "resource", resource),
        (r"/cloud/tenants/\{id\}/subtenants/\{subtenant\}", "subtenant", subtenant),
    ]


def settings(running: RunningManager, client: httpx2.Client) -> str:
    """Everything that Schemathesis is told, except where the manager is."""
    thorough = profiles.get_current_profile_name() == "thorough"
    text = SETTINGS.format(
        hooks="" if thorough else f'hooks = "{HOOKS}"',
        examples=30 if thorough else 2,
        ca=running.ca_file,
        token=client.cookies[HEADER],
        password=PASSWORD,
    )
    other = running.logged_on().get("/logonSessions").json()["LogonSessions"][-1]["SessionId"]
    text += OTHER_SESSION.format(value=other)
    for path, name, value in existing(client):
        text += EXISTING.format(path=path, name=name, value=value)
    return text


def hold(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *chosen: str,
    phases: str = "examples,coverage,fuzzing",
) -> None:
    """Have Schemathesis try the chosen calls; `make thorough` has it go through all its phases."""
    if profiles.get_current_profile_name() != "thorough":
        chosen += ("--phases", phases)
    monkeypatch.setattr(login_throttle, "LONGEST_DELAY_SECONDS", 0.001)  # it guesses passwords, too
    with running_manager(folder) as running, obedient(ScriptedHost(running)):
        file = folder / "schemathesis.toml"
        file.write_text(settings(running, running.logged_on()))
        arguments = [
            "--config-file",
            str(file),
            "run",
            f"{running.url}/api/openapi.json",
            "--no-color",
            *chosen,
        ]
        done = subprocess.run(
            [SCHEMATHESIS, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIME_LIMIT_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
