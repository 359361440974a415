"""Do the roles make a manager and a host of a fresh Debian, and leave alone what is so already?"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudgate import __version__
from delivery import released
from delivery.tools import ROOT
from tests.delivery.fresh_machine import Machine, fresh_machine
from tests.support.ports import free_port
from tests.support.programs.playbooks import Ansible, needs_ansible
from tests.support.waiting import until

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(1800), needs_ansible]


@pytest.fixture(scope="module")
def package() -> Path:
    found = sorted((ROOT / "dist").glob("cloudgate_*~deb12_*.deb"))
    if not found:
        pytest.skip("needs dist/, which make test-delivery makes")
    return found[-1]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with fresh_machine(tmp_path_factory.mktemp("machine")) as made:
        made.run("apt-get update && apt-get install --yes python3-apt", online=True)
        yield made


def test_a_fresh_debian_becomes_a_manager_and_a_host_by_playbook_and_is_left_alone_then(
    machine: Machine, package: Path, tmp_path: Path
) -> None:
    ansible = Ansible(
        tmp_path / "ansible",
        ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).parent / "connection_plugins"),
        MACHINE=json.dumps(machine.entered(online=True)),
    )
    port = free_port()
    there: Any = {
        "reached": {
            "ansible_connection": "machine",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/tmp/.ansible",
        },
        "package_file": str(package),
        "manager_settings": {"host": "127.0.0.1", "port": port, "metrics_listen": "off"},
        "manager_service": False,
    }
    made = ansible.role("manager", **there)
    assert "changed=3 " in made
    assert machine.run("stat -c '%U %G %a' /etc/cloudgate/manager.toml") == "root cloudgate 640\n"
    assert "changed=0 " in ansible.role("manager", **there)

    serve = ("cloudgate", "serve", "--config", "/etc/cloudgate/manager.toml")
    log = tmp_path / "manager.log"
    with machine.running(*serve, user="cloudgate", log=log, online=True):
        until(lambda: "ready" in log.read_text(), 120, said=log.read_text)
        password = machine.run("cat /etc/cloudgate/admin.password").strip()
        ansible.given(
            CLOUDGATE_URL=f"https://localhost:{port}",
            CLOUDGATE_PASSWORD=password,
            CLOUDGATE_CA=str(machine.root / "var/lib/cloudgate/tls/ca.pem"),
        )
        joining = {
            **there,
            "host_manager_url": f"https://localhost:{port}",
            "host_name": "gw1.example",
            "host_service": False,
        }
        # The manager of a fresh machine has no site yet, to which its hosts would belong.
        ansible.play(
            {
                "ansible.builtin.command": {
                    "argv": ["cloudgate", "backup-server", "create", "site1.example"]
                }
            }
        )
        assert "changed=" in ansible.role("host", **joining)
        kept = "/var/lib/cloudgate-host/host/membership.json"
        assert machine.run(f"stat -c %U {kept}") == "cloudgate-host\n"
        assert "changed=0 " in ansible.role("host", **joining)
        (server,) = ansible.play(
            {"cloudgate.cloudgate.server": {"name": "gw1.example", "renew_token": "expected"}}
        )
        assert server["changed"] is False


def test_a_machine_stays_at_its_release_until_the_newest_of_its_sources_is_asked_for(
    machine: Machine, package: Path, tmp_path: Path
) -> None:
    ansible = Ansible(
        tmp_path / "ansible",
        ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).parent / "connection_plugins"),
        MACHINE=json.dumps(machine.entered(online=True)),
    )
    older = released.delivered(released.before())
    if not older.exists():
        pytest.skip("needs the release before, which make test-delivery makes")
    (before,) = older.glob("cloudgate_*~deb12_*.deb")
    machine.run("apt-get purge --yes cloudgate")
    there: Any = {
        "reached": {
            "ansible_connection": "machine",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/tmp/.ansible",
        }
    }
    offer(machine, before)
    machine.run("apt-get update", online=True)
    assert "changed=1 " in ansible.role("package", **there)
    offer(machine, before, package)
    assert "changed=0 " in ansible.role("package", **there)
    assert machine.run("cloudgate --version") == f"cloudgate {released.before()}\n"
    assert "changed=1 " in ansible.role("package", **there, package_state="latest")
    assert machine.run("cloudgate --version") == f"cloudgate {__version__}\n"
    assert "changed=0 " in ansible.role("package", **there, package_state="latest")


def offer(machine: Machine, *packages: Path) -> None:
    """Have a machine's own sources have these packages, once it looks (apt-get update)."""
    folder = machine.root / "srv" / "offered"
    folder.mkdir(exist_ok=True)
    told = []
    for each in packages:
        shutil.copy(each, folder)
        about = subprocess.check_output(("dpkg-deb", "--field", each), text=True)
        digest = hashlib.sha256(each.read_bytes()).hexdigest()
        told.append(
            f"{about}Filename: ./{each.name}\nSize: {each.stat().st_size}\nSHA256: {digest}\n"
        )
    (folder / "Packages").write_text("\n".join(told))
    sources = machine.root / "etc/apt/sources.list.d/offered.list"
    sources.write_text("deb [trusted=yes] file:/srv/offered ./\n")


def test_the_wheel_is_installed_where_there_is_no_package_and_is_left_alone_then(
    package: Path, tmp_path: Path
) -> None:
    ansible = Ansible(tmp_path / "ansible")
    (wheel,) = package.parent.glob("*.whl")
    (needed,) = package.parent.glob("*.requirements.txt")
    given: Any = {
        "package_wheel": str(wheel),
        "package_requirements": str(needed),
        "package_prefix": str(tmp_path / "opt"),
        "package_link": str(tmp_path / "cloudgate"),
    }
    assert "changed=5 " in ansible.role("package", **given)
    said = subprocess.run([tmp_path / "cloudgate", "--version"], capture_output=True, check=True)
    assert said.stdout.decode() == f"cloudgate {__version__}\n"
    assert "changed=0 " in ansible.role("package", **given)


def test_it_is_written_as_the_linter_of_production_wants(tmp_path: Path) -> None:
    ansible = Ansible(tmp_path)
    folder = tmp_path / "collections" / "ansible_collections" / "cloudgate" / "cloudgate"
    said = ansible.run("ansible-lint", "--offline", "--profile", "production", str(folder))
    assert "Passed: 0 failure(s), 0 warning(s)" in said
