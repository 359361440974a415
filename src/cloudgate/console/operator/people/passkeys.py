"""Passkey pages: which passkeys does somebody have, and how is one made or removed?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Visit
from cloudgate.console.texts import words as _

OWN = "/security/passkeys"
_PASSWORD = Field(name="current", label=_("Password of now"), kind=Input.PASSWORD, required=True)


async def load(visit: Visit) -> Json:
    """Those of who is signed in."""
    return {"rows": list((await visit.api.get(OWN)).get("Passkeys") or ())}


PAGES = (
    Page(
        path="passkeys",
        title=_("My passkeys"),
        template="passkeys.html",
        load=load,
        section="accounts",
        request=OWN,
    ),
)
ACTIONS = (
    Action(
        path="passkeys/begin",
        title=_("New passkey"),
        submit=_("Go on"),
        text=_(
            "You sign in by it without a password: with a finger, a face or a PIN at your device,"
            " or with a security key. It also takes the place of a code beside your password."
        ),
        verb="POST",
        target=f"{OWN}?action=begin",
        fields=(_PASSWORD,),
        body=lambda _visit, values: {"CurrentPassword": values["current"]},
        command="",
        shown="passkey_begun.html",
        back="passkeys",
    ),
    Action(
        path="passkeys/add",
        title=_("New passkey"),
        submit=_("Keep it"),
        verb="POST",
        target=OWN,
        fields=(
            Field(name="name", label=_("Name"), required=True),
            Field(name="kept", label="", kind=Input.HIDDEN, required=True),
            Field(name="credential", label="", kind=Input.HIDDEN, required=True),
        ),
        body=lambda _visit, values: {
            "Kept": values["kept"],
            "Credential": values["credential"],
            "Name": values["name"],
        },
        command="",
        back="passkeys",
    ),
    Action(
        path="passkeys/{id}/remove",
        title=_("Remove passkey"),
        submit=_("Remove"),
        text=_("Nobody signs in by it any more. Remove it from your device, too."),
        verb="POST",
        target=f"{OWN}/{{id}}?action=remove",
        subject=f"{OWN}/{{id}}",
        fields=(_PASSWORD,),
        body=lambda _visit, values: {"CurrentPassword": values["current"]},
        command="",
        back="passkeys",
        dangerous=True,
    ),
)
