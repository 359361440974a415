"""The rules of the domains, which are pure functions."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.manager.core.unit_of_work import next_revision
from cloudgate.manager.gateways import rules
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.host_protocol.gateway_progress import Progress, progress
from cloudgate.manager.repositories.rules import service
from cloudgate.manager.security.authority import CertificateRequest, gateway_term, open_authority
from cloudgate.manager.tenants.rules import FORBIDDEN_CHARACTERS, tenant_name
from cloudgate.protocol import Gateway, GatewayState
from cloudgate.trust.certificate_roles import Role
from cloudgate.values import identifiers
from cloudgate.wire.resources.cloud.gateways import CloudGateway
from tests.support.running.host import public_key_pem

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("settings", "port", "addresses"),
    [
        (GatewaySettings(description=""), 6180, ()),
        (GatewaySettings(description="", external_ip="192.0.2.1"), 6180, ("192.0.2.1",)),
        (GatewaySettings(description="", external_ip="2001:db8::1"), 6180, ("2001:db8::1",)),
        (GatewaySettings(description="", external_ip="gate.example"), 6180, ()),
        (
            GatewaySettings(
                description="", network_mode="NAT", external_ip="192.0.2.1", internal_port=7000
            ),
            7000,
            (),
        ),
    ],
)
def test_where_a_gateway_listens(
    settings: GatewaySettings, port: int, addresses: tuple[str, ...]
) -> None:
    assert rules.listening_port(settings) == port
    assert rules.listening_addresses(settings) == addresses


@pytest.mark.parametrize(
    ("given_ip", "name", "seen", "shown"),
    [
        (None, "gw1.example", (), "192.0.2.10"),
        (None, "gw1.example", ("127.0.0.1",), "192.0.2.10"),
        (None, "gw1.example", ("::ffff:127.0.0.1",), "192.0.2.10"),
        (None, "gw1.example", ("10.0.0.1",), "10.0.0.1"),
        (None, "gw1.example", ("198.51.100.7",), "198.51.100.7"),
        (None, "10.0.0.1", (), "10.0.0.1"),
        (None, "10.9.9.9", (), "192.0.2.10"),
        ("gate.example", "gw1.example", ("10.0.0.1",), "gate.example"),
    ],
)
def test_the_shown_address_is_the_one_that_tenants_see(
    given_ip: str | None, name: str, seen: tuple[str, ...], shown: str
) -> None:
    settings = GatewaySettings(description="", external_ip=given_ip)
    addresses = ("192.0.2.10", "10.0.0.1", "127.0.0.1")
    assert rules.shown_external_ip(settings, name, addresses, seen) == shown


OWN, FIRST, SECOND = "192.0.2.10", "198.51.100.1", "198.51.100.2"
"""The host's own address, which is shown where none was given, and two that were."""
HAD = (("Direct", None), ("Direct", FIRST), ("NAT", FIRST), ("NAT", SECOND))
"""What a gateway's mode and ExternalIP may be."""


@given(
    st.sampled_from(HAD),
    st.sampled_from(HAD),
    st.sampled_from([None, "Direct", "NAT"]),
    st.sampled_from([None, "", OWN, FIRST, SECOND, "203.0.113.1"]),
)
def test_an_external_address_that_is_given_counts_unless_it_is_only_sent_back(
    in_force: tuple[str, str | None],
    wanted: tuple[str, str | None],
    mode: str | None,
    address: str | None,
) -> None:
    shown = in_force[1] or OWN
    change = {
        name: value
        for name, value in (("network_mode", mode), ("external_ip", address))
        if value is not None
    }
    had_mode, had = wanted
    before = GatewaySettings(network_mode=had_mode, external_ip=had)
    after = rules.changed(before, change, shown)
    assert after.network_mode == (mode or had_mode)
    left = (had_mode, after.network_mode) == ("NAT", "Direct")
    if after.network_mode == "NAT":
        assert after.external_ip == (address or had)
    elif left:
        assert after.external_ip == (None if address in (None, "", had, shown) else address)
    elif had is None:
        assert after.external_ip == (None if address in (None, "", shown) else address)
    else:
        assert after.external_ip == (address or had)


@given(st.sampled_from(HAD), st.sampled_from(HAD), st.sampled_from([OWN, FIRST, SECOND]))
def test_to_nat_with_an_address_is_always_possible(
    in_force: tuple[str, str | None], wanted: tuple[str, str | None], address: str
) -> None:
    before = GatewaySettings(network_mode=wanted[0], external_ip=wanted[1])
    change = {"network_mode": "NAT", "external_ip": address}
    assert rules.check(rules.changed(before, change, in_force[1] or OWN)).external_ip == address


