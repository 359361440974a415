"""Failed logins: who guesses, or comes from elsewhere, as the gateways have seen it?"""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloudgate import protocol
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import GUESS, OUTSIDER
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.registries.refused_callers import RefusedCallers
from cloudgate.manager.storage.tables import AuditEvent, CloudTenant, ManagedServer
from cloudgate.manager.tenants import rules
from cloudgate.manager.tenants.operations import TYPE
from cloudgate.protocol.bounds import printable

HEARD_AGAIN_WITHIN = timedelta(days=1)
"""How long a report whose answer was lost is told from a new one."""


_SEEN = {
    GUESS: ("1 wrong password", "{count} wrong passwords"),
    OUTSIDER: (
        "1 tunnel with the right password was refused, because it came",
        "{count} tunnels with the right password were refused, because they came",
    ),
}
"""What one of them was, and several."""


def record_failed_logins(work: UnitOfWork, server: ManagedServer, report: protocol.Report) -> None:
    """Put what a gateway refused into the audit log, each once however often it is heard."""
    if not report.guesses and not report.outsiders:
        return
    # A host says again what was not written down: until it is, nothing of it may be noted.
    tried = work.strangers.copy_for(server.name)
    _record_all(work, tried, server, GUESS, report.guesses)
    _record_all(work, tried, server, OUTSIDER, report.outsiders)


def _record_all(
    work: UnitOfWork,
    tried: RefusedCallers,
    server: ManagedServer,
    event: Event,
    guesses: tuple[protocol.Guess, ...],
) -> None:
    if not guesses:
        return
    known = work.session.scalars(
        select(AuditEvent.after).where(
            AuditEvent.at > work.now - HEARD_AGAIN_WITHIN, AuditEvent.operation == event.operation
        )
    ).all()
    for guess in guesses:
        said = _documented(server, guess)
        if said in known:
            continue
        one = f"{said['Name']} {said['Address']} {guess.count} {said['FirstTime']}"
        asked = (event.operation, server.name, one, work.now, guess.count)
        work.once_it_holds.append(partial(work.strangers.is_guess_to_be_noted, *asked))
        if tried.is_guess_to_be_noted(*asked):
            _record(work, server, event, guess, said)


def _record(
    work: UnitOfWork,
    server: ManagedServer,
    event: Event,
    guess: protocol.Guess,
    said: dict[str, Any],
) -> None:
    change = Change(
        event,
        TYPE,
        object_id=_tenant_id(work, server, said["Name"]),
        object_name=said["Name"],
        after=said,
    )
    one, several = _SEEN[event]
    seen = one if guess.count == 1 else several.format(count=guess.count)
    message = f"{seen} from {guess.address} at the gateway {server.name}."
    guessing = replace(work, author=said["Name"], address=said["Address"])
    record(guessing, change, success=False, message=message)


def _documented(server: ManagedServer, guess: protocol.Guess) -> dict[str, Any]:
    return {
        "Name": printable(guess.name, len(guess.name)),  # for XML, and for every database
        "Address": guess.address,
        "Count": guess.count,
        "FirstTime": guess.first_at.isoformat(),
        "LastTime": guess.last_at.isoformat(),
        "ManagedServer": server.name,
    }


def _tenant_id(work: UnitOfWork, server: ManagedServer, name: str) -> UUID | None:
    """The tenant that is meant, if the gateway's site has one of that name."""
    login = rules.login(name.replace("/", "\\").partition("\\")[0])
    return work.session.scalar(
        select(CloudTenant.id).where(
            CloudTenant.backup_server_id == server.backup_server_id, CloudTenant.login == login
        )
    )
