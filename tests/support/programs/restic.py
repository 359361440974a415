"""restic: a tenant's backup program, with the repository that it keeps its backups in."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import PATIENCE_SECONDS, until

PIECE_BYTES = 1024 * 1024
PIECES = 24
"""So many at a time: more than restic puts into one pack."""
LONGEST_RUN_SECONDS = 100


@dataclass(frozen=True)
class Restic:
    """restic, as somebody has it set up."""

    url: str
    """The repository, behind a REST server."""
    ca_file: Path
    """Authorities that it trusts."""
    proxy: str = ""
    """The gateway with name and password; empty where something else leads to the repository."""
    within: tuple[str, ...] = ()
    """Begins a command that is to run where restic does."""

    def command(self, *words: str) -> list[str]:
        """As it is typed."""
        usual = ("--cacert", str(self.ca_file), "--no-cache", "-r", f"rest:{self.url}")
        return [*self.within, "restic", *usual, *words]

    @property
    def environment(self) -> dict[str, str]:
        """What it finds there."""
        proxy = {"HTTPS_PROXY": self.proxy} if self.proxy else {}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.ca_file.parent),
            "RESTIC_PASSWORD": "backup",
            **proxy,
        }

    def run(self, *words: str) -> bytes:
        """Have it do something to its end; what it says of that."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=LONGEST_RUN_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class StreamBackup:
    """A backup that runs, of what it is given piece by piece."""

    def __init__(self, restic: Restic, storage: Path, process: "subprocess.Popen[bytes]") -> None:
        self._restic = restic
        self._storage = storage
        self._process = process
        self._sent = hashlib.sha256()

    def feed(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Give it more, and see some of it arrive."""
        before = self._stored()
        assert self._process.stdin is not None
        for _ in range(PIECES):
            piece = os.urandom(PIECE_BYTES)
            self._sent.update(piece)
            self._process.stdin.write(piece)
        until(lambda: self._stored() > before, patience_seconds)

    def ends_well(self) -> bool:
        """Give it no more, and see it come to its end."""
        self._process.communicate()
        return self._process.returncode == 0

    def is_whole(self) -> bool:
        """Whether all that it was given comes back, once it has ended."""
        assert b"no errors were found" in self._restic.run("check", "--read-data")
        restored = hashlib.sha256(self._restic.run("dump", "latest", "/stdin"))
        return restored.digest() == self._sent.digest()

    def _stored(self) -> int:
        """How many packs have arrived."""
        return sum(1 for path in self._storage.rglob("data/*/*") if path.is_file())


@contextmanager
def stream_backup(restic: Restic, storage: Path) -> Iterator[StreamBackup]:
    """The first backup in a repository; in `storage` its REST server keeps what arrives."""
    restic.run("init")
    words = restic.command("backup", "--stdin")
    with subprocess.Popen(words, env=restic.environment, stdin=subprocess.PIPE) as process:
        try:
            yield StreamBackup(restic, storage, process)
        finally:
            process.kill()  # it has ended, where all went well
