"""Former names: what were those called who used something and are not there any more?"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import CloudTenant, FormerName, Subtenant


def remember_names(work: UnitOfWork, people: Iterable[CloudTenant | Subtenant]) -> None:
    """Remember what tenants or subtenants are called that are being removed."""
    for each in people:
        work.session.merge(FormerName(id=each.id, name=each.name))


def names_of(work: UnitOfWork, ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """The names of tenants and subtenants; of one that nobody remembers, its id."""
    wanted = set(ids)
    found = {each: str(each) for each in wanted}
    for table in (FormerName, CloudTenant, Subtenant):
        found.update(names_in(work, table, wanted))
    return found


def names_in(
    work: UnitOfWork, table: type[CloudTenant | FormerName | Subtenant], ids: Iterable[UUID]
) -> Mapping[UUID, str]:
    """The names that are in a table, of the ids that are."""
    wanted, found = sorted(set(ids)), dict[UUID, str]()
    for some in id_batches(wanted):
        rows = work.session.execute(select(table.id, table.name).where(table.id.in_(some)))
        found.update((row.id, row.name) for row in rows)
    return found
