"""Token pages: which programs may use the API in whose name, and until when?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Visit
from cloudgate.console.operator.common import ENTITY, body, number, removal
from cloudgate.console.texts import words as _

ALL = "/security/tokens"
_ROLES = (
    ("Portal User", _("Portal User: sees to gateways and tenants")),
    ("Metrics", _("Metrics: sees figures and health alone")),
    ("Portal Administrator", _("Portal Administrator: may do everything")),
)


async def load(visit: Visit) -> Json:
    """The tokens that who is signed in may see."""
    return {"rows": list((await visit.api.get(ALL + ENTITY)).get("ApiTokens") or ())}


PAGES = (
    Page(
        path="tokens",
        title=_("API tokens"),
        template="tokens.html",
        load=load,
        command="token list",
        request=ALL,
    ),
)
ACTIONS = (
    Action(
        path="tokens/create",
        title=_("New API token"),
        submit=_("Make it"),
        text=_("A script or a monitoring system shows it in place of your password."),
        verb="POST",
        target=ALL,
        fields=(
            Field(name="name", label=_("What it is for"), required=True, example="nightly-report"),
            Field(name="role", label=_("Role"), kind=Input.CHOICE, choices=_ROLES, required=True),
            Field(
                name="days",
                label=_("Good for so many days"),
                kind=Input.NUMBER,
                value="90",
                hint=_("1 to 366."),
            ),
        ),
        body=lambda _visit, values: body(
            Name=values["name"],
            Role=values["role"],
            ValidDays=number(values, "days", _("Good for so many days")),
        ),
        shown="token_made.html",
        command="token create NAME --role 'Portal User' --days 90",
        back="tokens",
    ),
    removal(
        "tokens/{id}/revoke",
        _("Revoke API token"),
        _("Who shows it is refused from now on."),
        ALL + "/{id}",
        "token revoke {Name}",
        back="tokens",
        submit=_("Revoke"),
    ),
)
