"""Audit chain: how is it seen that an entry is missing, or is not what it was?

Each entry has the SHA-256 of what it says, its number and the hash of the entry before it. The end
of the chain is kept beside it, under a seal that only who has the manager's sealing key can make:
whoever writes to the database alone can neither alter an entry and compute the rest anew, nor take
entries away at the end. What was removed because of its age is what the chain begins with.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import AuditChain, AuditEvent
from cloudgate.trust.audit_chain import Verdict, hash_of, span

PURPOSE = "audit chain"
"""What the seal is for."""
UNSEALED = ""
LOST = "lost"
"""What a chain begins with whose end was not there any more."""
_CHAIN = 1
_AT_ONCE = 1000


def document_of(event: AuditEvent) -> dict[str, Any]:
    """All that an entry says."""
    return {
        "number": event.number,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "account": event.account,
        "address": event.address,
        "code": event.code,
        "severity": event.severity,
        "operation": event.operation,
        "text": event.text,
        "object_type": event.object_type,
        "object_id": str(event.object_id) if event.object_id else None,
        "object_name": event.object_name,
        "before": event.before,
        "after": event.after,
        "success": event.success,
        "message": event.message,
    }


def append(work: UnitOfWork, event: AuditEvent) -> None:
    """Put an entry at the end of the chain: it gets its number and its hash."""
    chain = _locked_chain(work)
    event.number = chain.number + 1
    event.hash = hash_of(document_of(event), chain.hash)
    chain.number, chain.hash = event.number, event.hash
    chain.seal = work.sealing.mark(_sealed(chain), PURPOSE)
    work.session.add(event)


def hash_before(work: UnitOfWork, number: int) -> str:
    """The hash of the entry before that one."""
    before = (
        select(AuditEvent.hash)
        .where(AuditEvent.number < number)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )
    found = work.session.scalar(before)
    if found is not None:
        return found
    chain = work.session.get(AuditChain, _CHAIN)
    return LOST if chain is None else chain.anchor_hash


def has_seal(work: UnitOfWork) -> bool:
    """Whether the end of the chain was ever sealed; it was not right after an upgrade."""
    chain = work.session.get(AuditChain, _CHAIN)
    return chain is not None and chain.seal != UNSEALED


def forget(work: UnitOfWork, until: int) -> None:
    """Remove the entries up to that one; the chain begins after it from here on."""
    chain = _locked_chain(work)
    last = work.session.get_one(AuditEvent, until)
    chain.anchor_number, chain.anchor_hash = last.number, last.hash
    chain.seal = work.sealing.mark(_sealed(chain), PURPOSE)
    work.session.flush()
    work.session.expunge(last)
    table = AuditEvent.__table__
    work.session.execute(table.delete().where(table.c.number <= until))  # type: ignore[attr-defined]


def verify(work: UnitOfWork) -> Verdict:
    """See whether each entry is there and as it was."""
    chain = work.session.get(AuditChain, _CHAIN)
    if chain is None or chain.anchor_hash == LOST:
        until = f" up to entry {chain.anchor_number}" if chain else ""
        problem = f"The end of the chain was taken away: nothing vouches for what was there{until}."
        return Verdict(0, None, None, LOST, 1, problem)
    number, previous = chain.anchor_number, chain.anchor_hash
    entries, first, problem = 0, None, ""
    for event in _events(work):
        problem = _what_is_wrong(event, number, previous)
        if problem:
            break
        entries, first = entries + 1, first or event.number
        number, previous = event.number, event.hash
    if not problem and number != chain.number:
        problem = f"{span(number + 1, chain.number)} missing at the end."
    elif not problem and previous != chain.hash:
        problem = f"Entry {number} is not the one that was written last."
    last = number if entries else None
    if problem:
        return Verdict(entries, first, last, previous, number + 1, problem)
    if not work.sealing.has_marked(chain.seal, _sealed(chain), PURPOSE):
        problem = (
            "The seal of the chain's end is not the manager's: entries may have been altered and"
            " computed anew, or removed at the end."
        )
        return Verdict(entries, first, last, previous, first, problem)
    return Verdict(entries, first, last, previous)


def _what_is_wrong(event: AuditEvent, number: int, previous: str) -> str:
    if event.hash and event.hash == hash_of(document_of(event), previous):
        return ""
    if event.number > number + 1:
        return f"{span(number + 1, event.number - 1)} missing."
    return f"Entry {event.number} is not as it was written, or the one before it is not."


def _events(work: UnitOfWork) -> Iterable[AuditEvent]:
    query = select(AuditEvent).order_by(AuditEvent.number)
    return work.session.scalars(query.execution_options(yield_per=_AT_ONCE))


def _locked_chain(work: UnitOfWork) -> AuditChain:
    """The end of the chain, which nobody else moves until this change is over."""
    known = work.session.info.get(PURPOSE)
    if isinstance(known, AuditChain):
        return known
    chain = work.session.get(AuditChain, _CHAIN, with_for_update=True)
    if chain is None:
        chain = _begun_anew(work)
        work.session.add(chain)
    work.session.info[PURPOSE] = chain
    return chain


def _begun_anew(work: UnitOfWork) -> AuditChain:
    """A chain in place of one whose end is gone: what happens now is written down all the same."""
    last = work.session.scalar(select(func.max(AuditEvent.number))) or 0
    return AuditChain(
        id=_CHAIN, number=last, hash=LOST, anchor_number=last, anchor_hash=LOST, seal=UNSEALED
    )


def _sealed(chain: AuditChain) -> str:
    return f"{chain.anchor_number}:{chain.anchor_hash}:{chain.number}:{chain.hash}"
