"""Second factor pages: what does somebody show besides a password, and which roles have to?"""

from collections.abc import Sequence

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Offer, Page, Visit
from cloudgate.console.operator.common import ENTITY, removal
from cloudgate.console.texts import words as _

OWN = "/security/factor"
RULES = "/security/factorRules"
_CODE = Field(
    name="code",
    label=_("Code that the app shows now"),
    required=True,
    example="123456",
)


async def load(visit: Visit) -> Json:
    """Whether who is signed in has one."""
    return {"factor": await visit.api.get(OWN)}


async def load_rules(visit: Visit) -> Json:
    """Which roles ask for one."""
    return {"rows": list((await visit.api.get(RULES)).get("SecondFactorRules") or ())}


async def _roles(visit: Visit, _current: Sequence[str]) -> Offer:
    found = (await load_rules(visit))["rows"]
    return Offer(tuple((str(each["EnterpriseRoleUid"]), str(each["RoleName"])) for each in found))


PAGES = (
    Page(
        path="factor",
        title=_("My second factor"),
        template="factor.html",
        load=load,
        section="accounts",
        request=OWN,
    ),
    Page(
        path="factor-rules",
        title=_("Who needs a second factor"),
        template="factor_rules.html",
        load=load_rules,
        section="accounts",
        command="account factor-rules",
        request=RULES,
    ),
)
ACTIONS = (
    Action(
        path="factor/begin",
        title=_("Set up a second factor"),
        submit=_("Show me the code to scan"),
        text=_(
            "You need an app for one-time codes on a telephone. From then on you sign in with your"
            " password and the six digits that it shows."
        ),
        verb="POST",
        target=OWN,
        command="",
        shown="factor_begun.html",
        back="factor",
    ),
    Action(
        path="factor/confirm",
        title=_("Confirm the second factor"),
        submit=_("Confirm"),
        text=_("So that you are not shut out, show that the app works."),
        verb="PUT",
        target=OWN,
        fields=(_CODE,),
        body=lambda _visit, values: {"Code": values["code"]},
        command="",
        shown="factor_codes.html",
        back="factor",
    ),
    Action(
        path="factor/remove",
        title=_("Take away my second factor"),
        submit=_("Take it away"),
        text=_("You sign in by your password alone again. Show a code once more."),
        verb="POST",
        target=f"{OWN}?action=remove",
        fields=(_CODE,),
        body=lambda _visit, values: {"Code": values["code"]},
        command="",
        back="factor",
        dangerous=True,
    ),
    Action(
        path="factor-rules/change",
        title=_("Who needs a second factor"),
        submit=_("Save"),
        text=_(
            "Accounts of that role that have none may do nothing until they have set one up."
            " Programs go on with API tokens."
        ),
        verb="PUT",
        target=RULES,
        fields=(
            Field(name="role", label=_("Role"), kind=Input.CHOICE, choices=_roles, required=True),
            Field(name="required", label=_("Needs a second factor"), kind=Input.YES),
        ),
        body=lambda _visit, values: {
            "EnterpriseRoleUid": values["role"],
            "Required": values.get("required") == "yes",
        },
        command="account require-factor 'Portal User'",
        back="factor-rules",
        dangerous=True,
    ),
    removal(
        "accounts/{id}/factor",
        _("Reset second factor"),
        _("The account signs in by its password alone, until it sets another one up."),
        "/security/accounts/{id}/factor",
        "account reset-factor {Name}",
        back="accounts",
        submit=_("Reset"),
        subject="/security/accounts/{id}" + ENTITY,
    ),
)
