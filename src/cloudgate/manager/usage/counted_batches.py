"""Counted batches: was a batch of usage counted before, however late one more copy of it comes?

A host that gives up on a line says the batch again on another one, and then newer ones. What it had
written on the first goes on to be sent by the kernels on the way, for minutes where a manager that
stands by hands it on: it arrives after those.

Names are random, so that one says nothing of its place among the others. A host of which an older
state was put back goes on with new names, and a manager with an older database counts what that
does not know: nothing is taken for counted that was not.
"""

from datetime import timedelta

from sqlalchemy import delete

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CountedBatch, ManagedServer

KNOWN_FOR = timedelta(minutes=20)
"""Of what this manager has listened; a clock that is ahead for a moment forgets nothing."""


def is_first_copy(work: UnitOfWork, server: ManagedServer, name: str) -> bool:
    """Whether a batch is heard for the first time; from now on it was, and is to be counted.

    It is known for `KNOWN_FOR` after it was last heard, as a host says the next one only then.
    Linux gives up on what a closed socket had sent within two minutes, and on what an open one has
    within about sixteen (tcp(7)).

    A manager of the release before, which may lead in between, knows the last one alone, and keeps
    none but in the row of the server.
    """
    is_known = (
        name == server.usage_batch or work.session.get(CountedBatch, (server.id, name)) is not None
    )
    forgotten = work.hosts.listening.since(KNOWN_FOR, work.now)
    work.session.execute(delete(CountedBatch).where(CountedBatch.heard_at < forgotten))
    for each in {name, server.usage_batch} - {""}:
        work.session.merge(CountedBatch(managed_server_id=server.id, name=each, heard_at=work.now))
    if not is_known:
        server.usage_batch = name
    return not is_known
