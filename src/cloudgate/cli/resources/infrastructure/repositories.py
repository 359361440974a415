"""Repository commands: what can be done with repositories?"""

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudgate.cli import passwords
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.resources.common import (
    Description,
    NewName,
    Site,
    Thing,
    add_delete,
    body_of,
    bytes_of,
    change_of,
    group,
)
from cloudgate.cli.resources.infrastructure import servers
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json
from cloudgate.errors import InvalidRequestError
from cloudgate.named_files import data_of

KIND = kinds.REPOSITORY
COLUMNS: Columns = {
    "Name": at("Name"),
    "Kind": at("Kind"),
    "Endpoint": at("Endpoint"),
    "Address": at("Address"),
    "Capacity": at("Capacity"),
    "FreeSpace": at("FreeSpace"),
    "BackupServer": backup_server,
    "Description": at("Description"),
}
LOOKED_AT_SECONDS, LOOK_AGAIN_SECONDS = 30.0, 0.2
"""How long whoever says how backups are kept is had to wait for what was seen, and how often it is
asked for."""
Endpoint = typer.Option(metavar="HOST:PORT", help="As tenants name it.", show_default=False)


@dataclass(frozen=True, kw_only=True)
class RepositoryOptions:
    """What can be said of a repository when it is made and later; a group of options."""

    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="What gateways connect to; the endpoint when left out.",
            show_default=False,
        ),
    ] = None
    kind: Annotated[
        str | None, typer.Option(help="Its kind, such as LinuxLocal.", show_default=False)
    ] = None
    description: Description = None
    capacity: Annotated[
        int | None,
        typer.Option(
            parser=bytes_of,
            metavar="SIZE",
            help="How large it is, such as 20TB or 500GB; 0 for what its probe measures.",
            show_default=False,
        ),
    ] = None
    quota_warning: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=99,
            metavar="PERCENT",
            help="A level of use of a tenant's quota that is a warning; may be repeated. [80, 95]",
            show_default=False,
        ),
    ] = None
    no_quota_warnings: Annotated[
        bool, typer.Option("--no-quota-warnings", help="Warn of quotas that are exceeded alone.")
    ] = False
    quota_grace: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1000,
            metavar="PERCENT",
            help="So much more than its quota may a tenant use, before new tunnels only bring data"
            " back. [10]",
            show_default=False,
        ),
    ] = None
    enforce_quotas: Annotated[
        bool | None,
        typer.Option(
            "--enforce-quotas/--no-enforce-quotas",
            help="Whether they ever only do that, where there is a probe. [they do]",
            show_default=False,
        ),
    ] = None

    def members(self) -> Json:
        """Of the body of a request; None for what the options do not say."""
        return {
            "Description": self.description,
            "Kind": self.kind,
            "Address": self.address,
            "Capacity": self.capacity,
            "QuotaWarningPercents": _percents(self.quota_warning, none=self.no_quota_warnings),
            "QuotaGracePercent": self.quota_grace,
            "QuotaEnforced": self.enforce_quotas,
        }


class Method(StrEnum):
    """How it is measured what tenants keep in a repository."""

    DIRECTORY = "Directory"
    WEBDAV = "WebDAV"
    S3 = "S3"
    NONE = "None"


class Retention(StrEnum):
    """How a repository keeps what is deleted there."""

    REST_SERVER = "RestServer"
    S3 = "S3"
    SNAPSHOTS = "Snapshots"
    NONE = "None"


def probe_option(text: str, metavar: str | None = None) -> Any:
    """An option of the commands that change how a repository is measured."""
    return typer.Option(help=text, metavar=metavar, show_default=False)


Region = Annotated[str | None, probe_option("S3: us-east-1 when left out.")]
SecretFile = Annotated[
    Path | None,
    probe_option("File with the password, or the secret access key; once.", "FILE"),
]
ServerCa = Annotated[
    Path | None,
    probe_option("Authority of a private server; the public ones when left out.", "FILE"),
]


app = group(KIND, COLUMNS, "Repositories: the storage services that tenants reach.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    endpoint: Annotated[str, Endpoint],
    *,
    options: RepositoryOptions,
    backup_server: Site = None,
) -> None:
    """Add a repository."""
    body = body_of(
        Name=name,
        Endpoint=endpoint,
        BackupServerUid=uid_of_site(call, backup_server),
        **options.members(),
    )
    call.screen.details(call.api.post(KIND.path, body))


