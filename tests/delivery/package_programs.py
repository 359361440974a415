"""Programs that install packages: how does each bring one, an older one, and take it away?"""

import re
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from delivery import packages
from tests.delivery.fresh_machine import Machine
from tests.support.project.pages import ROOT, blocks

PAGE = ROOT / "docs" / "install.md"

_STANDING_FOR_DEBIAN = {
    "name": "debian-of-this-machine",
    "arch": "amd64",
    "version": "12",
    "description": "What Debian has installed here, by the names that packages of RPM ask for.",
    "provides": ["/bin/sh", "python3.11", "ca-certificates", "glibc = 2.36", "systemd"],
}


class Packages(ABC):
    """Those of a machine."""

    def __init__(self, machine: Machine, before: Path, now: Path) -> None:
        """`before`, `now`: folders with what two releases delivered."""
        self.machine = machine
        (old,), (new,) = before.glob(self.wanted()), now.glob(self.wanted())
        shutil.copy(old, machine.root / "srv" / f"before{old.suffix}")
        shutil.copy(new, machine.root / "srv")

    @abstractmethod
    def wanted(self) -> str:
        """How the package's file is called."""

    @abstractmethod
    def install(self) -> None:
        """Have this release there."""

    @abstractmethod
    def install_before(self) -> None:
        """Have the release before there."""

    @abstractmethod
    def remove(self) -> None:
        """Have none there, and no settings."""

    @abstractmethod
    def changed(self) -> str:
        """Files of the package that are not as it brought them."""


class Apt(Packages):
    """Debian's, which asks nobody whether it may."""

    def __init__(self, machine: Machine, before: Path, now: Path) -> None:
        """Make it one that may."""
        super().__init__(machine, before, now)
        (machine.root / "etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n')

    def wanted(self) -> str:
        """For the release of Debian that the machine has."""
        return f"cloudgate_*~deb{(self.machine.root / 'etc/debian_version').read_text()[:2]}_*.deb"

    def _run(self, words: str) -> None:
        self.machine.run(f"apt-get --yes --allow-downgrades {words}", online=True)

    def install(self) -> None:
        """As the page has it."""
        (typed,) = [each.text for each in blocks(PAGE) if each.text.startswith("apt install")]
        name = next((self.machine.root / "srv").glob("cloudgate_*.deb")).name
        typed = re.sub(r"cloudgate_\S+", name, typed)
        self.machine.run(f"cd /srv; {typed}", online=True)

    def install_before(self) -> None:
        """By its file."""
        self._run("install /srv/before.deb")

    def remove(self) -> None:
        """With its settings."""
        self._run("purge cloudgate")

    def changed(self) -> str:
        """As dpkg(1) finds them."""
        return self.machine.run("dpkg --verify cloudgate")


class Rpm(Packages):
    """RPM's own program, on a Debian: no distribution that has it can be had for tests.

    What its packages ask for by name is there as Debian has it, and RPM is told so.
    """

    def __init__(self, machine: Machine, before: Path, now: Path) -> None:
        """Make it ready for packages of RPM."""
        super().__init__(machine, before, now)
        machine.run("apt-get install --yes rpm python3 systemd ca-certificates", online=True)
        packages.pack(_STANDING_FOR_DEBIAN, "rpm", machine.root / "srv", 0)
        self._run("-i /srv/debian-of-this-machine-*.rpm")

    def wanted(self) -> str:
        """For any distribution."""
        return "cloudgate-*.rpm"

    def _run(self, words: str) -> str:
        return self.machine.run(f"rpm --force-debian {words}")

    def install(self) -> None:
        """As the page has it."""
        (typed,) = [each.text for each in blocks(PAGE) if each.text.startswith("rpm ")]
        self.machine.run(f"cd /srv; {typed.replace('rpm ', 'rpm --force-debian ', 1)}")

    def install_before(self) -> None:
        """By its file."""
        self._run("-U --oldpackage /srv/before.rpm")

    def remove(self) -> None:
        """With its settings, unless they were changed."""
        self._run("-e cloudgate")

    def changed(self) -> str:
        """As rpm(8) finds them."""
        return self._run("-V cloudgate")
