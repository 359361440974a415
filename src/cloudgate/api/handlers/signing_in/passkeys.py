"""Passkeys: how does somebody make one, sign in by it, and remove it? Extensions."""

from cloudgate.api.access import EVERYBODY
from cloudgate.api.handlers.common import check_own_password
from cloudgate.api.handlers.sessions import LOGGED_ON, logged_on, note_denied, session_resource
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation
from cloudgate.api.http.router import DONE, Proof, Route, Routes, shows
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.refusals import LOG_ON
from cloudgate.manager.sessions import administration, passkeys
from cloudgate.manager.sessions.operations import note_refusal
from cloudgate.manager.sessions.passkey_rules import NOT_TAKEN
from cloudgate.manager.sessions.passkeys import PASSKEY, Ceremony, PasskeyProof
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.passkeys import (
    CurrentPasswordSpec,
    Passkey,
    PasskeyChallenge,
    Passkeys,
    PasskeySpec,
)

PATH = "/security/passkeys"
LOGON = "/sessionMngr/passkey"
TYPE = "Passkey"
ROUTES = Routes(EVERYBODY)


def _note_wrong_password(call: Call) -> None:
    note_denied(call.manager, call, "POST", PATH, "CurrentPassword is wrong.")


_PASSWORD = Proof(
    check=check_own_password,
    account=lambda call: call.session.account.name,
    note=_note_wrong_password,
)


def _shown(call: Call, passkey: tables.Passkey) -> Passkey:
    place = ResourceLocation(call.root, PATH, TYPE, passkey.id, passkey.name)
    return Passkey(
        href=place.href,
        type=place.type,
        name=place.name,
        uid=place.uid,
        creation_time=passkey.created_at,
        last_use_time=passkey.used_at,
    )


def _challenge(begun: Ceremony | None) -> Answer:
    if begun is None:
        return Answer(resource=PasskeyChallenge())
    return Answer(resource=PasskeyChallenge(options=begun.options, kept=begun.kept))


@ROUTES.add(
    Route(verb="GET", path=PATH, answers=shows(Passkeys), by_token=False, without_factor=True)
)
def get_passkeys(call: Call) -> Answer:
    """The own passkeys."""
    with call.reading() as work:
        found = passkeys.list_passkeys(work, call.session.account_id)
        return Answer(resource=Passkeys(passkeys=tuple(_shown(call, each) for each in found)))


@ROUTES.add(
    Route(
        verb="GET",
        path=f"{PATH}/{{id}}",
        answers=shows(Passkey),
        by_token=False,
        without_factor=True,
    )
)
def get_passkey(call: Call) -> Answer:
    """One of the own passkeys."""
    with call.reading() as work:
        account_id = call.session.account_id
        found = passkeys.get_passkey(work, account_id, call.identifier(TYPE))
        return Answer(resource=_shown(call, found))


@ROUTES.add(
    Route(
        verb="POST",
        path=PATH,
        action="begin",
        proof=_PASSWORD,
        bodies=(CurrentPasswordSpec,),
        answers=shows(PasskeyChallenge),
        by_token=False,
        without_factor=True,
    )
)
def begin_passkey(call: Call, _spec: CurrentPasswordSpec) -> Answer:
    """Begin to make a passkey, with the own password once more."""
    with call.reading() as work:
        account = administration.get_account(work, call.session.account_id)
        administration.check_has_password(account, call.proven)
        return _challenge(passkeys.begin_making(call.manager, account, call.root))


@ROUTES.add(
    Route(
        verb="POST",
        path=PATH,
        bodies=(PasskeySpec,),
        answers=shows(Passkey),
        by_token=False,
        without_factor=True,
    )
)
def post_passkey(call: Call, spec: PasskeySpec) -> Answer:
    """Keep the passkey that an authenticator has made."""
    with call.changing() as work:
        passkey = passkeys.add(
            work,
            call.session.account_id,
            spec.kept or "",
            spec.credential or "",
            spec.name or "",
        )
        return Answer(resource=_shown(call, passkey))


@ROUTES.add(
    Route(
        verb="POST",
        path=f"{PATH}/{{id}}",
        action="remove",
        proof=_PASSWORD,
        bodies=(CurrentPasswordSpec,),
        answers=DONE,
        by_token=False,
    )
)
def remove_passkey(call: Call, _spec: CurrentPasswordSpec) -> Answer:
    """Remove one of the own passkeys, with the own password once more."""
    with call.changing() as work:
        own = call.session
        account = administration.get_account(work, own.account_id)
        administration.check_has_password(account, call.proven)
        passkeys.remove(work, own.account_id, call.identifier(TYPE), keep=own.id)
    return Answer(status=204)


@ROUTES.add(Route(verb="POST", path=LOGON, answers=shows(PasskeyChallenge), needs_session=False))
def begin_logon(call: Call) -> Answer:
    """What an authenticator is to sign, to log on by a passkey or beside a password."""
    return _challenge(passkeys.begin_showing(call.manager, call.root))


def _check(call: Call, spec: PasskeySpec) -> PasskeyProof:
    return passkeys.check(call.manager, spec.kept or "", spec.credential or "")


def _note_failed(call: Call) -> None:
    if not call.manager.strangers.is_to_be_noted(
        LOG_ON.operation, PASSKEY, call.address, call.manager.clock()
    ):
        return
    change = Change(LOG_ON, "LogonSession", after={"By": PASSKEY})
    note_refusal(call.manager, PASSKEY, call.address, change, NOT_TAKEN)


@ROUTES.add(
    Route(
        verb="POST",
        path=LOGON,
        action="complete",
        proof=Proof(
            check=_check, account=lambda _call: PASSKEY, note=_note_failed, by_password=False
        ),
        bodies=(PasskeySpec,),
        answers=LOGGED_ON,
        needs_session=False,
    )
)
def complete_logon(call: Call, _spec: PasskeySpec) -> Answer:
    """Log on by a passkey alone, which has seen to it that its owner is there."""
    session = passkeys.begin_session(call.manager, call.proven, "latest", call.address)
    return logged_on(call, session_resource(call.root, session))
