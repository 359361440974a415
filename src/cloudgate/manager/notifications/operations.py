"""Receivers: how is somebody added who is told of what happens, changed, tried, and removed?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.fault_isolation import fault_id
from cloudgate.manager.notifications import mail, outbox, rules, webhooks
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudTenant,
    NotificationDelivery,
    NotificationReceiver,
)

TYPE = "NotificationReceiver"
CREATED = Event(
    "CreateNotificationReceiver", "Notification receiver {name} [{id}] has been created"
)
EDITED = Event("EditNotificationReceiver", "Notification receiver {name} [{id}] has been modified")
DELETED = Event(
    "DeleteNotificationReceiver", "Notification receiver {name} has been deleted", WARNING
)
log = structlog.get_logger(__name__)

NOT_TOLD = "The receiver was disabled before it was told."
_WARNING = "Notifications to "
MOST_DIGEST_MINUTES = 24 * 60


class DeliveryMethod(StrEnum):
    """How somebody is told."""

    MAIL = "Email"
    WEBHOOK = "Webhook"


@dataclass(frozen=True, kw_only=True)
class ReceiverChange:
    """What is wanted of a receiver; None leaves it as it is, or takes the default."""

    name: str | None = None
    kind: str | None = None
    address: str | None = None
    role: str | None = None
    site_id: UUID | None = None
    tenant_id: UUID | None = None
    events: Sequence[str] | None = None
    """Kinds of events; none of them for all."""
    quiet_from: str | None = None
    quiet_until: str | None = None
    digest_minutes: int | None = None
    enabled: bool | None = None
    authority_pem: str | None = None


def list_receivers(work: UnitOfWork) -> Sequence[NotificationReceiver]:
    """All of them by name."""
    query = select(NotificationReceiver).order_by(NotificationReceiver.name)
    return work.session.scalars(query).all()


def receiver_names(work: UnitOfWork) -> Mapping[UUID, str]:
    """What all of them are called, by their ids."""
    rows = work.session.execute(select(NotificationReceiver.id, NotificationReceiver.name))
    return {row.id: row.name for row in rows}


def get_receiver(work: UnitOfWork, identifier: UUID) -> NotificationReceiver:
    """A receiver by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(NotificationReceiver, identifier, "notification receiver")


def create_receiver(
    work: UnitOfWork, wanted: ReceiverChange, outgoing: OutgoingSettings
) -> tuple[NotificationReceiver, str | None]:
    """Add a receiver; and, of a program, what its calls are signed with, which is shown once.

    Raises:
        InvalidRequestError: the name is taken, or somebody like that cannot be told.
        NotFoundError: the backup server or the tenant is unknown.
    """
    name = naming.printable(wanted.name or "", "Name")
    taken = select(NotificationReceiver.id).where(NotificationReceiver.name == name)
    if work.session.scalar(taken) is not None:
        raise InvalidRequestError(f"A notification receiver named {name} is there already.")
    if wanted.site_id is not None:
        work.get(BackupServer, wanted.site_id, "backup server")
    if wanted.tenant_id is not None:
        work.get(CloudTenant, wanted.tenant_id, "tenant")
    made = NotificationReceiver(
        id=uuid4(),
        name=name,
        kind=DeliveryMethod(wanted.kind or DeliveryMethod.MAIL).value,
        role="" if wanted.tenant_id else wanted.role or rules.OPERATORS[0],
        backup_server_id=wanted.site_id,
        tenant_id=wanted.tenant_id,
        authority_pem=(wanted.authority_pem or "").strip(),
        address="",
    )
    _apply(made, wanted, outgoing)
    secret = webhooks.new_secret() if made.kind == DeliveryMethod.WEBHOOK else None
    if secret:
        made.secret = work.sealing.seal(secret, _owner(made.id))
    work.session.add(made)
    work.session.flush()
    work.session.refresh(made)
    record(work, change_to(made, TYPE, CREATED, after=_documented(made)))
    return made, secret


def edit_receiver(
    work: UnitOfWork,
    receiver: NotificationReceiver,
    change: ReceiverChange,
    outgoing: OutgoingSettings,
) -> None:
    """Change a receiver; how it is told and whom it is for stay.

    One that is disabled is not told what waits for it, also when it is enabled again.

    Raises:
        InvalidRequestError: somebody like that cannot be told.
    """
    before, was_enabled = _documented(receiver), receiver.enabled
    _apply(receiver, change, outgoing)
    if not (was_enabled and receiver.enabled):
        outbox.give_up(work, receiver, NOT_TOLD)
        work.news_for.add(outbox.NEWS)  # whoever sends ends the warning that it cannot be told
    if change.role and receiver.tenant_id is None:
        receiver.role = change.role
    after = _documented(receiver)
    record(
        work,
        change_to(receiver, TYPE, EDITED, before=before, after=after),
    )


