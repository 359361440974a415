"""Does the operator's guide in docs/hosts.md lead from two fresh machines to a backup?

Its commands are taken from the document and typed in its order, in the network that it describes.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine.network import PUBLIC, Network, Provider, missing, provider
from tests.support.programs.repository import rest_server_command
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
    pytest.mark.skipif(
        shutil.which("restic") is None or shutil.which("rclone") is None,
        reason="to run this: sudo apt-get install restic rclone",
    ),
]
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "hosts.md"
SECTION = "## From two fresh machines to a gateway behind NAT"


def blocks() -> list[list[str]]:
    """The commands of each block of the section."""
    text = DOCUMENT.read_text().partition(SECTION)[2].partition("\n## ")[0]
    found = [block.partition("\n")[2] for block in text.replace("\\\n", " ").split("```")[1::2]]
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in found]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Provider]:
    with provider(tmp_path / "network") as started:
        yield started


def knocks(network: Network, address: str) -> None:
    """Wait until something answers there."""
    words = ("curl", "--silent", "--insecure", "--max-time", "1", f"https://{address}/")
    until(lambda: network.run("gw1", *words, check=False).returncode == 0, PATIENCE_SECONDS)


def test_the_guide_leads_to_a_backup_through_nat(fresh: Provider, tmp_path: Path) -> None:
    at_manager, at_gateway, again_at_manager, at_tenant = blocks()
    serve, site, server = at_manager
    assert serve == "cloudgate serve"  # it runs already, and so is its site there
    assert site == "cloudgate backup-server create site1.example"
    shown = fresh.cloudgate(*shlex.split(server)[1:]).stdout
    printed = [line.strip() for line in shown.splitlines() if line.strip().startswith("cloudgate ")]
    state = str(fresh.network.folder / "gw1" / "data")
    for line, told in zip(printed[:2], at_gateway, strict=True):
        assert line.split()[:3] == told.split()[:3]
    fresh.cloudgate(*shlex.split(printed[0])[1:], "--data", state, place="gw1")
    fresh.run_host("gw1")
    fresh.wait_until("server", "gw1", State="Online")

    vault = tmp_path / "vault"
    address = f"{fresh.network.address('manager')}:8443"
    fresh.network.start("manager", *rest_server_command(vault, address, "backup.example"))
    knocks(fresh.network, address)
    typed = [fresh.cloudgate(*shlex.split(line)[1:]) for line in again_at_manager]
    said = [done.stdout + done.stderr for done in typed]
    (password,) = re.findall(r"The password of omega, shown this once: (\S+)", said[2])
    assert "Listening" in said[3]
    assert "Needs a look" not in said[3]

    (backup,) = at_tenant
    assert f"https://omega:PASSWORD@{PUBLIC}:6180" in backup
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(fresh.ca_file.read_text() + (vault / "ca.pem").read_text())
    home = tmp_path / "home"
    home.mkdir()
    (home / "data.bin").write_bytes(os.urandom(2 * 1024 * 1024))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RESTIC_PASSWORD": "backup"}

    def type_as_tenant(line: str) -> str:
        line = line.replace("PASSWORD@", f"{password}@").replace("trusted.pem", str(trusted))
        return fresh.network.run("tenant", "sh", "-c", line, env=environment).stdout

    type_as_tenant(backup.replace("backup /home", "init"))
    assert "snapshot" in type_as_tenant(backup.replace("/home", str(home)))
    type_as_tenant(backup.replace("backup /home", "check --read-data"))
