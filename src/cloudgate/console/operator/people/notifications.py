"""Notification pages: who is told of what happens, and what were they told?"""

import asyncio

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Values, Visit
from cloudgate.console.operator.common import ENTITY, body, choices, number, removal
from cloudgate.console.texts import words as _

ALL = "/notifications/receivers"
ONE = f"{ALL}/{{id}}"
_DELIVERIES = "/notifications/deliveries?most=50"
_DIGEST = _("Collect what is not critical for so many minutes")
EVENTS = (
    ("GatewayDown", _("A gateway lets nobody in")),
    ("GatewayFull", _("A gateway is nearly used up")),
    ("HostUnheard", _("A host is not heard of")),
    ("CertificateEnding", _("A certificate is near its end")),
    ("QuotaLevel", _("A quota is nearly used up")),
    ("EgressLevel", _("What may be brought back is nearly used up")),
    ("LeaseEnding", _("A lease is near its end")),
    ("ProtectionLost", _("Deleted backups may not be kept")),
    ("TaskFailed", _("A task has failed")),
    ("WrongPasswords", _("Many wrong passwords were tried")),
    ("BackupOverdue", _("The manager's backup is overdue")),
    ("SchemaWaiting", _("A newer release waits")),
    ("NeedsALook", _("Anything else needs a look")),
)


async def load(visit: Visit) -> Json:
    """Who is told, and what was said or is to be."""
    known, told = await asyncio.gather(visit.api.get(ALL + ENTITY), visit.api.get(_DELIVERIES))
    return {
        "rows": list(known.get("NotificationReceivers") or ()),
        "told": list(told.get("NotificationDeliveries") or ()),
    }


def _how(visit: Visit, values: Values) -> Json:
    """What can be said of new receivers and of those that there are."""
    return body(
        Address=values.get("address"),
        Events={"Events": visit.form.get("events") or []},
        QuietFrom=values.get("from", ""),
        QuietUntil=values.get("until", ""),
        DigestMinutes=number(values, "digest", _DIGEST) or 0,
    )


def _created(visit: Visit, values: Values) -> Json:
    return body(
        Name=values["name"],
        Kind=values["kind"],
        Role=values.get("role"),
        CloudTenantUid=values.get("tenant"),
        CaFile=values.get("authority"),
        **_how(visit, values),
    )


_ADDRESS = Field(
    name="address",
    label=_("Mail address, or HTTPS address of a program"),
    required=True,
    example="operations@example.com",
    value=lambda receiver: receiver.get("Address"),
)
_HOW = (
    Field(
        name="events",
        label=_("Of what"),
        kind=Input.SEVERAL,
        choices=EVENTS,
        hint=_("Of everything when none is chosen."),
        value=lambda receiver: list((receiver.get("Events") or {}).get("Events") or ()),
    ),
    Field(
        name="from",
        label=_("Quiet from, by UTC"),
        example="22:00",
        hint=_("What is critical is told all the same."),
        value=lambda receiver: receiver.get("QuietFrom"),
    ),
    Field(
        name="until",
        label=_("Quiet until, by UTC"),
        example="06:00",
        value=lambda receiver: receiver.get("QuietUntil"),
    ),
    Field(
        name="digest",
        label=_DIGEST,
        kind=Input.NUMBER,
        hint=_("Each is told by itself when left empty."),
        value=lambda receiver: receiver.get("DigestMinutes") or "",
    ),
)
PAGES = (
    Page(
        path="notifications",
        title=_("Notifications"),
        template="notifications.html",
        load=load,
        live=True,
        command="notification list",
        request=ALL,
    ),
)
ACTIONS = (
    Action(
        path="notifications/create",
        title=_("New receiver"),
        submit=_("Add it"),
        text=_("It is told of what happens from now on. A program gets a secret, shown once."),
        verb="POST",
        target=ALL,
        fields=(
            Field(name="name", label=_("Name"), required=True, example="operations"),
            Field(
                name="kind",
                label=_("How"),
                kind=Input.CHOICE,
                choices=(("Email", _("by mail")), ("Webhook", _("by a call to a program"))),
                required=True,
            ),
            _ADDRESS,
            Field(
                name="role",
                label=_("What it sees"),
                kind=Input.CHOICE,
                choices=(
                    ("Portal Administrator", _("what portal administrators see")),
                    ("Portal User", _("what portal users see")),
                ),
            ),
            Field(
                name="tenant",
                label=_("Or a tenant that is told of itself alone"),
                kind=Input.CHOICE,
                choices=choices("CloudTenant", none=_("none")),
            ),
            *_HOW,
            Field(
                name="authority",
                label=_("Authority of a private program, as PEM"),
                kind=Input.LONG,
                hint=_("The public ones when left empty."),
            ),
        ),
        body=_created,
        command="notification create NAME --mail ADDRESS",
        back="notifications",
        shown="receiver_made.html",
    ),
    Action(
        path="notifications/{id}/edit",
        title=_("Change receiver"),
        submit=_("Change"),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            _ADDRESS,
            *_HOW,
            Field(
                name="enabled",
                label=_("It is told"),
                kind=Input.YES,
                value=lambda receiver: "yes" if receiver.get("Enabled") else "",
            ),
        ),
        body=lambda visit, values: {
            **_how(visit, values),
            "Enabled": values.get("enabled") == "yes",
        },
        edits=True,
        command="notification edit {Name} --address ADDRESS",
        back="notifications",
    ),
    Action(
        path="notifications/{id}/test",
        title=_("Try receiver"),
        submit=_("Tell it"),
        text=_("It is told right now that this is a test."),
        verb="POST",
        target=f"{ONE}?action=test",
        subject=ONE + ENTITY,
        command="notification test {Name}",
        back="notifications",
    ),
    removal(
        "notifications/{id}/delete",
        _("Delete receiver"),
        _("It is told no more."),
        ONE,
        "notification delete {Name}",
        back="notifications",
    ),
)
