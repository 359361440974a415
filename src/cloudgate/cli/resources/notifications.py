"""Notification commands: what can be done with those who are told of what happens?"""

from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.cloud import tenants
from cloudgate.cli.resources.common import (
    Site,
    Thing,
    add_delete,
    body_of,
    change_of,
    content_of,
    group,
    seconds_of,
)
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds

KIND = kinds.RECEIVER
_MINUTE_SECONDS = 60
COLUMNS: Columns = {
    "Name": at("Name"),
    "Kind": at("Kind"),
    "Address": at("Address"),
    "Role": at("Role"),
    "CloudTenant": at("CloudTenant"),
    "Enabled": at("Enabled"),
}
LOG = {
    "Time": at("Time"),
    "Receiver": at("Receiver"),
    "State": at("State"),
    "Event": at("Event"),
    "Message": at("Message"),
    "Problem": at("Problem"),
}
app = group(KIND, COLUMNS, "Notifications: who is told of what happens, by mail or by a call.")
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="EVENT",
        help="Such as GatewayDown; may be repeated. All when left out.",
        show_default=False,
    ),
]
Quiet = Annotated[
    str | None,
    typer.Option(
        metavar="FROM-UNTIL",
        help="Hours (UTC) with nothing but what is critical, such as 22:00-06:00; none ends them.",
        show_default=False,
    ),
]
Digest = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Collect what is not critical for so long, such as 1h or 1d; 0 for not at all.",
        show_default=False,
    ),
]


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    mail: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Mail address.", show_default=False)
    ] = None,
    hook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="HTTPS address of a program.", show_default=False),
    ] = None,
    hook_ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Authority of a private program; the public ones when left out.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="Whose accounts see what it is told. [Portal Administrator]"),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Tenant that it is told about itself.", show_default=False
        ),
    ] = None,
    event: Events = None,
    quiet: Quiet = None,
    digest: Digest = None,
    backup_server: Site = None,
) -> None:
    """Have somebody told of what happens; a program's secret is shown once."""
    if (mail is None) == (hook is None):
        raise typer.BadParameter("Give --mail or --hook, one of the two.")
    body = body_of(
        Name=name,
        Kind="Webhook" if hook else "Email",
        Address=hook or mail,
        Role=role,
        BackupServerUid=uid_of_site(call, backup_server) if backup_server else None,
        CloudTenantUid=find(call.api, tenants.KIND, tenant).uid if tenant else None,
        Events={"Events": event} if event else None,
        CaFile=_pem(hook_ca) if hook_ca else None,
        DigestMinutes=_minutes(digest),
        **_quiet(quiet),
    )
    call.screen.details(call.api.post(KIND.path, body))


@command(app, "edit")
def edit(
    call: Call,
    name: Thing,
    enabled: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Have it told, or not.", show_default=False),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Mail address, or URL.", show_default=False)
    ] = None,
    event: Events = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Of everything.")] = False,
    quiet: Quiet = None,
    digest: Digest = None,
) -> None:
    """Change how somebody is told, and of what."""
    change = change_of(
        Enabled=enabled,
        Address=address,
        Events={"Events": []} if all_events else {"Events": event} if event else None,
        DigestMinutes=_minutes(digest),
        **_quiet(quiet),
    )
    call.api.put(find(call.api, KIND, name).path, change)
    call.screen.remark(f"Changed {name}.")


@command(app, "test")
def test(call: Call, name: Thing) -> None:
    """Tell somebody right now that this is a test."""
    call.api.post(f"{find(call.api, KIND, name).path}?action=test")
    call.screen.remark(f"{name} was told.")


@command(app, "log")
def log(
    call: Call,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
) -> None:
    """Show what was told to whom, or is to be, the newest first."""
    answer = call.api.get(f"/notifications/deliveries?most={most}")
    call.screen.listing(answer, answer.body.get("NotificationDeliveries") or [], LOG)


add_delete(app, KIND, "Have somebody told no more.")


def _minutes(text: str | None) -> int | None:
    seconds = None if text is None else seconds_of(text)
    if seconds and seconds < _MINUTE_SECONDS:
        raise typer.BadParameter(
            f"{text} is less than a minute; write 0 to have each told by itself, or 1m and more.",
            param_hint="--digest",
        )
    return None if seconds is None else seconds // _MINUTE_SECONDS


def _quiet(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    if text == "none":
        return {"QuietFrom": "", "QuietUntil": ""}
    begin, dash, end = text.partition("-")
    if not dash:
        raise typer.BadParameter(f"{text!r} is no time; write 22:00-06:00, or none.")
    return {"QuietFrom": begin, "QuietUntil": end}


def _pem(file: Path) -> str:
    try:
        return "\n".join(content_of(file).decode("utf-8").splitlines())
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not PEM.") from None
