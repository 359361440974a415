"""Touched tables: which tables has a transaction changed, and what does a thing depend on?

What was read stays true until one of the tables that it was read from is changed. It is the
statements that are looked at, whoever made them; one that is not understood has changed all.
"""

import re
from collections import defaultdict
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Mapper, Session, SessionTransaction, sessionmaker

from cloudgate.manager.storage.tables import Base

EVERY = "*"
"""Stands for all tables."""
_NOTED = "touched"
_CHANGES = re.compile(r"(INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) \"?(\w+)", re.IGNORECASE)
_CHANGE_NOTHING = re.compile(r"(SELECT|BEGIN|SAVEPOINT|RELEASE|ROLLBACK|SET)\b", re.IGNORECASE)


def note_touched(engine: Engine, sessions: "sessionmaker[Session]") -> None:
    """Have what the sessions change noted from now on; `touched` says what it was."""
    event.listen(engine, "before_cursor_execute", _note)
    event.listen(sessions, "after_begin", _begin)


def touched(session: Session) -> frozenset[str]:
    """The tables that a session has changed so far."""
    return frozenset(session.info.get(_NOTED, ()))


@cache
def read_with(kind: type[Base]) -> frozenset[str]:
    """The tables that a row of a kind is read from, with all that comes with it."""
    found = set[str]()
    _follow(kind.__mapper__, found)
    return frozenset(found)


def _follow(mapper: Mapper[Any], found: set[str]) -> None:
    if mapper.local_table.description in found:
        return
    found.add(mapper.local_table.description)
    for each in mapper.relationships:
        if each.lazy in ("joined", "selectin"):
            found |= {each.secondary.description} if each.secondary is not None else set()
            _follow(each.mapper, found)


def _begin(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    connection.info[_NOTED] = session.info.setdefault(_NOTED, set())


def _note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    noted = connection.info.get(_NOTED)
    if noted is None or _CHANGE_NOTHING.match(statement):
        return
    found = _CHANGES.match(statement)
    if found is None:
        noted.add(EVERY)
    elif found[1][0] in "Dd":
        noted |= _gone_with(found[2])
    else:
        noted.add(found[2])


@cache
def _gone_with(table: str) -> frozenset[str]:
    """The tables that may change when rows of one are removed: theirs, and those that follow."""
    followers = defaultdict(set)
    for other in Base.metadata.tables.values():
        for key in other.foreign_keys:
            if key.ondelete is not None:
                followers[key.column.table.name].add(other.name)
    found, todo = set[str](), [table]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += followers[each]
    return frozenset(found)