@command(app, "edit")
def edit(
    call: Call,
    name: Thing,
    *,
    new_name: NewName = None,
    endpoint: Annotated[str | None, Endpoint] = None,
    options: RepositoryOptions,
) -> None:
    """Change a repository; running tunnels stay."""
    change = change_of(Name=new_name, Endpoint=endpoint, **options.members())
    found = find(call.api, KIND, name)
    call.api.put(found.path, change)
    call.show(found.entity)


@command(app, "probe")
def probe(
    call: Call,
    name: Thing,
    method: Annotated[
        Method, typer.Argument(metavar="METHOD", help="Directory, WebDAV, S3; None to stop.")
    ],
    server: Annotated[
        str | None, probe_option("Directory: managed server that has it.", "NAME")
    ] = None,
    path: Annotated[
        str | None, probe_option("Directory: /srv/backups/{tenant}, for example.", "TEMPLATE")
    ] = None,
    probe_url: Annotated[
        str | None,
        probe_option("WebDAV: https://dav.example/{tenant}/. S3: https://s3.example.", "TEMPLATE"),
    ] = None,
    bucket: Annotated[str | None, probe_option("S3: its name.", "TEMPLATE")] = None,
    prefix: Annotated[
        str | None, probe_option("S3: what keys begin with, such as {tenant}/.", "TEMPLATE")
    ] = None,
    region: Region = None,
    username: Annotated[
        str | None, probe_option("WebDAV: who asks. S3: the access key id.", "NAME")
    ] = None,
    probe_password_file: SecretFile = None,
    server_ca: ServerCa = None,
    minutes: Annotated[
        int | None, probe_option("How often; every 60 when left out.", "MINUTES")
    ] = None,
) -> None:
    """Say how to measure what each tenant keeps there: {tenant} is its name, {tenantId} its id."""
    found = find(call.api, KIND, name)
    wanted = body_of(
        Method=method.value,
        ManagedServerUid=find(call.api, servers.KIND, server).uid if server else None,
        Path=path,
        Url=probe_url,
        Region=region,
        Bucket=bucket,
        Prefix=prefix,
        Username=username,
        Password=passwords.from_file(probe_password_file) if probe_password_file else None,
        CaFile=_authority(server_ca),
        IntervalMinutes=minutes,
    )
    change: Json = {"UsageProbe": wanted}
    call.api.put(found.path, change)
    call.show(found.entity)


@command(app, "protect")
def protect(
    call: Call,
    name: Thing,
    method: Annotated[
        Retention,
        typer.Argument(metavar="METHOD", help="RestServer, S3, Snapshots; None for nothing."),
    ],
    server_url: Annotated[
        str | None,
        probe_option("RestServer: https://vault.example:8443/cloudgate/. S3: its origin.", "URL"),
    ] = None,
    bucket: Annotated[str | None, probe_option("S3: the bucket of all tenants there.")] = None,
    region: Region = None,
    username: Annotated[
        str | None, probe_option("RestServer: who asks. S3: the access key id.", "NAME")
    ] = None,
    server_password_file: SecretFile = None,
    server_ca: ServerCa = None,
) -> None:
    """Say how it keeps what is deleted there, and see whether it does: now, and each hour."""
    found = find(call.api, KIND, name)
    wanted = body_of(
        Method=method.value,
        Url=server_url,
        Region=region,
        Bucket=bucket,
        Username=username,
        Password=passwords.from_file(server_password_file) if server_password_file else None,
        CaFile=_authority(server_ca),
    )
    change: Json = {"BackupProtection": wanted}
    call.api.put(found.path, change)
    if method is not Retention.NONE:
        _wait_until_looked_at(call, found.entity)
    call.show(found.entity)


def _wait_until_looked_at(call: Call, path: str) -> None:
    """Whoever says how backups are kept wants to know whether it is so."""
    deadline = time.monotonic() + LOOKED_AT_SECONDS
    while time.monotonic() < deadline:
        seen = call.api.get(path).body.get("BackupProtection")
        if seen is None or seen.get("CheckedTime"):  # None: somebody else has said so meanwhile
            return
        time.sleep(LOOK_AGAIN_SECONDS)


def _authority(file: Path | None) -> str | None:
    try:
        return data_of(file).decode("utf-8") if file else None
    except UnicodeDecodeError:
        raise InvalidRequestError(f"{file} holds no certificates in PEM format.") from None


add_delete(app, KIND, "Remove a repository; what is stored in it stays.")


def _percents(levels: list[int] | None, *, none: bool) -> Json | None:
    if levels and none:
        raise typer.BadParameter("Give --quota-warning or --no-quota-warnings, not both.")
    if none:
        return {"Percents": []}
    return {"Percents": levels} if levels else None
