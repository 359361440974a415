"""Installation: is a manager's data folder new, or whole, or has it lost a piece?

Keys and database are made together, once. Later, one that is missing was lost: another in its place
would lock out every host, tenant and program, or hold none of their secrets.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudgate.atomic_files import remove_leftovers, write_private
from cloudgate.errors import CloudgateError

DATABASE = "cloudgate.db"
_KEY, _CERTIFICATE, _SEALING = "tls/ca.key", "tls/ca.pem", "sealing.key"
_PIECES = {
    _KEY: "the key of the certificate authority, without which no certificate is renewed",
    _CERTIFICATE: "the certificate authority that hosts, tenants and programs trust",
    _SEALING: "the key that secrets in the database are sealed with",
    DATABASE: "the database",
}
PIECES = len(_PIECES)
"""So many make an installation."""
_MARK = "first-start"
"""There while the pieces are made for the first time: who was cut short goes on."""
_HOST = "host"
"""Folder of the host service of this machine, which may run as another user."""
RESTORING = "restoring"
"""A folder that is there while a backup is brought back: who was cut short begins anew, or goes on
where all is ready in it."""
RESTORED = "restored"
"""What that is called once all that was in it is in its place."""
IMPORTING = "importing"
"""A folder that is there while keys are brought from elsewhere."""
PASSING = (RESTORING, RESTORED, IMPORTING)
_NOBODYS = (RESTORED, IMPORTING)
"""What is left of these is taken away by whoever is next."""


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Be the only one at a data folder, which is made where there is none.

    What root has made there is in the end its user's, as whom the manager runs.

    Raises:
        CloudgateError: somebody else is, or the folder cannot be used.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "tls").mkdir(mode=0o755, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as problem:
        raise CloudgateError(
            f"Cannot use the data folder {data}: {problem.strerror}. Choose another with --data."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CloudgateError(
                f"Cloudgate is running already on the data folder {data}. Stop it, or choose"
                " another folder with --data."
            ) from None
        except OSError as problem:
            raise CloudgateError(
                f"Cannot lock {data / 'lock'}, which keeps other managers out: {problem.strerror}."
                " Have the folder on a file system that locks files, or choose another with --data."
            ) from None
        try:
            yield
        finally:
            _give_to_its_user(data)


def _give_to_its_user(data: Path) -> None:
    if os.getuid() != 0 or not data.exists():
        return
    owner = data.stat()
    if owner.st_uid == 0:
        return
    for folder, folders, files, opened in os.fwalk(data):
        if Path(folder) == data and _HOST in folders:
            folders.remove(_HOST)
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=opened, follow_symlinks=False)
            # A file with a second name may be root's somewhere else.
            if found.st_uid == 0 and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1):
                whose = (owner.st_uid, owner.st_gid)
                os.chown(name, *whose, dir_fd=opened, follow_symlinks=False)


def begin(data: Path) -> None:
    """See whether there is an installation in a folder that nobody else uses, and it is whole.

    Where there is none, its pieces may be made, and `end` be called once they are there.

    Raises:
        CloudgateError: a piece is missing or empty; or the folder cannot be read or written.
    """
    try:
        _remove_leftovers(data)
        see_that_no_restore_was_cut_short(data)
        if (data / _MARK).exists():
            _forget_unvouched_key(data)
            return
        missing = missing_pieces(data)
        if len(missing) == len(_PIECES):
            write_private(data / _MARK, "")
            return
        empty = [name for name in _PIECES if name not in missing and _is_empty(data / name)]
    except OSError as problem:
        raise CloudgateError(
            f"Cannot use the data folder {data}: {problem.filename}: {problem.strerror}."
        ) from None
    for names, state in ((missing, "is missing"), (empty, "is empty")):
        if names:
            raise CloudgateError(_lost(data, names, state))


def begin_keys(data: Path, *, is_new: bool) -> None:
    """As `begin`, where the database is a server's. `is_new`: it belongs to no keys yet.

    Raises:
        CloudgateError: the database has keys that are not here; or some are missing or empty.
    """
    keys = [name for name in _PIECES if name != DATABASE]
    try:
        _remove_leftovers(data)
        missing = [name for name in keys if not (data / name).exists()]
        empty = [name for name in keys if name not in missing and _is_empty(data / name)]
        if is_new and (data / _MARK).exists():
            _forget_unvouched_key(data)
            return
        if is_new and len(missing) == len(keys):
            write_private(data / _MARK, "")
            return
    except OSError as problem:
        raise CloudgateError(
            f"Cannot use the data folder {data}: {problem.filename}: {problem.strerror}."
        ) from None
    if len(missing) == len(keys):
        raise CloudgateError(
            f"The database belongs to an installation whose keys are not in {data}. Bring them here"
            " with `cloudgate manager import-secrets`, of a file that its manager has exported with"
            " `cloudgate manager export-secrets`; or name the folder that has them, with --data."
        )
    for names, state in ((missing, "is missing"), (empty, "is empty")):
        if names:
            raise CloudgateError(_lost(data, names, state))


def see_that_no_restore_was_cut_short(data: Path) -> None:
    """See that nothing is in a folder of which a restore has not ended.

    Raises:
        CloudgateError: something is.
        OSError: that cannot be seen.
    """
    if (data / RESTORING).exists():
        raise CloudgateError(
            f"A restore into {data} was cut short. Run `cloudgate backup restore` once more, with"
            " the same backup: where all of it was ready it goes on, and else it begins anew."
        )


def _remove_leftovers(data: Path) -> None:
    """Take away what was left by who was killed while it wrote."""
    for name in _NOBODYS:
        if (data / name).exists():
            shutil.rmtree(data / name)
    for folder in (data, data / "tls"):
        remove_leftovers(folder)


def _forget_unvouched_key(data: Path) -> None:
    """Take away the authority's key where a first start was killed before it wrote a certificate.

    Nothing was ever signed with it. The sealing key comes after both: where that is, a certificate
    was there, and was lost.
    """
    if not any((data / name).exists() for name in (_CERTIFICATE, _SEALING)):
        (data / _KEY).unlink(missing_ok=True)


def see_that_it_is_there(file: Path) -> None:
    """See that a database's file is there, before something makes an empty one.

    Raises:
        CloudgateError: it is not.
    """
    if not file.is_file():
        raise CloudgateError(
            f"There is no database at {file}. Name the manager's data folder with --data, or a"
            " server's database with --database."
        )


def missing_pieces(data: Path) -> list[str]:
    """What of an installation is not there, by names below its folder.

    Raises:
        OSError: that cannot be seen.
    """
    return [name for name in _PIECES if not (data / name).exists()]


def present_pieces(data: Path) -> list[str]:
    """What of an installation is there.

    Raises:
        OSError: that cannot be seen.
    """
    return [name for name in _PIECES if (data / name).exists()]


def end(data: Path) -> None:
    """All pieces are there: from now on, one that is missing was lost.

    Raises:
        CloudgateError: that cannot be written down.
    """
    try:
        (data / _MARK).unlink(missing_ok=True)
    except OSError as problem:
        raise CloudgateError(
            f"Cannot use the data folder {data}: {problem.filename}: {problem.strerror}."
        ) from None


def _is_empty(file: Path) -> bool:
    return file.stat().st_size == 0


def _lost(data: Path, names: list[str], state: str) -> str:
    pieces = "; ".join(f"{data / name} {state}: {_PIECES[name]}" for name in names)
    return (
        f"{pieces}. The rest of the installation is there, so nothing is made in its place. Put"
        " back what is missing from a backup of this folder, all from the same one. If there is"
        " none, begin a new installation in another folder, with --data."
    )
