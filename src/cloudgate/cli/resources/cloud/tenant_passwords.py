"""Tenant password commands: how is a password replaced, and who still comes with the old one?"""

from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import groups, passwords
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import at
from cloudgate.cli.passwords import NewPassword, PasswordFile
from cloudgate.cli.resources.cloud import subtenants, tenants
from cloudgate.cli.resources.cloud.subtenants import User
from cloudgate.cli.resources.cloud.tenant_resources import Tenant
from cloudgate.cli.resources.common import Thing, body_of, seconds_of
from cloudgate.client.core.addresses import ENTITY
from cloudgate.client.core.kinds import Json

OLD = "OldPasswordExpirationDate"
COLUMNS = {"Name": at("Name"), OLD: at(OLD), "OldPasswordLastUsed": at("OldPasswordLastUsed")}
USERS = "/query?type=CloudSubtenant&format=Entities&pageSize=10000"
OldFor = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long the old password is good beside the new one, such as 7d, 24h or 30m; at"
        " most 30d. [24h]",
        show_default=False,
    ),
]
Now = Annotated[bool, typer.Option("--now", help="End the old password at once.")]
EndTunnels = Annotated[
    bool, typer.Option("--end-tunnels", help="End the tunnels that are live, too.")
]
app = groups.group(
    name="password", help="Passwords of tenants: replaced, the old one good for a time."
)
user_app = groups.group(name="password", help="Passwords of a tenant's users, in the same way.")


@command(app, "rotate", waits=True)
def rotate(
    call: Call,
    name: Thing,
    password_file: PasswordFile = None,
    old_for: OldFor = None,
    now: Now = False,
    end_tunnels: EndTunnels = False,
) -> None:
    """Give a tenant a new password; without a file, one is made and shown once."""
    found = find(call.api, tenants.KIND, name)
    password = passwords.in_file(password_file) or passwords.generate()
    body = _body(password, old_for, now=now)
    accepted = call.api.post(_path(found.path, end_tunnels=end_tunnels), body)
    password.show_generated(name)
    call.show_result(accepted, found.entity)


@command(app, "end-old", waits=True)
def end_old(call: Call, name: Thing) -> None:
    """Have a tenant's old password be good no more."""
    found = find(call.api, tenants.KIND, name)
    call.show_result(call.api.post(f"{found.path}?action=endOldPassword", {}), found.entity)


@command(app, "list")
def show_all(call: Call) -> None:
    """List whose old passwords are good yet, until when, and when a gateway last saw them."""
    answer = call.api.get(tenants.KIND.path + ENTITY)
    users = call.api.get(USERS).body["Resources"].get("CloudSubtenants") or {}
    known = [
        *(answer.body.get("CloudTenants") or []),
        *({**each, "Name": _whole_name(each)} for each in users.get("CloudSubtenants") or []),
    ]
    call.screen.listing(answer, [each for each in known if each.get(OLD)], COLUMNS)


@command(app, "change")
def change(
    call: Call,
    new_password_file: Annotated[
        Path | None, typer.Option(help="File with the new password.", show_default=False)
    ] = None,
    old_for: OldFor = None,
    now: Now = False,
) -> None:
    """Change your own password, as the tenant or its user that --user names."""
    wanted = passwords.in_file(new_password_file) or passwords.asked_for("yours, the new one")
    call.api.put_by_password("/cloud/password", _body(wanted, old_for, now=now))
    call.screen.remark("Changed the password.")


@command(user_app, "rotate", waits=True)
def rotate_of_user(
    call: Call,
    tenant: Tenant,
    user: User,
    password_file: PasswordFile = None,
    old_for: OldFor = None,
    now: Now = False,
    end_tunnels: EndTunnels = False,
) -> None:
    """Give a user of a tenant a new password; without a file, one is made and shown once."""
    path = subtenants.path_of(call, tenant, user)
    password = passwords.in_file(password_file) or passwords.generate()
    body = _body(password, old_for, now=now)
    accepted = call.api.post(_path(path, end_tunnels=end_tunnels), body)
    password.show_generated(user)
    call.show_result(accepted, path)


@command(user_app, "end-old", waits=True)
def end_old_of_user(call: Call, tenant: Tenant, user: User) -> None:
    """Have an old password of a tenant's user be good no more."""
    path = subtenants.path_of(call, tenant, user)
    call.show_result(call.api.post(f"{path}?action=endOldPassword", {}), path)


def _body(password: NewPassword, old_for: str | None, *, now: bool) -> Json:
    if now and old_for is not None:
        raise typer.BadParameter("Give --old-for or --now, not both.")
    seconds = 0 if now else None if old_for is None else seconds_of(old_for)
    return body_of(Password=password.text, OldPasswordSeconds=seconds)


def _path(path: str, *, end_tunnels: bool) -> str:
    return f"{path}?action=rotatePassword" + ("&endTunnels=true" if end_tunnels else "")


def _whole_name(user: Json) -> str:
    """A user as it logs in."""
    tenant = next(each["Name"] for each in user["Links"] if each.get("Type") == "CloudTenant")
    return f"{tenant}\\{user['Name']}"
