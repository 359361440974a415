"""Repository pages: which storage is there, and how full is it?"""

from functools import partial

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Values, Visit, filled
from cloudgate.console.operator.common import (
    DESCRIPTION,
    ENTITY,
    amount,
    body,
    choices,
    lines,
    listing,
    number,
    removal,
    shown_amount,
)
from cloudgate.console.texts import NOTHING
from cloudgate.console.texts import words as _

ONE = "/repositories/{id}"
_TERABYTE = 1024**4
_WARNINGS = _("Percents of a quota at which there is a warning")
_GRACE = _("Percent more than its quota that a tenant may use")


async def load_one(visit: Visit) -> Json:
    """A repository."""
    return {"thing": await visit.api.get(filled(ONE, visit.path) + ENTITY)}


_FIELDS = (
    Field(
        name="name",
        label=_("Name"),
        required=True,
        example="vault",
        value=lambda thing: thing.get("Name"),
    ),
    Field(
        name="endpoint",
        label=_("Endpoint"),
        hint=_("Host and port as tenants name them. The name need not be in any DNS."),
        required=True,
        example="vault.example:8443",
        value=lambda thing: thing.get("Endpoint"),
    ),
    Field(
        name="address",
        label=_("Address"),
        hint=_("Host and port that gateways connect to; the endpoint when left out."),
        example="10.0.0.5:8443",
        value=lambda thing: (
            None if thing.get("Address") == thing.get("Endpoint") else thing.get("Address")
        ),
    ),
    Field(
        name="capacity",
        label=_("Capacity in TB"),
        kind=Input.AMOUNT,
        hint=_("Where no probe measures it."),
        value=lambda thing: (
            shown_amount(thing["Capacity"], _TERABYTE) if thing.get("Capacity") else ""
        ),
    ),
    DESCRIPTION,
)


def _created(_visit: Visit, values: Values) -> Json:
    return body(
        Name=values["name"],
        Endpoint=values["endpoint"],
        Address=values.get("address"),
        Description=values.get("description"),
        Capacity=amount(values, "capacity", _("Capacity in TB"), _TERABYTE),
    )


def _edited(visit: Visit, values: Values) -> Json:
    return {
        "Address": values["endpoint"],
        "Description": "",
        "Capacity": 0,
        **_created(visit, values),
    }


def _probe(_visit: Visit, values: Values) -> Json:
    return {
        "UsageProbe": body(
            Method=values["method"],
            ManagedServerUid=values.get("server"),
            Path=values.get("path"),
            Url=values.get("url"),
            Region=values.get("region"),
            Bucket=values.get("bucket"),
            Prefix=values.get("prefix"),
            Username=values.get("username"),
            Password=values.get("password"),
        )
    }


def _protection(_visit: Visit, values: Values) -> Json:
    return {
        "BackupProtection": body(
            Method=values["method"],
            Url=values.get("url"),
            Region=values.get("region"),
            Bucket=values.get("bucket"),
            Username=values.get("username"),
            Password=values.get("password"),
        )
    }


def _quotas(_visit: Visit, values: Values) -> Json:
    levels = lines(values.get("warnings", ""))
    percents = [number({"warnings": each}, "warnings", _WARNINGS) for each in levels]
    return body(
        QuotaWarningPercents={"Percents": percents},
        QuotaGracePercent=number(values, "grace", _GRACE) or 0,
        QuotaEnforced=values.get("enforced") == "yes",
    )


def _levels(thing: Json) -> str:
    found = (thing.get("QuotaWarningPercents") or {}).get("Percents") or ()
    return " ".join(str(each) for each in found)


def _part(whole: str, name: str, label: str, example: str = "", kind: Input = Input.TEXT) -> Field:
    """A field with what a property of the part of that name is now."""
    key = {"server": "ManagedServerUid"}.get(name, name.capitalize())
    return Field(
        name=name,
        label=label,
        kind=kind,
        example=example,
        value=lambda thing: (thing.get(whole) or {}).get(key),
    )


_of_probe, _of_protection = partial(_part, "UsageProbe"), partial(_part, "BackupProtection")


