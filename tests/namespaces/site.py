"""A provider with three gateways behind a NAT router, storage, and a tenant on the other side.

A transfer with a running hash goes through whatever happens, and both ends agree; others come in
meanwhile.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cloudgate.host.envoy.process_set import read_process_set
from cloudgate.host.state.paths import StatePaths, state_paths
from tests.namespaces import knock, transfer
from tests.support.machine import processes
from tests.support.machine.network import PUBLIC, Provider
from tests.support.waiting import PATIENCE_SECONDS, within

PORTS = {"gw1": 6180, "gw2": 6181, "gw3": 6182}
SMALL_DISK = "gw3"
"""The machine whose disk a test can fill."""
TARGET = "vault.example:9000"
LOGIN = "acme:p4ssword"
_SCRIPT = str(Path(transfer.__file__))
_PAUSE_SECONDS = 0.02
_TELLING_PIECES = 20
"""So many pieces more have to arrive for a transfer to be seen moving."""


class Transfer:
    """Data that a tenant sends to the storage until it is told to stop."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._said() == "connected", process.communicate()[1]

    def arrived_bytes(self) -> int:
        """How much has come to the storage, as that says through the tunnel right now."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return int(self._said())

    def moves(self) -> bool:
        """See more arrive, and hear of it."""
        wanted = self.arrived_bytes() + _TELLING_PIECES * transfer.PIECE_BYTES
        within(PATIENCE_SECONDS, lambda: self.arrived_bytes() >= wanted)
        return True

    def ends_well(self) -> bool:
        """Stop, and see that both ends agree."""
        _, complaint = self._process.communicate("", timeout=60)
        assert self._process.returncode == 0, complaint
        return True

    def is_cut(self, within_seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until it has ended without having been told to."""
        failed = self._process.wait(within_seconds) != 0
        self._process.communicate("")
        return failed

    def stop(self) -> None:
        """End it, whatever state it is in."""
        self._process.kill()
        self._process.communicate()

    def _said(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        assert select.select([stdout], [], [], PATIENCE_SECONDS)[0], "the transfer stands still"
        return stdout.readline().strip()


class Site:
    """The provider, and what its operators and tenants do."""

    def __init__(self, started: Provider) -> None:
        self.provider = started
        self.network = started.network
        self.hosts: dict[str, subprocess.Popen[bytes]] = {}
        self.password = self.network.folder / "tenant-password"

    def open(self) -> None:
        """Do what the operator's guide says."""
        self.network.small_disk(self.network.folder / SMALL_DISK / "data", "24m")
        with ThreadPoolExecutor() as together:
            list(together.map(self.open_gateway, PORTS))
        address = f"{self.network.address('store')}:9000"
        self.network.start("store", sys.executable, _SCRIPT, "serve", "9000")
        say = self.provider.cloudgate
        say("repository", "create", "vault", "--endpoint", TARGET, "--address", address)
        self.password.write_text("p4ssword")
        self.create_tenant("acme")

    def open_gateway(self, place: str) -> None:
        """Have a machine behind the router join, and make it a gateway."""
        self.hosts[place] = self.provider.join(place)
        words = ("--mode", "NAT", "--external-ip", PUBLIC, "--internal-port", "8080")
        self.provider.cloudgate("gateway", "create", place, "--port", str(PORTS[place]), *words)

    def edit(self, place: str, **change: object) -> None:
        """Change a gateway, to the end of the task."""
        uid = self.provider.wait_until("gateway", place)["UID"]
        self.provider.call("PUT", f"/cloud/gateways/{uid}", change)

    def create_tenant(self, name: str, *more: str) -> str:
        """Add a tenant with the usual password; what was printed."""
        words = ("tenant", "create", name, "--repository", "vault=100", *more)
        return self.provider.cloudgate(*words, "--password-file", str(self.password)).stdout

    def transfer(self, place: str, *, login: str = LOGIN, address: str = PUBLIC) -> Transfer:
        """A transfer that goes on until it is told to stop."""
        words = ("send", address, str(PORTS[place]), str(self.provider.ca_file), TARGET, login)
        return Transfer(
            subprocess.Popen(
                self.network.command("tenant", sys.executable, _SCRIPT, *words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def lets_in(
        self,
        place: str,
        *,
        address: str = PUBLIC,
        ca_file: Path | None = None,
        login: str = LOGIN,
    ) -> bool:
        """Whether a new tunnel is possible, and carries data."""
        ca = str(ca_file or self.provider.ca_file)
        words = ("send", address, str(PORTS[place]), ca, TARGET, login)
        done = self.network.run("tenant", sys.executable, _SCRIPT, *words, text="", check=False)
        return done.returncode == 0

    def answer(self, place: str, login: str = LOGIN) -> str:
        """What a gateway says to somebody who wants a tunnel: status and reason."""
        words = (knock.__file__, PUBLIC, str(self.provider.ca_file), TARGET)
        asked = f"{PORTS[place]} {login}\n"
        done = self.network.run("tenant", sys.executable, *words, text=asked)
        return done.stdout.strip()

    @contextmanager
    def undisturbed(self, place: str) -> Iterator[Transfer]:
        """See a transfer go on from before to after, and both ends agree."""
        going = self.transfer(place)
        try:
            yield going
            assert going.ends_well()
        finally:
            going.stop()

    @contextmanager
    def newcomers(self, place: str, programs: int = 3) -> Iterator[Counter[str]]:
        """Others open tunnels all the time; how often each answer came."""
        answers: Counter[str] = Counter()
        enough = threading.Event()
        words = (knock.__file__, PUBLIC, str(self.provider.ca_file), TARGET)
        command = self.network.command("tenant", sys.executable, *words)

        def come_in() -> None:
            pipe = subprocess.PIPE
            with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as program:
                assert program.stdin is not None
                assert program.stdout is not None
                while not enough.wait(_PAUSE_SECONDS):
                    program.stdin.write(f"{PORTS[place]} {LOGIN}\n")
                    program.stdin.flush()
                    answers[program.stdout.readline().strip()] += 1

        running = [threading.Thread(target=come_in) for _ in range(programs)]
        for each in running:
            each.start()
        try:
            yield answers
        finally:
            enough.set()
            for each in running:
                each.join(PATIENCE_SECONDS)

    def accepts(self, place: str) -> bool:
        """Whether a gateway answers at its port."""
        return self.knocks("tenant", f"{PUBLIC}:{PORTS[place]}")

    def knocks(self, place: str, address: str) -> bool:
        """Whether something that speaks TLS answers somebody at a place."""
        words = ("--silent", "--insecure", "--max-time", "1", f"https://{address}/")
        return self.network.run(place, "curl", *words, check=False).returncode == 0

    def paths(self, place: str) -> StatePaths:
        """Where a machine's host service has its files."""
        return state_paths(self.network.folder / place / "data" / "host")

    def signal(self, place: str, number: signal.Signals) -> None:
        """Send a signal to a machine's host service."""
        for pid in self._host_pids(place):
            os.kill(pid, number)

    def kill_host(self, place: str) -> None:
        """End a machine's host service at once, without a chance to tidy up."""
        processes.kill(self._host_pids(place))
        self.hosts[place].wait(PATIENCE_SECONDS)

    def kill_envoy(self, place: str) -> None:
        """End a machine's Envoy in the same way."""
        processes.kill([self.provider.envoy_pid(place)])

    def run_host(self, place: str, *before: str, **environment: str) -> None:
        """Start a machine's host service."""
        self.hosts[place] = self.provider.run_host(place, *before, **environment)

    def _host_pids(self, place: str) -> list[int]:
        """Of the host service, and of what it was started by."""
        return running(f"host run --data {self.network.folder / place / 'data'}")

    def power_off(self, place: str) -> None:
        """Nothing is heard of a machine any more, and what it had in memory is gone."""
        paths = self.paths(place)
        envoys = read_process_set(paths).all
        assert envoys
        self.network.link(place, "down")
        self.network.kill(place)
        self.hosts[place].wait(PATIENCE_SECONDS)
        for each in envoys:
            Path(f"/dev/shm/envoy_shared_memory_{each.place.base_id * 10}").unlink()
        shutil.rmtree(paths.run)

    def power_on(self, place: str, **environment: str) -> None:
        """The machine starts, and with it its host service."""
        self.network.link(place, "up")
        self.run_host(place, **environment)


def running(words: str) -> list[int]:
    """The processes of Cloudgate with these words in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words in command and "cloudgate" in command:
            found.append(int(folder.name))
    return found
