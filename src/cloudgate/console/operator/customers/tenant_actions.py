"""Tenant actions: what may be done with a customer, by which forms?"""

from collections.abc import Callable

from cloudgate.console.api import Json
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Values,
    Visit,
    WrongInputError,
)
from cloudgate.console.operator.common import (
    DESCRIPTION,
    ENTITY,
    amount,
    body,
    choices,
    lines,
    number,
    parts_of,
    removal,
    shown_amount,
)
from cloudgate.console.operator.customers.tenants import ONE
from cloudgate.console.texts import words as _
from cloudgate.values import timestamps
from cloudgate.values.units import BYTES_PER_SECOND, MB_PER_GB

PASSWORD = Field(
    name="password",
    label=_("Password"),
    kind=Input.PASSWORD,
    hint=_("One is made and shown once when this is left empty."),
)
_RESOURCE = f"{ONE}/resources/{{resource}}"
_MEGABIT = BYTES_PER_SECOND["Mbps"]
_LEASE = Field(
    name="lease",
    label=_("May come in until"),
    kind=Input.DATE,
    hint=_("The beginning of that day by UTC; without an end when left empty."),
    value=lambda tenant: _end((tenant.get("LeaseOptions") or {}).get("ExpirationDate")),
)
_NETWORKS = Field(
    name="networks",
    label=_("Networks that it may come from"),
    kind=Input.LONG,
    hint=_("Such as 198.51.100.0/24, one a line; from anywhere when left empty."),
    value=lambda tenant: "\n".join((tenant.get("AllowedNetworks") or {}).get("Networks") or ()),
)


def _end(said: str | None) -> str:
    """The day that begins then; the moment where none does."""
    return timestamps.time_text(timestamps.parse(said)).removesuffix("T00:00:00Z") if said else ""


def _date(values: Values) -> str | None:
    said = values.get("lease")
    if not said:
        return None
    try:
        return timestamps.time_text(timestamps.parse(said))
    except ValueError:
        raise WrongInputError(
            _("%(label)s: '%(said)s' is no date such as 2030-12-31."),
            label=_("May come in until"),
            said=said[:50],
        ) from None


def _networks(values: Values) -> Json:
    return {"Networks": lines(values.get("networks", ""))}


_QUOTA = (
    Field(
        name="repository",
        label=_("Repository"),
        kind=Input.CHOICE,
        choices=choices("Repository", by="UID Name", none=_("none yet")),
    ),
    Field(name="quota", label=_("Quota in GB"), kind=Input.AMOUNT, value="100"),
)


def _quota(values: Values) -> Json | None:
    if "repository" not in values:
        return None
    uid, _space, name = values["repository"].partition(" ")
    return {
        "Name": values.get("called") or name or "quota",
        "RepositoryUid": uid,
        "QuotaMb": amount(values, "quota", _("Quota in GB"), MB_PER_GB) or 0,
    }


def _created(_visit: Visit, values: Values) -> Json:
    quota = _quota(values)
    networks = lines(values.get("networks", ""))
    return body(
        Name=values["name"],
        Description=values.get("description"),
        Password=values["password"],
        Enabled=True,
        LeaseExpirationDate=_date(values),
        Resources={"BackupResources": [quota]} if quota else None,
        TenantType="Standalone",
        AllowedNetworks={"Networks": networks} if networks else None,
    )


def _edited(_visit: Visit, values: Values) -> Json:
    amount(values, "speed", _("Speed"), _MEGABIT)  # which sees that it is one
    speed, unit = _limit_of(values.get("speed", "0"))
    end = _date(values)
    return body(
        Description=values.get("description", ""),
        LeaseOptions={"Enabled": True, "ExpirationDate": end} if end else {"Enabled": False},
        ThrottlingEnabled=speed > 0,
        ThrottlingSpeedLimit=speed or None,
        ThrottlingSpeedUnit=unit if speed else None,
        MaxConcurrentTasks=number(values, "tunnels", _("Tunnels at a time")) or 0,
        EgressQuotaMb=amount(values, "egress", _("What it may bring back in a month"), MB_PER_GB)
        or 0,
        EgressQuotaHard=values.get("hard") == "yes",
        AllowedNetworks=_networks(values),
        MayChangePassword=values.get("own") == "yes",
        MayGetCertificates=values.get("certificates") == "yes",
        MayUsePortal=values.get("portal") == "yes",
        BackupProtectionEnabled=values.get("kept") == "yes",
        BackupProtectionPeriod=number(values, "days", _("For how many days")),
    )


