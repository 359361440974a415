"""Tenant certificate pages: how does a tenant get a certificate to come in by, and lose it?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Values, Visit
from cloudgate.console.operator.common import ENTITY, body, number
from cloudgate.console.operator.customers.tenants import ONE
from cloudgate.console.texts import moment
from cloudgate.console.texts import words as _

REQUEST = (
    Field(
        name="request",
        label=_("Certificate request"),
        kind=Input.LONG,
        hint=_("PKCS #10 in PEM: the key stays where it was made."),
        required=True,
    ),
    Field(
        name="hours",
        label=_("For how many hours"),
        kind=Input.NUMBER,
        hint=_("24 when left empty, at most 168."),
    ),
)
CERTIFICATE = f"{ONE}/certificates/{{certificate}}"


def issued(_visit: Visit, values: Values) -> Json:
    """What asks for a certificate."""
    hours = number(values, "hours", _("For how many hours"))
    return body(
        CertificateRequest=values["request"],
        ValidSeconds=hours * 3600 if hours else None,
    )


def named(visit: Visit, found: Json) -> Json:
    """A certificate by whose it is and when it ends: there may be several of one login."""
    end = moment(found.get("ExpirationTime"), visit.language.style)
    name = visit.language.text(_("%(login)s, good until %(end)s"))
    return {**found, "Name": name % {"login": found.get("Login"), "end": end}}


ACTIONS = (
    Action(
        path="tenants/{id}/certificates/issue",
        title=_("New certificate"),
        submit=_("Issue it"),
        text=_("Whoever has the key of the request comes in by it as the tenant."),
        verb="POST",
        target=f"{ONE}/certificates",
        subject=ONE + ENTITY,
        fields=REQUEST,
        body=issued,
        command="tenant certificate issue {Name} --file FILE",
        back="tenants/{id}",
    ),
    Action(
        path="tenants/{id}/certificates/{certificate}/revoke",
        title=_("Revoke certificate"),
        submit=_("Revoke"),
        text=_("Nobody comes in by it any more, and the tunnels that came in by it end."),
        verb="DELETE",
        target=CERTIFICATE,
        subject=CERTIFICATE,
        pick=named,
        command="tenant certificate revoke TENANT ID",
        back="tenants/{id}",
        dangerous=True,
    ),
)
