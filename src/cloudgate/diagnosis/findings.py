"""Findings: what has a check found, and what is there to do? Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from cryptography import x509

CLOCK_SOON_SECONDS, CLOCK_WRONG_SECONDS = 5.0, 60.0
"""A clock that differs by more is told of, and by more is wrong."""
EXPIRES_SOON = timedelta(days=3)
"""A gateway's own certificate is replaced long before."""
BBR = "bbr"
"""What is many times faster over long lines that lose packets."""
LEAST_MTU, USUAL_MTU = 1280, 1500
"""Bytes: what IP of version 6 asks of every line (RFC 8200, 5), and what lines have."""


class Verdict(StrEnum):
    """How it is with what was looked at."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not for long, or not well."""
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """It could not be seen."""


@dataclass(frozen=True)
class Finding:
    """What one check has found."""

    check: str
    verdict: Verdict
    text: str
    advice: str = ""
    """What to do; empty where there is nothing."""

    def document(self) -> dict[str, str]:
        """For programs."""
        return {
            "Check": self.check,
            "Verdict": self.verdict.value,
            "Text": self.text,
            "Advice": self.advice,
        }


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict over all; what could not be seen is no problem by itself."""
    found = {each.verdict for each in findings}
    order = (Verdict.PROBLEM, Verdict.WARNING, Verdict.UNKNOWN)
    return next((each for each in order if each in found), Verdict.OK)


def of_clock(offset_seconds: float) -> Finding:
    """Of a clock that is ahead of the manager's by so much."""
    amount = abs(offset_seconds)
    direction = "ahead of" if offset_seconds > 0 else "behind"
    text = f"This machine's clock is {amount:.0f} seconds {direction} the manager's."
    advice = "Have both set by NTP: chronyc tracking, or timedatectl timesync-status."
    if amount > CLOCK_WRONG_SECONDS:
        return Finding("clock", Verdict.PROBLEM, text, advice)
    if amount > CLOCK_SOON_SECONDS:
        return Finding("clock", Verdict.WARNING, text, advice)
    return Finding("clock", Verdict.OK, "It agrees with the manager's within a few seconds.")


def of_authorities(pem: str) -> Finding | None:
    """Of what a host trusts to sign for its manager; None where that is one certificate.

    Several are no fault where ``--ca`` named a file that has them.
    """
    count = pem.count("-----BEGIN ")
    if count <= 1:
        return None
    text = f"This host takes for its manager whom any of {count} certificates has signed."
    advice = (
        "If it joined by --fingerprint, somebody has added to what the manager showed: cloudgate"
        " server revoke NAME, renew-token NAME, and join again. By --ca there may be several."
    )
    return Finding("authority", Verdict.OK, text, advice)


def of_path_mtu(where: str, mtu_bytes: int) -> Finding:
    """Of the largest packet that a line takes, as far as the kernel knows."""
    text = f"Packets to {where} may have {mtu_bytes} bytes."
    if mtu_bytes < LEAST_MTU:
        advice = "No line should take less than 1280: look at tunnels and VPNs on the way."
        return Finding("packet size", Verdict.PROBLEM, text, advice)
    if mtu_bytes < USUAL_MTU:
        advice = (
            "Less than usual. Should uploads stand still after their first kilobytes, a firewall on"
            " the way swallows ICMP: let it pass, or clamp the MSS of TCP at the router."
        )
        return Finding("packet size", Verdict.WARNING, text, advice)
    return Finding("packet size", Verdict.OK, text)


def of_lines(port: int, used: Mapping[str, int], *, may_have_bbr: bool) -> Finding:
    """Of what controls congestion on connections that a gateway has accepted.

    Args:
        port: of the gateway.
        used: how many connections use what.
        may_have_bbr: whether a program of this user could have BBR here.
    """
    check, count = "long lines", sum(used.values())
    if not count:
        text = f"What connections at port {port} use cannot be seen: there is none."
        return Finding(check, Verdict.UNKNOWN, text)
    said = ", ".join(f"{number} of {count} use {name}" for name, number in sorted(used.items()))
    text = f"Of the connections that were accepted at port {port}, {said}."
    if used.keys() == {BBR}:
        return Finding(check, Verdict.OK, text)
    if may_have_bbr:
        advice = (
            "BBR can be had by this user, and gateways ask for it when they begin: start the host"
            " service anew, as this user."
        )
    else:
        advice = "See above: BBR cannot be had by this user."
    return Finding(check, Verdict.WARNING, text, advice)


def of_certificate(chain_pem: str, now: datetime) -> Finding:
    """Of the certificate that a gateway was told to show."""
    check = "certificate"
    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
    except ValueError:
        advice = "Bring the certificate once more: cloudgate certificate import --help."
        return Finding(check, Verdict.PROBLEM, "The gateway's certificate cannot be read.", advice)
    leaf = chain[0]
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
            return Finding(
                check,
                Verdict.PROBLEM,
                f"The chain is broken: {_name(lower)} was not issued by {_name(upper)}.",
                "Bring leaf, then intermediate certificates, each issued by the next.",
            )
    left = leaf.not_valid_after_utc - now
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if leaf.not_valid_before_utc > now:
        advice = "See whether this machine's clock is right."
        return Finding(check, Verdict.PROBLEM, f"{_name(leaf)} is not valid yet.", advice)
    if left <= timedelta(0):
        advice = "The manager replaces its own in time: see why this host does not hear it."
        return Finding(check, Verdict.PROBLEM, f"{_name(leaf)} ended at {until}.", advice)
    if left < EXPIRES_SOON:
        advice = "Replace it, or see why this host does not hear its manager."
        return Finding(check, Verdict.WARNING, f"{_name(leaf)} ends at {until}.", advice)
    return Finding(check, Verdict.OK, f"{_name(leaf)} is good until {until}.")


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.rfc4514_string()
    return names or "the certificate"
