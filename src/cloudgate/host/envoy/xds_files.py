"""xDS files: which resources does Envoy read right now, from the folder that it watches?"""

import json
from collections.abc import Sequence
from pathlib import Path

from cloudgate.host.envoy.xds_resources import Resource, discovery_response, snapshot_file
from cloudgate.host.state.files import read_if_there, write_private

LISTENERS = "listeners"


def write(folder: Path, name: str, resources: Sequence[Resource]) -> str:
    """Have the file hold `resources`; not touched when it does. The version that Envoy will say."""
    path, text = snapshot_file(folder, name), discovery_response(resources)
    if _text(path) != text:
        write_private(path, text)
    return str(json.loads(text)["version_info"])


def write_again(folder: Path, name: str) -> None:
    """Have Envoy read the file once more, as it is.

    It reads when something is renamed into the folder; what it could not read then, for want of
    open files say, it does not try again.
    """
    path = snapshot_file(folder, name)
    text = _text(path)
    if text is not None:
        write_private(path, text)


def listeners(folder: Path) -> list[Resource]:
    """The listeners that Envoy was last told to have."""
    text = _text(snapshot_file(folder, LISTENERS))
    try:
        found = json.loads(text or '{"resources": []}')["resources"]
    except (ValueError, KeyError, TypeError):
        return []
    return list(found)


def _text(path: Path) -> str | None:
    try:
        return read_if_there(path)
    except ValueError:
        return None  # damaged, and written anew


def sockets_of(listener: Resource) -> frozenset[tuple[str, int]]:
    """Addresses and ports of a listener."""
    all_of_them = [listener, *listener.get("additional_addresses", [])]
    found = (each["address"]["socket_address"] for each in all_of_them)
    return frozenset((each["address"], each["port_value"]) for each in found)


def have_disjoint_ports(one: Resource, other: Resource) -> bool:
    """Whether both can listen at a time: they share no port."""
    ports = {port for _, port in sockets_of(one)}
    return not ports & {port for _, port in sockets_of(other)}
