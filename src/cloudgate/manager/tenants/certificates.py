"""Tenants' certificates: who comes in by which, and until when?

Who shows a password gets one that is good as long as that password is, and so are those that
renew it: a new password ends what others got by the one of before. What the provider issues ends
by itself, or when it is revoked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from sqlalchemy import delete, func, or_, select

from cloudgate import protocol
from cloudgate.errors import (
    AccessDeniedError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
)
from cloudgate.manager.audit.events import WARNING, Change, Event
from cloudgate.manager.audit.log import record, record_at_end
from cloudgate.manager.audit.refusals import OWN_CERTIFICATE
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.security.authority import fingerprint
from cloudgate.manager.security.tenant_authority import (
    CertificateSubject,
    TenantAuthority,
    new_tenant_authority,
    read_tenant_authority,
    requested_key,
)
from cloudgate.manager.servers.managed_servers import touch_assignment
from cloudgate.manager.storage import tables
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    Subtenant,
    Task,
    TenantCertificate,
)
from cloudgate.manager.tenants import passwords
from cloudgate.manager.tenants.own_password import check_origin, is_let_in, login_of
from cloudgate.manager.tenants.publication import publish
from cloudgate.trust.password_hashes import password_fingerprint

TYPE = "CloudTenantCertificate"
_ISSUED = Event(
    "IssueCloudTenantCertificate", "{name} [tenant ID: {owner}] has got a certificate [{id}]"
)
_RENEWED = Event(
    "RenewCloudTenantCertificate",
    "{name} [tenant ID: {owner}] has renewed its certificate; the new one is [{id}]",
)
_REVOKED = Event(
    "RevokeCloudTenantCertificate",
    "A certificate of {name} [{id}] [tenant ID: {owner}] has been revoked",
    WARNING,
)
USUAL_SECONDS = 24 * 3600
LEAST_SECONDS, MOST_SECONDS = 300, 7 * 24 * 3600
MOST_OF_TENANT = 200
"""That are good."""
MOST_OF_USER = 50
MOST_OF_KEY = 4
"""A request is good as often as it is sent, and a host that was stolen has seen it."""
MOST_KEPT = 2000
"""Of a tenant, from when they are issued until they are forgotten. It gets no more by itself:
gateways are told of each that was revoked."""
KEPT_AFTER_END = timedelta(days=1)
"""So long gateways hear of what was revoked though it has ended: clocks differ."""
_AUTHORITY = UUID(int=1)
"""There is one, which several managers on one database make together."""
_OWNER = "the authority of tenants' certificates"


@dataclass(frozen=True, kw_only=True)
class CertificateSpec:
    """What is wanted of a certificate."""

    request_pem: str
    seconds: int | None = None
    """How long it is to be good."""


def authority(work: UnitOfWork) -> TenantAuthority:
    """Who signs tenants' certificates. Made where there is none; gateways are told of it then.

    Raises:
        CloudgateError: it cannot be opened with the sealing key of now.
    """
    kept = work.session.get(tables.TenantAuthority, _AUTHORITY)
    if kept is not None:
        return read_tenant_authority(
            kept.certificate_pem, work.sealing.open(kept.sealed_key, _OWNER)
        )
    made = new_tenant_authority(work.now)
    work.session.add(
        tables.TenantAuthority(
            id=_AUTHORITY,
            certificate_pem=made.pem,
            sealed_key=work.sealing.seal(made.key_pem, _OWNER),
        )
    )
    for gateway in work.session.scalars(select(CloudGateway)):
        touch_assignment(work, gateway.managed_server)
    return made


def list_certificates(work: UnitOfWork, tenant: CloudTenant) -> Sequence[TenantCertificate]:
    """Those of a tenant and its users that have not ended, the newest first."""
    query = select(TenantCertificate).where(
        TenantCertificate.tenant_id == tenant.id, TenantCertificate.ends_at > work.now
    )
    newest = query.order_by(TenantCertificate.issued_at.desc(), TenantCertificate.id)
    return work.session.scalars(newest).all()


def certificates_of(work: UnitOfWork, who: passwords.Owner) -> Sequence[TenantCertificate]:
    """Those that somebody may see: a tenant its users', too, and a user its own."""
    if isinstance(who, CloudTenant):
        return list_certificates(work, who)
    return [each for each in list_certificates(work, who.tenant) if each.subtenant_id == who.id]


def get_certificate(work: UnitOfWork, tenant: CloudTenant, identifier: UUID) -> TenantCertificate:
    """A tenant's certificate by its id.

    Raises:
        NotFoundError: it has none of that id.
    """
    found = work.session.get(TenantCertificate, identifier)
    if found is None or found.tenant_id != tenant.id:
        raise NotFoundError(
            f"The tenant {tenant.name} has no certificate with the id {identifier}."
        )
    return found


