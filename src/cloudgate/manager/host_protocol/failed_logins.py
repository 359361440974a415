"""Failed logins: who guesses, or comes from elsewhere, as the gateways have seen it?"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from cloudgate import protocol
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import GUESS, OUTSIDER
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.reportable_tenants import tenant_named
from cloudgate.manager.registries.refused_callers import RefusedCallers
from cloudgate.manager.storage.tables import AuditEvent, ManagedServer
from cloudgate.manager.tenants.operations import TYPE
from cloudgate.protocol.bounds import printable

HEARD_AGAIN_WITHIN = timedelta(days=1)
"""How long what was told to a manager before this one is told from what is new."""
_MOST_LOOKED_AT = 2000
"""Of the newest entries of the same names: it is done once for a host, within a change."""


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
    told = [(guess, _documented(server, guess)) for guess in guesses]
    texts = [_text(said) for _, said in told]
    known = work.hosts.guesses.of(server.id, event.operation, texts)
    if known is None:
        known = _told_before(work, event, {said["Name"] for _, said in told})
    heard = partial(work.hosts.guesses.add, server.id, event.operation, texts)
    work.once_it_holds.append(heard)
    for guess, said in told:
        if _text(said) in known:
            continue
        one = f"{said['Name']} {said['Address']} {guess.count} {said['FirstTime']}"
        asked = (event.operation, server.name, one, work.now, guess.count)
        work.once_it_holds.append(partial(work.strangers.is_guess_to_be_noted, *asked))
        if tried.is_guess_to_be_noted(*asked):
            _record(work, server, event, guess, said)


def _text(said: Mapping[str, Any]) -> str:
    return json.dumps(said, sort_keys=True)


def _told_before(work: UnitOfWork, event: Event, names: Iterable[str]) -> frozenset[str]:
    """What the log has of these names already."""
    newest = (
        select(AuditEvent.after)
        .where(
            AuditEvent.account.in_(names),
            AuditEvent.operation == event.operation,
            AuditEvent.at > work.now - HEARD_AGAIN_WITHIN,
        )
        .order_by(AuditEvent.number.desc())
        .limit(_MOST_LOOKED_AT)
    )
    return frozenset(_text(each) for each in work.session.scalars(newest) if each)


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
        object_id=tenant_named(work, server, said["Name"]),
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