def _limit_of(megabits: str) -> tuple[int, str]:
    """A speed in megabits a second as the API has it: in whole ones, else in kilobytes."""
    bytes_per_second = parts_of(megabits, _MEGABIT)
    if bytes_per_second % _MEGABIT == 0:
        return bytes_per_second // _MEGABIT, "Mbps"
    return max(1, round(bytes_per_second / BYTES_PER_SECOND["KBps"])), "KBps"


def _read_speed(megabits: str, _unit: int) -> int:
    limit, unit = _limit_of(megabits)
    return limit * BYTES_PER_SECOND[unit]


def _speed(tenant: Json) -> str:
    """In megabits a second, as the form has it."""
    limit = int(tenant.get("ThrottlingSpeedLimit") or 0)
    if not tenant.get("ThrottlingEnabled") or not limit:
        return ""
    unit = BYTES_PER_SECOND.get(str(tenant.get("ThrottlingSpeedUnit")), _MEGABIT)
    return shown_amount(limit * unit, _MEGABIT, _read_speed)


def _tunnel_limit(tenant: Json) -> int | str:
    return (
        int(tenant.get("MaxConcurrentTasks") or 0) if tenant.get("ConcurrentTasksLimited") else ""
    )


def _egress(tenant: Json) -> str:
    limit = int(tenant.get("EgressQuotaMb") or 0)
    return shown_amount(limit, MB_PER_GB) if limit else ""


def _limit(
    name: str, label: str, value: Callable[[Json], object], kind: Input = Input.AMOUNT
) -> Field:
    """A number, or no limit."""
    return Field(
        name=name,
        label=label,
        kind=kind,
        hint=_("No limit when left empty."),
        value=value,
    )


