"""Backups: is one that was made brought back as it was, and is everything else refused in words?"""

import asyncio
import errno
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudgate.background import Job
from cloudgate.cli.service import backups
from cloudgate.errors import CloudgateError
from cloudgate.manager.audit.chain import verify
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import FileOutlet, OutletEntry, deliver
from cloudgate.manager.audit.retention import remove_old_entries
from cloudgate.manager.backups import archive, changes_since, restore, secrets
from cloudgate.manager.backups.files import told_what_to_do
from cloudgate.manager.backups.journal import JOURNAL, Journal, entries_of_file
from cloudgate.manager.backups.revocations import ChangesSince
from cloudgate.manager.host_protocol.enrolment import preregister
from cloudgate.manager.jobs.backup_schedule import (
    BACKING_UP,
    JOURNALLING,
    WATCHING,
    BackupWorker,
    Schedule,
)
from cloudgate.manager.security import installation, sealed_files
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage import sqlite_files
from cloudgate.manager.storage.marks import LAST_BACKUP_AT, read_moment
from cloudgate.manager.storage.tables import Account, Counter, LogonSession
from cloudgate.manager.tenants import certificates
from cloudgate.manager.tenants import operations as tenants
from cloudgate.trust.audit_chain import Verdict, verify_lines
from tests.manager.backups.support import NOW, entry, opened
from tests.support.machine.disks import needs_mounts, small_disk
from tests.support.running.manager import Clock

SECRET = sealed_files.SealingSecret(b"k" * 32, is_passphrase=False)
NOBODY = 65534


class KilledError(BaseException):
    """As by a kill."""


@pytest.fixture(scope="module")
def backup(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups")
    archive.create(shutil.copytree(first, folder / "data"), folder / "b", SECRET, NOW)
    return folder / "b"


def since_backup(file: Path, journal: Path | None = None) -> tuple[str, ChangesSince | None]:
    with archive.unpacked(file, SECRET) as (contents, database):
        return restore.since_backup(file, contents, database, journal)


def listing(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


AUDITED = ("audit_events", "audit_chain", "sqlite_sequence")
"""Tables into which a restore writes that it was done."""


def content(file: Path, *, besides: Sequence[str] = ()) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        lines = list(connection.iterdump())
    passing = ("counters", "directory_revisions", "installation_marks", *besides)
    return [line for line in lines if not any(f'INTO "{each}"' in line for each in passing)]


def test_a_backup_holds_all_that_a_manager_needs_and_is_its_owners_alone(
    data: Path, tmp_path: Path
) -> None:
    (data / "host").mkdir()
    (data / "host" / "credential").write_text("of the host service")
    (data / "portal.toml").write_text("a setting")
    (data / "audit.log").write_bytes(b"x" * (archive.LARGEST_FILE_BYTES + 1))
    made = archive.create(data, tmp_path / "b", SECRET, NOW)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert made.left_out == ("audit.log",)
    secret = (data / "tls" / "ca.key").read_bytes()[30:60]
    assert secret not in (tmp_path / "b").read_bytes()
    done = restore.restore(tmp_path / "b", tmp_path / "new", SECRET, NOW)
    assert done.contents == archive.verify(tmp_path / "b", SECRET) == made
    names = {"tls/ca.key", "tls/ca.pem", "sealing.key", "portal.toml"}
    for name in names:
        assert (tmp_path / "new" / name).read_bytes() == (data / name).read_bytes()
    assert listing(tmp_path / "new") - names - {"tls", "lock", "cloudgate.db"} == {
        "tls/manager-issuer.pem",
        "tls/gateway-issuer.pem",
    }
    new, old = (each / "cloudgate.db" for each in (tmp_path / "new", data))
    assert content(new, besides=AUDITED) == content(old, besides=AUDITED)
    assert (tmp_path / "new" / "tls" / "ca.pem").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "new" / "cloudgate.db").stat().st_mode & 0o777 == 0o600
    manager = opened(tmp_path / "new")
    manager.database.close()
    assert not [each for each in listing(data) if ".new" in each]


def test_a_backup_is_one_state_of_a_manager_that_goes_on(data: Path, tmp_path: Path) -> None:
    manager, stop = opened(data), threading.Event()
    rounds = 0

    def write() -> None:
        nonlocal rounds
        while not stop.is_set():
            with manager.changing() as work:
                for name in ("one", "other"):
                    work.session.merge(Counter(name=name, value=rounds))
            rounds += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(5):
            before = rounds
            archive.create(data, tmp_path / f"b{number}", SECRET, NOW)
            while rounds == before:
                stop.wait(0.01)
    finally:
        stop.set()
        writing.join()
        manager.database.close()
    for number in range(5):
        folder = tmp_path / f"x{number}"
        folder.mkdir()
        archive.extract(tmp_path / f"b{number}", SECRET, folder)
        with closing(sqlite3.connect(folder / "cloudgate.db")) as connection:
            values = dict(connection.execute("SELECT name, value FROM counters").fetchall())
        assert values.get("one") == values.get("other")


def test_after_a_restore_revisions_go_forward_and_sessions_and_tokens_are_worth_nothing(
    data: Path, tmp_path: Path
) -> None:
    manager = opened(data)
    with manager.changing() as work:
        known = work.next_directory_revision()
        signer = certificates.authority(work).pem
        account = work.session.query(Account).one()
        work.session.add(
            LogonSession(account_id=account.id, version="latest", created_at=NOW, used_at=NOW)
        )
    manager.database.close()
    archive.create(data, tmp_path / "b", SECRET, NOW)
    later = NOW + timedelta(days=3)
    restore.restore(tmp_path / "b", tmp_path / "new", SECRET, later)
    manager = opened(tmp_path / "new", lambda: later)
    with manager.reading() as work:
        assert work.directory_revision() > known
        assert work.directory_revision() >= int(later.timestamp() * 1000)
        assert work.session.query(LogonSession).count() == 0
        assert certificates.authority(work).pem == signer, "tenants' certificates are good yet"
    manager.database.close()


def test_a_restore_begins_a_past_in_the_audit_log_and_a_file_of_it_goes_on_with_that(
    data: Path, tmp_path: Path
) -> None:
    file, deleted = tmp_path / "audit.jsonl", partial(Change, tenants.DELETED, tenants.TYPE)
    outlet = FileOutlet(file)

    def change(*names: str) -> Verdict:
        manager = opened(data)
        for each in names:
            with manager.changing("boss") as work:
                record(work, deleted(object_name=each))
        deliver(manager, outlet)
        with manager.reading() as work:
            found = verify(work)
        manager.database.close()
        return found

    kept = change("before", "last")
    made = archive.create(data, tmp_path / "b", SECRET, NOW)
    assert kept.last == made.last_audit_number
    lost = change("lost", "lost, too")
    later = NOW + timedelta(days=1)
    restore.restore(tmp_path / "b", data, SECRET, later, replace=True)
    now = change("after")
    assert (now.message, now.last) == ("", made.last_audit_number + 2)
    lines = [json.loads(each) for each in file.read_text().splitlines()]
    told = lines[-2]
    assert (told["operation"], told["previous"], told["account"]) == (
        "RestoreBackup",
        kept.hash,
        "Cloudgate",
    )
    assert told["after"] == {
        "BackupTime": NOW.isoformat(),
        "LastNumber": kept.last,
        "LastHash": kept.hash,
    }
    found = verify_lines(lines)
    assert (found.message, found.hash) == ("", now.hash)
    assert kept.last is not None
    assert found.replaced == ((kept.last + 1, lost.last),)


def damaged(file: Path, to: Path, change: Callable[[bytearray], None]) -> Path:
    raw = bytearray(file.read_bytes())
    change(raw)
    to.write_bytes(raw)
    return to


def cut(raw: bytearray) -> None:
    del raw[len(raw) // 2 :]


def flip(raw: bytearray) -> None:
    raw[-100] ^= 1


def newer(raw: bytearray) -> None:
    line, proof = b'{"version":2,"kind":"backup"}', bytes(32)
    raw[:] = sealed_files.MAGIC + line + b"\n" + proof + sealed_files._digest(line + proof)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "damaged, or was cut short"),
        (flip, "damaged, or was cut short"),
        (newer, "made by a newer release"),
        (bytearray.clear, "not a backup of Cloudgate"),
    ],
)
def test_a_file_that_is_no_whole_backup_is_refused_and_nothing_is_left(
    backup: Path, tmp_path: Path, change: Callable[[bytearray], None], said: str
) -> None:
    bad = damaged(backup, tmp_path / "bad", change)
    with pytest.raises(CloudgateError, match=said):
        archive.verify(bad, SECRET)
    with pytest.raises(CloudgateError, match=said):
        restore.restore(bad, tmp_path / "new", SECRET, NOW)
    (tmp_path / "there").mkdir()
    with pytest.raises(CloudgateError, match=said):
        restore.restore(bad, tmp_path / "there", SECRET, NOW)
    assert listing(tmp_path) == {"bad", "there", "there/lock"}


