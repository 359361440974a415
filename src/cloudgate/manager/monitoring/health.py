"""Health of the manager: can it do what it is there for, and why not?"""

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from cloudgate.background import Background
from cloudgate.manager.core.unit_of_work import DISK, Manager
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.monitoring.health import BlockingCheck, CheckResult, Health, disk_problem, jobs_check


def manager_health(manager: Manager, background: Background) -> Health:
    """Its health: database, migrations, disk, background jobs."""
    newest = newest_revision()

    def database() -> tuple[CheckResult, ...]:
        try:
            found = manager.database.current_revision()
        except SQLAlchemyError as problem:
            said = str(getattr(problem, "orig", None) or problem).partition("\n")[0]
            known = database_reason(problem) if isinstance(problem, DatabaseError) else None
            reason = (known or said).rstrip(".")
            unknown = "not known while the database cannot be used"
            return CheckResult("database", reason), CheckResult("migrations", unknown)
        wrong = "" if found == newest else f"it is at revision {found}, and not at {newest}"
        return CheckResult("database"), CheckResult("migrations", wrong)

    def disk() -> str:
        known = [each.text for each in manager.warnings.all() if each.kind == DISK]
        folder = _folder(manager)
        return " ".join(known) or (disk_problem(folder) if folder else "")

    return Health(
        {
            "database": BlockingCheck(database),
            "disk": BlockingCheck(disk),
            "background jobs": jobs_check(background),
        }
    )


def _folder(manager: Manager) -> Path | None:
    """Where the database's file is; None where it is none."""
    url = make_url(manager.database.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).parent
