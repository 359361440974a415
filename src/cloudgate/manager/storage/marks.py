"""Installation marks: what is to be known of a database as a whole, by its name?"""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cloudgate.manager.storage.tables import InstallationMark

AUTHORITY = "authority"
"""SHA-256 of the certificate authority's certificate."""
SEALING = "sealing"
"""What only who has the sealing key can say; it tells nothing of the key."""
BACKED_UP_AT = "backed up at"
"""When the backup was made that this database was restored from."""
RESTORED_AT = "restored at"
KNEW_UNTIL = "hosts knew until"
"""The newest change of tenants that a host knew of and this database does not, since a restore."""
OF_A_RESTORE = (BACKED_UP_AT, RESTORED_AT, KNEW_UNTIL)
"""Gone once the operator has decided what of the time in between is to be so again."""
LAST_BACKUP_AT = "last backup at"
"""When the newest backup of this database was made."""
UNSHOWN = "password nobody has seen"
"""What tells a password that was made for the administrator from others, until it was shown."""


def read_mark(session: Session, name: str) -> str | None:
    """A mark; None where there is none."""
    found = session.get(InstallationMark, name)
    return None if found is None else found.value


def read_moment(session: Session, name: str) -> datetime | None:
    """A mark that is a moment; None where there is none."""
    found = read_mark(session, name)
    return None if found is None else datetime.fromisoformat(found)


def put_mark(session: Session, name: str, value: str) -> None:
    """Set a mark."""
    session.merge(InstallationMark(name=name, value=value))


def take_mark(session: Session, name: str) -> None:
    """Have no such mark."""
    session.execute(delete(InstallationMark).where(InstallationMark.name == name))
