"""A file is written whole or not at all, whoever writes it and whatever goes wrong."""

import ast
import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cloudgate.atomic_files import new_private, remove_leftovers, write_private, write_public
from tests.support.project.source import nodes

WRITE_BY_THEMSELVES = {
    "atomic_files.py",
    "host/state/withdrawal_journal.py",  # into room set aside, when the disk is full
    "manager/audit/outlets.py",  # appends
    "manager/certificates/acme_server.py",  # a passing copy, in a folder of its own
}
"""All other modules of the product that keep a file write it by `cloudgate.atomic_files`."""


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_private_file_is_its_owners_alone_and_a_public_one_is_everybodys(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_private(tmp_path / "key", "secret")
        write_public(tmp_path / "ca.pem", b"known")
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "key"), mode_of(tmp_path / "ca.pem")) == (0o600, 0o644)
    assert (tmp_path / "key").read_text() == "secret"
    assert {each.name for each in tmp_path.iterdir()} == {"key", "ca.pem"}


def test_an_open_umask_opens_no_private_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", "secret")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "key") == 0o600


@pytest.mark.parametrize("step", ["fsync", "write", "replace"])
def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = tmp_path / "key"
    write_private(file, "old")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    content: Any = "new" if step != "write" else 5  # which no file takes
    with pytest.raises((OSError, TypeError)):
        write_private(file, content)
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (errno.EIO, errno.EIO),
        (errno.ENOSPC, errno.ENOSPC),
        (errno.EDQUOT, errno.EDQUOT),
        (errno.EPERM, errno.EEXIST),  # of file systems without hard links
        (errno.EOPNOTSUPP, errno.EEXIST),
    ],
)
def test_a_new_file_replaces_none_that_has_appeared_meanwhile_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raised: int
) -> None:
    def failing(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    def write_while_another_does() -> None:
        with new_private(tmp_path / "copy") as file:
            file.write(b"mine")
            (tmp_path / "copy").write_text("another's")

    monkeypatch.setattr(os, "link", failing)
    with pytest.raises(OSError, match=r".") as told:
        write_while_another_does()
    assert (told.value.errno, told.value.filename) == (raised, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_text() == "another's"
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_a_new_file_is_made_where_the_file_system_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", without)
    with new_private(tmp_path / "copy") as file:
        file.write(b"mine")
    assert (tmp_path / "copy").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_a_name_that_somebody_has_prepared_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0" * 16)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / f".key.{'0' * 16}.new").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "key", "secret")
    assert victim.read_text() == "untouched"


def test_what_a_killed_writer_has_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / f".sealing.key.{'a' * 16}.new"
    others = [tmp_path / name for name in (".sealing.key.before", "new", ".x.new", "sealing.key")]
    for each in (left, *others):
        each.write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
    remove_leftovers(tmp_path / "nowhere")


def writes(inside: Iterable[ast.AST]) -> bool:
    """Whether a module makes or replaces a file by means of its own."""
    for node in inside:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in ("write_text", "write_bytes", "mkstemp", "NamedTemporaryFile"):
            return True
        if node.func.attr == "fsync":
            return True
        names = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
        if node.func.attr == "open" and names & {"O_CREAT", "O_TRUNC"}:
            return True
    return False


def test_there_is_one_way_of_writing_a_file_down() -> None:
    found = {name for name, inside in nodes().items() if writes(inside)}
    assert found == WRITE_BY_THEMSELVES
