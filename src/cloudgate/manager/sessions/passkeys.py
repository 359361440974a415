"""Passkeys: who has which, and whose is the one that has signed?

What is signed is a challenge of `cloudgate.manager.sessions.challenges`: good once, for minutes.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, NotFoundError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions import passkey_rules
from cloudgate.manager.sessions.accounts import comes_by_provider_alone
from cloudgate.manager.sessions.administration import TYPE, get_account
from cloudgate.manager.sessions.challenges import Challenge, hand_out, spend, taken_back
from cloudgate.manager.sessions.operations import end_sessions, open_session
from cloudgate.manager.sessions.passkey_rules import (
    NOT_TAKEN,
    ExpectedAssertion,
    PasskeyUser,
    RelyingParty,
)
from cloudgate.manager.settings.signing_in import SigningInSettings
from cloudgate.manager.storage.tables import Account, LogonSession, Passkey
from cloudgate.values import json_texts

_ADDED = Event("AddPasskey", "Account {name} [{id}] has another passkey")
_REMOVED = Event("RemovePasskey", "Account {name} [{id}] has lost a passkey", WARNING)
PASSKEY = "Passkey"
"""What sessions say that were begun by one."""
LONGEST_NAME = 100
MOST_OF_ACCOUNT = 20
_MAKING, _SHOWING = "passkey to make", "passkey to show"
_CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class Ceremony:
    """What a browser is given to hand to an authenticator, and to bring back."""

    options: str
    kept: str


def place_of(signing_in: SigningInSettings, came_by: str) -> RelyingParty:
    """The pages that passkeys are for: those that the operator has named, or where one came to.

    Raises:
        InvalidRequestError: somebody came by another name, or by none.
    """
    came = passkey_rules.place(came_by)
    if not signing_in.console_url:
        return came
    named = passkey_rules.place(signing_in.console_url)
    if named != came:
        raise InvalidRequestError(f"Passkeys are for {signing_in.console_url}: come by that.")
    return named


def list_passkeys(work: UnitOfWork, account_id: UUID) -> Sequence[Passkey]:
    """Those of an account, the oldest first."""
    return get_account(work, account_id).passkeys


def get_passkey(work: UnitOfWork, account_id: UUID, identifier: UUID) -> Passkey:
    """One of an account's.

    Raises:
        NotFoundError: it has none of that id.
    """
    found = work.session.get(Passkey, identifier)
    if found is None or found.account_id != account_id:
        raise NotFoundError(f"There is no passkey with the id {identifier}.")
    return found


def begin_making(manager: Manager, account: Account, came_by: str) -> Ceremony:
    """What an authenticator is asked to make a passkey for.

    Raises:
        CloudgateError: there can be none here, or there are too many.
    """
    where = place_of(manager.signing_in, came_by)
    if len(account.passkeys) >= MOST_OF_ACCOUNT:
        raise InvalidRequestError(
            f"{account.name} has {MOST_OF_ACCOUNT} passkeys, as many as may be; remove one first."
        )
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    known = tuple(each.public_key for each in account.passkeys if each.origin == where.origin)
    person = PasskeyUser(id=account.id, name=account.name, has=known)
    options = passkey_rules.creation_options(where, person, challenge)
    content = {
        "challenge": _text(challenge),
        "origin": where.origin,
        "account": str(account.id),
    }
    return Ceremony(options, hand_out(manager.sealing, _MAKING, content, manager.clock()))


def add(work: UnitOfWork, account_id: UUID, kept: str, credential: str, name: str) -> Passkey:
    """Keep a passkey that was made.

    Raises:
        CloudgateError: it was not made here and now, for this account, or is there already.
    """
    account = get_account(work, account_id)
    begun = taken_back(work.sealing, _MAKING, kept, work.now)
    if begun.content["account"] != str(account.id):
        raise InvalidRequestError("This passkey was begun by another account. Begin anew.")
    where = RelyingParty(begun.content["origin"])
    found = passkey_rules.verify_registration(where, begun.content["challenge"], credential)
    shown = naming.printable(name, "Name")
    if not 0 < len(shown) <= LONGEST_NAME:
        raise InvalidRequestError(f"Name: expected 1 to {LONGEST_NAME} characters.")
    spend(work, begun)
    identifier = _text(found.credential_id)
    if work.session.scalar(select(Passkey.id).where(Passkey.credential_id == identifier)):
        raise InvalidRequestError("This passkey is there already.")
    passkey = Passkey(
        name=shown,
        credential_id=identifier,
        public_key=found.public_key,
        origin=where.origin,
        sign_count=found.sign_count,
        created_at=work.now,
    )
    account.passkeys.append(passkey)
    work.session.flush()
    record(work, change_to(account, TYPE, _ADDED, after={"Passkey": shown}))
    return passkey


def remove(
    work: UnitOfWork, account_id: UUID, identifier: UUID, *, keep: UUID | None = None
) -> None:
    """Have a passkey be good for nothing any more.

    The account's sessions but `keep` end that were begun by a passkey: by this one, perhaps, by who
    has found it.

    Raises:
        NotFoundError: the account has none of that id.
    """
    found, account = get_passkey(work, account_id, identifier), get_account(work, account_id)
    account.passkeys.remove(found)
    end_sessions(work, account_id, PASSKEY, keep=keep)
    record(work, change_to(account, TYPE, _REMOVED, before={"Passkey": found.name}))


def begin_showing(manager: Manager, came_by: str) -> Ceremony | None:
    """What an authenticator is asked to sign; None where nobody has a passkey.

    Raises:
        CloudgateError: there can be none here.
    """
    where = place_of(manager.signing_in, came_by)
    with manager.reading() as work:
        if work.session.scalar(select(Passkey.id).limit(1)) is None:
            return None
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    options = passkey_rules.request_options(where, challenge)
    content = {"challenge": _text(challenge), "origin": where.origin}
    return Ceremony(options, hand_out(manager.sealing, _SHOWING, content, manager.clock()))


@dataclass(frozen=True)
class PasskeyProof:
    """That a passkey has signed, which is not written down yet."""

    passkey_id: UUID
    account: Account
    sign_count: int
    challenge: Challenge


def check(manager: Manager, kept: str, credential: str) -> PasskeyProof:
    """See whether a passkey alone is enough to come in.

    Raises:
        NotAuthenticatedError: it is not.
    """
    with manager.reading() as work:
        proven = _proven(work, kept, credential, None)
        if comes_by_provider_alone(manager, work, proven.account.id):
            raise NotAuthenticatedError(NOT_TAKEN)
    return proven


def begin_session(
    manager: Manager, proven: PasskeyProof, version: str, address: str
) -> LogonSession:
    """Begin the session of whoever has shown a passkey.

    Raises:
        NotAuthenticatedError: it was removed or used meanwhile.
    """
    with manager.changing(proven.account.name, address) as work:
        passkey = _use(work, proven)
        if comes_by_provider_alone(manager, work, passkey.account_id):
            raise NotAuthenticatedError(NOT_TAKEN)
        after = {"By": PASSKEY, "Passkey": passkey.name}
        session = open_session(work, passkey.account, version, came_by=PASSKEY, after=after)
        session.account = passkey.account
        return session


def use_beside_password(work: UnitOfWork, account_id: UUID, text: str) -> bool:
    """Whether a passkey of an account has signed, in place of a code; from now on it is used.

    `text` is JSON with Kept and Credential, in base64url.
    """
    try:
        said = json_texts.read(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        kept, credential = str(said["Kept"]), str(said["Credential"])
    except (ValueError, TypeError, KeyError):
        return False
    try:
        _use(work, _proven(work, kept, credential, account_id))
    except NotAuthenticatedError:
        return False
    return True


def _proven(work: UnitOfWork, kept: str, credential: str, account_id: UUID | None) -> PasskeyProof:
    """What a passkey has signed; of an account that has shown its password, where one is named."""
    begun = taken_back(work.sealing, _SHOWING, kept, work.now)
    identifier = passkey_rules.credential_id(credential)
    passkey = work.session.scalar(select(Passkey).where(Passkey.credential_id == identifier))
    if passkey is None or account_id not in (None, passkey.account_id):
        raise NotAuthenticatedError(NOT_TAKEN)
    if passkey.origin != begun.content["origin"]:
        raise NotAuthenticatedError(NOT_TAKEN)
    expected = ExpectedAssertion(
        where=RelyingParty(passkey.origin),
        challenge=begun.content["challenge"],
        owner=passkey.account_id,
        alone=account_id is None,
    )
    found = passkey_rules.verify_assertion(expected, passkey.public_key, credential)
    _check_count(passkey, found.sign_count)
    return PasskeyProof(passkey.id, passkey.account, found.sign_count, begun)


def _use(work: UnitOfWork, proven: PasskeyProof) -> Passkey:
    passkey = work.session.get(Passkey, proven.passkey_id)
    if passkey is None:
        raise NotAuthenticatedError(NOT_TAKEN)
    spend(work, proven.challenge)
    _check_count(passkey, proven.sign_count)
    passkey.sign_count, passkey.used_at = proven.sign_count, work.now
    return passkey


def _check_count(passkey: Passkey, now: int) -> None:
    if not passkey_rules.may_follow(passkey.sign_count, now):
        raise NotAuthenticatedError(
            f"The passkey {passkey.name} counts back: it may have been copied. Remove it, and make"
            " another one."
        )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
