"""Certificate warnings: what should an operator look at about those that gateways show?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.certificates.operations import TYPE as CERTIFICATE
from cloudgate.manager.certificates.operations import BroughtCertificates
from cloudgate.manager.certificates.rules import leaf_of
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways import rules
from cloudgate.manager.gateways.operations import TYPE as GATEWAY
from cloudgate.manager.gateways.operations import (
    external_ip_of,
    list_gateways,
    signed_names,
    wanted_settings,
)
from cloudgate.manager.security.authority import RENEWAL_SHARE
from cloudgate.manager.servers.facts import facts_of
from cloudgate.manager.storage.tables import CertificateOrder, CloudCertificate, CloudGateway
from cloudgate.network import hostport
from cloudgate.trust.certificate_names import not_covered, subject_alt_names
from cloudgate.values.enumeration import few

WARN_BEFORE = timedelta(days=30)
"""How long before its end a certificate that nobody renews is warned of, at the most."""


def warnings_of(work: UnitOfWork, found: CloudCertificate) -> str:
    """About a certificate and the gateways that show it; empty when there is nothing."""
    brought = BroughtCertificates(work)
    gateways = [each for each in list_gateways(work) if brought.shown_by(each) is found]
    return _joined(_about_its_end(work, found), _about_names(found, *gateways))


@dataclass(frozen=True)
class ExpiringCertificate:
    """A certificate that is near its end, or past it, and that nobody renews."""

    subject_id: UUID
    name: str
    """Of the certificate, or of the gateway whose own one it is."""
    object_type: str
    text: str
    site_id: UUID | None = None
    """None where it is for the gateways of all sites."""


def endings(work: UnitOfWork) -> Iterator[ExpiringCertificate]:
    """All of them."""
    brought = BroughtCertificates(work)
    for found in work.session.scalars(select(CloudCertificate)):
        if said := _about_its_end(work, found):
            yield ExpiringCertificate(found.id, found.name or "brought", CERTIFICATE, said)
    for gateway in list_gateways(work):
        if brought.shown_by(gateway) is None and (said := _about_its_renewal(work, gateway)):
            yield ExpiringCertificate(
                gateway.id, gateway.name, GATEWAY, said, gateway.backup_server_id
            )


def note_warnings(work: UnitOfWork, gateways: Iterable[CloudGateway]) -> None:
    """Write down what there is to say about the certificates that gateways show now."""
    brought = BroughtCertificates(work)
    for gateway in gateways:
        note_warning(work, gateway, brought)


def note_warning(work: UnitOfWork, gateway: CloudGateway, brought: BroughtCertificates) -> None:
    """Write down what there is to say about the certificate that a gateway shows now."""
    found = brought.shown_by(gateway)
    if found is None:
        gateway.certificate_warning = _about_our_own(work, gateway)
    else:
        remarks = (_about_its_end(work, found), _about_names(found, gateway))
        gateway.certificate_warning = _joined(*remarks)


def _about_names(found: CloudCertificate, *gateways: CloudGateway) -> str:
    leaf = leaf_of(found.chain_pem)
    dialled = {each.name: external_ip_of(each) for each in gateways}
    wrong = [
        f"{name} is dialled as {host}"
        for name, host in dialled.items()
        if not_covered([hostport.host_known_as(host)], leaf)
    ]
    if not wrong:
        return ""
    covered = few(subject_alt_names(leaf)) or "no name at all"
    return (
        f"{few(wrong)}, which {'its' if len(wrong) == 1 else 'their'} certificate is not for:"
        f" tenants will not trust it. It is for {covered}. Bring one for"
        f" {'that name' if len(wrong) == 1 else 'those names'}, or change ExternalIP."
    )


def _about_its_end(work: UnitOfWork, found: CloudCertificate) -> str:
    end = leaf_of(found.chain_pem).not_valid_after_utc
    order = work.session.scalar(
        select(CertificateOrder).where(CertificateOrder.certificate_id == found.id)
    )
    if order is not None and not order.problem and end > work.now:
        return ""  # it is renewed by itself
    said = _end(end, work.now)
    if order is not None and order.problem:
        return f"{said} Its renewal has failed: {order.problem}"
    if end > work.now and (
        end - work.now >= WARN_BEFORE or not _is_late(found.chain_pem, work.now)
    ):
        return ""
    return f"{said} Bring its successor."


def _about_our_own(work: UnitOfWork, gateway: CloudGateway) -> str:
    return _joined(_about_its_renewal(work, gateway), _about_claims(work, gateway))


def _about_claims(work: UnitOfWork, gateway: CloudGateway) -> str:
    """What the machine says of itself and nobody else does, where it might matter to tenants."""
    facts = facts_of(gateway.managed_server)
    if facts is None or wanted_settings(gateway).external_ip:
        return ""
    own = work.own_addresses() if gateway.managed_server.local else ()
    signed = (*signed_names(work, gateway), *own)
    claims = rules.unsigned_claims(facts.host_name, facts.addresses, signed)
    if not claims:
        return ""
    return (
        f"{gateway.managed_server.name} says that it is {few(claims)},"
        " which its certificate is not for, as nobody else says so. Should tenants come in by one"
        " of these, give it as ExternalIP."
    )


def _about_its_renewal(work: UnitOfWork, gateway: CloudGateway) -> str:
    server, term = gateway.managed_server, work.gateway_term
    if server.online_since is not None or server.seen_at is None:
        return ""
    # The machine fetches a new one every so often, while it reaches the manager.
    end = server.seen_at + term.life - term.renewed_after
    if end - work.now > term.life * RENEWAL_SHARE:
        return ""
    return f"{_end(end, work.now)} A new one waits for {server.name} to reach the manager."


def _end(end: datetime, now: datetime) -> str:
    word = "has expired" if end <= now else "expires"
    return f"The certificate {word} at {end:%Y-%m-%d %H:%M} UTC."


def _is_late(chain_pem: str, now: datetime) -> bool:
    leaf = leaf_of(chain_pem)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return leaf.not_valid_after_utc - now <= life * RENEWAL_SHARE


def _joined(*remarks: str) -> str:
    return " ".join(each for each in remarks if each)