def delete_receiver(work: UnitOfWork, receiver: NotificationReceiver) -> None:
    """Remove a receiver; what it was to be told yet is forgotten."""
    change = change_to(receiver, TYPE, DELETED, before=_documented(receiver))
    work.session.delete(receiver)
    record(work, change)


def _apply(
    receiver: NotificationReceiver, wanted: ReceiverChange, outgoing: OutgoingSettings
) -> None:
    address = wanted.address or receiver.address
    if receiver.kind == DeliveryMethod.WEBHOOK:
        receiver.address = webhooks.check_url(address, outgoing)
    else:
        receiver.address = rules.check_mail_address(address)
        if outgoing.mail is None:
            raise InvalidRequestError(
                "Kind: found Email, and the manager knows no mail server. Start it with --smtp and"
                " --mail-from."
            )
    if wanted.events is not None:
        receiver.events = sorted(set(wanted.events)) or None
    if wanted.quiet_from is not None:
        receiver.quiet_from = rules.check_time(wanted.quiet_from, "QuietFrom")
    if wanted.quiet_until is not None:
        receiver.quiet_until = rules.check_time(wanted.quiet_until, "QuietUntil")
    if bool(receiver.quiet_from) != bool(receiver.quiet_until):
        raise InvalidRequestError("QuietFrom and QuietUntil belong together: give both, or none.")
    if wanted.digest_minutes is not None:
        if wanted.digest_minutes > MOST_DIGEST_MINUTES:
            raise InvalidRequestError(
                f"DigestMinutes: found {wanted.digest_minutes}, expected at most"
                f" {MOST_DIGEST_MINUTES} (a day)."
            )
        receiver.digest_minutes = wanted.digest_minutes
    if wanted.enabled is not None:
        receiver.enabled = wanted.enabled


def _documented(receiver: NotificationReceiver) -> dict[str, Any]:
    return {
        "Name": receiver.name,
        "Kind": receiver.kind,
        "Address": receiver.address,
        "Role": receiver.role,
        "Events": receiver.events,
        "QuietFrom": receiver.quiet_from,
        "QuietUntil": receiver.quiet_until,
        "DigestMinutes": receiver.digest_minutes,
        "Enabled": receiver.enabled,
    }


def _owner(receiver_id: UUID) -> str:
    return f"notification receiver {receiver_id}"


def warning_kind(receiver_id: UUID) -> str:
    """What it is called that somebody cannot be told, as a warning of the manager."""
    return f"{_WARNING}{receiver_id}"


def end_warnings_but(manager: Manager, told: Collection[UUID]) -> None:
    """Warn no more of who is told nothing any more: disabled, removed, or gone with its tenant."""
    kept = {warning_kind(each) for each in told}
    for each in manager.warnings.all():
        if each.kind.startswith(_WARNING) and each.kind not in kept:
            manager.warn(each.kind, "")


def deliver(manager: Manager, receiver_id: UUID, events: Sequence[Mapping[str, Any]]) -> str:
    """Tell somebody. Blocks; returns why that failed, and nothing when it did not."""
    outgoing = manager.outgoing
    with manager.reading() as work:
        receiver = work.session.get(NotificationReceiver, receiver_id)
        if receiver is None:
            return ""
        kind, address, authority = receiver.kind, receiver.address, receiver.authority_pem
        sealed, now = receiver.secret, work.now
    try:
        if kind == DeliveryMethod.WEBHOOK:
            secret = manager.sealing.open(sealed, _owner(receiver_id))
            hook = webhooks.Hook(address, secret, authority, outgoing.may_be_called)
            webhooks.call(hook, events, now)
        elif outgoing.mail is None:
            return "The manager knows no mail server; start it with --smtp and --mail-from."
        else:
            made = mail.message(outgoing.mail, outgoing.templates, address, events, now)
            mail.send(outgoing.mail, made)
    except Exception as fault:  # noqa: BLE001  whatever it is: it is shown, and tried again
        return words_for(fault)
    return ""


def words_for(fault: BaseException) -> str:
    """Why somebody could not be told; of a fault that nobody foresaw the log says more."""
    if isinstance(fault, CloudgateError):
        return fault.message
    if isinstance(fault, DatabaseError) and (known := database_reason(fault)):
        return known
    name = fault_id()
    log.error("somebody could not be told", fault=name, exc_info=fault)
    return (
        f"An error that nobody foresaw ({type(fault).__name__}); the manager's log says more under"
        f" {name}."
    )


def try_out(manager: Manager, receiver_id: UUID) -> str:
    """Tell somebody right now that this is a test; returns why that failed. It is written down.

    Raises:
        NotFoundError: there is no such receiver.
    """
    with manager.changing() as work:
        receiver = get_receiver(work, receiver_id)
        event = outbox.test_event(receiver.name, work.now)
        number = outbox.note_test(work, receiver, event)
    problem = deliver(manager, receiver_id, [event])
    with manager.changing() as work:
        tried = work.session.get(NotificationDelivery, number)
        if tried is not None:
            tried.success, tried.problem = not problem, problem
    return problem
