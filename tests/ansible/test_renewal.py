"""Does the playbook upgrade end with a batch of which a host was lost?

That hosts have a new release by it, and keep their tunnels, is tried in `tests/delivery`.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.programs.playbooks import Ansible, needs_ansible
from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import PASSWORD, RunningManager, running_manager

pytestmark = needs_ansible
NAMES = ("gw1.example", "gw2.example", "gw3.example")


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
    """With three hosts that are online."""
    with running_manager(tmp_path_factory.mktemp("manager")) as running, ExitStack() as online:
        for name in NAMES:
            host = ScriptedHost(running, name)
            host.poll()
            online.enter_context(obedient(host))
        yield running


class Fleet:
    """The three as ansible has them: two of them are the first batch."""

    def __init__(self, managed: RunningManager, folder: Path) -> None:
        self._folder = folder
        self._ansible = Ansible(
            folder / "ansible",
            CLOUDGATE_URL=managed.url,
            CLOUDGATE_CA=str(managed.ca_file),
            CLOUDGATE_PASSWORD=PASSWORD,
            ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).parent / "connection_plugins"),
        )

    def renew(self, last_words: str = "true", *, succeeds: bool = True) -> str:
        """What the playbook says; `last_words`: of the command that renews the first."""
        first, *others = NAMES
        hosts = {first: self._reached(first, last_words)}
        hosts |= {name: self._reached(name, "true") for name in others}
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        groups = {"hosts": {"localhost": here}, "children": {"gateways": {"hosts": hosts}}}
        inventory = self._folder / "inventory.json"
        inventory.write_text(json.dumps({"all": groups}))
        words = ("-i", str(inventory), "-e", '{"upgrade_batches": [2, 1]}')
        playbook = "cloudgate.cloudgate.upgrade"
        return self._ansible.run("ansible-playbook", *words, playbook, succeeds=succeeds)

    def _reached(self, name: str, last_words: str) -> dict[str, str | bool]:
        self.line(name).touch()
        self._renewed(name).unlink(missing_ok=True)
        return {
            "ansible_connection": "frail",
            "frail_line": str(self.line(name)),
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "upgrade_command": f"sh -c 'touch {self._renewed(name)} && {last_words}'",
        }

    def line(self, name: str) -> Path:
        """The file without which it cannot be reached."""
        return self._folder / f"{name}.line"

    def _renewed(self, name: str) -> Path:
        return self._folder / f"{name}.renewed"

    def renewed(self) -> list[str]:
        """Of which the command was run."""
        return [name for name in NAMES if self._renewed(name).exists()]


@pytest.fixture(scope="module")
def fleet(managed: RunningManager, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(managed, tmp_path_factory.mktemp("fleet"))


def test_a_host_that_is_lost_ends_it_once_the_others_of_its_batch_are_renewed(fleet: Fleet) -> None:
    said = fleet.renew(f"rm {fleet.line(NAMES[0])}", succeeds=False)
    assert fleet.renewed() == ["gw1.example", "gw2.example"]
    assert "gw3.example" not in said
    assert "gw2.example stays at release" in said, "it was waited for"
    assert "gw1.example could not be reached any more when it was to be renewed." in said


def test_where_none_is_lost_all_are_renewed(fleet: Fleet) -> None:
    said = fleet.renew()
    assert fleet.renewed() == [*NAMES]
    assert "could not be reached" not in said
