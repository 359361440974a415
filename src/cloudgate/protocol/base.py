"""Base: what have all messages in common, and which version of the protocol is it?"""

from pydantic import BaseModel, ConfigDict

SERVER_HEADER = "X-Managed-Server"
"""Names the managed server that a host says it is. Nobody is believed by it: where a credential is
unknown, it lets the manager tell its operator who was refused."""

REVOKED = "revoked"
"""Member of a refusal's JSON (401), true where the managed server that the host says it is has been
shut out. A credential that is merely unknown is something else: an older database knows it not."""

PROTOCOL = 1
"""Version of the host protocol. A change that an older side cannot read raises it."""

OLDEST_PROTOCOL = 1
"""The oldest version that is understood: that of the release before this one. Each side says both,
and they talk when there is a version that both understand."""

POLL_SECONDS = 25.0
"""How long the manager holds a poll without news."""


class Document(BaseModel):
    """A message of the host protocol. Unknown members are ignored: a newer side may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")