PAGES = (
    Page(
        path="repositories",
        title=_("Repositories"),
        template="repositories.html",
        load=listing("Repository", "Repositories"),
        command="repository list",
        request="/query?type=Repository&format=Entities",
    ),
    Page(
        path="repositories/{id}",
        title=_("Repository"),
        template="repository.html",
        load=load_one,
        command="repository show NAME",
        request=ONE,
    ),
)
ACTIONS = (
    Action(
        path="repositories/create",
        title=_("New repository"),
        submit=_("Add it"),
        text=_("A storage service that tenants reach through the gateways."),
        verb="POST",
        target="/repositories",
        fields=_FIELDS,
        body=_created,
        command="repository create NAME --endpoint HOST:PORT --address HOST:PORT",
        back="repositories",
    ),
    Action(
        path="repositories/{id}/edit",
        title=_("Change repository"),
        submit=_("Change"),
        text=_("Live tunnels stay where they are; new ones go by the new settings."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=_FIELDS,
        body=_edited,
        edits=True,
        command="repository edit {Name} --endpoint HOST:PORT",
        back="repositories/{id}",
    ),
    Action(
        path="repositories/{id}/quotas",
        title=_("Hold to quotas"),
        submit=_("Change"),
        text=_("What happens when a tenant has used up its quota on this repository."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            Field(
                name="warnings",
                label=_WARNINGS,
                hint=_("Such as 80 95; none when left out."),
                value=_levels,
            ),
            Field(
                name="grace",
                label=_GRACE,
                kind=Input.NUMBER,
                value=lambda thing: thing.get("QuotaGracePercent"),
            ),
            Field(
                name="enforced",
                label=_("Above that, new tunnels may only bring data back"),
                hint=_("Otherwise you and the tenant are only warned."),
                kind=Input.YES,
                value=lambda thing: "yes" if thing.get("QuotaEnforced") else "",
            ),
        ),
        body=_quotas,
        edits=True,
        command="repository edit {Name} --quota-warning 80 --quota-grace 10",
        back="repositories/{id}",
    ),
    Action(
        path="repositories/{id}/probe",
        title=_("Measure what is stored"),
        submit=_("Measure"),
        text=_("A probe says how much each tenant keeps there, which quotas are held to."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            Field(
                name="method",
                label=_("How"),
                kind=Input.CHOICE,
                choices=(
                    ("Directory", _("by the directory, on a managed server")),
                    ("WebDAV", _("by WebDAV")),
                    ("S3", _("by S3")),
                    ("None", _("not at all")),
                ),
                value=lambda thing: (thing.get("UsageProbe") or {}).get("Method") or "None",
            ),
            Field(
                name="server",
                label=_("Directory: managed server"),
                kind=Input.CHOICE,
                choices=choices("ManagedServer", none=NOTHING),
                value=lambda thing: (thing.get("UsageProbe") or {}).get("ManagedServerUid"),
            ),
            _of_probe("path", _("Directory: path"), "/srv/backups/{tenant}"),
            _of_probe("url", _("WebDAV, S3: URL"), "https://dav.example/{tenant}/"),
            _of_probe("region", _("S3: region")),
            _of_probe("bucket", _("S3: bucket")),
            _of_probe("prefix", _("S3: prefix"), "{tenant}/"),
            _of_probe("username", _("User name, or access key id")),
            _of_probe("password", _("Password, or secret key"), kind=Input.PASSWORD),
        ),
        body=_probe,
        keeps={"UsageProbe": ("CaFile", "IntervalMinutes")},
        command="repository probe {Name} Directory --server SERVER --path '/srv/backups/{tenant}'",
        back="repositories/{id}",
    ),
    Action(
        path="repositories/{id}/protect",
        title=_("Keep what is deleted"),
        submit=_("Look at it"),
        text=_(
            "Say how the storage keeps what a tenant deletes. It is looked at at once and each"
            " hour, and only while it is so tenants can be protected."
        ),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            Field(
                name="method",
                label=_("How"),
                kind=Input.CHOICE,
                choices=(
                    ("RestServer", _("append-only, by restic's server or rclone")),
                    ("S3", _("by S3's object lock")),
                    ("Snapshots", _("by snapshots, of which your program tells")),
                    ("None", _("not at all")),
                ),
                value=lambda thing: (thing.get("BackupProtection") or {}).get("Method") or "None",
            ),
            _of_protection("url", _("URL"), "https://vault.example:8443/cloudgate/"),
            _of_protection("region", _("S3: region")),
            _of_protection("bucket", _("S3: bucket")),
            _of_protection("username", _("User name, or access key id")),
            _of_protection("password", _("Password, or secret key"), kind=Input.PASSWORD),
        ),
        body=_protection,
        keeps={"BackupProtection": ("CaFile",)},
        command="repository protect {Name} RestServer --server-url https://vault.example:8443/cloudgate/",
        back="repositories/{id}",
    ),
    removal(
        "repositories/{id}/delete",
        _("Delete repository"),
        _("It is refused while a tenant has a quota there. What is stored stays."),
        ONE,
        "repository delete {Name}",
        back="repositories",
    ),
)
