"""Is the collection one that ansible takes, and do its roles do what they say?"""

import json
import os
import re
import shutil
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cloudgate import __version__
from cloudgate.client import Client
from delivery import collection
from tests.support.programs.playbooks import COLLECTION, PROGRAMS, Ansible, needs_ansible
from tests.support.running.manager import PASSWORD, RunningManager

pytestmark = needs_ansible
MODULES = [file.stem for file in (COLLECTION / "plugins" / "modules").glob("*.py")]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to whom the files belong")


def test_each_option_of_each_module_is_described(tmp_path: Path) -> None:
    ansible = Ansible(tmp_path)
    named = [f"cloudgate.cloudgate.{module}" for module in MODULES]
    told = json.loads(ansible.run("ansible-doc", "--json", *named))
    for module in MODULES:
        text = (COLLECTION / "plugins" / "modules" / f"{module}.py").read_text()
        described = told[f"cloudgate.cloudgate.{module}"]["doc"]["options"]
        assert all(f'"{option}": {{' in text for option in described.keys() - _SHARED)
        assert described.keys() > _SHARED


_SHARED = frozenset({"url", "user", "password", "token", "ca", "fingerprint", "timeout", "state"})


def listed(archive: Path) -> dict[str, Any]:
    """What a collection has in it, by name."""
    with tarfile.open(archive) as packed:
        found = packed.extractfile("FILES.json")
        assert found is not None
        return {each["name"]: each for each in json.load(found)["files"]}


def test_what_is_delivered_is_what_ansible_would_build_and_installs(tmp_path: Path) -> None:
    ansible = Ansible(tmp_path)
    ansible.run("ansible-galaxy", "collection", "build", str(COLLECTION), "--output-path", ".")
    built = tmp_path / f"cloudgate-cloudgate-{__version__}.tar.gz"
    said = collection.described(PROGRAMS / "python")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (
        collection.pack(said, __version__, tmp_path / each, 1_767_225_600)
        for each in ("one", "two")
    )
    assert one.read_bytes() == two.read_bytes()
    assert listed(one) == listed(built)
    ansible.given(ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "there"))
    ansible.run("ansible-galaxy", "collection", "install", "--offline", "-p", "there", str(one))
    verified = ("ansible-galaxy", "collection", "verify", "--offline", "cloudgate.cloudgate")
    assert "Successfully verified" in ansible.run(*verified)


@needs_root
def test_settings_of_a_manager_are_written_if_they_are_right_and_once(tmp_path: Path) -> None:
    ansible, file = Ansible(tmp_path), tmp_path / "manager.toml"
    drop_in = tmp_path / "manager.d" / "folders.conf"
    given: Any = {
        "package_install": False,
        "manager_service": False,
        "manager_config": str(file),
        "manager_drop_in": str(drop_in),
        "manager_group": "root",
    }
    settings = {"host": "192.0.2.10", "port": 9399, "trusted_proxy": ["192.0.2.1"]}
    folders = {"audit_log": "/var/log/of us/audit.log", "backup_folder": "/mnt/100%"}
    written = ansible.role("manager", **given, manager_settings={**settings, **folders})
    assert "changed=3 " in written, "the file, the drop-in and its folder"
    assert 'trusted_proxy = ["192.0.2.1"]' in file.read_text()
    assert '\nfirst_admin_password_file = "/etc/cloudgate/admin.password"' in file.read_text()
    assert "\nadmin_password_file" not in file.read_text()
    writable = ['ReadWritePaths="-/var/log/of us"', 'ReadWritePaths="-/mnt/100%%"']
    assert drop_in.read_text().splitlines()[-3:] == ["[Service]", *writable]
    again = ansible.role("manager", **given, manager_settings={**settings, **folders})
    assert "changed=0 " in again
    to_syslog = {**settings, "audit_log": "syslog", "backup_folder": None}
    assert "changed=2 " in ansible.role("manager", **given, manager_settings=to_syslog)
    assert not drop_in.exists(), "the service writes nowhere else any more"
    wrong = ansible.role("manager", succeeds=False, **given, manager_settings={"prot": 1})
    assert "prot" in wrong
    assert "failed=1 " in wrong
    assert "9399" in file.read_text()


