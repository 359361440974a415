"""Account commands: what can be done with accounts?"""

from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.passwords import NewPasswordOptions
from cloudgate.cli.resources.common import Thing, add_delete, group
from cloudgate.client.core import kinds

KIND = kinds.ACCOUNT
COLUMNS: Columns = {"Name": at("Name"), "AccountType": at("AccountType"), "UID": at("UID")}
ROLE = kinds.ROLE
RULES = "/security/factorRules"
app = group(KIND, COLUMNS, "Accounts: who may use the API, and with which role.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to log on with.")],
    *,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A role, such as 'Portal User'; may be repeated."),
    ] = None,
    new: NewPasswordOptions,
) -> None:
    """Add an account; asks for its password unless an option gives it."""
    if not role:
        raise typer.BadParameter("Give at least one --role, such as 'Portal User'.")
    password = new.password_or_asked(name)
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
    password.show_generated(name)
    call.screen.remark(f"Added {name}.")


@command(app, "password")
def set_password(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name or id.")],
    new: NewPasswordOptions,
) -> None:
    """Give an account a new password; its logon sessions end."""
    password = new.password_or_asked(name)
    call.api.put(find(call.api, KIND, name).path, {"Password": password.text})
    password.show_generated(name)
    call.screen.remark(f"Changed the password of {name}.")


@command(app, "reset-factor")
def reset_factor(call: Call, name: Thing) -> None:
    """Take away an account's second factor: it logs on by its password alone."""
    call.api.delete(f"{find(call.api, KIND, name).path}/factor")
    call.screen.remark(f"Reset the second factor of {name}.")


@command(app, "link")
def link(
    call: Call,
    name: Thing,
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="What the provider knows the person by.")
    ],
) -> None:
    """Have a person of the provider come in as this account, by single sign-on."""
    call.api.put(f"{find(call.api, KIND, name).path}/identity", {"Subject": subject})
    call.screen.remark(f"{name} belongs to {subject} from now on.")


@command(app, "identity")
def identity(call: Call, name: Thing) -> None:
    """Show which person of the provider comes in as this account."""
    call.show(f"{find(call.api, KIND, name).path}/identity")


@command(app, "unlink")
def unlink(call: Call, name: Thing) -> None:
    """Have nobody come in as this account by single sign-on."""
    call.api.delete(f"{find(call.api, KIND, name).path}/identity")
    call.screen.remark(f"{name} belongs to nobody of the provider.")


@command(app, "factor-rules")
def factor_rules(call: Call) -> None:
    """List the roles, and whether their accounts need a second factor."""
    answer = call.api.get(RULES)
    columns = {"RoleName": at("RoleName"), "Required": at("Required")}
    call.screen.listing(answer, answer.body.get("SecondFactorRules") or [], columns)


@command(app, "require-factor")
def require_factor(
    call: Call,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Such as 'Portal User'.")],
    required: Annotated[
        bool, typer.Option("--yes/--no", help="Whether its accounts need one.")
    ] = True,
) -> None:
    """Have accounts of a role need a second factor, or not."""
    found = find(call.api, ROLE, role)
    call.api.put(RULES, {"EnterpriseRoleUid": found.uid, "Required": required})
    need = "a" if required else "no"
    call.screen.remark(f"Accounts of the role {role} need {need} second factor from now on.")


add_delete(app, KIND, "Remove an account; its logon sessions end.")
