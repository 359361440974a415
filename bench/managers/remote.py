"""Remote machine: how soon is it a managed server, and then a gateway that answers?

Manager and gateways stand in network namespaces of this run, with the gateways behind NAT. What is
timed runs in the manager's namespace, as this module's command.
"""

import json
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx2

from bench.report import Goal, Section, table
from tests.support.machine.network import HOSTS, PUBLIC, Provider, provider
from tests.support.running.product import PASSWORD

WANTED_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.005


@dataclass(frozen=True)
class Times:
    """Seconds from the call."""

    joined: list[float]
    """From the command `cloudgate host join` to a server that is online, each machine once."""
    listening: list[float]
    """From POST to a TLS handshake at the remote gateway."""


def measure(folder: Path, rounds: int) -> Section:
    """Join three machines, and make the first a gateway again and again."""
    with provider(folder) as started:
        places = [place for place in HOSTS if place != "manager"]
        joined = [_join(started, place) for place in places]
        listening = json.loads(_inside(started, "create", places[0], str(rounds)))
    reached = median(listening)
    rows = [
        ("`cloudgate host join` to online", *_figures(joined)),
        ("POST to TLS at the remote gateway", *_figures(listening)),
    ]
    goal = Goal(
        "POST to a remote gateway that listens, median",
        f"less than {WANTED_SECONDS:.0f} s",
        f"{reached:.2f} s",
        reached < WANTED_SECONDS,
    )
    note = (
        "Machines in network namespaces, the gateways behind NAT, in milliseconds. Joining is two"
        " commands, each of which starts Python."
    )
    head = ("", "median", "fastest", "slowest")
    return Section("Gateways on machines of their own", note, table(head, rows), (goal,))


def _join(started: Provider, place: str) -> float:
    shown = started.cloudgate("server", "create", place).stdout
    line = next(line for line in shown.splitlines() if "host join" in line)
    watching = subprocess.Popen(
        _command(started, "watch", place), stdout=subprocess.PIPE, text=True
    )
    state = str(started.network.folder / place / "data")
    begin = time.monotonic()
    started.cloudgate(*line.split()[1:], "--data", state, place=place)
    started.run_host(place)
    said, _ = watching.communicate(timeout=PATIENCE_SECONDS)
    return float(said) - begin


def _inside(started: Provider, *words: str) -> str:
    return subprocess.run(
        _command(started, *words), stdout=subprocess.PIPE, text=True, check=True, timeout=300
    ).stdout


def _command(started: Provider, *words: str) -> list[str]:
    own = (sys.executable, "-m", "bench.managers.remote", started.url, str(started.ca_file))
    return started.network.command("manager", *own, *words)


def _figures(seconds: list[float]) -> tuple[str, str, str]:
    figures = (median(seconds), min(seconds), max(seconds))
    return tuple(f"{1000 * each:.0f}" for each in figures)  # type: ignore[return-value]


class _Operator:
    """Calls of the API from the manager's machine."""

    def __init__(self, url: str, ca_file: str) -> None:
        context = ssl.create_default_context(cafile=ca_file)
        headers = {"Accept": "application/json"}
        self.http = httpx2.Client(base_url=f"{url}/api", verify=context, headers=headers)
        self.http.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD)).raise_for_status()

    def watch(self, place: str) -> float:
        """When a server is online, by the monotonic clock."""
        while True:
            found = self.http.get("/managedServers?format=Entity").json()["ManagedServers"]
            if any(each["Name"] == place and each["State"] == "Online" for each in found):
                return time.monotonic()
            time.sleep(_LOOK_AGAIN_SECONDS)

    def create(self, place: str, rounds: int) -> list[float]:
        """Seconds from POST to a TLS handshake, again and again."""
        spec = {
            "ServerHostName": place,
            "NetworkType": "NAT",
            "ExternalIp": PUBLIC,
            "ExternalPort": 6180,
            "InternalPort": 8080,
        }
        taken = []
        for _ in range(rounds):
            begin = time.monotonic()
            task = self.http.post("/cloud/gateways", json=spec).raise_for_status().json()
            _shake_hands(PUBLIC, 6180)
            taken.append(time.monotonic() - begin)
            self._ended(task)
            (found,) = self.http.get("/cloud/gateways").json()["Refs"]
            uid = found["UID"].rpartition(":")[2]
            self._ended(self.http.delete(f"/cloud/gateways/{uid}").json())
        return taken

    def _ended(self, task: dict[str, str]) -> None:
        while task["State"] != "Finished":
            time.sleep(_LOOK_AGAIN_SECONDS)
            task = self.http.get(task["Href"]).json()


def _shake_hands(host: str, port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            ssl.get_server_certificate((host, port), timeout=1)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return


def _main(url: str, ca_file: str, work: str, place: str, *more: str) -> None:
    operator = _Operator(url, ca_file)
    if work == "watch":
        print(operator.watch(place))
    else:
        print(json.dumps(operator.create(place, int(*more))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
