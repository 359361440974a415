"""Repository space: how large is it, and how much is free? Never a number that means unknown.

What its provider states wins over what its probe has measured. Of what is stated is free what
tenants have not taken: as measured, or where nothing was measured, what they may take. So it is
never said to have more free than it can have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Float, bindparam, case, cast, func, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import Repository, TenantResource
from cloudgate.values.units import MB

_ZERO = cast(0, Float)
# In floating point: quotas may be of any size, and their sum too.
_TAKEN = (
    select(
        func.coalesce(
            func.sum(
                func.coalesce(
                    cast(TenantResource.used_bytes, Float),
                    cast(TenantResource.quota_mb, Float) * MB,
                )
            ),
            _ZERO,
        )
    )
    .where(TenantResource.repository_id == Repository.id)
    .correlate(Repository)
    .scalar_subquery()
)
_LARGEST = 2**63 - 1024
"""What is the largest in floating point that is a number of bytes of the database, too."""
_STATED = case((Repository.capacity_bytes > _LARGEST, _LARGEST), else_=Repository.capacity_bytes)
_LEFT = cast(_STATED, Float) - _TAKEN
_LEFT_OF_STATED = cast(case((_LEFT < _ZERO, _ZERO), else_=_LEFT), BigInteger)

CAPACITY: Any = func.coalesce(Repository.capacity_bytes, Repository.measured_capacity_bytes)
"""In bytes; NULL where nobody knows."""
FREE: Any = case(
    (Repository.capacity_bytes.is_(None), Repository.measured_free_bytes),
    (Repository.measured_free_bytes < _LEFT_OF_STATED, Repository.measured_free_bytes),
    else_=_LEFT_OF_STATED,
)
"""In bytes; NULL where nobody knows."""
USED: Any = (
    select(func.sum(cast(TenantResource.used_bytes, Float)))
    .where(TenantResource.repository_id == Repository.id)
    .correlate(Repository)
    .scalar_subquery()
)
"""What tenants are known to keep there, in bytes; NULL where nothing was measured. A float."""


_SPACES = select(Repository.id, CAPACITY, FREE, USED).where(
    Repository.id.in_(bindparam("some", expanding=True))
)


@dataclass(frozen=True)
class Space:
    """How large a repository is, in bytes; None is unknown."""

    capacity: int | None = None
    free: int | None = None
    used: int | None = None
    """By tenants, as far as it was measured."""


UNKNOWN = Space()


def space_of_new(repository: Repository) -> Space:
    """How large one is that was just made: nobody has anything of it, and nothing was measured."""
    return Space(repository.capacity_bytes, repository.capacity_bytes)


def spaces_of(work: UnitOfWork, repositories: Sequence[Repository]) -> Mapping[UUID, Space]:
    """How large each of them is, by its id."""
    found: dict[UUID, Space] = {}
    identifiers = [each.id for each in repositories]
    for some in id_batches(identifiers):
        rows = work.session.execute(_SPACES, {"some": some})
        for identifier, capacity, free, used in rows:
            found[identifier] = Space(capacity, free, None if used is None else int(used))
    return found
