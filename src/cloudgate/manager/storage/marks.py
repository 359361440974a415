"""Installation marks: which keys is a database for, and of which backup is it?"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cloudgate.errors import CloudgateError
from cloudgate.manager.security.authority import Authority, fingerprint
from cloudgate.manager.security.sealing import SealingKey
from cloudgate.manager.storage.database import Database
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
_PURPOSE = "installation"


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


def knows_keys(database: Database) -> bool:
    """Whether a database belongs to some keys already."""
    with database.reading() as session:
        return read_mark(session, AUTHORITY) is not None


def check_keys(database: Database, authority: Authority, sealing: SealingKey) -> None:
    """See that keys and database belong together; a database that knows of none takes these.

    Raises:
        CloudgateError: they do not.
    """
    ours = {
        AUTHORITY: fingerprint(authority.certificate),
        SEALING: sealing.mark(fingerprint(authority.certificate), _PURPOSE),
    }
    with database.reading() as session:
        if _belongs_to(session, ours):
            return
    with database.writing() as session, session.begin():
        if not _belongs_to(session, ours):  # another manager may have begun at the same moment
            for name, value in ours.items():
                put_mark(session, name, value)


def _belongs_to(session: Session, ours: Mapping[str, str]) -> bool:
    """Whether a database knows these keys; not where it knows none.

    Raises:
        CloudgateError: it knows others.
    """
    known = {name: read_mark(session, name) for name in ours}
    if known[AUTHORITY] not in (None, ours[AUTHORITY]):
        raise CloudgateError(
            "The database belongs to another certificate authority than the one in tls/ca.pem of"
            f" the data folder: SHA-256 {known[AUTHORITY]}, and here is {ours[AUTHORITY]}. Hosts"
            f" and tenants would not trust this manager. {_ADVICE}"
        )
    if known[SEALING] not in (None, ours[SEALING]):
        raise CloudgateError(
            "The database was written with another sealing key than the one in sealing.key of the"
            f" data folder: none of the secrets in it could be opened. {_ADVICE}"
        )
    return known == ours


_ADVICE = (
    "Put the keys back that belong to it: from a backup made with it, or with `cloudgate manager"
    " import-secrets` of a file that a manager on this database has exported. Nothing was changed."
)
