"""Old passwords: who still comes with a replaced one, as the gateways have seen it?"""

from datetime import timedelta

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer, Subtenant

WRITTEN_EVERY = timedelta(seconds=30)
"""How old the time that is kept may get; gateways tell it once a minute."""


def note_old_passwords(
    work: UnitOfWork, server: ManagedServer, uses: tuple[protocol.OldPasswordUse, ...]
) -> None:
    """Keep when somebody was last let in by a password that was replaced.

    What a host says of those who have none, or are of another site, is left alone.
    """
    for use in uses:
        who = _owner(work, server, use)
        if who is None or not who.old_password_hash:
            continue
        at, known = min(use.last_at, work.now), who.old_password_used_at
        if known is None or at - known >= WRITTEN_EVERY:
            who.old_password_used_at = at


def _owner(
    work: UnitOfWork, server: ManagedServer, use: protocol.OldPasswordUse
) -> CloudTenant | Subtenant | None:
    tenant = work.session.get(CloudTenant, use.tenant_id)
    if tenant is None or tenant.backup_server_id != server.backup_server_id:
        return None
    if use.user_id is None:
        return tenant
    user = work.session.get(Subtenant, use.user_id)
    return user if user is not None and user.tenant_id == tenant.id else None
