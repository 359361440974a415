"""Certificate orders: which are to be had from ACME servers, and what becomes of asking?

An order that fails the first time is gone, and its task says why. One that has given a certificate
is asked again when a third of that one's life is left; when that fails, both stay, and it is asked
ever more rarely, but several times before the certificate ends. It goes with its certificate.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography import x509
from sqlalchemy import select

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.log import record, record_at_end
from cloudgate.manager.certificates import operations, rules
from cloudgate.manager.certificates.rules import BroughtCertificate
from cloudgate.manager.certificates.warnings import note_warnings
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import get_gateway, list_gateways
from cloudgate.manager.registries.acme_challenges import DNS
from cloudgate.manager.security.authority import RENEWAL_SHARE
from cloudgate.manager.storage.tables import CertificateOrder, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.network import hostport
from cloudgate.trust.unreadable import UNREADABLE
from cloudgate.values import fields
from cloudgate.values.backoff import doubled
from cloudgate.values.timestamps import has_come

NEWS = UUID("7d4f63dc-61f1-4ad8-9e86-54d12cc6e0a5")
"""The key of the wakeup that comes for a new order."""
ORDER_DEADLINE = timedelta(minutes=20)
"""How long an order may take, with the orders before it."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(hours=24)
"""Between attempts to renew: doubled with each failure."""
LEAST_PAUSE = timedelta(minutes=5)
"""Between them, however soon the certificate ends."""
_PAUSE_SHARE = 0.25
"""Of the life that a certificate has left, that a pause takes at most."""
MOST_NAMES = 100
_ORDERED = Event("OrderCloudCertificate", operations.UPDATING, code=24180)
_RENEWED = Event("RenewCloudCertificate", operations.UPDATING, code=24180)


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """What is to be asked for, and where."""

    directory_url: str
    names: tuple[str, ...]
    challenge: str
    email: str = ""
    authority_pem: str = ""
    """Whom to trust that it is the ACME server; the public authorities when empty."""

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return {**asdict(self), "names": list(self.names)}


def from_document(document: dict[str, Any]) -> OrderRequest:
    """From the database."""
    return fields.from_document(OrderRequest, document, names=tuple(document["names"]))


@dataclass(frozen=True)
class Order:
    """One certificate to ask for now."""

    id: UUID
    request: OrderRequest
    account_key_pem: str
    """Of the account at the ACME server; the same for as long as the certificate is renewed."""

    def __repr__(self) -> str:
        return f"Order({self.id}, {self.request.names[0]}, ...)"


def check_request(request: OrderRequest) -> OrderRequest:
    """The request, as it may be made.

    Raises:
        InvalidRequestError: a name is none that ACME servers certify, or the authority is damaged.
    """
    names = tuple(dict.fromkeys(_asked_name(name) for name in request.names))
    if not names:
        raise InvalidRequestError("Names: expected at least one DNS name.")
    if len(names) > MOST_NAMES:
        raise InvalidRequestError(
            f"Names: {len(names)} names; a certificate has at most {MOST_NAMES}."
        )
    wildcard = next((name for name in names if name.startswith("*.")), None)
    if wildcard is not None and request.challenge != DNS:
        raise InvalidRequestError(
            f"Names: {wildcard} is a wildcard, which ACME servers give for the challenge dns-01"
            " only."
        )
    if request.authority_pem.strip():
        try:
            x509.load_pem_x509_certificates(request.authority_pem.encode())
        except UNREADABLE:
            raise InvalidRequestError(
                "CaFile: expected certificates in PEM, to trust the ACME server by."
            ) from None
    return OrderRequest(
        **{**asdict(request), "names": names, "authority_pem": request.authority_pem.strip()}
    )


def _asked_name(name: str) -> str:
    said = name.strip()
    host = said.removeprefix("*.")
    try:
        found = hostport.parse_host(host)
    except hostport.InvalidHostError as error:
        raise InvalidRequestError(
            f"Names: found {hostport.quoted(name)}, expected a DNS name: {error.message}."
        ) from None
    if hostport.is_address(found) or "_" in found:
        raise InvalidRequestError(
            f"Names: found {hostport.quoted(name)}, expected a DNS name of letters, digits and"
            " hyphens."
        )
    return found if host == said else f"*.{found}"


def order_certificate(
    work: UnitOfWork, request: OrderRequest, account_key_pem: str, gateway_id: UUID | None = None
) -> Task:
    """Have a certificate asked for. The task ends when it is in force, or cannot be had.

    Args:
        work: under way.
        request: that was checked.
        account_key_pem: a new key, for an account at the ACME server.
        gateway_id: the gateway that it is for; None for all.

    Raises:
        NotFoundError: there is no such gateway.
    """
    if gateway_id is not None:
        get_gateway(work, gateway_id)
    identifier = uuid4()
    made = CertificateOrder(
        id=identifier,
        gateway_id=gateway_id,
        request=request.as_document(),
        sealed_account_key=work.sealing.seal(account_key_pem, _account_owner(identifier)),
    )
    task = Task(
        operation=_ORDERED.operation,
        account_id=work.account_id,
        created_at=work.now,
        deadline_at=work.now + ORDER_DEADLINE,
        certificate_order_id=identifier,
    )
    work.session.add(made)
    tasks.begin(work, task)
    asked = {"DirectoryUrl": request.directory_url, "Names": list(request.names)}
    record_at_end(work, task, _change(_ORDERED, made, asked))
    work.news_for.add(NEWS)
    return task


def _account_owner(identifier: UUID) -> str:
    return f"AcmeAccount {identifier}"


