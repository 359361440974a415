"""Passkey rules: is what a browser brings of an authenticator good? Web Authentication, level 2.

A library (fido2) reads and checks it: kind, challenge, origin, RP ID, presence, verification of the
user, signature. Here it is said against what.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, NotOfferedError
from cloudgate.values import json_texts

_UNREADABLE = (
    ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError,
    NotImplementedError, OverflowError, RecursionError, struct.error,
)  # fmt: skip
"""What the library raises at what is no answer of an authenticator, or a wrong one."""
_LONGEST_ID_BYTES = 1023


@dataclass(frozen=True)
class RelyingParty:
    """The pages that passkeys are for."""

    origin: str
    """Scheme, name and port, as browsers say it."""

    @property
    def rp_id(self) -> str:
        """What authenticators know them by: the name alone."""
        return urlsplit(self.origin).hostname or ""


def place(url: str) -> RelyingParty:
    """The place of an address of the manager.

    Raises:
        InvalidRequestError: browsers have no passkeys there.
    """
    parts = urlsplit(url)
    name = (parts.hostname or "").lower()
    try:
        ip_address(name)
    except ValueError:
        is_name = bool(name)
    else:
        is_name = False
    if parts.scheme != "https" or not is_name:
        raise InvalidRequestError(
            "Passkeys belong to a name and HTTPS: come to the manager by its name, not by an IP"
            " address."
        )
    port = "" if parts.port in (None, 443) else f":{parts.port}"
    return RelyingParty(f"https://{name}{port}")


@dataclass(frozen=True, kw_only=True)
class PasskeyUser:
    """Who makes a passkey."""

    id: UUID
    name: str
    has: tuple[str, ...]
    """The public keys that are there already: an authenticator makes one for a person."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A passkey that was made."""

    credential_id: bytes
    public_key: str
    sign_count: int


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """A passkey that has signed."""

    sign_count: int


def creation_options(where: RelyingParty, person: PasskeyUser, challenge: bytes) -> str:
    """What the browser hands to the authenticator, in JSON."""
    fido = _fido2()
    user = fido.PublicKeyCredentialUserEntity(
        id=person.id.bytes, name=person.name, display_name=person.name
    )
    options, _state = _server(where).register_begin(
        user,
        [_public_key(each) for each in person.has],
        resident_key_requirement=fido.ResidentKeyRequirement.REQUIRED,
        user_verification=fido.UserVerificationRequirement.PREFERRED,
        challenge=challenge,
    )
    return json.dumps(dict(options)["publicKey"])


def request_options(where: RelyingParty, challenge: bytes) -> str:
    """The same, to have it sign."""
    required = _fido2().UserVerificationRequirement.REQUIRED
    options, _state = _server(where).authenticate_begin(
        user_verification=required, challenge=challenge
    )
    return json.dumps(dict(options)["publicKey"])


def verify_registration(where: RelyingParty, challenge: str, text: str) -> Registration:
    """The passkey of which an authenticator says that it was made.

    Raises:
        InvalidRequestError: it was not, or not here and now.
    """
    state = {"challenge": challenge, "user_verification": "preferred"}
    try:
        data = _server(where).register_complete(state, _read(text))
        credential = data.credential_data
        if credential is None or not 0 < len(credential.credential_id) <= _LONGEST_ID_BYTES:
            raise ValueError("it names no passkey")
        _check_not_framed(text)
    except _UNREADABLE as problem:
        raise InvalidRequestError(
            f"The passkey cannot be taken: {str(problem)[:200] or 'it cannot be read'}. Begin anew."
        ) from None
    return Registration(
        credential_id=bytes(credential.credential_id),
        public_key=_encoded(bytes(credential)),
        sign_count=data.counter,
    )


def credential_id(text: str) -> str:
    """Which passkey is said to have signed; in base64url.

    Raises:
        NotAuthenticatedError: it cannot be read.
    """
    try:
        return _encoded(_fido2().AuthenticationResponse.from_dict(_read(text)).raw_id)
    except _UNREADABLE:
        raise NotAuthenticatedError(NOT_TAKEN) from None


NOT_TAKEN = "The passkey was not accepted: it is none of an account here, or was used elsewhere."


@dataclass(frozen=True, kw_only=True)
class ExpectedAssertion:
    """What an authenticator was asked to sign, and for whom."""

    where: RelyingParty
    challenge: str
    """In base64url."""
    owner: UUID
    alone: bool
    """Whether nothing else is shown: then it has to have seen to it that it is its owner."""


def verify_assertion(expected: ExpectedAssertion, public_key: str, text: str) -> Assertion:
    """What an authenticator has signed.

    Raises:
        NotAuthenticatedError: it has not, or not that, or not here and now.
    """
    wanted = "required" if expected.alone else "discouraged"
    state = {"challenge": expected.challenge, "user_verification": wanted}
    try:
        said = _read(text)
        _server(expected.where).authenticate_complete(state, [_public_key(public_key)], said)
        response = _fido2().AuthenticationResponse.from_dict(said).response
        if response.user_handle not in (None, b"", expected.owner.bytes):
            raise ValueError("it is of another account")
        _check_not_framed(text)
    except _UNREADABLE:
        raise NotAuthenticatedError(NOT_TAKEN) from None
    return Assertion(sign_count=response.authenticator_data.counter)


def may_follow(before: int, now: int) -> bool:
    """Whether a counter has gone on, as that of an authenticator that was not copied (6.1.1)."""
    return now > before or now == before == 0


def _check_not_framed(text: str) -> None:
    data = _fido2().CollectedClientData(_decoded(_read(text)["response"]["clientDataJSON"]))
    if data.cross_origin:
        raise ValueError("it was made in a frame of another page")


def _read(text: str) -> Mapping[str, Any]:
    found = json_texts.read(text)
    if not isinstance(found, dict):
        raise TypeError("it is no object")
    return found


def _server(where: RelyingParty) -> Any:
    """Heeds the whole origin: other ports of the same name are somebody else's."""
    from fido2.server import Fido2Server  # noqa: PLC0415  an extra

    entity = _fido2().PublicKeyCredentialRpEntity(id=where.rp_id, name="Cloudgate")
    return Fido2Server(entity, verify_origin=lambda origin: origin == where.origin)


def _public_key(text: str) -> Any:
    return _fido2().AttestedCredentialData(_decoded(text))


def _encoded(raw: bytes) -> str:
    from fido2.utils import websafe_encode  # noqa: PLC0415

    return str(websafe_encode(raw))


def _decoded(text: str) -> bytes:
    from fido2.utils import websafe_decode  # noqa: PLC0415

    return bytes(websafe_decode(text))


def _fido2() -> Any:
    try:
        from fido2 import webauthn  # noqa: PLC0415
    except ImportError:
        raise NotOfferedError(
            "Passkeys need more to be installed: add sso to the release's wheel, as docs/install.md"
            " says."
        ) from None
    return webauthn
