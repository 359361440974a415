"""Passkeys at the entrance: what does a browser hand to an authenticator, and what comes back?"""

import base64
import json

from cloudgate.console.api import Answer, Api, Json, RefusedError

CALL = "/sessionMngr/passkey"


async def challenge(api: Api) -> Json | None:
    """What an authenticator is to sign; None where nobody can sign in by a passkey."""
    try:
        found = (await api.ask("POST", CALL, None, {"sec-fetch-site": "same-origin"})).body
    except RefusedError:
        return None
    return found if found.get("Options") else None


async def sign_in(api: Api, kept: str, credential: str) -> Answer:
    """Begin a session by a passkey alone.

    Raises:
        RefusedError: it is not enough.
    """
    body = {"Kept": kept, "Credential": credential}
    return await api.ask("POST", f"{CALL}?action=complete", body)


def code_of(kept: str, credential: str) -> str:
    """The same as it takes the place of a code beside a password."""
    text = json.dumps({"Kept": kept, "Credential": credential})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
