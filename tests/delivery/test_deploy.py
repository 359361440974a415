"""Files for containers: do they name the release that this is, what is there, and no root?"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cloudgate import __version__
from cloudgate.cli.service.manager.leader_election import LEAVE_SECONDS
from cloudgate.cli.service.manager.systemd_unit import unit
from cloudgate.host.state.paths import StatePaths
from cloudgate.monitoring.endpoint import LIVE, SETTLED

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
DELIVERED = DEPLOY.parent / "delivery" / "files"


def read(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def pods() -> Iterator[Any]:
    for file in KUBERNETES.glob("*.yaml"):
        for each in read(file):
            template = each.get("spec", {}).get("template")
            if template is not None:
                yield template["spec"]


def test_all_resources_are_named_and_the_release_is_this_one() -> None:
    (known,) = read(KUBERNETES / "kustomization.yaml")
    files = {each.name for each in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(known["resources"]) == files
    (image,) = known["images"]
    assert (image["name"], image["newTag"]) == ("cloudgate", __version__)
    (compose,) = read(DEPLOY / "compose.yaml")
    images = {each["image"] for each in compose["services"].values()}
    assert images == {f"cloudgate:${{CLOUDGATE_VERSION:-{__version__}}}"}


def test_no_service_is_root_or_writes_into_its_image() -> None:
    found = list(pods())
    assert len(found) == 2
    for pod in found:
        assert pod["securityContext"]["runAsUser"] == 10001
        for each in pod["containers"]:
            context = each["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["capabilities"]["drop"] == ["ALL"]
            assert each["image"] == "cloudgate"
    (compose,) = read(DEPLOY / "compose.yaml")
    for each in compose["services"].values():
        assert each["read_only"]
        assert each["cap_drop"] == ["ALL"]


def test_nobody_kills_a_manager_before_it_has_given_up_by_itself() -> None:
    given = [pod["terminationGracePeriodSeconds"] for pod in pods()]
    (compose,) = read(DEPLOY / "compose.yaml")
    given += [
        int(each["stop_grace_period"].removesuffix("s")) for each in compose["services"].values()
    ]
    written = unit(["cloudgate", "serve"], "cloudgate", [])
    given += [int(each) for each in re.findall(r"^TimeoutStopSec=(\d+)$", written, re.MULTILINE)]
    assert len(given) == 5
    assert min(given) > LEAVE_SECONDS + 10


def test_gateways_alone_may_reach_into_the_sockets_of_envoy() -> None:
    for pod in pods():
        (container,) = pod["containers"]
        added = container["securityContext"]["capabilities"].get("add", [])
        assert added == (["SYS_PTRACE"] if pod.get("hostNetwork") else [])
        for each in pod.get("initContainers", []):
            assert "SYS_PTRACE" not in each["securityContext"]["capabilities"].get("add", [])
    (compose,) = read(DEPLOY / "compose.yaml")
    added = {name: each.get("cap_add", []) for name, each in compose["services"].items()}
    assert added == {"manager": [], "gateway": ["SYS_PTRACE"]}


def test_admin_keeps_the_password_that_he_was_given_last() -> None:
    """By packages as by containers: the file has the first one alone."""
    settings = (DELIVERED / "manager.toml").read_text("utf-8")
    assert tomllib.loads(settings)["first_admin_password_file"] == "/etc/cloudgate/admin.password"
    for said in (settings, *(file.read_text("utf-8") for file in DEPLOY.rglob("*.yaml"))):
        assert not re.search(r"(?i)(?<!first_)admin_password_file", said)
    for file in (DEPLOY / "compose.yaml", KUBERNETES / "manager.yaml"):
        assert "CLOUDGATE_FIRST_ADMIN_PASSWORD_FILE" in file.read_text("utf-8")


def test_a_gateway_that_is_closed_on_purpose_stops_no_upgrade_of_the_others() -> None:
    """Each waits until the one before is ready; no work is led to it by that."""
    (gateway,) = [each for each in pods() if each.get("hostNetwork")]
    (container,) = gateway["containers"]
    asked = {
        kind: container[kind]["exec"]["command"] for kind in ("livenessProbe", "readinessProbe")
    }
    assert asked["readinessProbe"] == ["cloudgate-health", SETTLED]
    assert asked["livenessProbe"] == ["cloudgate-health", LIVE]
    services = [each for each in read(KUBERNETES / "manager.yaml") if each["kind"] == "Service"]
    assert [each["spec"]["selector"] for each in services] == [{"app": "cloudgate-manager"}]


def test_a_node_joins_until_it_has_joined() -> None:
    """The membership is the last that is written: before, joining has to be gone on with."""
    (gateway,) = [each for each in pods() if each.get("hostNetwork")]
    (join,) = [each for each in gateway["initContainers"] if each["name"] == "join"]
    data = {each["name"]: each.get("value") for each in join["env"]}["CLOUDGATE_DATA"]
    (kept,) = re.findall(
        r"^test -e (\S+) \|\| cloudgate host join", join["command"][-1], re.MULTILINE
    )
    assert kept == str(StatePaths(Path(data) / "host", Path(data)).membership)


def test_a_gateway_has_more_time_to_end_than_its_tunnels() -> None:
    (gateway,) = [each for each in pods() if each.get("hostNetwork")]
    (container,) = gateway["containers"]
    said = {each["name"]: each.get("value") for each in container["env"]}
    assert gateway["terminationGracePeriodSeconds"] > int(said["CLOUDGATE_DRAIN_SECONDS"]) + 15
    (compose,) = read(DEPLOY / "compose.yaml")
    service = compose["services"]["gateway"]
    grace_seconds = int(service["stop_grace_period"].removesuffix("s"))
    assert grace_seconds > int(service["environment"]["CLOUDGATE_DRAIN_SECONDS"]) + 15
