"""Are credentials and authorities read as clients write them, and rights kept?"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.authorization.policy import (
    NOT_AUTHENTICATED,
    Credentials,
    Denial,
    RequestContext,
    evaluate,
    parse_credentials,
)
from cloudgate.host.state.principal import Principal, tenant_key
from cloudgate.protocol import Target, Tenant, User
from tests.support.running.tenant import tenant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACME = tenant(1234)
REPOSITORY = "repo.example:443"


def may(
    who: Tenant, target: str | None = REPOSITORY, user: User | None = None, **context: Any
) -> Denial | Target:
    """What becomes of somebody whose password is right."""
    now = {"now": NOW, **context}
    return evaluate(Principal(who, user), target, is_proven=True, context=RequestContext(**now))


def basic(text: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


@given(st.text(min_size=1).filter(lambda each: ":" not in each), st.text())
def test_any_name_and_password_survive(name: str, password: str) -> None:
    assert parse_credentials(basic(f"{name}:{password}")) == Credentials(name, password)


@given(st.text())
def test_no_header_breaks_the_reader(header: str) -> None:
    parse_credentials(header)
    parse_credentials("Basic " + header)


@given(st.binary())
def test_no_bytes_break_the_reader(data: bytes) -> None:
    parse_credentials("Basic " + base64.b64encode(data).decode())


def test_what_is_not_utf_8_is_latin_1() -> None:
    assert parse_credentials(basic("Müller:größe", "latin-1")) == Credentials("Müller", "größe")


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic", "Basic %%%", basic("x")])
def test_what_is_no_login_is_none(header: str | None) -> None:
    assert parse_credentials(header) is None


def test_a_scheme_has_no_case() -> None:
    assert parse_credentials(basic("a:b").replace("Basic", "bAsIc")) == Credentials("a", "b")


def test_credentials_do_not_show_their_password() -> None:
    assert "secret" not in repr(Credentials("a", "secret"))


def test_names_compare_without_case() -> None:
    assert tenant_key("STRASSE") == tenant_key("Straße")


def test_the_right_password_opens_a_target_of_the_tenant() -> None:
    found = may(ACME)
    assert isinstance(found, Target)
    assert found.address == "127.0.0.1:1234"


def test_a_wrong_password_tells_nothing_else() -> None:
    disabled = ACME.model_copy(update={"enabled": False})
    for each in (ACME, disabled, ACME.model_copy(update={"password_hash": ""})):
        found = evaluate(Principal(each), REPOSITORY, is_proven=False, context=RequestContext(NOW))
        assert found is NOT_AUTHENTICATED
    unknown = evaluate(None, REPOSITORY, is_proven=False, context=RequestContext(NOW))
    assert unknown is NOT_AUTHENTICATED


def test_a_lease_ends_at_its_moment() -> None:
    lease = ACME.model_copy(update={"expires_at": NOW})
    assert may(lease) == Denial(403, "The tenant's lease has expired.")
    before = NOW - timedelta(seconds=1)
    assert isinstance(may(lease, now=before), Target)


def test_a_user_of_a_tenant_has_its_own_rights_and_the_tenants_state() -> None:
    own = Target(endpoint="own.example:443", address="127.0.0.1:1")
    user = User(user_id=UUID(int=9), name="Anna", password_hash="hash", targets=(own,))
    assert may(ACME, "own.example:443", user) == own
    assert may(ACME, REPOSITORY, user) == Denial(
        403, "The tenant has no right to repo.example:443."
    )
    disabled = ACME.model_copy(update={"enabled": False})
    assert may(disabled, "own.example:443", user) == Denial(403, "The tenant is disabled.")
    off = user.model_copy(update={"enabled": False})
    assert may(ACME, "own.example:443", off) == Denial(403, "This user of the tenant is disabled.")


GOLD, SILVER = UUID(int=71), UUID(int=72)


@pytest.mark.parametrize(
    ("pools", "failover", "gateway_in", "let_in"),
    [
        ((), False, None, True),
        ((), False, GOLD, False),
        ((GOLD,), False, GOLD, True),
        ((GOLD, SILVER), False, SILVER, True),
        ((GOLD,), False, SILVER, False),
        ((GOLD,), True, SILVER, False),
        ((GOLD,), False, None, False),
        ((GOLD,), True, None, False),
        ((), True, GOLD, False),
    ],
)
def test_pools_decide_who_may_use_a_gateway(
    pools: tuple[UUID, ...], gateway_in: UUID | None, *, failover: bool, let_in: bool
) -> None:
    tenant = ACME.model_copy(update={"pool_ids": pools, "failover_to_others": failover})
    found = may(tenant, pool_id=gateway_in)
    if let_in:
        assert isinstance(found, Target)
    else:
        assert found == Denial(403, "This gateway is set apart for others; use another one.")


@pytest.mark.parametrize(
    ("failover", "pools_are_down", "let_in"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_failover_lets_in_while_the_gateways_of_the_pools_are_down(
    *, failover: bool, pools_are_down: bool, let_in: bool
) -> None:
    tenant = ACME.model_copy(update={"pool_ids": (GOLD,), "failover_to_others": failover})
    assert isinstance(may(tenant, pools_are_down=pools_are_down), Target) is let_in
    assert isinstance(may(tenant, pools_are_down=True, pool_id=SILVER), Denial)


def test_a_target_that_is_none_is_said_to_be_none() -> None:
    assert may(ACME, None) == Denial(403, "CONNECT must name a target as host:port.")
