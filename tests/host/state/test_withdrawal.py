"""What is left of a tenant while a disk takes no new state: every limit holds at once."""

from uuid import UUID

import pytest

from cloudgate.host.state.withdrawal import left_of
from cloudgate.protocol import Limits, Tenant

KNOWN = Tenant(tenant_id=UUID(int=1), name="acme", password_hash="")


@pytest.mark.parametrize("limit", Limits.model_fields)
@pytest.mark.parametrize(
    ("known", "told", "left"),
    [(10, 5, 5), (None, 5, 5), (5, 10, 5), (5, None, 5), (None, None, None)],
)
def test_of_each_limit_the_smaller_one_holds(
    limit: str, known: int | None, told: int | None, left: int | None
) -> None:
    before = KNOWN.model_copy(update={limit: known})
    found = left_of(before, KNOWN.model_copy(update={limit: told, "name": "acme"}))
    assert getattr(found, limit) == left