@given(st.sampled_from(HAD))
def test_settings_that_are_sent_back_as_they_are_shown_stay_as_they_are(
    had: tuple[str, str | None],
) -> None:
    before = GatewaySettings(network_mode=had[0], external_ip=had[1])
    change = {**vars(before), "external_ip": had[1] or OWN}
    assert rules.changed(before, change, had[1] or OWN) == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        (" gate.example ", "gate.example"),
        ("gate_1.example", "gate_1.example"),
    ],
)
def test_an_external_address_is_an_address_or_a_name(text: str, expected: str) -> None:
    assert rules.host_name_or_address(text) == expected


@pytest.mark.parametrize(
    "text", ["1.2.3", "1.2.3.4.5", "a b", "-a.example", "a..b", "::", "224.0.0.1", "x" * 64, "a:1"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="ExternalIp"):
        rules.host_name_or_address(text)


@given(st.sampled_from(list(GatewayState)), st.booleans(), st.booleans())
def test_a_report_is_done_only_in_the_state_that_was_wanted(
    state: GatewayState, removing: bool, enabled: bool
) -> None:
    found = progress(state, removing=removing, enabled=enabled)
    goal = (
        GatewayState.ABSENT
        if removing
        else GatewayState.LISTENING
        if enabled
        else GatewayState.CLOSED
    )
    assert (found is Progress.DONE) == (state is goal)
    assert (found is Progress.FAILED) == (state is GatewayState.FAILED)


@given(st.integers(0, 2**50), st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)))
def test_a_revision_only_grows_and_is_new_after_an_older_database_came_back(
    previous: int, now: datetime
) -> None:
    moment = now.replace(tzinfo=UTC)
    assert next_revision(previous, moment) > previous
    assert next_revision(0, moment + timedelta(seconds=1)) > next_revision(0, moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vault.Example.:8443", "vault.example:8443"),
        ("10.0.0.1:1", "10.0.0.1:1"),
        ("[::1]:080", "[::1]:80"),
    ],
)
def test_a_service_is_host_and_port_in_their_usual_form(text: str, expected: str) -> None:
    assert service(text, "Endpoint") == expected


@given(st.text(min_size=1, max_size=20))
def test_a_tenants_name_is_taken_or_refused_with_a_reason(name: str) -> None:
    try:
        taken = tenant_name(name)
    except InvalidRequestError as refused:
        assert refused.message.startswith("Name: ")
    else:
        assert not set(taken) & set(FORBIDDEN_CHARACTERS)
        assert taken == name.strip()


def test_a_uid_leads_to_its_id_and_another_types_does_not() -> None:
    guid = "29e5d158-1f58-44bc-bbaa-2752d787a91d"
    for text in (guid, guid.upper(), f"urn:veeam:CloudGateway:{guid}", f" {guid}\n"):
        assert str(identifiers.parse(text, "CloudGateway")) == guid
    for text in ("", guid[:-1], guid.replace("-", ""), f"urn:veeam:CloudTenant:{guid}", "x" * 36):
        with pytest.raises(InvalidRequestError):
            identifiers.parse(text, "CloudGateway")


def test_a_certificate_is_renewed_for_other_names_another_key_and_in_time(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    key = public_key_pem()
    names = ("gw1.example", "192.0.2.10")
    wanted = CertificateRequest(key, names, Role.GATEWAY, gateway_term())
    chain = authority.issue(wanted, NOW)
    assert authority.is_current(chain, wanted, NOW)
    assert not authority.is_current("", wanted, NOW)
    for other in (
        replace(wanted, public_key_pem=public_key_pem()),
        replace(wanted, names=(*names, "gate.example")),
        replace(wanted, term=gateway_term(30)),
        replace(wanted, role=Role.MANAGER),
    ):
        assert not authority.is_current(chain, other, NOW)
    assert authority.is_current(chain, wanted, NOW + timedelta(hours=23))
    assert not authority.is_current(chain, wanted, NOW + timedelta(days=1))
    assert not authority.is_current(chain, wanted, NOW - timedelta(days=3))
    leaf, issuer, root = x509.load_pem_x509_certificates(chain.encode())
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)


def test_the_authority_stays_the_same_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    first = open_authority(tmp_path)
    assert open_authority(tmp_path).certificate == first.certificate
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "ca.pem").write_text("damaged")
    with pytest.raises(CloudgateError, match="damaged"):
        open_authority(tmp_path)


def test_a_public_key_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CloudgateError, match="public key"):
        open_authority(tmp_path).issue(
            CertificateRequest("nonsense", ("a",), Role.GATEWAY, gateway_term()), NOW
        )


def test_settings_of_a_gateway_have_the_names_of_the_api_and_of_the_protocol() -> None:
    assert {each.name for each in fields(GatewaySettings)} <= {
        each.name for each in fields(CloudGateway)
    }
    assert set(GatewaySettings().host_fields) <= set(Gateway.model_fields)
    kept_before_there_was_more = {"description": "old", "network_mode": "Direct"}
    assert rules.from_document(kept_before_there_was_more).external_port == 6180
