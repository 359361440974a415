"""Maintenance: is the provider at work, and what do its tenants hear of that?"""

from cloudgate.manager.audit.events import WARNING, Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.servers.managed_servers import touch_site
from cloudgate.manager.storage.tables import Maintenance

MESSAGE = "Service provider is currently undergoing scheduled maintenance"
"""What tenants hear unless the operator has other words; the original's."""
_THE_ONE = 1
_BEGUN = Event("BeginMaintenance", "Maintenance has begun, or is told in other words", WARNING)
_ENDED = Event("EndMaintenance", "Maintenance is over")


def current_maintenance(work: UnitOfWork) -> Maintenance | None:
    """The maintenance that goes on; None when there is none."""
    return work.session.get(Maintenance, _THE_ONE)


def begin_maintenance(work: UnitOfWork, message: str | None, *, restores_allowed: bool) -> None:
    """From now on no backup begins; those that run go on. Or say it in other words."""
    found = current_maintenance(work)
    before = _document(found)
    if found is None:
        found = Maintenance(id=_THE_ONE, since=work.now)
        work.session.add(found)
    found.message = message or MESSAGE
    found.restores_allowed = restores_allowed
    work.session.flush()
    _publish(work, _BEGUN, before, _document(found))


def end_maintenance(work: UnitOfWork) -> None:
    """Everything is as before."""
    found = current_maintenance(work)
    if found is not None:
        work.session.delete(found)
        work.session.flush()
        _publish(work, _ENDED, _document(found), None)


def _publish(
    work: UnitOfWork,
    event: Event,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    for site in list_backup_servers(work):
        touch_site(work, site)
    change = Change(event, "Maintenance", before=before, after=after)
    record(work, change)


def _document(found: Maintenance | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {"Message": found.message, "RestoresAllowed": found.restores_allowed}
