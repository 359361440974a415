"""Site map: which pages and actions does the operator's console have?"""

from cloudgate.console.api import Answer, Api
from cloudgate.console.browser import Cookie
from cloudgate.console.operator import (
    audit,
    certificates,
    gateways,
    maintenance,
    overview,
    pools,
    repositories,
    servers,
    sites,
    tasks,
    usage,
)
from cloudgate.console.operator.customers import (
    tenant_actions,
    tenant_certificates,
    tenants,
    users,
)
from cloudgate.console.operator.people import (
    accounts,
    notifications,
    passkeys,
    second_factor,
    tokens,
)
from cloudgate.console.section import Section
from cloudgate.console.texts import words as _


async def sign_in(api: Api, name: str, password: str) -> Answer:
    """Begin a session of an account."""
    return await api.log_on(name, password)


async def sign_out(api: Api) -> None:
    """End it: the own one comes first of those that are listed."""
    answer = await api.get("/logonSessions")
    own, *_others = answer["LogonSessions"]
    await api.ask("DELETE", f"/logonSessions/{own['SessionId']}")


CONSOLE = Section(
    name="console",
    title=_("Console"),
    cookie=Cookie("__Host-cloudgate"),
    sign_in=sign_in,
    sign_out=sign_out,
    who=_("User"),
    has_providers=True,
    has_roles=True,
    pages=(
        *overview.PAGES,
        *gateways.PAGES,
        *servers.PAGES,
        *sites.PAGES,
        *pools.PAGES,
        *tenants.PAGES,
        *repositories.PAGES,
        *usage.PAGES,
        *tasks.PAGES,
        *audit.PAGES,
        *certificates.PAGES,
        *notifications.PAGES,
        *accounts.PAGES,
        *tokens.PAGES,
        *second_factor.PAGES,
        *passkeys.PAGES,
        *maintenance.PAGES,
    ),
    actions=(
        *gateways.ACTIONS,
        *servers.ACTIONS,
        *sites.ACTIONS,
        *pools.ACTIONS,
        *tenant_actions.ACTIONS,
        *users.ACTIONS,
        *tenant_certificates.ACTIONS,
        *repositories.ACTIONS,
        *tasks.ACTIONS,
        *certificates.ACTIONS,
        *notifications.ACTIONS,
        *accounts.ACTIONS,
        *tokens.ACTIONS,
        *second_factor.ACTIONS,
        *passkeys.ACTIONS,
        *maintenance.ACTIONS,
    ),
    navigation=(
        ("", (("", _("Overview")),)),
        (
            _("Way in"),
            (
                ("gateways", _("Gateways")),
                ("servers", _("Servers")),
                ("pools", _("Pools")),
                ("certificates", _("Certificates")),
                ("sites", _("Backup servers")),
            ),
        ),
        (
            _("Customers"),
            (
                ("tenants", _("Tenants")),
                ("repositories", _("Repositories")),
                ("usage", _("Usage")),
            ),
        ),
        (
            _("Operations"),
            (
                ("tasks", _("Tasks")),
                ("audit", _("Audit log")),
                ("maintenance", _("Maintenance")),
                ("notifications", _("Notifications")),
                ("accounts", _("Accounts")),
                ("tokens", _("API tokens")),
                ("settings", _("Settings")),
                ("about", _("About")),
            ),
        ),
    ),
)