def test_a_database_of_a_newer_release_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(data / "cloudgate.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    archive.create(data, tmp_path / "b", SECRET, NOW)
    with pytest.raises(CloudgateError, match=r"newer release.*9999"):
        restore.restore(tmp_path / "b", tmp_path / "new", SECRET, NOW)
    assert not (tmp_path / "new").exists()


def test_a_wrong_secret_or_file_is_told_from_a_damaged_one(backup: Path, tmp_path: Path) -> None:
    other = sealed_files.SealingSecret(b"o" * 32, is_passphrase=False)
    with pytest.raises(CloudgateError, match="sealed with another key file"):
        archive.verify(backup, other)
    with pytest.raises(CloudgateError, match=r"Cannot read the backup .*: No such file"):
        archive.verify(tmp_path / "none", SECRET)
    with pytest.raises(CloudgateError, match=r"Cannot read the backup .*: Is a directory"):
        archive.verify(tmp_path, SECRET)


def test_what_is_there_already_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("somebody's")
    with pytest.raises(CloudgateError, match="is there already"):
        archive.create(data, tmp_path / "b", SECRET, NOW)
    assert (tmp_path / "b").read_text() == "somebody's"
    with pytest.raises(CloudgateError, match=r"cannot be written.*the folder is not there"):
        archive.create(data, tmp_path / "none" / "b", SECRET, NOW)
    assert listing(tmp_path / "data") == listing(data)


def test_a_folder_that_its_unit_lets_the_manager_only_read_is_said_to_be_that() -> None:
    folder = Path("/mnt/backups")
    with (
        pytest.raises(CloudgateError, match="ReadWritePaths=/mnt/backups") as told,
        told_what_to_do(folder, "The backup"),
    ):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/mnt/backups/b")
    assert "systemctl edit cloudgate-manager" in told.value.message
    assert "user of the service" in told.value.message


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_an_audit_log_in_a_folder_that_can_only_be_read_is_said_to_be_that(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    run = (sys.executable, "-c", _OPENS, str(folder / "audit.log"))
    readable = f"mount -t tmpfs -o ro none {shlex.quote(str(folder))} && exec {shlex.join(run)}"
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", readable), capture_output=True, text=True, check=True
    )
    assert "Read-only file system" in done.stdout
    assert f"ReadWritePaths={folder}," in done.stdout


_OPENS = """import sys
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.audit.outlets import open_outlet
try:
    open_outlet(sys.argv[1])
except InvalidRequestError as problem:
    print(problem.message)
"""


def test_no_backup_is_made_of_what_is_no_manager_or_is_damaged(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CloudgateError, match="no manager with all its pieces"):
        archive.create(tmp_path, tmp_path / "b", SECRET, NOW)
    (data / "sealing.key").rename(data / "elsewhere")
    with pytest.raises(CloudgateError, match=r"missing there: sealing.key"):
        archive.create(data, tmp_path / "b", SECRET, NOW)
    (data / "elsewhere").rename(data / "sealing.key")
    raw = bytearray((data / "cloudgate.db").read_bytes())
    raw[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    (data / "cloudgate.db").write_bytes(raw)
    with pytest.raises(CloudgateError, match="damaged"):
        archive.create(data, tmp_path / "b", SECRET, NOW)
    assert not (tmp_path / "b").exists()


@needs_mounts
def test_a_full_disk_is_named_and_nothing_is_left_on_it(
    data: Path, backup: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", size="200k") as small:
        with pytest.raises(CloudgateError, match="the disk is full"):
            archive.create(data, small / "b", SECRET, NOW)
        assert listing(small) == set()
        with pytest.raises(CloudgateError, match="the disk is full"):
            restore.restore(backup, small / "new", SECRET, NOW)
        with pytest.raises(CloudgateError, match="the disk is full"):
            restore.restore(backup, small, SECRET, NOW)
        assert listing(small) == {"lock"}


def test_a_folder_in_use_and_one_with_a_manager_are_refused(data: Path, backup: Path) -> None:
    before = listing(data)
    with (
        installation.locked(data),
        pytest.raises(CloudgateError, match="running already"),
    ):
        restore.restore(backup, data, SECRET, NOW, replace=True)
    with pytest.raises(CloudgateError, match=r"is a manager in .* already.*--replace"):
        restore.restore(backup, data, SECRET, NOW)
    assert listing(data) == {*before, "lock"}


def test_a_managers_state_is_put_aside_and_its_audit_log_says_what_was_taken_away_since(
    data: Path, backup: Path
) -> None:
    manager = opened(data)
    with manager.changing("boss") as work:
        change = Change(tenants.DELETED, tenants.TYPE, object_name="acme")
        record(work, change)
    manager.database.close()
    before = content(data / "cloudgate.db")
    (data / "host").mkdir()
    (data / "host" / "state").write_text("of the host service")
    done = restore.restore(backup, data, SECRET, NOW, replace=True)
    assert done.replaced is not None
    assert done.since is not None
    (taken,) = done.since.revocations
    assert "acme has been deleted" in str(taken)
    assert "by boss" in str(taken)
    assert "cloudgate tenant delete acme" in taken.advice
    assert content(done.replaced / "cloudgate.db") == before
    assert (done.replaced / "tls" / "ca.key").exists()
    assert (data / "host" / "state").read_text() == "of the host service"
    manager = opened(data)
    manager.database.close()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, which gives files away")
@pytest.mark.parametrize("way", ["restore", "import-secrets"])
def test_what_root_brings_into_a_users_folder_is_that_users(
    data: Path, backup: Path, tmp_path: Path, way: str
) -> None:
    if way == "restore":
        _give(data, NOBODY)
        (data / "host").mkdir()
        restore.restore(backup, data, SECRET, NOW, replace=True)
        assert (data / "host").stat().st_uid == 0
        (data / "host").rmdir()
    else:
        secrets.export_secrets(data, tmp_path / "keys", SECRET, NOW)
        data = tmp_path / "other"
        data.mkdir()
        _give(data, NOBODY)
        secrets.import_secrets(tmp_path / "keys", data, SECRET)
    assert listing(data) > {"sealing.key", "tls/ca.key"}
    assert {each.lstat().st_uid for each in data.rglob("*")} == {NOBODY}


def _give(folder: Path, user: int) -> None:
    for each in (folder, *folder.rglob("*")):
        os.chown(each, user, user)


@pytest.mark.parametrize("step", range(1, 18))
def test_a_restore_that_is_cut_short_anywhere_is_begun_or_finished_by_the_next(
    data: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """As by a kill: nothing is tidied up."""
    old = content(data / "cloudgate.db")
    left = step

    def count(path: Path, *more: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError
        return rename(path, *more)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", count)
    monkeypatch.setattr(Path, "rename", count)
    monkeypatch.setattr(restore, "_clean", lambda *_, **__: None)
    try:
        restore.restore(backup, data, SECRET, NOW, replace=True)
    except KilledError:
        was_killed = True
    else:
        was_killed = False
    monkeypatch.undo()
    if was_killed:
        with pytest.raises(CloudgateError, match=r"cut short. Run `cloudgate backup restore`"):
            installation.begin(data)
        restore.restore(backup, data, SECRET, NOW, replace=True)
    installation.begin(data)
    manager = opened(data)
    manager.database.close()
    (aside,) = data.glob("replaced-*")
    assert content(aside / "cloudgate.db") == old
    assert not (data / "restoring").exists()


def ready(file: Path, data: Path) -> None:
    """A restore that was killed as all of it was ready, before the first piece was moved."""

    def killed(*_: object) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as once:
        once.setattr(restore, "_move", killed)
        with pytest.raises(KilledError):
            restore.restore(file, data, SECRET, NOW, replace=True)
    assert (data / "restoring" / "ready").exists()


@pytest.fixture
def later(data: Path, tmp_path: Path) -> Path:
    """A backup of the next day, with a change that the other one has not got."""
    manager = opened(data)
    with manager.changing("boss") as work:
        record(work, Change(tenants.DELETED, tenants.TYPE, object_name="early"))
        work.session.add(Counter(name="of the later one", value=1))
    manager.database.close()
    archive.create(data, tmp_path / "later", SECRET, NOW + timedelta(days=1))
    return tmp_path / "later"


def is_of_the_later(data: Path) -> bool:
    with closing(sqlite3.connect(data / "cloudgate.db")) as connection:
        found = connection.execute("SELECT 1 FROM counters WHERE name = 'of the later one'")
        return found.fetchone() is not None


def test_another_backup_than_the_one_that_was_cut_short_is_refused_with_both_times(
    data: Path, backup: Path, later: Path
) -> None:
    ready(backup, data)
    before = listing(data)
    other = sealed_files.SealingSecret(b"o" * 32, is_passphrase=False)
    with pytest.raises(CloudgateError, match="sealed with another key file"):
        restore.restore(backup, data, other, NOW, replace=True)
    with pytest.raises(CloudgateError) as refused:
        restore.restore(later, data, SECRET, NOW)
    assert "2030-01-02 03:04:05 UTC" in refused.value.message
    assert "2030-01-03 03:04:05 UTC" in refused.value.message
    assert "--replace" in refused.value.message
    assert listing(data) == before
    restore.restore(backup, data, SECRET, NOW)
    assert not is_of_the_later(data)


def test_another_backup_takes_the_place_of_the_one_that_was_cut_short_where_that_is_wanted(
    data: Path, backup: Path, later: Path
) -> None:
    manager = opened(data)
    with manager.changing("boss") as work:
        record(work, Change(tenants.DELETED, tenants.TYPE, object_name="late"))
    manager.database.close()
    lost = content(data / "cloudgate.db")
    ready(backup, data)
    done = restore.restore(later, data, SECRET, NOW, replace=True)
    assert is_of_the_later(data)
    assert done.finished == NOW
    assert done.replaced is not None
    assert not is_of_the_later(done.replaced)
    (first,) = set(data.glob("replaced-*")) - {done.replaced}
    assert content(first / "cloudgate.db") == lost
    assert done.since is not None
    (taken,) = done.since.revocations
    assert "late" in str(taken), "by the manager that was there before either"
    installation.begin(data)
    opened(data).database.close()


def test_who_finishes_a_restore_hears_what_the_first_would_have_said(
    data: Path, tmp_path: Path
) -> None:
    manager = opened(data)
    with manager.changing() as work:
        site = create_backup_server(work, BackupServerSettings(name="site"))
        preregister(work, site, "waiting.example")
    manager.database.close()
    archive.create(data, tmp_path / "b", SECRET, NOW)
    manager = opened(data)
    with manager.changing("boss") as work:
        record(work, Change(tenants.DELETED, tenants.TYPE, object_name="acme"))
    manager.database.close()
    ready(tmp_path / "b", data)
    done = restore.restore(tmp_path / "b", data, SECRET, NOW)
    assert done.open_tokens == ("waiting.example",)
    assert done.since is not None
    (taken,) = done.since.revocations
    assert "acme has been deleted" in str(taken)
    assert done.replaced is not None
    assert not (data / "restoring").exists()


def test_an_audit_log_that_ends_before_the_backup_says_nothing_of_what_came_after(
    first: Path, later: Path, tmp_path: Path
) -> None:
    old = shutil.copytree(first, tmp_path / "old")
    done = restore.restore(later, old, SECRET, NOW, replace=True)
    assert done.since is None


def test_an_audit_log_in_which_nothing_but_a_restore_came_after_the_backup_says_nothing_of_it(
    data: Path, backup: Path, later: Path
) -> None:
    first = restore.restore(backup, data, SECRET, NOW, replace=True)
    assert first.replaced is not None
    shutil.rmtree(first.replaced)
    done = restore.restore(later, data, SECRET, NOW, replace=True)
    assert done.since is not None
    assert done.since.is_of_another_past
    assert not done.since.revocations


class TwoPasts:
    """Of a manager whose first backup was restored after a second one was made."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.clock, self.data, self.folder = Clock(), data, folder
        folder.mkdir()
        self.begun = self.clock()
        self.change("before both")
        archive.create(data, folder / "a", SECRET, self.clock())
        self.change(*(f"between {number}" for number in range(3)))
        archive.create(data, folder / "b", SECRET, self.clock())
        self.change("after the second")
        done = restore.restore(folder / "a", data, SECRET, self.clock(), replace=True)
        assert taken(done.since) == [*(f"between {each}" for each in range(3)), "after the second"]
        assert done.replaced is not None
        self.first_past = done.replaced

    def change(self, *names: str) -> None:
        """What is in the journal, too."""
        manager = opened(self.data, self.clock)
        for each in names:
            self.clock.ahead += timedelta(seconds=1)
            with manager.changing("boss") as work:
                record(work, Change(tenants.DELETED, tenants.TYPE, object_name=each))
        Journal(self.folder / JOURNAL, manager).write(self.begun)
        manager.database.close()

    def restore(self, **more: Any) -> restore.RestoreResult:
        """The second backup."""
        file = self.folder / "b"
        return restore.restore(file, self.data, SECRET, self.clock(), replace=True, **more)


def taken(since: ChangesSince | None) -> list[str]:
    """Which tenants were deleted."""
    assert since is not None
    found = [
        re.match("Cloud Connect tenant (.*) has been", each.text) for each in since.revocations
    ]
    return [each[1] for each in found if each]


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("says", ["a folder", "a journal"])
def test_after_another_backup_was_restored_what_was_taken_away_in_both_pasts_is_named(
    data: Path, tmp_path: Path, count: int, says: str
) -> None:
    pasts = TwoPasts(data, tmp_path / "backups")
    again = [f"again {number}" for number in range(count)]
    pasts.change(*again)
    assert list(pasts.folder.glob("changes-until-*.jsonl"))
    if says == "a journal":
        shutil.rmtree(pasts.first_past)
    assert taken(since_backup(pasts.folder / "b")[1]) == ["after the second", *again]
    done = pasts.restore()
    assert taken(done.since) == ["after the second", *again]
    assert done.since is not None
    assert not done.since.gaps
    assert not done.since.is_of_another_past
    assert f"the audit log of the manager in {data}" in done.by
    where = {"a folder": str(pasts.first_past), "a journal": "changes-until-"}
    assert where[says] in done.by


@pytest.mark.parametrize("count", [1, 4, 9])
def test_where_nothing_goes_on_from_a_backup_what_came_after_it_is_not_said_to_be_known(
    data: Path, tmp_path: Path, count: int
) -> None:
    pasts = TwoPasts(data, tmp_path / "backups")
    again = [f"again {number}" for number in range(count)]
    pasts.change(*again)
    shutil.rmtree(pasts.first_past)
    for each in pasts.folder.glob("changes-until-*.jsonl"):
        each.unlink()
    by, since = since_backup(pasts.folder / "b")
    assert by == str(pasts.folder / JOURNAL)
    done = pasts.restore(journal=pasts.folder / JOURNAL)
    for told in (since, done.since):
        assert told is not None
        assert told.is_of_another_past
        assert taken(told) == again


def test_a_file_with_the_entries_of_both_pasts_tells_what_either_has_taken_away(
    data: Path, tmp_path: Path
) -> None:
    pasts = TwoPasts(data, tmp_path / "backups")
    pasts.change(*(again := [f"again {number}" for number in range(9)]))
    (old,) = pasts.folder.glob("changes-until-*.jsonl")
    both = tmp_path / "audit.jsonl"
    both.write_text(old.read_text() + (pasts.folder / JOURNAL).read_text())
    by, since = since_backup(pasts.folder / "b", both)
    assert by == str(both)
    assert taken(since) == ["after the second", *again]
    assert since is not None
    assert not since.gaps


def test_entries_that_a_managers_log_has_forgotten_are_told_by_the_journal_beside_the_backup(
    data: Path, backup: Path, tmp_path: Path
) -> None:
    clock, file = Clock(), Path(shutil.copy(backup, tmp_path / "copy"))
    manager = opened(data, clock)
    journal = Journal(tmp_path / JOURNAL, manager)
    delete = partial(Change, tenants.DELETED, tenants.TYPE)
    with manager.changing("boss") as work:
        record(work, delete(object_name="early"))
    journal.write(clock() - timedelta(days=1))
    clock.ahead += timedelta(days=31)
    with manager.changing("boss") as work:
        record(work, delete(object_name="late"))
    with manager.changing() as work:
        assert remove_old_entries(work, timedelta(days=30), has_outlet=False)
    manager.database.close()
    alone = shutil.copytree(data, tmp_path / "alone")
    done = restore.restore(file, data, SECRET, NOW, replace=True)
    assert done.since is not None
    assert ["early" in each.text for each in done.since.revocations] == [True, False]
    assert not done.since.gaps
    assert str(tmp_path / JOURNAL) in done.by
    assert "the audit log of the manager" in done.by
    # The backup is brought back also with a journal that nobody named and nobody can read.
    (tmp_path / JOURNAL).write_text("{broken\n" + (tmp_path / JOURNAL).read_text())
    done = restore.restore(file, alone, SECRET, NOW, replace=True)
    assert done.since is not None
    (taken,) = done.since.revocations
    assert "late" in taken.text
    assert len(done.since.gaps) == 1, "what is known is told, and that it is not all"


def test_keys_that_do_not_fit_the_database_are_named(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    opened(other).database.close()
    shutil.copy(data / "sealing.key", tmp_path / "kept")
    shutil.copy(other / "sealing.key", data / "sealing.key")
    with pytest.raises(CloudgateError, match=r"another sealing key than the one in sealing.key"):
        opened(data)
    shutil.copy(tmp_path / "kept", data / "sealing.key")
    shutil.rmtree(data / "tls")
    shutil.copytree(other / "tls", data / "tls")
    with pytest.raises(CloudgateError, match=r"another certificate authority.*ca.pem"):
        opened(data)


def test_exported_keys_are_those_of_another_folder_and_replace_none(
    data: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "secrets", tmp_path / "other"
    known = secrets.export_secrets(data, file, SECRET, NOW)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (data / "sealing.key").read_bytes() not in file.read_bytes()
    assert secrets.import_secrets(file, other, SECRET) == known
    for name in ("tls/ca.key", "tls/ca.pem", "tls/gateway-issuer.pem", "sealing.key"):
        assert (other / name).read_bytes() == (data / name).read_bytes()
        assert (other / name).stat().st_mode == (data / name).stat().st_mode
    assert secrets.import_secrets(file, other, SECRET) == known, "they are there already"
    third = tmp_path / "third"
    opened(third).database.close()
    before = {name: (third / name).read_bytes() for name in secrets.KEYS}
    with pytest.raises(CloudgateError, match=r"keys in .* already .*left alone"):
        secrets.import_secrets(file, third, SECRET)
    assert {name: (third / name).read_bytes() for name in secrets.KEYS} == before
    with pytest.raises(CloudgateError, match="is there already"):
        secrets.export_secrets(data, file, SECRET, NOW)


@pytest.mark.parametrize("step", range(1, 11))
def test_an_import_of_keys_that_was_killed_anywhere_is_gone_on_with_by_the_same_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    file, other = tmp_path / "secrets", tmp_path / "other"
    known = secrets.export_secrets(data, file, SECRET, NOW)
    left = step

    def count(path: Path, *more: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:  # nothing is tidied up
            monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
            monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
            raise KilledError
        return rename(path, *more)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", count)
    with pytest.raises(KilledError):
        secrets.import_secrets(file, other, SECRET)
    monkeypatch.undo()
    assert secrets.import_secrets(file, other, SECRET) == known
    installation.begin_keys(other, is_new=False)
    keys = {*secrets.KEYS, *secrets.ISSUERS}
    assert listing(other) == {*keys, "tls", "lock"}
    for name in keys:
        assert (other / name).read_bytes() == (data / name).read_bytes()


def test_an_import_that_fails_leaves_the_keys_that_were_there_and_no_others(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.export_secrets(data, tmp_path / "secrets", SECRET, NOW)
    (data / "sealing.key").unlink()
    (data / "tls" / "ca.pem").unlink()
    before = listing(data)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(secrets, "write_public", full)
    with pytest.raises(CloudgateError, match="the disk is full"):
        secrets.import_secrets(tmp_path / "secrets", data, SECRET)
    assert listing(data) == {*before, "lock"}


def test_keys_come_into_no_folder_where_a_restore_was_cut_short(data: Path, tmp_path: Path) -> None:
    secrets.export_secrets(data, tmp_path / "secrets", SECRET, NOW)
    (tmp_path / "other" / "restoring").mkdir(parents=True)
    with pytest.raises(CloudgateError, match="was cut short"):
        secrets.import_secrets(tmp_path / "secrets", tmp_path / "other", SECRET)
    assert (tmp_path / "other" / "restoring").exists()


def test_keys_that_were_lost_come_back_to_their_database(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    secrets.export_secrets(data, file, SECRET, NOW)
    for name in secrets.KEYS:
        (data / name).unlink()
    with pytest.raises(CloudgateError, match="no keys of a manager"):
        secrets.export_secrets(data, tmp_path / "more", SECRET, NOW)
    secrets.import_secrets(file, data, SECRET)
    installation.begin(data)
    opened(data).database.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [(cut, "damaged"), (flip, "damaged"), (newer, "newer release"), (bytearray.clear, "is not a")],
)
def test_a_file_that_holds_no_keys_is_refused_and_the_folder_stays_empty(
    data: Path, tmp_path: Path, change: Callable[[bytearray], None], said: str
) -> None:
    secrets.export_secrets(data, tmp_path / "secrets", SECRET, NOW)
    bad = damaged(tmp_path / "secrets", tmp_path / "bad", change)
    with pytest.raises(CloudgateError, match=said):
        secrets.import_secrets(bad, tmp_path / "other", SECRET)
    archive.create(data, tmp_path / "backup", SECRET, NOW)
    with pytest.raises(CloudgateError, match="holds 'backup'"):
        secrets.import_secrets(tmp_path / "backup", tmp_path / "other", SECRET)
    assert not (tmp_path / "other").exists()


@pytest.fixture
def scheduled(data: Path, tmp_path: Path) -> Iterator["Scheduled"]:
    found = Scheduled(data, tmp_path / "backups")
    yield found
    found.manager.database.close()


class Scheduled:
    """A manager that is backed up every hour, two of them kept."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.clock = Clock()
        self.manager = opened(data, self.clock)
        self.folder = folder
        schedule = Schedule(folder, timedelta(hours=1), 2, SECRET)
        self.jobs = {each.name: each for each in BackupWorker(self.manager, data, schedule).jobs()}

    def run(self, name: str) -> None:
        job: Job = self.jobs[name]

        async def attempt() -> None:
            result = job.attempt()
            assert not isinstance(result, float | None)
            await result

        asyncio.run(attempt())

    def made(self) -> list[str]:
        return sorted(each.name for each in self.folder.glob("*.backup"))

    def change(self, name: str) -> None:
        with self.manager.changing("boss") as work:
            record(work, Change(tenants.DELETED, tenants.TYPE, object_name=name))
        self.run(JOURNALLING)

    def journal(self) -> list[str]:
        """What was changed, by the journal."""
        return [each["object_name"] for each in entries_of_file(self.folder / JOURNAL)]


def test_a_schedule_makes_backups_keeps_the_newest_and_says_what_came_after_each(
    scheduled: Scheduled,
) -> None:
    with pytest.raises(CloudgateError, match=r"cannot be looked into.*mounted"):
        scheduled.run(BACKING_UP)
    scheduled.folder.mkdir()
    scheduled.change("before any")
    scheduled.run(BACKING_UP)
    scheduled.run(BACKING_UP)
    assert len(scheduled.made()) == 1
    left_over = scheduled.folder / f".{scheduled.made()[0]}.{'a' * 16}.new"
    left_over.write_text("of a manager that was killed")
    for number in range(3):
        scheduled.change(f"after {number}")
        scheduled.clock.ahead += timedelta(hours=1)
        scheduled.run(BACKING_UP)
    assert len(scheduled.made()) == 2
    assert not left_over.exists()
    scheduled.change("at last")
    with scheduled.manager.reading() as work:
        newest = read_moment(work.session, LAST_BACKUP_AT)
    older, newer_one = (scheduled.folder / each for each in scheduled.made())
    for file, after in ((older, ["after 2", "at last"]), (newer_one, ["at last"])):
        by, since = since_backup(file)
        assert since is not None
        assert [each.text for each in since.revocations] == [
            f"Cloud Connect tenant {each} has been deleted" for each in after
        ]
        assert by == str(scheduled.folder / JOURNAL)
    assert newest == archive.verify(newer_one, SECRET).made_at
    assert (scheduled.folder / JOURNAL).stat().st_mode & 0o777 == 0o600


def test_a_change_that_is_written_while_older_ones_are_forgotten_stays_in_the_journal(
    scheduled: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled.folder.mkdir()
    began = scheduled.clock()
    journal = Journal(scheduled.folder / JOURNAL, scheduled.manager)
    forgetting = threading.Thread(target=journal.forget_before, args=(began,))

    def change(name: str) -> None:
        with scheduled.manager.changing("boss") as work:
            record(work, Change(tenants.DELETED, tenants.TYPE, object_name=name))
        journal.write(began)

    def write(outlet: FileOutlet, batch: Sequence[OutletEntry]) -> None:
        with monkeypatch.context() as opening:
            opening.setattr(FileOutlet, "_open", opened_while_it_is_replaced)
            written(outlet, batch)

    def opened_while_it_is_replaced(outlet: FileOutlet) -> int:
        handle = open_file(outlet)
        forgetting.start()
        forgetting.join(0.2)  # it is over, or waits
        return handle

    open_file, written = FileOutlet._open, FileOutlet.write
    change("first")
    with monkeypatch.context() as once:
        once.setattr(FileOutlet, "write", write)
        change("second")
    forgetting.join()
    change("third")
    entries = [json.loads(each) for each in (scheduled.folder / JOURNAL).read_text().splitlines()]
    assert [each["object_name"] for each in entries] == ["first", "second", "third"]


@pytest.mark.parametrize("left", ["half", "all but its end", "nothing"])
def test_a_journal_whose_last_line_was_cut_short_is_gone_on_with(
    scheduled: Scheduled, data: Path, left: str
) -> None:
    scheduled.folder.mkdir()
    scheduled.run(BACKING_UP)
    for name in ("first", "second"):
        scheduled.change(name)
    file = scheduled.folder / JOURNAL
    whole = file.read_bytes()
    kept = {"half": len(whole) - 100, "all but its end": len(whole) - 1, "nothing": 0}[left]
    os.truncate(file, kept)
    scheduled.manager.database.close()
    again = Scheduled(data, scheduled.folder)
    again.change("third")
    again.manager.database.close()
    entries = [json.loads(each) for each in file.read_text().splitlines()]
    assert [each["object_name"] for each in entries] == ["first", "second", "third"]


def test_a_backup_that_is_overdue_is_a_warning_until_there_is_one(scheduled: Scheduled) -> None:
    scheduled.run(WATCHING)
    scheduled.clock.ahead += timedelta(minutes=76)
    with pytest.raises(CloudgateError, match="overdue: the newest was never made"):
        scheduled.run(WATCHING)
    scheduled.folder.mkdir()
    scheduled.run(BACKING_UP)
    scheduled.run(WATCHING)
    scheduled.clock.ahead += timedelta(minutes=76)
    with pytest.raises(CloudgateError, match=r"overdue: the newest is of 20\d\d-"):
        scheduled.run(WATCHING)


@pytest.mark.parametrize("back", [timedelta(minutes=30), timedelta(days=3650)])
def test_a_clock_that_is_put_back_takes_no_backup_and_no_change_away(
    scheduled: Scheduled, back: timedelta
) -> None:
    scheduled.folder.mkdir()
    for number in range(3):
        scheduled.run(BACKING_UP)
        scheduled.change(f"after {number}")
        scheduled.clock.ahead += timedelta(hours=1)
    scheduled.run(BACKING_UP)
    before = scheduled.made()
    scheduled.clock.ahead -= back
    for number in range(20):
        scheduled.clock.ahead += timedelta(seconds=5)
        scheduled.run(BACKING_UP)
        scheduled.run(WATCHING)
        scheduled.change(f"put back {number}")
    now = f"cloudgate-{scheduled.clock():%Y%m%dT%H%M%S}"
    ahead = [each for each in before if each > now]
    assert ahead
    assert set(before) <= set(scheduled.made())
    assert len(scheduled.made()) == len(before) + (ahead == before)
    expected = ["after 2", *(f"put back {number}" for number in range(20))]
    assert scheduled.journal() == expected
    (warning,) = scheduled.manager.warnings.all()
    assert f"yet to come: {', '.join(ahead)}." in warning.text
    scheduled.clock.ahead += back
    scheduled.run(BACKING_UP)
    assert not scheduled.manager.warnings.all()
    assert scheduled.journal() == expected


def test_a_clock_that_was_ahead_for_a_moment_costs_no_more_than_the_backup_that_was_to_go_next(
    scheduled: Scheduled,
) -> None:
    scheduled.folder.mkdir()
    for number in range(2):
        scheduled.run(BACKING_UP)
        scheduled.change(f"after {number}")
        scheduled.clock.ahead += timedelta(minutes=90)
    before = scheduled.made()
    ahead = timedelta(days=3650)
    scheduled.clock.ahead += ahead
    for _ in range(3):
        scheduled.run(BACKING_UP)
        scheduled.clock.ahead += timedelta(seconds=5)
    scheduled.change("while it was ahead")
    scheduled.clock.ahead -= ahead
    for number in range(3):
        scheduled.run(BACKING_UP)
        scheduled.change(f"put back {number}")
        scheduled.clock.ahead += timedelta(hours=1)
    assert before[1] not in scheduled.made(), "it was its turn"
    assert len(scheduled.made()) == 3, "two, and the one that is ahead"
    changes = ["after 1", "while it was ahead", *(f"put back {number}" for number in range(3))]
    assert scheduled.journal() == changes
    (scheduled.folder / scheduled.made()[-1]).unlink()
    scheduled.run(BACKING_UP)
    assert not scheduled.manager.warnings.all()
    assert scheduled.journal() == ["put back 2"]


def test_a_backup_that_is_overdue_is_missed_also_where_the_clock_was_put_back(
    scheduled: Scheduled,
) -> None:
    scheduled.folder.mkdir()
    scheduled.run(BACKING_UP)
    scheduled.clock.ahead -= timedelta(days=365)
    scheduled.run(WATCHING)
    scheduled.clock.ahead += timedelta(minutes=76)
    with pytest.raises(CloudgateError, match=r"overdue: the newest is of 20\d\d-.*yet to come"):
        scheduled.run(WATCHING)
    scheduled.run(BACKING_UP)
    scheduled.run(WATCHING)


def test_the_journal_of_a_past_that_a_restore_has_ended_is_put_aside(
    scheduled: Scheduled, data: Path
) -> None:
    scheduled.folder.mkdir()
    scheduled.run(BACKING_UP)
    scheduled.change("lost with the restore")
    (file,) = (scheduled.folder / each for each in scheduled.made())
    scheduled.manager.database.close()
    restore.restore(file, data, SECRET, scheduled.clock(), replace=True)
    again = Scheduled(data, scheduled.folder)
    again.change("after it")
    again.manager.database.close()
    entries = [json.loads(each) for each in (again.folder / JOURNAL).read_text().splitlines()]
    said = [(each["operation"], each["object_name"]) for each in entries]
    assert said == [("RestoreBackup", ""), ("DeleteCloudTenant", "after it")]
    (aside,) = again.folder.glob("changes-until-*.jsonl")
    assert "lost with the restore" in aside.read_text()


def test_a_journal_that_is_something_else_is_named(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text('{"number": 1}\n{"number": 2}\n')
    with pytest.raises(CloudgateError, match="no journal of changes: line 1"):
        since_backup(backup, tmp_path / "journal")
    whole = json.dumps(entry(10**6, "DeleteAccount", "x"))
    (tmp_path / "journal").write_text(f'{whole}\n{{"number": 2, "oper')
    _, since = since_backup(backup, tmp_path / "journal")
    assert since is not None
    assert len(since.revocations) == 1, "the line that was cut short is none"


def test_what_a_journal_does_not_have_is_said(
    later: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        archive.unpacked(later, SECRET) as (contents, database),
        changes_since.backup_end(database, contents) as end,
    ):
        last = end.number
        known = {each: str(end.hash_of(each)) for each in (last - 1, last)}
    (tmp_path / "key").write_bytes(SECRET.secret)
    file = tmp_path / "journal"

    def linked(number: int) -> dict[str, Any]:
        made = entry(number, "CreateAccount", "x")
        previous, digest = (known.get(each, f"hash of {each}") for each in (number - 1, number))
        return {**made, "previous": previous, "hash": digest}

    def said(*numbers: int) -> str:
        lines = [json.dumps(linked(each)) for each in numbers]
        file.write_text("".join(f"{line}\n" for line in lines))
        backups.verify(later, key_file=tmp_path / "key", journal=file)
        return capsys.readouterr().out

    assert "missing" not in said(last, last + 1)
    gap = said(last, last + 2, last + 3)
    assert f"Entry {last + 1} is missing in {file}" in gap
    assert "that is known here, " in gap
    early = said(last - 1)
    assert "ends before the backup" in early
    assert "Nothing was taken away" not in early
    known[last] = "of another entry"
    other = said(last, last + 1)
    assert f"what is in {file} goes on from another backup" in other
    assert "that is known here, " in other


def test_errors_of_disks_are_told_in_words(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/mnt/b")

    monkeypatch.setattr(archive, "snapshot", fails)
    with pytest.raises(CloudgateError, match=r"/mnt/b: the disk fails \(I/O error\)"):
        archive.create(data, data.parent / "b", SECRET, NOW)
    monkeypatch.undo()
    assert sqlite_files.quick_check(data / "cloudgate.db") == ""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("first") / "data"
    manager = opened(data)
    ensure_administrator(manager, "x" * 20)
    manager.database.close()
    return data


@pytest.fixture
def data(first: Path, tmp_path: Path) -> Path:
    return shutil.copytree(first, tmp_path / "data")
