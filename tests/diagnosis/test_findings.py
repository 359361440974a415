"""Is what a check has seen judged rightly, with what to do?"""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloudgate.diagnosis.findings import (
    Finding,
    Verdict,
    of_authorities,
    of_certificate,
    of_clock,
    of_lines,
    of_path_mtu,
    worst,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset_seconds", "verdict", "word"),
    [
        (0.4, Verdict.OK, "agrees"),
        (-4.9, Verdict.OK, "agrees"),
        (6, Verdict.WARNING, "ahead of"),
        (-61, Verdict.PROBLEM, "behind"),
        (86_400, Verdict.PROBLEM, "ahead of"),
    ],
)
def test_a_clock(offset_seconds: float, verdict: Verdict, word: str) -> None:
    found = of_clock(offset_seconds)
    assert found.verdict is verdict
    assert word in found.text
    assert bool(found.advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("mtu_bytes", "verdict"),
    [(576, Verdict.PROBLEM), (1400, Verdict.WARNING), (1500, Verdict.OK), (65536, Verdict.OK)],
)
def test_a_size_of_packets(mtu_bytes: int, verdict: Verdict) -> None:
    assert of_path_mtu("the manager", mtu_bytes).verdict is verdict


def certificate(subject: str, issuer: str, begins: timedelta, ends: timedelta) -> str:
    key = ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


DAY = timedelta(days=1)


def test_several_authorities_of_the_manager_are_told_of_and_one_is_not() -> None:
    one = certificate("ca", "ca", -DAY, DAY)
    assert of_authorities(one) is None
    found = of_authorities(one + certificate("x", "x", -DAY, DAY))
    assert found is not None
    assert "any of 2 certificates" in found.text
    assert "renew-token" in found.advice
    assert found.verdict is Verdict.OK, "a file for --ca may have several"


@pytest.mark.parametrize(
    ("chain", "verdict", "word"),
    [
        ([("gw", "ca", -DAY, 10 * DAY), ("ca", "root", -DAY, 99 * DAY)], Verdict.OK, "good until"),
        ([("gw", "ca", -DAY, 2 * DAY)], Verdict.WARNING, "ends at"),
        ([("gw", "ca", -2 * DAY, -DAY)], Verdict.PROBLEM, "ended at"),
        ([("gw", "ca", DAY, 9 * DAY)], Verdict.PROBLEM, "not valid yet"),
        ([("gw", "ca", -DAY, 9 * DAY), ("x", "x", -DAY, 9 * DAY)], Verdict.PROBLEM, "broken"),
    ],
)
def test_a_certificate(
    chain: list[tuple[str, str, timedelta, timedelta]], verdict: Verdict, word: str
) -> None:
    found = of_certificate("".join(certificate(*each) for each in chain), NOW)
    assert (found.verdict, word in found.text) == (verdict, True)
    assert bool(found.advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_certificate_that_cannot_be_read_is_a_problem(text: str) -> None:
    assert of_certificate(text, NOW).verdict is Verdict.PROBLEM


def test_what_could_not_be_seen_is_less_than_a_problem() -> None:
    found = [Finding("x", each, "") for each in (Verdict.OK, Verdict.UNKNOWN)]
    assert worst([]) is Verdict.OK
    assert worst(found) is Verdict.UNKNOWN
    assert worst([*found, Finding("x", Verdict.PROBLEM, "")]) is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("used", "may_have", "verdict", "said"),
    [
        ({"bbr": 3}, True, Verdict.OK, "3 of 3 use bbr"),
        ({"cubic": 3}, True, Verdict.WARNING, "start the host service anew"),
        ({"cubic": 1, "bbr": 2}, True, Verdict.WARNING, "2 of 3 use bbr, 1 of 3 use cubic"),
        ({"cubic": 3}, False, Verdict.WARNING, "cannot be had"),
        ({}, True, Verdict.UNKNOWN, "there is none"),
    ],
)
def test_what_accepted_connections_use_is_told(
    used: dict[str, int], may_have: bool, verdict: Verdict, said: str
) -> None:
    found = of_lines(6180, used, may_have_bbr=may_have)
    assert found.verdict is verdict
    assert said in f"{found.text} {found.advice}"
