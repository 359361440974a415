"""Does the playbook renew hosts one by one, without the end of a tunnel, and stop at a fault?"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudgate
from cloudgate.client import Client
from tests.support.observation.monitored_product import Site, site
from tests.support.ports import free_port
from tests.support.programs.playbooks import Ansible, needs_ansible
from tests.support.running.product import PASSWORD
from tests.support.running.tunnel import Tunnel, open_tunnel, repository

pytestmark = [pytest.mark.delivery, needs_ansible]
NEXT = "99.0.0"
NAMES = ("gw1.example", "gw2.example")
TARGET = "vault.example:9000"


class Fleet:
    """Two hosts of this release with a gateway each, and the next release beside them."""

    def __init__(self, made: Site, address: str, patch: pytest.MonkeyPatch) -> None:
        self.site = made
        self.ansible = Ansible(
            made.folder / "ansible",
            CLOUDGATE_URL=f"https://localhost:{made.port}",
            CLOUDGATE_CA=str(made.ca_file),
            CLOUDGATE_PASSWORD=PASSWORD,
        )
        self.next = _release(made.folder / "next", NEXT)
        self.ports = {name: free_port() for name in NAMES}
        self.hosts = {name: self._add(name, patch) for name in NAMES}
        with made.client() as client:
            vault = client.add_repository("vault", TARGET, address)
            client.add_tenant("acme", "secret of acme", vault)

    def _add(self, name: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
        """A host that runs what a link leads to; how Ansible reaches and renews it."""
        link, program = self.site.folder / f"{name}.release", self.site.folder / f"{name}.program"
        link.symlink_to(_release(self.site.folder / f"{name}.now", cloudgate.__version__))
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={link} exec {sys.executable} -m cloudgate "$@"\n'
        )
        program.chmod(0o755)
        with patch.context() as patched:
            patched.setenv("PYTHONPATH", str(link))
            process = self.site.add_host(name).process
        with self.site.client() as client:
            task = client.create_gateway(self.ports[name], name, ExternalIp="localhost")
        assert task["Result"]["Success"] is True, task
        brought = f"ln -sfn {self.next} {link}"
        return {
            "host_program": str(program),
            "brought": f"sh -c '{brought}'",
            "upgrade_command": f"sh -c '{brought} && kill -HUP {process.pid}'",
        }

    def renew(self, *options: str, succeeds: bool = True, **variables: str) -> str:
        """What the playbook says; `variables` are of the first host."""
        here = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
        }
        first, second = NAMES
        gateways = {
            first: {**here, **self.hosts[first], **variables},
            second: {**here, **self.hosts[second]},
        }
        inventory = self.ansible.folder / "inventory.json"
        groups = {"hosts": {"localhost": here}, "children": {"gateways": {"hosts": gateways}}}
        inventory.write_text(json.dumps({"all": groups}))
        words = ("-i", str(inventory), *options, "cloudgate.cloudgate.upgrade")
        return self.ansible.run("ansible-playbook", *words, succeeds=succeeds)

    def releases(self) -> list[str | None]:
        """What the manager says that the hosts have."""
        url = f"https://localhost:{self.site.port}"
        with Client(url, password=PASSWORD, ca=self.site.ca_file) as client:
            return [client.servers.get(name).version for name in NAMES]

    def tunnels(self) -> list[Tunnel]:
        """One through each gateway."""
        login = "acme:secret of acme"
        opened = [
            open_tunnel(port, self.site.ca_file, TARGET, login) for port in self.ports.values()
        ]
        assert [each.status for each in opened] == [200, 200], [each.reason for each in opened]
        return opened


def _release(folder: Path, version: str) -> Path:
    """The product as it is, as another release."""
    source = Path(cloudgate.__file__).parent
    copy = shutil.copytree(source, folder / "cloudgate")
    own = copy / "__init__.py"
    own.write_text(own.read_text().replace(f'"{cloudgate.__version__}"', f'"{version}"'))
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    patch = pytest.MonkeyPatch()
    with site(tmp_path_factory.mktemp("fleet")) as made, repository() as address:
        yield Fleet(made, address, patch)


def test_hosts_are_renewed_one_by_one_a_fault_stops_it_and_no_tunnel_ends(fleet: Fleet) -> None:
    tunnels, now = fleet.tunnels(), cloudgate.__version__
    looked = fleet.renew("--check")
    assert f"gw2.example has release {now}, and its gateway " in looked
    assert fleet.releases() == [now, now]

    # The release is there, and the host service was not started anew.
    brought = fleet.hosts[NAMES[0]]["brought"]
    stopped = fleet.renew(*("-e", "upgrade_patience=5"), succeeds=False, upgrade_command=brought)
    assert f"it is of release {now}, and not of {NEXT}" in stopped
    assert "Hosts of later batches are as they were." in stopped
    assert fleet.releases() == [now, now]
    assert "gw2.example has release" not in stopped

    done = fleet.renew()
    assert fleet.releases() == [NEXT, NEXT]
    assert done.index("gw1.example has release") < done.index("gw2.example has release")
    assert f"gw2.example went from release {now} to {NEXT}." in done
    named = f"The manager has release {now}; gw1.example ({NEXT}), gw2.example ({NEXT})."
    assert named in fleet.site.say("status")
    assert f"gw1.example stays at release {NEXT}: " in fleet.renew()
    assert all(each.lives() for each in tunnels)
    for each in (*tunnels, *fleet.tunnels()):
        each.close()
