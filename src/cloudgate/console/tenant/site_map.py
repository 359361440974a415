"""Site map of the portal: which pages and actions does a tenant have?"""

from cloudgate.console.api import Answer, Api
from cloudgate.console.browser import Cookie
from cloudgate.console.section import Section
from cloudgate.console.tenant import certificates, pages, usage
from cloudgate.console.texts import words as _


async def sign_in(api: Api, name: str, password: str) -> Answer:
    """Begin a session of a tenant, or its user."""
    return await api.log_on(name, password, of="tenant")


async def sign_out(api: Api) -> None:
    """End it."""
    await api.ask("DELETE", "/cloud/self/session")


async def tenant_of(api: Api) -> str:
    """The tenant that a session is of: its own, or a user's of it."""
    return str((await api.get("/cloud/self"))["Tenant"])


PORTAL = Section(
    name="portal",
    title=_("Portal"),
    cookie=Cookie("__Host-cloudgate-portal"),
    sign_in=sign_in,
    sign_out=sign_out,
    whose=tenant_of,
    who=_("Name"),
    hint=_("As at the gateway; a user is TENANT\\USER."),
    has_brand=True,
    own_password="password",  # noqa: S106  a path
    pages=(*pages.PAGES, *certificates.PAGES, *usage.PAGES),
    actions=(*pages.ACTIONS, *certificates.ACTIONS),
    navigation=(
        (
            "",
            (
                ("", _("Overview")),
                ("connect", _("How to connect")),
                ("logins", _("Who came")),
                ("users", _("Users")),
                ("certificates", _("Certificates")),
                ("usage", _("Usage")),
            ),
        ),
    ),
)
