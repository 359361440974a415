"""A manager's data folder is made once; a piece of it that is missing later was lost."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import PortCertificate, open_authority
from cloudgate.manager.security.database_keys import check_keys
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage import sqlite
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from tests.support.machine.disks import make_room, needs_mounts, small_disk, take_bytes
from tests.support.ports import free_port

PIECES = ("tls/ca.key", "tls/ca.pem", "sealing.key", "cloudgate.db")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def start(data: Path) -> None:
    """What `cloudgate serve` does with its folder before it serves."""
    (data / "tls").mkdir(parents=True, exist_ok=True)
    installation.begin(data)
    open_authority(data / "tls")
    open_sealing(data)
    Database(sqlite_url(data / "cloudgate.db")).close()
    installation.end(data)


def contents(data: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(data)): file.read_bytes()
        for file in data.rglob("*")
        if file.is_file() and file.suffix not in (".db-wal", ".db-shm")
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation, for all to copy."""
    data = tmp_path_factory.mktemp("installation")
    start(data)
    return data


@pytest.fixture
def data(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "data"))


def test_a_second_start_finds_what_the_first_has_made(data: Path) -> None:
    before = contents(data)
    start(data)
    assert contents(data) == before


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_that_is_lost_is_named_and_nothing_is_made_in_its_place(
    data: Path, piece: str, how: str
) -> None:
    (data / piece).unlink()
    if how == "empty":
        (data / piece).touch()
    before = contents(data)
    with pytest.raises(CloudgateError) as refused:
        start(data)
    assert f"{data / piece} is {how}" in refused.value.message
    assert "Put back" in refused.value.message
    assert contents(data) == before


@pytest.mark.parametrize("there", PIECES)
def test_one_piece_alone_is_no_new_folder(data: Path, there: str) -> None:
    for piece in set(PIECES) - {there}:
        (data / piece).unlink()
    with pytest.raises(CloudgateError) as refused:
        start(data)
    assert all(str(data / piece) in refused.value.message for piece in set(PIECES) - {there})


@pytest.mark.parametrize("made", [0, 1, 2, 3])
def test_a_first_start_that_was_cut_short_is_gone_on_with(tmp_path: Path, made: int) -> None:
    installation.begin(tmp_path)
    (tmp_path / "tls").mkdir()
    steps = (
        lambda: open_authority(tmp_path / "tls"),
        lambda: open_sealing(tmp_path),
        (tmp_path / "cloudgate.db").touch,
    )
    for step in steps[:made]:
        step()
    known = contents(tmp_path)
    start(tmp_path)
    after = contents(tmp_path)
    for name in ("tls/ca.pem", "sealing.key"):
        assert known.get(name, after[name]) == after[name]
    (tmp_path / "sealing.key").unlink()
    with pytest.raises(CloudgateError, match=r"sealing\.key is missing"):
        start(tmp_path)


class KilledError(BaseException):
    """As by a kill: nothing is tidied up."""


@pytest.mark.parametrize("database_is", ["a file", "a server's"])
def test_a_first_start_that_was_killed_between_the_authoritys_files_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_is: str
) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    def begin() -> None:
        if database_is == "a file":
            installation.begin(tmp_path)
        else:
            installation.begin_keys(tmp_path, is_new=True)

    (tmp_path / "tls").mkdir()
    begin()
    with monkeypatch.context() as once:
        once.setattr("cloudgate.manager.security.authority.write_public", killed)
        with pytest.raises(KilledError):
            open_authority(tmp_path / "tls")
    assert (tmp_path / "tls" / "ca.key").exists()
    begin()
    made = open_authority(tmp_path / "tls")
    assert open_authority(tmp_path / "tls").certificate == made.certificate


def test_a_key_that_has_lost_its_certificate_is_kept_once_anything_came_after_both(
    tmp_path: Path,
) -> None:
    (tmp_path / "tls").mkdir()
    installation.begin(tmp_path)
    open_authority(tmp_path / "tls")
    open_sealing(tmp_path)
    (tmp_path / "tls" / "ca.pem").unlink()
    before = contents(tmp_path)
    with pytest.raises(CloudgateError, match=r"ca\.pem is missing"):
        start(tmp_path)
    assert contents(tmp_path) == before


