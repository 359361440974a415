"""Machine facts: what has a machine said of itself, as far as it can be used?

What a host says is checked where it comes in. What was kept by a release that did not check it is
mended here, when it is read: one bad word of one machine must not fail what others need.
"""

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import ValidationError
from sqlalchemy import ColumnElement

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.storage.tables import ManagedServer
from cloudgate.protocol import TOLD_ONCE, GatewayState, HostFacts, Report
from cloudgate.protocol.bounds import (
    LONGEST_NAME,
    LONGEST_PEM,
    printable,
    readable,
    usable_addresses,
)
from cloudgate.trust.key_strength import LEAST_RSA_BITS
from cloudgate.values.numbers import whole

TOLD_REVISION: ColumnElement[str] = ManagedServer.report["directory_revision"].as_string()
"""In queries, the one of a host's last report; as text: numbers there may be too small for it."""
_OF_ONE_MESSAGE = ("facts", "figures", "run", "number")
_NOTHING_REPORTED = Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)


def facts_of(server: ManagedServer) -> HostFacts | None:
    """What the machine last said of itself; None before it joined."""
    kept = server.facts
    if not kept:
        return None
    try:
        return HostFacts.model_validate(kept)
    except ValidationError:
        return _mended(kept, server.name)


def remarks_of(server: ManagedServer) -> tuple[str, str]:
    """Its trouble and its advice. Most have none, and nothing else of theirs is read for that."""
    kept = server.facts or {}
    facts = facts_of(server) if kept.get("trouble") or kept.get("advice") else None
    return (facts.trouble, facts.advice) if facts else ("", "")


def report_of(server: ManagedServer) -> Report:
    """The machine's last report, without facts and guesses; an empty one before the first.

    A member that is not of the protocol is as if it had not been said.
    """
    kept = server.report
    if not kept:
        return _NOTHING_REPORTED
    try:
        return Report.model_validate(kept)
    except ValidationError as problem:
        wrong = {each["loc"][0] for each in problem.errors()}
        good = {name: value for name, value in kept.items() if name not in wrong}
        return Report.model_validate({**_NOTHING_REPORTED.model_dump(), **good})


def directory_revision_of(server: ManagedServer) -> int:
    """The one of its last report; 0 before the first. Nothing else of it is read for that."""
    known = (server.report or {}).get("directory_revision")
    if isinstance(known, int) and known >= 0:
        return known
    return report_of(server).directory_revision


def told_revision(text: str | None) -> int | None:
    """The number in `TOLD_REVISION`; None where there is none that can be used."""
    return whole(text, 0, 2**63 - 1) if text is not None else None


def keep_report(server: ManagedServer, report: Report) -> None:
    """Have it as the last one. Facts and guesses, which not every report has, are kept elsewhere.

    What queries filter by has a column besides.
    """
    server.report = report.model_dump(mode="json", exclude={*_OF_ONE_MESSAGE, *TOLD_ONCE})
    server.live_tunnels = report.live_tunnels
    if report.assignment_revision == server.assignment_revision:
        server.reported_revision = report.assignment_revision
        server.reported_state = report.state


def check_facts(facts: HostFacts) -> None:
    """See whether a certificate can be made for what a machine says of itself.

    Raises:
        InvalidRequestError: its public key is none, or a weak one.
    """
    try:
        key = load_pem_public_key(facts.public_key_pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequestError("facts.public_key_pem is not a public key as PEM.") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise InvalidRequestError(
            "facts.public_key_pem is of a kind that no gateway has: use an elliptic curve, or RSA"
            f" with at least {LEAST_RSA_BITS} bits."
        )


def _mended(kept: dict[str, Any], name: str) -> HostFacts:
    listed = kept.get("addresses")
    addresses = tuple(each for each in listed if isinstance(each, str)) if listed else ()
    return HostFacts(
        host_name=printable(_text(kept, "host_name"), LONGEST_NAME) or printable(name),
        addresses=usable_addresses(addresses),
        platform=printable(_text(kept, "platform")),
        version=printable(_text(kept, "version")),
        envoy_version=printable(_text(kept, "envoy_version")),
        public_key_pem=readable(_text(kept, "public_key_pem"))[:LONGEST_PEM],
        machine=printable(_text(kept, "machine")),
        trouble=readable(_text(kept, "trouble")),
        advice=readable(_text(kept, "advice")),
    )


def _text(kept: dict[str, Any], member: str) -> str:
    found = kept.get(member)
    return found if isinstance(found, str) else ""