def test_settings_are_toml_whatever_their_values_are(tmp_path: Path) -> None:
    said = {"name": 'Kopie "süß" \U0001f510', "port": 9399, "flag": True, "many": ["\U0001f512"]}
    kinds = ("manager", "host")
    rendered = Ansible(tmp_path).play(
        *(
            {
                "ansible.builtin.template": {
                    "src": str(COLLECTION / "roles" / kind / "templates" / f"{kind}.toml.j2"),
                    "dest": str(tmp_path / f"{kind}.toml"),
                }
            }
            for kind in kinds
        ),
        vars={
            **{f"{kind}_settings": {**said, "nothing": None} for kind in kinds},
            "manager_data": "/var/lib/cloudgate",
            "manager_admin_password_file": None,
        },
    )
    assert [each["changed"] for each in rendered] == [True, True], rendered
    manager, host = (tomllib.loads((tmp_path / f"{kind}.toml").read_text()) for kind in kinds)
    assert host == said
    assert manager == {**said, "data": "/var/lib/cloudgate"}


@needs_root
def test_a_machine_joins_once_as_the_server_that_it_is(
    running: RunningManager, tmp_path: Path
) -> None:
    ansible = Ansible(
        tmp_path / "ansible",
        CLOUDGATE_URL=running.url,
        CLOUDGATE_CA=str(running.ca_file),
        CLOUDGATE_PASSWORD=PASSWORD,
    )
    given: Any = {
        "package_install": False,
        "host_service": False,
        "host_config": str(tmp_path / "host.toml"),
        "host_settings": {"gateway_mbit": 1000},
        "host_group": "root",
        "host_user": "",
        "host_data": str(tmp_path / "state"),
        "host_name": "gw5.example",
    }
    nowhere = ansible.role("host", succeeds=False, **given)
    assert "Give host_manager_url" in nowhere
    joined = ansible.role("host", **given, host_manager_url=running.url)
    assert (tmp_path / "state" / "host" / "membership.json").exists()
    assert "token" not in joined.lower().replace("--token-file", "")
    assert "changed=0 " in ansible.role("host", **given, host_manager_url=running.url)
    with Client(running.url, password=PASSWORD, ca=running.ca_file) as client:
        assert client.servers.get("gw5.example").state != "Expected"

    # Set up anew, it has lost what it kept.
    shutil.rmtree(tmp_path / "state")
    refused = ansible.role("host", succeeds=False, **given, host_manager_url=running.url)
    assert "cloudgate server renew-token gw5.example" in refused
    assert not (tmp_path / "state").exists()
    again = ansible.role("host", **given, host_manager_url=running.url, host_renew_token="always")
    assert "failed=0 " in again
    assert (tmp_path / "state" / "host" / "membership.json").exists()


PAGE = COLLECTION.parent / "docs" / "ansible.md"


def test_the_playbooks_of_the_page_are_playbooks(tmp_path: Path) -> None:
    ansible = Ansible(tmp_path)
    written = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(written) == 2
    (tmp_path / "site.yml").write_text("".join(written))
    assert "playbook: " in ansible.run("ansible-playbook", "--syntax-check", "site.yml")
    options = " ".join(written)
    for name in re.findall(r"^ {8}(\w+):", options, re.MULTILINE):
        known = "".join(file.read_text() for file in (COLLECTION / "roles").rglob("main.yml"))
        modules = "".join(file.read_text() for file in (COLLECTION / "plugins").rglob("*.py"))
        assert re.search(rf'^{name}:|"{name}":', known + modules, re.MULTILINE), name
