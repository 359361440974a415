"""Audit chain: how is it seen that an entry is missing, or is not what it was?

Each entry has the SHA-256 of what it says, its number and the hash of the entry before it. The end
of the chain is kept beside it, under a seal that only who has the manager's sealing key can make:
whoever writes to the database alone can neither alter an entry and compute the rest anew, nor take
entries away at the end. What was removed because of its age is what the chain begins with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

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
_ENTRIES, _END = cast("Table", AuditEvent.__table__), cast("Table", AuditChain.__table__)
_SAID = tuple(each.name for each in _ENTRIES.columns if each.name != "hash")
# Each change writes these: they are not made anew for it, and no object of the session is.
_LOCKED = select(_END).where(_END.c.id == _CHAIN).with_for_update()
_MOVE = _END.update().where(_END.c.id == _CHAIN)
_BEGIN, _WRITE = _END.insert(), _ENTRIES.insert()


@dataclass
class _OpenChain:
    """The end of the chain within a change, and what the change has added to it."""

    number: int
    hash: str
    anchor_number: int
    anchor_hash: str
    is_there: bool = True
    """In the database."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """That are to be written."""


def document_of(event: AuditEvent) -> dict[str, Any]:
    """All that an entry says."""
    return _document({name: getattr(event, name) for name in _SAID})


def _document(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns of an entry say."""
    identifier = values["object_id"]
    return {
        **values,
        # Not by `timestamps.time_text`, which leaves out zeros at the end: the hashes are of this.
        "at": values["at"].isoformat().replace("+00:00", "Z"),
        "object_id": str(identifier) if identifier else None,
    }


def append(work: UnitOfWork, values: Mapping[str, Any]) -> None:
    """Put an entry at the end of the chain: it gets its number and its hash.

    `values` are all other columns of it. What a change adds is written at its end, all at once.
    """
    chain = _locked_chain(work)
    said = {"number": chain.number + 1, **values}
    chain.number, chain.hash = said["number"], hash_of(_document(said), chain.hash)
    chain.entries.append({**said, "hash": chain.hash})


def linked_document(event: AuditEvent, previous: str) -> dict[str, Any]:
    """The same with its hash, and with that of the entry before it, which is `previous`."""
    return {**document_of(event), "previous": previous, "hash": event.hash}


def hash_before(session: Session, number: int) -> str:
    """The hash of the entry before that one."""
    before = (
        select(AuditEvent.hash)
        .where(AuditEvent.number < number)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )
    found = session.scalar(before)
    if found is not None:
        return found
    chain = session.get(AuditChain, _CHAIN)
    return LOST if chain is None else chain.anchor_hash


def has_seal(work: UnitOfWork) -> bool:
    """Whether the end of the chain was ever sealed; it was not right after an upgrade."""
    chain = work.session.get(AuditChain, _CHAIN)
    return chain is not None and chain.seal != UNSEALED


def forget(work: UnitOfWork, until: int) -> None:
    """Remove the entries up to that one; the chain begins after it from here on."""
    chain = _locked_chain(work)
    hash_of_last = select(_ENTRIES.c.hash).where(_ENTRIES.c.number == until)
    chain.anchor_number = until
    chain.anchor_hash = work.session.connection().execute(hash_of_last).scalar_one()
    _write(work, chain)  # the database lets nothing else be removed
    work.session.connection().execute(_ENTRIES.delete().where(_ENTRIES.c.number <= until))


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
    if not work.sealing.verify(chain.seal, _sealed(chain), PURPOSE):
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


def _locked_chain(work: UnitOfWork) -> _OpenChain:
    """The end of the chain, which nobody else moves until this change is over."""
    known = work.session.info.get(PURPOSE)
    if isinstance(known, _OpenChain):
        return known
    found = work.session.connection().execute(_LOCKED).one_or_none()
    if found is None:
        chain = _begun_anew(work)
    else:
        chain = _OpenChain(found.number, found.hash, found.anchor_number, found.anchor_hash)
    work.session.info[PURPOSE] = chain
    work.at_end.append(partial(_write, work, chain))
    return chain


def _begun_anew(work: UnitOfWork) -> _OpenChain:
    """A chain in place of one whose end is gone: what happens now is written down all the same."""
    newest = select(func.max(_ENTRIES.c.number))
    last = work.session.connection().execute(newest).scalar_one() or 0
    return _OpenChain(last, LOST, last, LOST, is_there=False)


def _write(work: UnitOfWork, chain: _OpenChain) -> None:
    """Write what was added, and where the chain ends by it."""
    connection = work.session.connection()
    if chain.entries:
        connection.execute(_WRITE, chain.entries)
        chain.entries = []
    end = {
        "number": chain.number,
        "hash": chain.hash,
        "anchor_number": chain.anchor_number,
        "anchor_hash": chain.anchor_hash,
        "seal": work.sealing.sign(_sealed(chain), PURPOSE),
    }
    if chain.is_there:
        connection.execute(_MOVE, end)
    else:
        connection.execute(_BEGIN, {"id": _CHAIN, **end})
        chain.is_there = True


def _sealed(chain: AuditChain | _OpenChain) -> str:
    return f"{chain.anchor_number}:{chain.anchor_hash}:{chain.number}:{chain.hash}"