def test_of_two_managers_begun_at_once_on_an_empty_database_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        keys.append((open_authority(tmp_path / name), open_sealing(tmp_path / name)))
    one, other = keys
    opened = Database(sqlite_url(tmp_path / "cloudgate.db"))

    @contextmanager
    def reading() -> Iterator[Session]:
        with read() as session:
            yield session
        monkeypatch.undo()
        check_keys(opened, *other)

    read = opened.reading
    monkeypatch.setattr(opened, "reading", reading)
    with pytest.raises(CloudgateError, match="another certificate authority"):
        check_keys(opened, *one)
    check_keys(opened, *other)
    opened.close()


def test_a_key_of_another_authority_is_not_taken_for_its_own(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    open_authority(other)
    shutil.copy(other / "ca.key", data / "tls" / "ca.key")
    with pytest.raises(CloudgateError, match="is not the key of"):
        start(data)


@pytest.mark.parametrize("name", ["manager-issuer.pem", "gateway-issuer.pem", "manager.pem"])
@pytest.mark.parametrize("content", [None, "", "damaged"])
def test_what_the_root_can_make_again_is_made_again(
    data: Path, name: str, content: str | None
) -> None:
    authority = open_authority(data / "tls")
    certificate = PortCertificate(data / "tls", authority, ("localhost",))
    certificate.file(NOW)
    (data / "tls" / name).unlink()
    if content is not None:
        (data / "tls" / name).write_text(content)
    again = open_authority(data / "tls")
    assert again.certificate == authority.certificate
    shown = PortCertificate(data / "tls", again, ("localhost",)).file(NOW).read_text()
    assert again.managers.pem in shown
    for issuer in (again.managers, again.gateways):
        issuer.certificate.verify_directly_issued_by(again.certificate)


def test_serve_does_not_start_without_a_key_and_says_which_and_what_to_do(data: Path) -> None:
    known = (data / "tls" / "ca.pem").read_bytes()
    (data / "tls" / "ca.key").unlink()
    command = [sys.executable, "-m", "cloudgate", "serve", "--data", str(data)]
    ended = subprocess.run(
        [*command, "--host", "127.0.0.1", "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(data)},
    )
    assert ended.returncode == 1
    assert f"{data}/tls/ca.key is missing" in ended.stderr
    assert "from a backup" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (data / "tls" / "ca.pem").read_bytes() == known
    assert not (data / "tls" / "ca.key").exists()


def test_a_damaged_database_is_named_and_left_as_it_is(data: Path) -> None:
    (data / "cloudgate.db").write_bytes(b"no database at all" * 100)
    before = contents(data)
    with pytest.raises(CloudgateError, match=r"cloudgate\.db.* cannot be read.*backup"):
        start(data)
    assert contents(data) == before


def test_a_database_that_cannot_be_used_right_now_is_not_called_damaged(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    with sqlite3.connect(data / "cloudgate.db") as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match=r"cannot be used: .*locked"):
            Database(sqlite_url(data / "cloudgate.db"))
    other.close()


def test_a_folder_that_cannot_be_locked_is_not_said_to_be_anothers(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", cannot)
    with (
        pytest.raises(CloudgateError, match=r"Cannot lock .*No locks available") as refused,
        installation.locked(data),
    ):
        pass
    assert "running already" not in refused.value.message


@needs_mounts
def test_on_a_full_disk_the_ports_certificate_of_before_goes_on(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    with small_disk(tmp_path / "tls") as folder:
        certificate = PortCertificate(folder, authority, ("localhost",))
        shown = certificate.usable_file(NOW).read_text()
        take_bytes(folder)
        much_later = NOW + timedelta(days=3000)
        assert certificate.usable_file(much_later).read_text() == shown
        make_room(folder)
        assert certificate.usable_file(much_later).read_text() != shown
