"""Own certificates: by which certificates does a tenant come in, and how is one revoked?"""

import asyncio

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Visit, paged
from cloudgate.console.operator.customers.tenant_certificates import REQUEST, issued, named
from cloudgate.console.tenant.pages import SELF
from cloudgate.console.texts import words as _

OWN = f"{SELF}/certificates"
ONE = f"{OWN}/{{certificate}}"


async def load(visit: Visit) -> Json:
    """Those that have not ended: a tenant's also those of its users."""
    own, found = await asyncio.gather(visit.api.get(SELF), visit.api.get(OWN))
    return {
        "may_get": own.get("MayGetCertificates"),
        "certificates": paged(visit, list(found.get("CloudTenantCertificates") or ()), "page"),
    }


PAGES = (
    Page(
        path="certificates",
        title=_("Certificates"),
        template="own_certificates.html",
        load=load,
        live=True,
        request=OWN,
    ),
)
ACTIONS = (
    Action(
        path="certificates/issue",
        title=_("New certificate"),
        submit=_("Issue it"),
        text=_(
            "Whoever has the key of the request comes in by it as you. It ends with your password."
        ),
        verb="POST",
        target="/cloud/certificate",
        subject=SELF,
        fields=(
            *REQUEST,
            Field(name="password", label=_("Password"), kind=Input.PASSWORD, required=True),
        ),
        body=issued,
        by_own_password=True,
        command="",
        back="certificates",
        by_task=False,
    ),
    Action(
        path="certificates/{certificate}/revoke",
        title=_("Revoke certificate"),
        submit=_("Revoke"),
        text=_("Nobody comes in by it any more, and the tunnels that came in by it end."),
        verb="DELETE",
        target=ONE,
        subject=ONE,
        pick=named,
        command="",
        back="certificates",
        dangerous=True,
        by_task=False,
    ),
)
