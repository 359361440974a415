"""Does a package do on a fresh machine what the pages say, from the release before to its end?

The tests follow each other, as an operator's days do: one machine, one story.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudgate import __version__
from cloudgate.manager.storage.migrations import newest_revision
from delivery import released
from delivery.tools import TOOLS
from tests.delivery.fresh_machine import BOOKWORM, TRIXIE, Machine, fresh_machine
from tests.delivery.installed import DATA, HOST_DATA, MANAGER, Services
from tests.delivery.package_programs import Apt, Packages, Rpm
from tests.support.project.pages import ROOT, blocks

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(1800)]
VAULT = "vault.example:8443"
WAIT = (
    f"until curl -s --cacert vault.pem --resolve {VAULT}:127.0.0.1 https://{VAULT}/ >/dev/null;"
    " do :; done\n"
)
SEALED = f"/srv/backup --data {DATA} --key-file /srv/backup.key"
README = (
    """cd /root
mkdir -p docs && cp /usr/share/common-licenses/GPL-3 docs/what
"""
    + "".join(
        # rclone answers a moment after it was started, and goes on behind all that is typed.
        each.text.replace("./vault &\n", "./vault 2>/dev/null &\nserving=$!\n" + WAIT)
        for each in blocks(ROOT / "README.md")
        if "make" not in each.text
    )
    + """
cmp restored/root/docs/what docs/what || cmp restored/docs/what docs/what
kill $serving
rm -r docs restored vault
"""
)
REVISION = (
    "import sqlite3, sys;"
    "print(*sqlite3.connect(sys.argv[1]).execute('select version_num from alembic_version')"
    ".fetchone())"
)
WAYS: dict[str, tuple[type[Packages], str]] = {
    "deb12": (Apt, BOOKWORM),
    "rpm": (Rpm, BOOKWORM),
    "deb13": (Apt, TRIXIE),
}
LEFT = (
    "find / -xdev -name '*cloudgate*' -not -path '/srv/*' -not -path '/proc/*'"
    f" -not -path '{DATA}*/*' -not -path '/var/cache/*' -not -path '/root/*'"
    " -not -path '/var/log/*' -not -path '/tmp/*'"
)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Machine]]:
    """One of each release of Debian."""
    made: dict[str, Machine] = {}
    with ExitStack() as running:

        def machine(suite: str) -> Machine:
            if suite not in made:
                folder = tmp_path_factory.mktemp(suite)
                made[suite] = running.enter_context(fresh_machine(folder, suite))
                made[suite].run("apt-get update", online=True)
            return made[suite]

        yield machine


@pytest.fixture(scope="module", params=list(WAYS), ids=list(WAYS))
def packages(request: pytest.FixtureRequest, machines: Callable[[str], Machine]) -> Packages:
    program, suite = WAYS[request.param]
    before, now = released.delivered(released.before()), ROOT / "dist"
    if not before.exists() or not now.exists():
        pytest.skip("needs dist/ and the release before, which make test-delivery makes")
    return program(machines(suite), before, now)


@pytest.fixture(scope="module")
def services(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as running:
        yield Services(packages.machine, running, tmp_path_factory.mktemp("logs"))


def revision(machine: Machine) -> str:
    return machine.run(f'python3 -c "{REVISION}" {DATA}/cloudgate.db').strip()


def test_the_release_before_is_renewed_and_comes_back_while_a_tunnel_carries_data(
    packages: Packages, services: Services
) -> None:
    machine = packages.machine
    packages.install_before()
    assert machine.run("cloudgate --version") == f"cloudgate {released.before()}\n"
    services.begin_manager("before")
    services.provide()
    with services.tunnel():
        machine.run("rm -f /srv/backup*; umask 077; head -c 32 /dev/urandom > /srv/backup.key")
        machine.run(f"cloudgate backup create {SEALED}")
        packages.install()
        services.renewed("newer")
        services.edit_gateway("newer")
        assert revision(machine) == newest_revision()

        packages.install_before()
        services.renew_host()
        services.edit_gateway("host_of_before")
        services.manager.end()
        refused = f"{' '.join(MANAGER)} && exit 9 || [ $? = 1 ]"
        assert "made by a newer release" in machine.run(refused, user="cloudgate")
        # As its user: what root brought back in that release, the manager could not read.
        machine.run("chown cloudgate /srv/backup*")
        machine.run(f"cloudgate backup restore {SEALED} --replace", user="cloudgate")
        services.begin_manager("back")
        services.edit_gateway("back")

        packages.install()
        services.renewed("again")
        services.edit_gateway("again")
        assert revision(machine) == newest_revision()
    services.host.end()
    services.manager.end()
    packages.remove()
    machine.run(f"rm -r {DATA} {HOST_DATA} /srv/backup*")


def test_it_is_installed_with_users_folders_and_a_password_that_nobody_else_reads(
    packages: Packages,
) -> None:
    machine = packages.machine
    packages.install()
    assert machine.run("cloudgate --version") == f"cloudgate {__version__}\n"
    assert machine.run("stat -c '%U %a' /etc/cloudgate/admin.password") == "cloudgate 600\n"
    assert machine.run(f"stat -c '%U %a' {HOST_DATA}") == "cloudgate-host 700\n"
    assert machine.run("find /usr/lib/cloudgate -perm /6000") == ""
    machine.run("cloudgate config check /etc/cloudgate/manager.toml", user="cloudgate")
    machine.run("cloudgate config check /etc/cloudgate/host.toml", user="cloudgate-host")
    assert packages.changed() == ""


def test_a_host_joins_and_a_tenant_backs_up_in_five_minutes(
    packages: Packages, services: Services
) -> None:
    machine = packages.machine
    machine.run("apt-get install --yes restic rclone curl openssl", online=True)
    services.begin_manager("manager")
    services.have_it_join()
    said = machine.run(services.here(README))
    assert "no errors were found" in said
    assert '"acme"' in machine.run(f"cat {HOST_DATA}/host/logs/*")


def test_a_purge_leaves_nothing_but_data_and_its_users(
    packages: Packages, services: Services
) -> None:
    services.running.close()
    packages.remove()
    machine = packages.machine
    assert sorted(machine.run(LEFT).split()) == [DATA, HOST_DATA]
    assert machine.run(f"ls {DATA}/cloudgate.db")
    machine.run(f"rm -r {DATA} {HOST_DATA}")


def test_without_packages_it_is_installed_by_pip_pipx_and_uv(tmp_path: Path) -> None:
    if shutil.which("pipx") is None or not (ROOT / "dist").exists():
        pytest.skip("needs pipx and dist/, which make test-delivery sees to")
    programs = tmp_path / "bin"
    programs.mkdir()
    variables = {
        **os.environ,
        **{name: str(programs) for name in ("PIPX_BIN_DIR", "UV_TOOL_BIN_DIR")},
        **{name: str(tmp_path / name) for name in ("HOME", "PIPX_HOME", "UV_TOOL_DIR")},
        "PATH": f"{programs}:{TOOLS}:/usr/bin:/bin",
    }
    by_pip, by_others = (
        each.text.replace("/opt/", f"{tmp_path}/opt/").replace("/usr/local/bin", str(programs))
        for each in blocks(ROOT / "docs" / "install.md")
        if each.text.startswith(("python3 -m venv", "pipx"))
    )
    for typed in (by_pip, *by_others.splitlines()):
        said = subprocess.check_output(
            ["bash", "-euc", f"{typed}\ncloudgate --version\nrm {programs}/cloudgate"],
            cwd=ROOT / "dist",
            env=variables,
            text=True,
        )
        assert said.endswith(f"cloudgate {__version__}\n")
