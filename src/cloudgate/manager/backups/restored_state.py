"""Restored state: what do hosts show that they know, and a database that was restored does not?

Revisions of the tenant directory are moments (`next_revision`): a host that knows a newer one than
the backup has was told of changes that are not here, whatever they were.
"""

from datetime import UTC, datetime

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.marks import (
    BACKED_UP_AT,
    KNEW_UNTIL,
    RESTORED_AT,
    put_mark,
    read_moment,
)
from cloudgate.values import timestamps


def shows_more(work: UnitOfWork, known_revision: int) -> bool:
    """Whether a host that knows that revision knows of a change that was lost with a restore."""
    moment = _moment(known_revision)
    backed_up_at = read_moment(work.session, BACKED_UP_AT)
    restored_at = read_moment(work.session, RESTORED_AT)
    if moment is None or backed_up_at is None or restored_at is None:
        return False
    known_until = read_moment(work.session, KNEW_UNTIL) or backed_up_at
    is_newer = known_until < moment < restored_at
    return is_newer and not work.knows_directory_revision(known_revision)


def note_more(work: UnitOfWork, known_revision: int) -> None:
    """A host has shown that; see `shows_more`."""
    if shows_more(work, known_revision) and (moment := _moment(known_revision)) is not None:
        put_mark(work.session, KNEW_UNTIL, moment.isoformat())


def remark_on_restore(work: UnitOfWork) -> str:
    """For the operator, until he says that all is decided; empty where nothing was restored."""
    backed_up_at = read_moment(work.session, BACKED_UP_AT)
    restored_at = read_moment(work.session, RESTORED_AT)
    if backed_up_at is None or restored_at is None:
        return ""
    until = read_moment(work.session, KNEW_UNTIL)
    lost = (
        f" Hosts know of changes to tenants until {timestamps.readable(until)} that are not in it."
        if until
        else ""
    )
    return (
        f"This manager was restored at {timestamps.readable(restored_at)} from a backup of"
        f" {timestamps.readable(backed_up_at)}.{lost} What was taken away in between, such as"
        " tenants, passwords, quotas or servers, is there again: cloudgate backup verify names it,"
        " as far as a journal does. When all is decided, cloudgate backup decided ends this"
        " warning."
    )


def _moment(revision: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(revision / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # EOVERFLOW: no host of ours says such a thing
        return None
