"""Second factor: how does somebody set one up, lose it, or have to have one? Extensions."""

from cloudgate.api.access import ADMINISTRATORS, EVERYBODY
from cloudgate.api.handlers.sessions import note_denied
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Proof, Route, Routes, shows
from cloudgate.errors import AccessDeniedError
from cloudgate.manager.sessions import administration, second_factor
from cloudgate.manager.sessions.administration import ROLE, TYPE
from cloudgate.manager.sessions.roles import BY_ID
from cloudgate.manager.storage import tables
from cloudgate.values.identifiers import parse, uid
from cloudgate.wire.resources.second_factor import (
    SecondFactor,
    SecondFactorCodeSpec,
    SecondFactorRule,
    SecondFactorRules,
)

PATH = "/security/factor"
OWN = Routes(EVERYBODY)
ADMINISTERED = Routes(ADMINISTRATORS)


def _shown(account: tables.Account, **once: object) -> SecondFactor:
    factor, has = account.factor, second_factor.has_codes(account)
    return SecondFactor(
        account=account.name,
        enabled=has,
        required=any(each.factor_required is not None for each in account.roles),
        recovery_codes_left=len(factor.recovery_marks) if factor and has else None,
        **once,  # type: ignore[arg-type]
    )


@OWN.add(
    Route(verb="GET", path=PATH, answers=shows(SecondFactor), by_token=False, without_factor=True)
)
def get_factor(call: Call) -> Answer:
    """Whether who is asking has a second factor."""
    with call.reading() as work:
        account = administration.get_account(work, call.session.account_id)
    return Answer(resource=_shown(account))


@OWN.add(
    Route(verb="POST", path=PATH, answers=shows(SecondFactor), by_token=False, without_factor=True)
)
def post_factor(call: Call) -> Answer:
    """Make a secret for a second factor; it is shown this once, and asked for once confirmed."""
    with call.changing() as work:
        secret, uri = second_factor.begin(work, call.session.account_id)
        account = administration.get_account(work, call.session.account_id)
    return Answer(resource=_shown(account, secret=secret, uri=uri))


def _confirm(call: Call, spec: SecondFactorCodeSpec) -> tuple[str, ...]:
    with call.changing() as work:
        return tuple(second_factor.confirm(work, call.session.account_id, spec.code or ""))


def _check_code(call: Call, spec: SecondFactorCodeSpec) -> None:
    with call.changing() as work:
        right = second_factor.use(work, call.session.account_id, spec.code or "", call.manager)
    if not right:
        raise AccessDeniedError("Access denied: the code is wrong, or was used before.")


def _note_wrong(call: Call) -> None:
    note_denied(call.manager, call, "PUT", PATH, "The code is wrong.")


@OWN.add(
    Route(
        verb="PUT",
        path=PATH,
        proof=Proof(
            check=_confirm,
            account=lambda call: call.session.account.name,
            note=_note_wrong,
            changes=True,
        ),
        answers=shows(SecondFactor),
        bodies=(SecondFactorCodeSpec,),
        by_token=False,
        without_factor=True,
    )
)
def put_factor(call: Call, _spec: SecondFactorCodeSpec) -> Answer:
    """Confirm the own second factor with its first code; recovery codes are shown this once."""
    with call.reading() as work:
        account = administration.get_account(work, call.session.account_id)
    return Answer(resource=_shown(account, recovery_codes=call.proven))


@OWN.add(
    Route(
        verb="POST",
        path=PATH,
        action="remove",
        proof=Proof(
            check=_check_code, account=lambda call: call.session.account.name, note=_note_wrong
        ),
        answers=DONE,
        bodies=(SecondFactorCodeSpec,),
        by_token=False,
    )
)
def remove_factor(call: Call, _spec: SecondFactorCodeSpec) -> Answer:
    """Take away the own second factor, by a code of it."""
    with call.changing() as work:
        account = administration.get_account(work, call.session.account_id)
        second_factor.take_away(work, account)
    return Answer(status=204)


@ADMINISTERED.add(
    Route(verb="DELETE", path="/security/accounts/{id}/factor", answers=DONE, by_token=False)
)
def reset_factor(call: Call) -> Answer:
    """Take away an account's codes and passkeys: its telephone is lost, and all else is."""
    with call.changing() as work:
        account = administration.get_account(work, call.identifier(TYPE))
        second_factor.reset(work, account)
    return Answer(status=204)


@ADMINISTERED.add(Route(verb="GET", path="/security/factorRules", answers=shows(SecondFactorRules)))
def get_rules(call: Call) -> Answer:
    """Which roles ask for a second factor."""
    with call.reading() as work:
        required = second_factor.list_required(work)
    found = tuple(
        SecondFactorRule(
            enterprise_role_uid=uid(ROLE, role.id),
            role_name=role.value,
            required=role.id in required,
        )
        for role in BY_ID.values()
    )
    return Answer(resource=SecondFactorRules(second_factor_rules=found))


@ADMINISTERED.add(
    Route(
        verb="PUT",
        path="/security/factorRules",
        answers=DONE,
        bodies=(SecondFactorRule,),
        by_token=False,
    )
)
def put_rule(call: Call, rule: SecondFactorRule) -> Answer:
    """Have accounts of a role need a second factor, or not."""
    role_id = parse(rule.enterprise_role_uid or "", ROLE)
    with call.changing() as work:
        second_factor.require(work, role_id, required=bool(rule.required))
    return Answer(status=204)