def issue(work: UnitOfWork, who: passwords.Owner, spec: CertificateSpec) -> TenantCertificate:
    """Give a tenant or its user a certificate, as the provider.

    Raises:
        InvalidRequestError: it is not what a certificate can be made of, or there are too many.
    """
    return _issue(work, who, spec, _ISSUED)


def issue_own(work: UnitOfWork, who: passwords.Owner, spec: CertificateSpec) -> TenantCertificate:
    """The same for somebody who has just shown the password of now.

    Raises:
        AccessDeniedError: the provider does not let this tenant, or not from there.
        InvalidRequestError: as `issue`; or it had too many in these days.
    """
    _check_may(work, who)
    return _issue(work, who, spec, OWN_CERTIFICATE, password_fingerprint(who.password_hash))


def renew(
    work: UnitOfWork, who: passwords.Owner, identifier: UUID, request_pem: str
) -> TenantCertificate:
    """A successor, for the same time from now on, of somebody's certificate that is good.

    The request is signed with the key of that one: nobody else can ask, and for whoever hands it on
    the new one is of no use. Nor does it fill the tenant's room by handing the same request on
    again: a key that has several is answered with the newest, while that is young.

    Raises:
        NotAuthenticatedError: it has ended or was revoked, or the key is another one.
        AccessDeniedError: the provider does not let this tenant, or not from there.
        InvalidRequestError: as `issue_own`.
    """
    found = work.session.get(TenantCertificate, identifier)
    if found is None or (found.subtenant or found.tenant) != who or not is_good(work, found):
        raise NotAuthenticatedError("The certificate is not good any more: get one by password.")
    if _spki(requested_key(request_pem)) != _spki(_leaf(found).public_key()):
        raise NotAuthenticatedError(
            "CertificateRequest: its key is not that of the certificate that it is to renew."
        )
    if not is_let_in(work, who):
        raise NotAuthenticatedError("The tenant may not come in.")
    _check_may(work, who)
    young = _young_enough(work, who, found)
    if young is not None:
        return young
    seconds = round((found.ends_at - found.issued_at).total_seconds())
    spec = CertificateSpec(request_pem=request_pem, seconds=seconds)
    return _issue(work, who, spec, _RENEWED, found.password_mark)


def revoke(work: UnitOfWork, found: TenantCertificate) -> Task:
    """Have nobody come in by a certificate any more; the tunnels that came in by it end."""
    found.revoked_at = found.revoked_at or work.now
    task = publish(work, found.tenant, _REVOKED.operation)
    record_at_end(work, task, _change(found, _REVOKED))
    return task


def is_good(work: UnitOfWork, found: TenantCertificate) -> bool:
    """Whether somebody may come in by a certificate, as far as that goes."""
    return found.revoked_at is None and found.ends_at > work.now and not _has_lost(work, found)


def ended_by_tenant(
    work: UnitOfWork, ids: Iterable[UUID]
) -> Mapping[UUID, list[protocol.EndedCertificate]]:
    """By tenant: what gateways have to know of certificates that would be good by themselves."""
    found: dict[UUID, list[protocol.EndedCertificate]] = {}
    wanted = list(ids)
    for some in id_batches(wanted):
        row = TenantCertificate
        query = (
            select(row.id, row.tenant_id, row.revoked_at)
            .where(
                row.tenant_id.in_(some),
                row.ends_at > work.now - KEPT_AFTER_END,
                or_(row.revoked_at.is_not(None), row.password_mark.in_(_lost_marks(work, some))),
            )
            .order_by(row.id)
        )
        for identifier, tenant_id, revoked_at in work.session.execute(query):
            ended = protocol.EndedCertificate(
                certificate_id=identifier, tunnels_end=revoked_at is not None
            )
            found.setdefault(tenant_id, []).append(ended)
    return found


def _lost_marks(work: UnitOfWork, tenant_ids: Sequence[UUID]) -> list[str]:
    """Of passwords that are good no more, and that certificates of tenants were got by."""
    row = TenantCertificate
    got_by = work.session.execute(
        select(row.tenant_id, row.subtenant_id, row.password_mark)
        .where(
            row.tenant_id.in_(tenant_ids),
            row.ends_at > work.now - KEPT_AFTER_END,
            row.password_mark != "",
        )
        .distinct()
    ).all()
    good = _good_marks(work, tenant_ids) if got_by else {}
    return [
        mark
        for tenant_id, user_id, mark in got_by
        if mark not in good.get(user_id or tenant_id, ())
    ]


