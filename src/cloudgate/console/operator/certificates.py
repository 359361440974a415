"""Certificate pages: which certificates do gateways show, besides the manager's own?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Visit
from cloudgate.console.operator.common import ENTITY, body, choices, removal
from cloudgate.console.texts import words as _

ALL = "/cloud/certificates"
_FOR = Field(
    name="gateway",
    label=_("For"),
    kind=Input.CHOICE,
    choices=choices("CloudGateway", none=_("all gateways without one of their own")),
)


async def load(visit: Visit) -> Json:
    """The certificates that operators brought."""
    found = await visit.api.get(ALL + ENTITY)
    return {"rows": list(found.get("CloudCertificates") or ())}


PAGES = (
    Page(
        path="certificates",
        title=_("Certificates"),
        template="certificates.html",
        load=load,
        command="certificate list",
        request=ALL,
    ),
)
ACTIONS = (
    Action(
        path="certificates/import",
        title=_("Bring a certificate"),
        submit=_("Use it"),
        text=_("Gateways show it from now on, to new tunnels; live ones go on."),
        verb="POST",
        target=ALL,
        fields=(
            Field(
                name="pem",
                label=_("Certificate, issuers and key, as PEM"),
                kind=Input.LONG,
                required=True,
            ),
            _FOR,
        ),
        body=lambda _visit, values: body(Pem=values["pem"], CloudGatewayUid=values.get("gateway")),
        command="certificate import FILE",
        back="certificates",
    ),
    Action(
        path="certificates/order",
        title=_("Order a certificate"),
        submit=_("Order"),
        text=_("By ACME, now and from then on. You agree to the terms of that server."),
        verb="POST",
        target=f"{ALL}?action=order",
        fields=(
            Field(
                name="directory",
                label=_("Directory of the ACME server"),
                required=True,
                example="https://acme-v02.api.letsencrypt.org/directory",
            ),
            Field(name="names", label=_("DNS names, with commas between"), required=True),
            Field(
                name="challenge",
                label=_("How the server sees that the names are yours"),
                kind=Input.CHOICE,
                choices=(("http-01", "http-01"), ("dns-01", "dns-01")),
            ),
            Field(name="email", label=_("Where the server may write to")),
            _FOR,
        ),
        body=lambda _visit, values: body(
            DirectoryUrl=values["directory"],
            Names=values["names"],
            Challenge=values.get("challenge"),
            Email=values.get("email"),
            CloudGatewayUid=values.get("gateway"),
        ),
        command="certificate acme --directory URL --name NAME",
        back="certificates",
    ),
    removal(
        "certificates/{id}/delete",
        _("Delete certificate"),
        _("Its gateways show the manager's own certificate again."),
        ALL + "/{id}",
        "certificate delete {Name}",
        back="certificates",
    ),
)
