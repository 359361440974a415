"""Account commands: what can be done with accounts?"""

from typing import Annotated

import typer

from cloudgate.cli import passwords
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import Kind, find
from cloudgate.cli.output import at
from cloudgate.cli.resources.cloud.tenants import Generate, PasswordFile, tell
from cloudgate.cli.resources.common import add_delete, group

KIND = Kind(
    word="account",
    many="accounts",
    type="EnterpriseAccount",
    path="/security/accounts",
    array="EnterpriseAccounts",
    columns={"Name": at("Name"), "AccountType": at("AccountType"), "UID": at("UID")},
)
ROLE = Kind(
    word="role",
    many="roles",
    type="EnterpriseRole",
    path="/security/roles",
    array="EnterpriseRoles",
    columns={"Name": at("Name")},
)
app = group(KIND, "Accounts: who may use the API, and with which role.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to log on with.")],
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A role, such as 'Portal User'; may be repeated."),
    ] = None,
    password_file: PasswordFile = None,
    generate_password: Generate = False,
) -> None:
    """Add an account; asks for its password unless an option gives it."""
    if not role:
        raise typer.BadParameter("Give at least one --role, such as 'Portal User'.")
    password = passwords.of_options(password_file, generate=generate_password)
    password = password or passwords.asked_for(name)
    body = {
        "AccountType": "User",
        "AccountName": name,
        "Roles": {
            "EnterpriseRoles": [
                {"EnterpriseRoleUid": find(call.api, ROLE, each).uid} for each in role
            ]
        },
        "Password": password.text,
    }
    call.api.post(KIND.path, body)
    tell(name, password)
    call.screen.remark(f"Added {name}.")


@command(app, "password")
def set_password(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name or id.")],
    password_file: PasswordFile = None,
    generate_password: Generate = False,
) -> None:
    """Give an account a new password; its logon sessions end."""
    password = passwords.of_options(password_file, generate=generate_password)
    password = password or passwords.asked_for(name)
    call.api.put(find(call.api, KIND, name).path, {"Password": password.text})
    tell(name, password)
    call.screen.remark(f"Changed the password of {name}.")


add_delete(app, KIND, "Remove an account; its logon sessions end.")
