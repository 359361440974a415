"""What a package has installed on a fresh machine: how are its services run, and what is there?

As no systemd runs there, a test does what the units and the scripts of packages have it do.
"""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.delivery.fresh_machine import Machine, Program
from tests.support.waiting import until

AS_ADMIN = "cloudgate --password-file /etc/cloudgate/admin.password"
DATA, HOST_DATA = "/var/lib/cloudgate", "/var/lib/cloudgate-host"
AUTHORITY = f"{DATA}/tls/ca.pem"
TENANT_PASSWORD = "a long password"
MANAGER = ("cloudgate", "serve", "--config", "/etc/cloudgate/manager.toml")
HOST = ("cloudgate", "host", "run", "--config", "/etc/cloudgate/host.toml", "--data")
_PROBE = Path(__file__).with_name("tunnel_probe.py")
_ECHO = "echo.example:1"


class Services:
    """What runs there, as the units have it."""

    def __init__(self, machine: Machine, running: ExitStack, logs: Path) -> None:
        self.machine, self.running, self._logs = machine, running, logs
        self.manager: Program
        self.host: Program

    def _begin(self, *command: str, user: str, name: str) -> Program:
        program = self.machine.running(*command, user=user, log=self._logs / name)
        return self.running.enter_context(program)

    def begin_manager(self, name: str) -> None:
        """Start it, and wait until it answers; `name`: of its log."""
        self.manager = self._begin(*MANAGER, user="cloudgate", name=name)
        log = self._logs / name
        until(lambda: "ready" in log.read_text(), 120, said=log.read_text)

    def begin_host(self) -> None:
        """Start the host service."""
        self.host = self._begin(*HOST, HOST_DATA, user="cloudgate-host", name="host")

    def renew_host(self) -> None:
        """As a package has systemd do it."""
        self.host.tell(signal.SIGHUP)

    def renewed(self, name: str) -> None:
        """Both, as a package has systemd do it."""
        self.renew_host()
        self.manager.end()
        self.begin_manager(name)

    def have_it_join(self) -> None:
        """A site, and this machine as a server of it."""
        self.machine.run(f"{AS_ADMIN} status")
        self.machine.run(f"{AS_ADMIN} backup-server create site1.example")
        told = self.machine.run(f"{AS_ADMIN} server create localhost")
        (join,) = re.findall(r"runuser -u cloudgate-host -- cloudgate host join .*", told)
        self.machine.run(re.sub(r"https://[^ ]+", "https://localhost:9398", join))
        self.begin_host()

    def provide(self) -> None:
        """This machine as a gateway, and a tenant."""
        self.have_it_join()
        self.machine.run(f"{AS_ADMIN} gateway create localhost")
        self.machine.run(
            f"echo '{TENANT_PASSWORD}' > /root/acme.password;"
            f"{AS_ADMIN} tenant create acme --password-file /root/acme.password"
        )

    def here(self, text: str) -> str:
        """Lines of a page, with this machine's names in place of the page's."""
        password = self.machine.run("cat /etc/cloudgate/admin.password").strip()
        for there, here in (
            (".venv/bin/cloudgate ", f"{AS_ADMIN} "),
            ("~/.local/share/cloudgate/tls/ca.pem", AUTHORITY),
            ("-u admin ", f"-u admin:{password} "),
        ):
            text = text.replace(there, here)
        return text

    def edit_gateway(self, description: str) -> None:
        """A change that is done once the host has said that it is."""
        self.machine.run(f"{AS_ADMIN} gateway edit localhost --description {description}")

    @contextmanager
    def tunnel(self) -> Iterator[None]:
        """One of the tenant that carries data meanwhile; all bytes came back as they were sent."""
        (self.machine.root / "srv" / "probe.py").write_bytes(_PROBE.read_bytes())
        words = (AUTHORITY, "acme", TENANT_PASSWORD, _ECHO)
        command = self.machine.entered("python3", "/srv/probe.py", *words)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as probe:
            assert probe.stdin is not None
            assert probe.stdout is not None
            port = int(probe.stdout.readline())
            self.machine.run(
                f"{AS_ADMIN} repository create echo --endpoint {_ECHO} --address 127.0.0.1:{port};"
                f"{AS_ADMIN} tenant resource add acme echo"
            )
            probe.stdin.write("go\n")
            probe.stdin.flush()
            assert " 200 " in f"{probe.stdout.readline().strip()} "
            try:
                yield
            finally:
                probe.stdin.write("end\n")
                probe.stdin.flush()
            assert int(probe.stdout.readline()) > 0
            assert probe.wait(60) == 0
