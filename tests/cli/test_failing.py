"""What cannot be carried out ends in a sentence, whatever of its surroundings is missing."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from cloudgate.cli.session_cache import LogonFile
from cloudgate.cli.settings import Connection, cache_folder, default_data_folder
from cloudgate.client.core.logons import Logon
from cloudgate.errors import InvalidRequestError
from tests.cli.conftest import Run

CLOUDGATE = (sys.executable, "-m", "cloudgate")
NAME = "m\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a line in which ``cloudgate`` is the program."""
    line = line.replace("cloudgate", " ".join(CLOUDGATE), 1)
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cloudgate --version > /dev/full", "Cannot write to standard output: No space left"),
        ("cloudgate connect gw.example --tenant a -L 8000:b:443 <&-", "No password: give"),
        ("cloudgate token list <&-", "The password of admin is missing"),
        (
            "cloudgate connect 127.0.0.1:9 --tenant a --password-file FILE -L ..:8000:b:443",
            "'..' is no name of a host",
        ),
        (
            f"cloudgate connect 127.0.0.1:9 --tenant a --password-file FILE -L {'a' * 64}:0:b:443",
            "is no name of a host",
        ),
    ],
)
def test_a_command_that_cannot_go_on_says_why(
    line: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "password"
    file.write_text("a long password\n")
    monkeypatch.delenv("CLOUDGATE_PASSWORD_FILE", raising=False)
    ended = typed(line.replace("FILE", str(file)))
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("Error: ")


def test_results_that_cannot_be_written_are_told(cloudgate: Run) -> None:
    created = cloudgate("repository", "create", NAME, "--endpoint", "one.example:1")
    assert created.exit_code == 0
    listed = typed("cloudgate repository list > /dev/full")
    assert (listed.returncode, listed.stdout) == (1, "")
    assert listed.stderr.startswith("Error: Cannot write to standard output: No space left")
    shown = typed("cloudgate repository list", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert "m\\xfcller" in shown.stdout
    shown = typed("cloudgate -o json repository list", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert "m\\u00fcller" in shown.stdout


@pytest.mark.parametrize(
    "line",
    [
        "cloudgate repository create LETTERS --endpoint one.example:1",
        "cloudgate account create LETTERS --role 'portal user' --generate-password",
        "cloudgate token list --user LETTERS",
        "env -u CLOUDGATE_PASSWORD_FILE CLOUDGATE_PASSWORD=LETTERS cloudgate token list",
    ],
)
def test_what_is_typed_in_another_encoding_is_told_and_not_shown(cloudgate: Run, line: str) -> None:
    ended = typed(line.replace("LETTERS", "\"$(printf 'm\\374ller')\""))
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: What was typed, or is in the environment, is not UTF-8")
    assert "fc" not in ended.stderr


def test_who_has_no_home_keeps_no_session_and_is_asked_for_a_data_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_uid: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert cache_folder() is None
    sessions = LogonFile(Connection("https://localhost:9398", "admin", None, None))
    sessions.keep(Logon("one"))
    assert sessions.load() is None
    sessions.forget()
    with pytest.raises(InvalidRequestError, match="Give --data"):
        default_data_folder()