def _good_marks(work: UnitOfWork, tenant_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """By tenant or user: what its passwords are known by."""
    found = {}
    for kind, which in ((CloudTenant, CloudTenant.id), (Subtenant, Subtenant.tenant_id)):
        rows = work.session.execute(
            select(
                kind.id, kind.password_hash, kind.old_password_hash, kind.old_password_until
            ).where(which.in_(tenant_ids))
        )
        for identifier, now, old, until in rows:
            is_good = until is not None and until > work.now
            found[identifier] = passwords.marks_of(now, old if is_good else "")
    return found


def _has_lost(work: UnitOfWork, found: TenantCertificate) -> bool:
    """Whether the password that it was got by is good no more."""
    who = found.subtenant or found.tenant
    mark = found.password_mark
    return bool(mark) and mark not in passwords.good_marks(who, work.now)


def _young_enough(
    work: UnitOfWork, who: passwords.Owner, found: TenantCertificate
) -> TenantCertificate | None:
    """Of a key that has several, the newest that is good, while more than half its time is left."""
    key = _spki(_leaf(found).public_key())
    same = [
        each
        for each in certificates_of(work, who)
        if (each.subtenant or each.tenant) == who
        and is_good(work, each)
        and _spki(_leaf(each).public_key()) == key
    ]
    if len(same) < MOST_OF_KEY:
        return None
    newest = max(same, key=lambda each: each.ends_at)
    is_young = newest.ends_at - work.now > (newest.ends_at - newest.issued_at) / 2
    return newest if is_young else None


def _check_may(work: UnitOfWork, who: passwords.Owner) -> None:
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    if not tenant.may_get_certificates:
        raise AccessDeniedError(
            f"The provider does not let {tenant.name} get certificates by itself. Ask the provider"
            " for one."
        )
    check_origin(work, who, who)
    kept = select(func.count()).where(
        TenantCertificate.tenant_id == tenant.id,
        TenantCertificate.ends_at > work.now - KEPT_AFTER_END,
    )
    if (work.session.scalar(kept) or 0) >= MOST_KEPT:
        raise InvalidRequestError(
            f"{tenant.name} has got {MOST_KEPT} certificates in these days, as many as may be. Ask"
            " the provider for one, or wait until some have been over for a day."
        )


def _issue(
    work: UnitOfWork,
    who: passwords.Owner,
    spec: CertificateSpec,
    event: Event,
    password_mark: str = "",
) -> TenantCertificate:
    seconds = USUAL_SECONDS if spec.seconds is None else spec.seconds
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise InvalidRequestError(
            f"ValidSeconds: found {seconds}, expected {LEAST_SECONDS} to {MOST_SECONDS} (7 days)."
        )
    key = requested_key(spec.request_pem)
    tenant, user = (who, None) if isinstance(who, CloudTenant) else (who.tenant, who)
    _make_room(work, who)
    identifier = uuid4()
    ends_at = (work.now + timedelta(seconds=seconds)).replace(microsecond=0)
    signed = authority(work).issue(
        CertificateSubject(
            identifier, tenant.id, user.id if user else None, login_of(who), key, ends_at
        ),
        work.now,
    )
    made = TenantCertificate(
        id=identifier,
        tenant=tenant,
        subtenant=user,
        certificate_pem=signed.public_bytes(serialization.Encoding.PEM).decode(),
        fingerprint=fingerprint(signed),
        issued_at=work.now,
        ends_at=ends_at,
        password_mark=password_mark,
    )
    work.session.add(made)
    work.session.flush()
    record(work, _change(made, event))
    return made


def _make_room(work: UnitOfWork, who: passwords.Owner) -> None:
    """See that there is room for one more, of the tenant and, if it is a user's, of that user.

    A user is to leave room to the tenant and its other users.

    Raises:
        InvalidRequestError: there is none.
    """
    # One that was revoked would be good again where it is forgotten by a clock that is ahead.
    long_over = TenantCertificate.ends_at <= work.settled - KEPT_AFTER_END
    work.session.execute(delete(TenantCertificate).where(long_over))
    bounds: list[tuple[passwords.Owner, int]] = [(who, MOST_OF_USER)]
    if isinstance(who, CloudTenant):
        bounds = [(who, MOST_OF_TENANT)]
    else:
        bounds.append((who.tenant, MOST_OF_TENANT))
    for whose, most in bounds:
        if sum(is_good(work, each) for each in certificates_of(work, whose)) >= most:
            raise InvalidRequestError(
                f"{login_of(whose)} has {most} certificates that are good, as many as may be;"
                " revoke some first."
            )


def _change(found: TenantCertificate, event: Event) -> Change:
    return Change(
        event,
        TYPE,
        object_id=found.id,
        object_name=login_of(found.subtenant or found.tenant),
        after={"Fingerprint": found.fingerprint, "ExpirationDate": found.ends_at.isoformat()},
        owner_id=found.tenant.id,
    )


def _leaf(found: TenantCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(found.certificate_pem.encode())


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
