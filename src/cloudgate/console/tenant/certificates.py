"""Own certificates: by which certificates does a tenant come in, and how is one revoked?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Page, Visit
from cloudgate.console.tenant.pages import SELF
from cloudgate.console.texts import words as _

OWN = f"{SELF}/certificates"
ONE = f"{OWN}/{{certificate}}"


async def load(visit: Visit) -> Json:
    """Those that have not ended: a tenant's also those of its users."""
    found = await visit.api.get(OWN)
    return {"certificates": list(found.get("CloudTenantCertificates") or ())}


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
        path="certificates/{certificate}/revoke",
        title=_("Revoke certificate"),
        submit=_("Revoke"),
        text=_("Nobody comes in by it any more, and the tunnels that came in by it end."),
        verb="DELETE",
        target=ONE,
        subject=ONE,
        pick=lambda found: {**found, "Name": found.get("Login")},
        command="",
        back="certificates",
        dangerous=True,
        by_task=False,
    ),
)
