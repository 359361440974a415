"""Who logs on, by which passwords, and to which targets?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.state.principal import Principal, tenant_key
from cloudgate.protocol import Target, Tenant, User

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
VAULT = Target(endpoint="vault.example:1", address="192.0.2.1:1")
ANNA = User(user_id=UUID(int=7), name="anna", password_hash="hers", targets=(VAULT,))
ACME = Tenant(tenant_id=UUID(int=1), name="Acme", password_hash="its", users=(ANNA,))


def test_a_user_has_a_name_a_password_and_targets_of_its_own() -> None:
    tenant, user = Principal(ACME), Principal(ACME, ANNA)
    assert (tenant.name, user.name) == ("Acme", "Acme\\anna")
    assert (tenant.password_hash, user.password_hash) == ("its", "hers")
    assert (tenant.targets, user.targets) == ((), (VAULT,))


@pytest.mark.parametrize("who", [ACME, ANNA], ids=["tenant", "user"])
@pytest.mark.parametrize(
    ("change", "hashes"),
    [
        ({}, ["new"]),
        ({"old_password_hash": "old", "old_password_until": LATER}, ["new", "old"]),
        ({"old_password_hash": "old", "old_password_until": NOW}, ["new"]),
        ({"old_password_hash": "old"}, ["new"]),
        ({"old_password_until": LATER}, ["new"]),
        (
            {"password_hash": "", "old_password_hash": "old", "old_password_until": LATER},
            [""],
        ),
    ],
)
def test_an_old_password_is_good_beside_the_new_one_until_its_moment(
    who: Tenant | User, change: dict[str, object], hashes: list[str]
) -> None:
    with_old = {"password_hash": "new", **change}
    if isinstance(who, User):
        principal = Principal(ACME, who.model_copy(update=with_old))
    else:
        principal = Principal(who.model_copy(update=with_old))
    assert principal.hashes(NOW) == tuple(hashes)


def test_the_same_one_is_known_however_much_else_of_it_has_changed() -> None:
    edited = ACME.model_copy(update={"name": "Acme Inc.", "enabled": False})
    other = ACME.model_copy(update={"tenant_id": UUID(int=2)})
    bert = ANNA.model_copy(update={"user_id": UUID(int=8)})
    assert Principal(ACME).is_same(Principal(edited))
    assert Principal(ACME, ANNA).is_same(Principal(edited, ANNA))
    assert not Principal(ACME).is_same(Principal(other))
    assert not Principal(ACME).is_same(Principal(ACME, ANNA))
    assert not Principal(ACME, ANNA).is_same(Principal(ACME))
    assert not Principal(ACME, ANNA).is_same(Principal(ACME, bert))
    assert not Principal(ACME, ANNA).is_same(Principal(other, ANNA))
    assert not Principal(ACME).is_same(None)


moments = st.none() | st.sampled_from([NOW, LATER, LATER + timedelta(days=1)])


@given(moments, moments, moments, moments)
def test_tunnels_were_last_ended_when_any_that_may_be_its_own_were(
    all_of: datetime | None,
    outside: datetime | None,
    hers: datetime | None,
    her_outside: datetime | None,
) -> None:
    acme = ACME.model_copy(update={"tunnels_end_before": all_of, "outside_end_before": outside})
    anna = ANNA.model_copy(update={"tunnels_end_before": hers, "outside_end_before": her_outside})
    ends = [each for each in (all_of, outside) if each]
    assert Principal(acme).tunnels_ended_at == (max(ends) if ends else None)
    ends += [each for each in (hers, her_outside) if each]
    assert Principal(acme, anna).tunnels_ended_at == (max(ends) if ends else None)


def test_all_spellings_of_a_name_have_one_key() -> None:
    assert len({tenant_key(each) for each in ("ACME", "acme", "\uff21\uff43\uff4d\uff45")}) == 1
    assert tenant_key("acme") != tenant_key("acme2")
