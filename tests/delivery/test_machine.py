"""Does the package do on a fresh Debian what the pages say, from its installation to its end?

The tests follow each other, as an operator's days do: one machine, one story.
"""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from delivery.tools import ROOT
from tests.delivery.fresh_machine import BOOKWORM, TRIXIE, Machine, Program, fresh_machine
from tests.support.waiting import until

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(1800)]
AS_ADMIN = "cloudgate --password-file /etc/cloudgate/admin.password"
AUTHORITY = "/var/lib/cloudgate/tls/ca.pem"
PROBE = Path(__file__).with_name("tunnel_probe.py")
ECHO, VAULT = "echo.example:1", "vault.example:8443"
MANAGER = ("cloudgate", "serve", "--config", "/etc/cloudgate/manager.toml")
HOST = ("cloudgate", "host", "run", "--config", "/etc/cloudgate/host.toml", "--data")
HOST_DATA = "/var/lib/cloudgate-host"
BACKUP = f"""cd /root
mkdir -p vault && cp /usr/share/common-licenses/GPL-3 vault/what
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
  -subj /CN=vault.example -addext subjectAltName=DNS:vault.example \
  -keyout vault.key -out vault.pem 2>/dev/null
cat {AUTHORITY} vault.pem > trust.pem
rclone serve restic --addr 127.0.0.1:8443 --cert vault.pem --key vault.key ./store 2>/dev/null &
serving=$!
until curl -s --cacert vault.pem --resolve {VAULT}:127.0.0.1 https://{VAULT}/ >/dev/null; do :; done
export HTTPS_PROXY='https://acme:a%20long%20password@localhost:6180' RESTIC_PASSWORD=secret
restic="restic -q --cacert trust.pem -r rest:https://{VAULT}/"
$restic init
$restic backup vault
$restic check --read-data
$restic restore latest --target restored
cmp restored/root/vault/what vault/what || cmp restored/vault/what vault/what
kill $serving
"""


class Services:
    """What runs there, as the units have it."""

    def __init__(self, machine: Machine, running: ExitStack, logs: Path) -> None:
        self._machine, self.running, self._logs = machine, running, logs
        self.manager: Program
        self.host: Program

    def _begin(self, *command: str, user: str, name: str) -> Program:
        program = self._machine.running(*command, user=user, log=self._logs / name)
        return self.running.enter_context(program)

    def begin_manager(self, name: str) -> None:
        self.manager = self._begin(*MANAGER, user="cloudgate", name=name)
        log = self._logs / name
        until(lambda: "ready" in log.read_text(), 120, said=log.read_text)

    def begin_host(self) -> None:
        self.host = self._begin(*HOST, HOST_DATA, user="cloudgate-host", name="host")

    def renewed(self, name: str) -> None:
        """What a package has systemd do, where there is one."""
        self.host.tell(signal.SIGHUP)
        self.manager.end()
        self.begin_manager(name)


@pytest.fixture(scope="module", params=[(BOOKWORM, "deb12"), (TRIXIE, "deb13")])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    suite, name = request.param
    found = sorted((ROOT / "dist").glob(f"cloudgate_*~{name}_*.deb"))
    if not found:
        pytest.skip("needs dist/, which make test-delivery makes")
    package = found[-1]
    with fresh_machine(tmp_path_factory.mktemp("machine"), suite) as made:
        (made.root / "srv" / "cloudgate.deb").write_bytes(package.read_bytes())
        made.run("apt-get update && apt-get install --yes /srv/cloudgate.deb", online=True)
        made.run("apt-get install --yes restic rclone curl openssl", online=True)
        yield made


