"""Keys of a database: do they belong to it, so that what it holds can be opened and is trusted?"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from cloudgate.errors import CloudgateError
from cloudgate.manager.security.authority import Authority, fingerprint
from cloudgate.manager.security.sealing import SealingKey
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.marks import AUTHORITY, SEALING, put_mark, read_mark

_PURPOSE = "installation"


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
        SEALING: sealing.sign(fingerprint(authority.certificate), _PURPOSE),
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
