"""Do commands in the documents do what they are there for? Typed as they stand, in their order.

Which blocks of which pages: `tests/documents/commands_of_pages.toml`. Names of this machine stand
in place of the documents', and a manager that runs in place of the lines that start one.
"""

import base64
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.database_keys import check_keys
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.settings.outgoing import OutgoingSettings, networks
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from tests.cli.conftest import Run
from tests.support.certificates.brought import Made, pem_of
from tests.support.programs.notification_receivers import Program, mail_server
from tests.support.project.pages import ROOT, Block, blocks, run_by, typed
from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import RunningManager, running_manager

BLOCKS = [block for block in typed() if run_by(block) == "typed"]
PASSWORD, USERS_PASSWORD = "a long password", "another long password"
SNAPSHOTS = "#!/bin/sh\necho $(date -u +%Y-%m-%dT%H:%M:%SZ) 14\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def running(tmp_path: Path, program: Program) -> Iterator[RunningManager]:
    """One that sends mail, calls programs of this machine, and asks one about snapshots."""
    hook = tmp_path / "snapshots"
    hook.write_text(SNAPSHOTS)
    hook.chmod(0o755)
    with ExitStack() as stack:
        server, _ = stack.enter_context(mail_server(tmp_path))
        stack.enter_context(program)
        running = running_manager(
            tmp_path / "data",
            outgoing=OutgoingSettings(mail=server, networks=networks(["127.0.0.0/8", "::1/128"])),
            protection_hook=hook,
        )
        yield stack.enter_context(running)


class Typist:
    """Types lines, in a folder with the files that they name."""

    def __init__(self, cloudgate: Run, folder: Path, names: dict[str, str]) -> None:
        self._cloudgate, self.folder, self.names = cloudgate, folder, names
        self.said = ""
        """What the last line has printed."""

    def here(self, line: str) -> str:
        """What is to be typed in place of a page's line."""
        for there, here in self.names.items():
            line = line.replace(there, here)
        return line

    def type(self, line: str) -> None:
        """Type a line, which has to end well."""
        line = self.here(line)
        if line.endswith(" ID"):
            line = line[:-2] + re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]+)+", self.said)[0]
        if not line.startswith("cloudgate "):
            command = ["bash", "-euo", "pipefail", "-c", line]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            self.said = done.stdout
            return
        words, _, target = line.partition(" > ")
        result = self._cloudgate(*shlex.split(words)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
        self.said = result.stdout
        if target:
            Path(target).write_text(result.stdout)

    def write(self, name: str, text: str) -> None:
        """Have a file there."""
        file = self.folder / name
        file.write_text(f"{text}\n")
        file.chmod(0o600)


@pytest.fixture
def typist(
    cloudgate: Run,
    running: RunningManager,
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Typist]:
    folder = tmp_path / "here"
    for each in (folder, tmp_path / "etc" / "cloudgate", tmp_path / "mnt" / "backups"):
        each.mkdir(parents=True)
    monkeypatch.chdir(folder)
    _manager_that_is_stopped(tmp_path / "stopped")
    names = {
        "https://localhost:9398": running.url,
        "~/.local/share/cloudgate/tls/ca.pem": str(running.ca_file),
        "gw1.example": "gw1",
        "/var/lib/cloudgate": str(tmp_path / "stopped"),
        "/var/lib/other": str(tmp_path / "other"),
        " /etc/": f" {tmp_path}/etc/",
        " /mnt/": f" {tmp_path}/mnt/",
        "-u acme ": f"-u 'acme:{PASSWORD}' ",
        "-u 'acme\\laptop'": f"-u 'acme\\laptop:{USERS_PASSWORD}' --fail-with-body",
        "--hook https://hooks.provider.example/cloudgate": (
            f"--hook {program.url} --hook-ca hook.pem"
        ),
    }
    made = Made("gate.example")
    (folder / "gateways.pfx").write_bytes(base64.b64decode(made.pfx("of the file")))
    typing = Typist(cloudgate, folder, names)
    for name, text in {
        "acme.password": PASSWORD,
        "laptop.password": USERS_PASSWORD,
        "new.password": "chosen by ourselves",
        "ca.pem": running.ca_file.read_text(),
        "hook.pem": program.authority_pem,
        "secret": "secret of the storage",
        "key": "a secret of a probe, and the key of a file",
        "chain.pem": pem_of(made.leaf) + pem_of(made.issuer),
        "gw1.pem": made.pem_in_order,
        "key.pem": made.key_pem,
        "password": "of the file",
    }.items():
        typing.write(name, text)
    host = ScriptedHost(running, "gw1")
    host.poll()
    with obedient(host):
        for words in (
            "gateway create gw1",
            "repository create vault --endpoint vault.example:8443 --address 127.0.0.1:8443",
            "repository create bucket --endpoint s3.example:443 --address 127.0.0.1:8444",
            "repository create tank --endpoint tank.example:8443 --address 127.0.0.1:8445",
            "tenant create acme --password-file acme.password --repository tank=100",
            "tenant user create acme laptop --password-file laptop.password",
        ):
            typing.type(f"cloudgate {words}")
        yield typing


def _manager_that_is_stopped(data: Path) -> None:
    """A data folder as `serve` leaves it."""
    (data / "tls").mkdir(parents=True)
    authority, sealing = open_authority(data / "tls"), open_sealing(data)
    database = Database(sqlite_url(data / "cloudgate.db"))
    check_keys(database, authority, sealing)
    ensure_administrator(Manager(database, authority, sealing), PASSWORD)
    database.close()


def prepared(block: Block, typist: Typist) -> list[str]:
    """The lines of a block that are typed, once all is there that they take for granted."""
    match block.page, block.commands[0].partition(" --")[0]:
        case "docs/commands.md", _:
            (settings,) = [each.text for each in blocks(ROOT / block.page) if "toml" in each]
            typist.write("../etc/cloudgate/manager.toml", settings)
        case "docs/passwords.md", "cloudgate tenant password rotate acme":
            typist.write("acme.password", "a better password")
        case "docs/passwords.md", "cloudgate tenant edit acme":
            typist.type("cloudgate tenant password rotate acme --password-file acme.password")
        case "docs/passwords.md", _:
            typist.type("cloudgate tenant user edit acme laptop --any-network")
            known = "--password-file laptop.password"
            typist.type(f"cloudgate tenant user password rotate acme laptop {known}")
        case "docs/portal.md", "curl":
            typist.write("acme.password", PASSWORD)
            typist.type("cloudgate tenant password rotate acme --password-file acme.password")
    return [line for line in block.commands if not line.startswith("cloudgate serve ")]


def test_what_the_pages_say_can_be_typed(typist: Typist) -> None:
    assert len(BLOCKS) > 20
    failed = []
    for block in BLOCKS:
        try:
            for line in prepared(block, typist):
                if block.language == "sh":
                    typist.type(line)
                elif line.startswith("$ "):
                    typist.type(line[2:])
                else:
                    assert typist.here(line) in typist.said
        except AssertionError as problem:
            failed.append(f"{block.page}: {problem}")
    assert not failed, "\n".join(failed)


def test_who_says_how_deleted_backups_are_kept_is_shown_what_was_seen(typist: Typist) -> None:
    typist.type("cloudgate repository protect tank Snapshots -o json")
    seen = json.loads(typist.said)["BackupProtection"]
    assert seen["Protected"] is True
    assert seen["CheckedTime"]