@pytest.fixture(scope="module")
def services(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as running:
        started = Services(machine, running, tmp_path_factory.mktemp("logs"))
        started.begin_manager("manager")
        yield started


def test_it_is_installed_with_users_folders_and_a_password_that_nobody_else_reads(
    machine: Machine,
) -> None:
    assert machine.run("cloudgate --version") == "cloudgate 0.1.0\n"
    assert machine.run("stat -c '%U %a' /etc/cloudgate/admin.password") == "cloudgate 600\n"
    assert machine.run(f"stat -c '%U %a' {HOST_DATA}") == "cloudgate-host 700\n"
    assert machine.run("find /usr/lib/cloudgate -perm /6000") == ""
    machine.run("cloudgate config check /etc/cloudgate/manager.toml", user="cloudgate")
    machine.run("cloudgate config check /etc/cloudgate/host.toml", user="cloudgate-host")


def test_a_host_joins_and_a_tenant_backs_up_in_five_minutes(
    machine: Machine, services: Services
) -> None:
    machine.run(f"{AS_ADMIN} backup-server create site1.example")
    told = machine.run(f"{AS_ADMIN} server create localhost")
    (join,) = re.findall(r"cloudgate host join (.*)", told)
    join = re.sub(r"https://[^ ]+", "https://localhost:9398", join)
    machine.run(f"cloudgate host join {join} --data {HOST_DATA}", user="cloudgate-host")
    services.begin_host()
    machine.run(f"{AS_ADMIN} gateway create localhost")
    machine.run(f"{AS_ADMIN} repository create vault --endpoint {VAULT} --address 127.0.0.1:8443")
    machine.run(
        "echo 'a long password' > /root/acme.password;"
        f"{AS_ADMIN} tenant create acme --password-file /root/acme.password --repository vault=100"
    )
    machine.run(BACKUP)


def test_a_newer_package_is_installed_while_a_tunnel_carries_data_and_cuts_nothing(
    machine: Machine, services: Services
) -> None:
    newer(machine)
    (machine.root / "srv" / "probe.py").write_bytes(PROBE.read_bytes())
    words = (AUTHORITY, "acme", "a long password", ECHO)
    command = machine.entered("python3", "/srv/probe.py", *words)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as probe:
        assert probe.stdin is not None
        assert probe.stdout is not None
        port = int(probe.stdout.readline())
        machine.run(
            f"{AS_ADMIN} repository create echo --endpoint {ECHO} --address 127.0.0.1:{port};"
            f"{AS_ADMIN} tenant resource add acme echo"
        )
        probe.stdin.write("go\n")
        probe.stdin.flush()
        assert " 200 " in f"{probe.stdout.readline().strip()} "
        machine.run("apt-get install --yes /srv/newer.deb", online=True)
        assert "1.0.0" in machine.run("dpkg-query -W cloudgate")
        services.renewed("newer")
        machine.run(f"{AS_ADMIN} gateway edit localhost --description newer")
        machine.run("apt-get install --yes --allow-downgrades /srv/cloudgate.deb", online=True)
        services.renewed("back")
        machine.run(f"{AS_ADMIN} gateway edit localhost --description back")
        probe.stdin.write("end\n")
        probe.stdin.flush()
        assert int(probe.stdout.readline()) > 0
        assert probe.wait(60) == 0
    tunnels = machine.run(f"cat {HOST_DATA}/host/logs/*")
    assert any(json.loads(line).get("tenant") == "acme" for line in tunnels.splitlines())


def newer(machine: Machine) -> None:
    """The same package as a later release would be called."""
    machine.run(
        "cd /srv && dpkg-deb -R cloudgate.deb unpacked && sed -i 's/^Version:.*/Version: 1.0.0-1/'"
        " unpacked/DEBIAN/control && dpkg-deb -Znone -b unpacked newer.deb && rm -r unpacked"
    )


def test_a_purge_leaves_nothing_but_data_and_its_users(
    machine: Machine, services: Services
) -> None:
    services.running.close()
    machine.run("apt-get purge --yes cloudgate", online=True)
    left = machine.run(
        "find / -xdev -name '*cloudgate*' -not -path '/srv/*' -not -path '/proc/*'"
        " -not -path '/var/lib/cloudgate*/*' -not -path '/var/cache/*' -not -path '/root/*'"
        " -not -path '/var/log/*' -not -path '/tmp/*'"
    )
    assert sorted(left.split()) == ["/var/lib/cloudgate", HOST_DATA]
    assert machine.run("ls /var/lib/cloudgate/cloudgate.db")
