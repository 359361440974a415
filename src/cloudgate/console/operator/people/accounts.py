"""Account pages: who may use the console and the API, and as what?"""

import asyncio
from collections.abc import Sequence

from cloudgate.console.api import Json
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Offer,
    Page,
    Visit,
    filled,
    paged,
)
from cloudgate.console.entrance import single_sign_on
from cloudgate.console.operator.common import ENTITY, removal
from cloudgate.console.texts import words as _

ALL = "/security/accounts"
ONE = ALL + "/{id}"
_PASSWORD = Field(
    name="password",
    label=_("Password"),
    kind=Input.PASSWORD,
    hint=_("One is made and shown once when this is left empty."),
)


async def load(visit: Visit) -> Json:
    """A page of the accounts, each with its roles."""
    found = await visit.api.get(ALL + ENTITY)
    page = paged(visit, list(found.get("EnterpriseAccounts") or ()), "page")
    rows = page["rows"]
    roles = await asyncio.gather(
        *(
            visit.api.get(filled(f"{ONE}/roles", {"id": str(row["UID"]).rpartition(":")[2]}))
            for row in rows
        )
    )
    for row, said in zip(rows, roles, strict=True):
        row["Roles"] = [each["RoleName"] for each in said.get("EnterpriseAccountInRoles") or ()]
    return {"rows": rows, "paging": page, "provider": await single_sign_on.offered(visit.api)}


async def _roles(visit: Visit, _current: Sequence[str]) -> Offer:
    found = await visit.api.get("/security/roles")
    return Offer(tuple((str(each["UID"]), str(each["Name"])) for each in found["Refs"]))


PAGES = (
    Page(
        path="accounts",
        title=_("Accounts"),
        template="accounts.html",
        load=load,
        command="account list",
        request=ALL,
    ),
)
ACTIONS = (
    Action(
        path="accounts/create",
        title=_("New account"),
        submit=_("Add it"),
        text=_("Somebody who may use the console, the commands and the API."),
        verb="POST",
        target=ALL,
        fields=(
            Field(name="name", label=_("Name"), required=True),
            Field(name="role", label=_("Role"), kind=Input.CHOICE, choices=_roles, required=True),
            _PASSWORD,
        ),
        body=lambda _visit, values: {
            "AccountType": "User",
            "AccountName": values["name"],
            "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": values["role"]}]},
            "Password": values["password"],
        },
        makes_password=True,
        command="account create NAME --role 'Portal User' --generate-password",
        back="accounts",
    ),
    Action(
        path="accounts/{id}/password",
        title=_("New password"),
        submit=_("Set it"),
        text=_("The account's sessions end."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(_PASSWORD,),
        body=lambda _visit, values: {"Password": values["password"]},
        makes_password=True,
        command="account password {Name} --generate-password",
        back="accounts",
        dangerous=True,
    ),
    removal(
        "accounts/{id}/delete",
        _("Delete account"),
        _("Its sessions end."),
        ONE,
        "account delete {Name}",
        back="accounts",
    ),
    Action(
        path="accounts/{id}/link",
        title=_("Single sign-on"),
        submit=_("Link"),
        text=_("Who that is comes in as this account, with the roles that the provider says."),
        verb="PUT",
        target=f"{ONE}/identity",
        subject=ONE + ENTITY,
        fields=(
            Field(
                name="subject",
                label=_("Subject"),
                hint=_("What the provider knows the person by: sub in its words."),
                required=True,
            ),
        ),
        body=lambda _visit, values: {"Subject": values["subject"]},
        command="account link {Name} SUBJECT",
        back="accounts",
        dangerous=True,
    ),
    removal(
        "accounts/{id}/unlink",
        _("End single sign-on"),
        _("Nobody comes in as this account by the provider any more."),
        f"{ONE}/identity",
        "account unlink {Name}",
        back="accounts",
        submit=_("End it"),
        subject=ONE + ENTITY,
    ),
    Action(
        path="password",
        title=_("My password"),
        submit=_("Change it"),
        text=_("All sessions that the old one opened end, this one too."),
        verb="PUT",
        target="/security/password",
        fields=(
            Field(name="current", label=_("Password of now"), kind=Input.PASSWORD, required=True),
            Field(name="password", label=_("New password"), kind=Input.PASSWORD, required=True),
        ),
        body=lambda _visit, values: {
            "CurrentPassword": values["current"],
            "Password": values["password"],
        },
        command="account password NAME",
        back="",
    ),
)
