"""How does a test run tasks of the collection? By ansible, of a virtual environment of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
COLLECTION = ROOT / "ansible"
PROGRAMS = ROOT / ".venv" / "ansible" / "bin"
needs_ansible = pytest.mark.skipif(
    not (PROGRAMS / "ansible-playbook").exists(), reason="needs ansible: make .venv/ansible"
)
Task = dict[str, Any]


class Ansible:
    """Runs what a file of it says, with the collection as it is in this folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        place = folder / "collections" / "ansible_collections" / "cloudgate"
        place.mkdir(parents=True)
        (place / "cloudgate").symlink_to(COLLECTION)
        self._environment = {
            "PATH": f"{PROGRAMS}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_PIPELINING": "true",
            **environment,
        }

    def given(self, **environment: str) -> None:
        """Say more by the environment from now on."""
        self._environment |= environment

    def run(self, *command: str, succeeds: bool = True) -> str:
        """What a program of it says."""
        done = subprocess.run(
            [str(PROGRAMS / command[0]), *command[1:]],
            env=self._environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not succeeds or done.returncode == 0, done.stdout
        return done.stdout

    def role(
        self,
        name: str,
        *,
        succeeds: bool = True,
        reached: dict[str, str] | None = None,
        **variables: Any,
    ) -> str:
        """What a role of the collection says, with these variables.

        `reached`: how the machine is that it is for; this one without it.
        """
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {"localhost": here, "machine.example": reached or here}
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        play = {"hosts": "machine.example", "gather_facts": False, "vars": variables}
        file = self.folder / "role.yml"
        role = {"role": f"cloudgate.cloudgate.{name}"}
        file.write_text(json.dumps([{**play, "roles": [role]}]))
        return self.run("ansible-playbook", "-i", str(inventory), str(file), succeeds=succeeds)

    def play(self, *tasks: Task, options: tuple[str, ...] = (), **play: Any) -> list[Any]:
        """What came of tasks that follow each other, also of those that failed."""
        told = self.folder / "told.json"
        steps = [
            {**task, "register": f"result{number}", "ignore_errors": True}
            for number, task in enumerate(tasks)
        ]
        results = ", ".join(f"result{number}" for number in range(len(tasks)))
        last = {
            "ansible.builtin.copy": {"dest": str(told), "content": f"{{{{ [{results}] }}}}"},
            "check_mode": False,
            "diff": False,
        }
        here = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        variables = {"ansible_python_interpreter": sys.executable, **play.pop("vars", {})}
        written = [{**here, **play, "vars": variables, "tasks": [*steps, last]}]
        file = self.folder / "play.yml"
        file.write_text(json.dumps(written))
        said = self.run("ansible-playbook", *options, str(file))
        found: list[Any] = json.loads(told.read_text())
        assert len(found) == len(tasks), said
        return found