def next_due(work: UnitOfWork) -> UUID | None:
    """Which order to carry out now, if any: new ones first."""
    due = {each.id: moment for each in _orders(work) if (moment := _due_at(work, each)) <= work.now}
    return min(due, key=lambda each: due[each], default=None)


def next_moment(work: UnitOfWork) -> datetime | None:
    """When there is something to ask for at the earliest; None for never."""
    return min((_due_at(work, each) for each in _orders(work)), default=None)


def _orders(work: UnitOfWork) -> Sequence[CertificateOrder]:
    return work.session.scalars(select(CertificateOrder)).all()


def _due_at(work: UnitOfWork, order: CertificateOrder) -> datetime:
    if order.certificate_id is None:
        return datetime.min.replace(tzinfo=UTC)
    leaf = _leaf(work, order.certificate_id)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    due = leaf.not_valid_after_utc - life * RENEWAL_SHARE
    again = order.next_attempt_at
    return due if again is None or has_come(again, work.now, LONGEST_PAUSE) else max(due, again)


def _leaf(work: UnitOfWork, certificate_id: UUID) -> x509.Certificate:
    return rules.leaf_of(operations.get_certificate(work, certificate_id).chain_pem)


def open_order(work: UnitOfWork, identifier: UUID) -> Order | None:
    """What to ask for; None when nobody wants it any more.

    Raises:
        CloudgateError: the account's key was sealed with another key than this manager's.
    """
    found = work.session.get(CertificateOrder, identifier)
    if found is None:
        return None
    account_key = work.sealing.open(found.sealed_account_key, _account_owner(identifier))
    return Order(identifier, from_document(found.request), account_key)


def order_of(work: UnitOfWork, certificate_id: UUID) -> CertificateOrder | None:
    """The order that a certificate came from; None for one that an operator brought."""
    return work.session.scalar(
        select(CertificateOrder).where(CertificateOrder.certificate_id == certificate_id)
    )


def succeed(work: UnitOfWork, identifier: UUID, brought: BroughtCertificate) -> None:
    """Bring what was asked for into force; forgotten when nobody wants it any more."""
    order = work.session.get(CertificateOrder, identifier)
    if order is None:
        fail(work, identifier, "The cloud gateway that it was for is gone.")
        return
    try:
        rules.check_time(brought, work.now)
    except InvalidRequestError as problem:
        fail(work, identifier, f"The ACME server gave what is of no use: {problem.message}")
        return
    if order.certificate_id is None:
        made = operations.put_in_force(work, brought, order.gateway_id)
        order.certificate_id = made.id
    else:
        made = operations.get_certificate(work, order.certificate_id)
        operations.renew_certificate(work, made, brought)
        record(work, _change(_RENEWED, order))
    order.failures, order.problem = 0, ""
    # Should the server give one whose life is mostly over, it is not asked again and again.
    left = rules.leaf_of(brought.chain_pem).not_valid_after_utc - work.now
    order.next_attempt_at = work.now + renewal_pause(left)
    work.session.flush()
    note_warnings(work, list_gateways(work))
    task = _task_of(work, identifier)
    if task is not None:
        task.related_type = operations.TYPE
        task.related_path = f"/cloud/certificates/{made.id}"
        task.related_name = made.name
        tasks.finish(work, task, success=True)


def fail(work: UnitOfWork, identifier: UUID, reason: str) -> None:
    """Give an order up; one whose certificate is in force stays, and is tried again later."""
    task = _task_of(work, identifier)
    if task is not None:
        tasks.finish(work, task, success=False, message=reason)
    order = work.session.get(CertificateOrder, identifier)
    if order is None:
        return
    if order.certificate_id is None:
        work.session.delete(order)
        return
    order.failures += 1
    order.problem = reason
    left = _leaf(work, order.certificate_id).not_valid_after_utc - work.now
    order.next_attempt_at = work.now + order_pause(order.failures, left)
    work.session.flush()
    note_warnings(work, list_gateways(work))
    record(work, _change(_RENEWED, order), success=False, message=reason)


def end_late_order(work: UnitOfWork, task: Task) -> None:
    """End a task whose order is gone, or was under way for too long."""
    identifier = task.certificate_order_id
    if identifier is None:
        return
    if work.session.get(CertificateOrder, identifier) is None:
        fail(work, identifier, "The cloud gateway that it was for is gone.")
    elif task.deadline_at <= work.now:
        fail(work, identifier, "The ACME server did not decide in time.")


def renewal_pause(left: timedelta) -> timedelta:
    """How long not to ask for the next certificate, of one that has so much life left. Pure."""
    return max(min(LONGEST_PAUSE, left * (1 - RENEWAL_SHARE)), LEAST_PAUSE)


def order_pause(failures: int, left: timedelta) -> timedelta:
    """How long to wait after so many failures in a row. Pure.

    `left` is for how long the certificate is good yet: while it is, it is tried several times more,
    and each hour where it is not.
    """
    pause: timedelta = doubled(FIRST_PAUSE, LONGEST_PAUSE, failures)
    return min(pause, max(left * _PAUSE_SHARE, LEAST_PAUSE)) if left > timedelta() else FIRST_PAUSE


def _change(event: Event, order: CertificateOrder, after: dict[str, Any] | None = None) -> Change:
    return Change(
        event,
        operations.TYPE,
        object_id=order.certificate_id or order.id,
        object_name=str(order.request["names"][0]),
        after=after,
    )


def _task_of(work: UnitOfWork, identifier: UUID) -> Task | None:
    return work.session.scalar(
        select(Task).where(Task.certificate_order_id == identifier, Task.finished_at.is_(None))
    )
