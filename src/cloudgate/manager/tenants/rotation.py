"""Password rotation: how does a tenant or one of its users get a new password in time?"""

from typing import Any

from cloudgate.manager.audit.events import NEW_PASSWORD, TUNNELS_ENDED, Document, Event, change_to
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.audit.refusals import OWN_PASSWORD
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Task
from cloudgate.manager.tenants import passwords
from cloudgate.manager.tenants.publication import end_tunnels, publish

_TENANT, _SUBTENANT = "CloudTenant", "CloudSubtenant"
_ROTATED = (
    Event("RotateCloudTenantPassword", "Cloud Connect tenant {name} [{id}] has got a new password"),
    Event(
        "RotateCloudSubtenantPassword",
        "Cloud Connect subtenant {name} [{id}] [tenant ID: {owner}] has got a new password",
    ),
)
_ENDED = (
    Event(
        "EndOldCloudTenantPassword", "The old password of the tenant {name} [{id}] is good no more"
    ),
    Event(
        "EndOldCloudSubtenantPassword",
        "The old password of {name} [{id}] [tenant ID: {owner}] is good no more",
    ),
)
CHANGED_OWN = (
    OWN_PASSWORD,
    Event(
        "ChangeOwnCloudSubtenantPassword",
        "Cloud Connect subtenant {name} [tenant ID: {owner}] has changed its own password",
    ),
)
"""What it is called of a tenant, and of one of its users."""


def rotate_password(
    work: UnitOfWork,
    who: passwords.Owner,
    new: passwords.Replacement,
    *,
    tunnels_end: bool = False,
    by_itself: bool = False,
) -> Task:
    """Give somebody a new password; the old one is good beside it for a time.

    `by_itself`: whether it is whose password it is that wants it.

    Raises:
        InvalidRequestError: it is the one of now, or the time is too long.
        UnavailableError: it was to replace another one than that of now; again it may.
    """
    before = _documented(who)
    passwords.replace_password(work, who, new)
    after: dict[str, Any] = {**_documented(who), **NEW_PASSWORD}
    if tunnels_end:
        end_tunnels(work, who)
        after.update(TUNNELS_ENDED)
    return _published(work, who, CHANGED_OWN if by_itself else _ROTATED, before, after)


def end_old_password(work: UnitOfWork, who: passwords.Owner) -> Task:
    """Have a password that was replaced be good no more; live tunnels go on."""
    before = _documented(who)
    passwords.forget_old(who)
    return _published(work, who, _ENDED, before, _documented(who))


def _published(
    work: UnitOfWork,
    who: passwords.Owner,
    events: tuple[Event, Event],
    before: Document,
    after: Document,
) -> Task:
    is_tenant = isinstance(who, CloudTenant)
    kind, tenant = (_TENANT, who) if isinstance(who, CloudTenant) else (_SUBTENANT, who.tenant)
    event = events[0] if is_tenant else events[1]
    task = publish(work, tenant, event.operation)
    owner_id = None if is_tenant else tenant.id
    change = change_to(who, kind, event, before=before, after=after, owner_id=owner_id)
    record_at_end(work, task, change)
    work.session.flush()
    return task


def _documented(who: passwords.Owner) -> dict[str, Any]:
    until = who.old_password_until
    return {"OldPasswordExpirationDate": until.isoformat() if until else None}
