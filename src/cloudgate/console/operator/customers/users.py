"""User pages: who are the users of a tenant, and how are they changed?"""

from collections.abc import Sequence

from cloudgate.console.api import Json
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Offer,
    Values,
    Visit,
    filled,
)
from cloudgate.console.operator.common import DESCRIPTION, ENTITY, amount, body
from cloudgate.console.operator.customers.tenant_actions import PASSWORD
from cloudgate.console.operator.customers.tenants import ONE
from cloudgate.console.texts import words as _
from cloudgate.values.units import MB_PER_GB

USER = f"{ONE}/subtenants/{{user}}"


async def _quotas(visit: Visit, _current: Sequence[str]) -> Offer:
    tenant = await visit.api.get(filled(ONE, visit.path) + ENTITY)
    known = (tenant.get("Resources") or {}).get("CloudTenantResources") or ()
    return Offer(
        tuple(
            (str(each["Id"]), str((each.get("RepositoryQuota") or {}).get("DisplayName")))
            for each in known
        )
    )


def _created(_visit: Visit, values: Values) -> Json:
    part = amount(values, "part", _("Its part, in GB"), MB_PER_GB)
    return body(
        Name=values["name"],
        Description=values.get("description"),
        Password=values["password"],
        Enabled=True,
        TenantResourceId=values["quota"],
        QuotaMb=part or None,
        UnlimitedQuota=not part,
    )


def _switch(path: str, title: str, submit: str, text: str, *, enabled: bool) -> Action:
    option = "enable" if enabled else "disable"
    return Action(
        path=path,
        title=title,
        submit=submit,
        text=text,
        verb="PUT",
        target=USER,
        subject=USER,
        body=lambda _visit, _values: {"Enabled": enabled},
        command=f"tenant user edit TENANT {{Name}} --{option}",
        back="tenants/{id}",
        dangerous=not enabled,
    )


ACTIONS = (
    Action(
        path="tenants/{id}/users/create",
        title=_("New user"),
        submit=_("Add it"),
        text=_("A user of the tenant, who logs in as TENANT\\USER with a password of its own."),
        verb="POST",
        target=f"{ONE}/subtenants",
        subject=ONE + ENTITY,
        fields=(
            Field(name="name", label=_("Name"), required=True),
            PASSWORD,
            Field(
                name="quota",
                label=_("Of the quota"),
                kind=Input.CHOICE,
                choices=_quotas,
                required=True,
            ),
            Field(
                name="part",
                label=_("Its part, in GB"),
                kind=Input.AMOUNT,
                hint=_("All of it when left empty."),
            ),
            DESCRIPTION,
        ),
        body=_created,
        makes_password=True,
        command="tenant user create {Name} USER --generate-password",
        back="tenants/{id}",
    ),
    _switch(
        "tenants/{id}/users/{user}/disable",
        _("Disable user"),
        _("Disable"),
        _("It is let in no more, and its tunnels end within five seconds."),
        enabled=False,
    ),
    _switch(
        "tenants/{id}/users/{user}/enable",
        _("Enable user"),
        _("Enable"),
        _("It is let in again."),
        enabled=True,
    ),
    Action(
        path="tenants/{id}/users/{user}/password",
        title=_("New password"),
        submit=_("Make one"),
        text=_("It is shown once. The old one stays good for a day."),
        verb="POST",
        target=f"{USER}?action=rotatePassword",
        subject=USER,
        body=lambda _visit, _values: {"OldPasswordSeconds": 86400},
        command="tenant user password rotate TENANT {Name} --old-for 24h",
        back="tenants/{id}",
        rotates=True,
        shown="once.html",
    ),
    Action(
        path="tenants/{id}/users/{user}/old-password/end",
        title=_("End old password"),
        submit=_("End it"),
        text=_("Whoever comes with the old one is let in no more; live tunnels go on."),
        verb="POST",
        target=f"{USER}?action=endOldPassword",
        subject=USER,
        body=lambda _visit, _values: {},
        command="tenant user password end-old TENANT {Name}",
        back="tenants/{id}",
    ),
    Action(
        path="tenants/{id}/users/{user}/delete",
        title=_("Delete user"),
        submit=_("Delete"),
        text=_("It is let in no more. What it has stored stays."),
        verb="DELETE",
        target=USER,
        subject=USER,
        command="tenant user delete TENANT {Name}",
        back="tenants/{id}",
        dangerous=True,
    ),
)
