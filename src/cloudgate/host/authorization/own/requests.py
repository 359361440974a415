"""Own requests: what does a tenant ask for itself, by which path and body? Pure.

A new password, or a certificate. Who asks is proved before, and to the manager again.
"""

from dataclasses import dataclass, field

from cloudgate.host.authorization.policy import Denial
from cloudgate.network.well_known import CERTIFICATE_PATH
from cloudgate.protocol import Refusal
from cloudgate.values import json_texts

_MEMBERS = {"Password", "OldPasswordSeconds"}


@dataclass(frozen=True)
class OwnChange:
    """What is asked for: one of the two."""

    certificate_request: str | None = None
    new_password: str | None = field(default=None, repr=False)
    old_password_seconds: int | None = None


def change_of(path: str, body: str) -> OwnChange | Denial:
    """What a request asks for, or what is wrong with it."""
    if path == CERTIFICATE_PATH:
        if "-----BEGIN" not in body:
            return Denial(400, "The body must be a certificate request in PEM.", kind=Refusal.OTHER)
        return OwnChange(certificate_request=body)
    try:
        said = json_texts.read(body)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("Password"), str):
        return Denial(
            400, 'The body must be JSON such as {"Password": "the new one"}.', kind=Refusal.OTHER
        )
    seconds = said.get("OldPasswordSeconds")
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0
    if said.keys() - _MEMBERS or not (seconds is None or is_number):
        return Denial(
            400,
            "The body may have Password and OldPasswordSeconds, a number, and nothing else.",
            kind=Refusal.OTHER,
        )
    return OwnChange(new_password=said["Password"], old_password_seconds=seconds)