ACTIONS = (
    Action(
        path="tenants/create",
        title=_("New tenant"),
        submit=_("Add it"),
        text=_("A customer: it logs in at the gateways with its name and password."),
        verb="POST",
        target="/cloud/tenants",
        fields=(
            Field(name="name", label=_("Name"), required=True, example="acme"),
            PASSWORD,
            *_QUOTA,
            _LEASE,
            _NETWORKS,
            DESCRIPTION,
        ),
        body=_created,
        makes_password=True,
        command="tenant create NAME --repository REPOSITORY=100 --generate-password",
        back="tenants",
    ),
    Action(
        path="tenants/{id}/edit",
        title=_("Change tenant"),
        submit=_("Change"),
        text=_("Live tunnels go on; limits hold at once."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            _limit("speed", _("Speed, in Mbit/s over all its tunnels"), _speed),
            _limit("tunnels", _("Tunnels at a time"), _tunnel_limit, Input.NUMBER),
            _limit("egress", _("What it may bring back in a month, in GB"), _egress),
            Field(
                name="hard",
                label=_("Once that is used up, let new tunnels send data only"),
                kind=Input.YES,
                value=lambda tenant: "yes" if tenant.get("EgressQuotaHard") else "",
            ),
            _LEASE,
            _NETWORKS,
            Field(
                name="own",
                label=_("It and its users may change their own passwords"),
                kind=Input.YES,
                value=lambda tenant: "yes" if tenant.get("MayChangePassword") else "",
            ),
            Field(
                name="certificates",
                label=_("It and its users may get certificates in place of their passwords"),
                kind=Input.YES,
                value=lambda tenant: "yes" if tenant.get("MayGetCertificates") else "",
            ),
            Field(
                name="portal",
                label=_("It and its users may see what they have at the portal"),
                kind=Input.YES,
                value=lambda tenant: "" if tenant.get("MayUsePortal") is False else "yes",
            ),
            Field(
                name="kept",
                label=_("What it deletes is kept"),
                kind=Input.YES,
                hint=_("Where its repositories are seen to do that."),
                value=lambda tenant: "yes" if tenant.get("BackupProtectionEnabled") else "",
            ),
            Field(
                name="days",
                label=_("For how many days"),
                kind=Input.NUMBER,
                value=lambda tenant: tenant.get("BackupProtectionPeriod") or "",
            ),
            DESCRIPTION,
        ),
        body=_edited,
        edits=True,
        together=(frozenset({"ThrottlingEnabled", "ThrottlingSpeedLimit", "ThrottlingSpeedUnit"}),),
        command="tenant edit {Name} --speed 100 --tunnels 4",
        back="tenants/{id}",
    ),
    Action(
        path="tenants/{id}/password",
        title=_("New password"),
        submit=_("Make one"),
        text=_("It is shown once. The old one stays good for a time, for tonight's backup."),
        verb="POST",
        target=f"{ONE}?action=rotatePassword",
        subject=ONE + ENTITY,
        fields=(
            Field(
                name="old",
                label=_("The old one is good for"),
                kind=Input.CHOICE,
                choices=(
                    ("86400", _("1 day")),
                    ("0", _("not any more")),
                    ("604800", _("7 days")),
                    ("2592000", _("30 days")),
                ),
            ),
        ),
        body=lambda _visit, values: {"OldPasswordSeconds": int(values.get("old", "86400"))},
        command="tenant password rotate {Name} --old-for 24h",
        back="tenants/{id}",
        rotates=True,
        shown="once.html",
    ),
    Action(
        path="tenants/{id}/old-password/end",
        title=_("End old password"),
        submit=_("End it"),
        text=_("Whoever comes with the old one is let in no more; live tunnels go on."),
        verb="POST",
        target=f"{ONE}?action=endOldPassword",
        subject=ONE + ENTITY,
        body=lambda _visit, _values: {},
        command="tenant password end-old {Name}",
        back="tenants/{id}",
    ),
    Action(
        path="tenants/{id}/disable",
        title=_("Disable tenant"),
        submit=_("Disable"),
        text=_("It is let in no more, and its tunnels end within five seconds."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        body=lambda _visit, _values: {"Enabled": False},
        command="tenant edit {Name} --disable",
        back="tenants/{id}",
        dangerous=True,
    ),
    Action(
        path="tenants/{id}/enable",
        title=_("Enable tenant"),
        submit=_("Enable"),
        text=_("It is let in again."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        body=lambda _visit, _values: {"Enabled": True},
        command="tenant edit {Name} --enable",
        back="tenants/{id}",
    ),
    removal(
        "tenants/{id}/delete",
        _("Delete tenant"),
        _("It is let in no more, and its tunnels end. What it has stored stays where it is."),
        ONE,
        "tenant delete {Name}",
        back="tenants",
    ),
    Action(
        path="tenants/{id}/quotas/add",
        title=_("New quota"),
        submit=_("Give it"),
        text=_("The tenant may reach that repository, and store so much there."),
        verb="POST",
        target=f"{ONE}/resources",
        subject=ONE + ENTITY,
        fields=(*_QUOTA, Field(name="called", label=_("What to call it"))),
        body=lambda _visit, values: _quota(values),
        command="tenant resource add {Name} REPOSITORY --quota-gb 100",
        back="tenants/{id}",
    ),
    Action(
        path="tenants/{id}/quotas/{resource}/delete",
        title=_("Take quota away"),
        submit=_("Take away"),
        text=_("The tenant cannot reach that repository any more. What is stored stays."),
        verb="DELETE",
        target=_RESOURCE,
        subject=_RESOURCE,
        pick=lambda _visit, found: {**found, "Name": found["RepositoryQuota"]["DisplayName"]},
        fields=(Field(name="end", label=_("End its live tunnels there, too"), kind=Input.YES),),
        query=lambda values: {"endTunnels": "true"} if values.get("end") == "yes" else {},
        command="tenant resource delete TENANT {Name}",
        back="tenants/{id}",
        dangerous=True,
    ),
)
