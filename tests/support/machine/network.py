"""A provider's network, a NAT router and the internet, in network namespaces of this test alone.

::

    provider 10.77.0.0/24                          internet 203.0.113.0/24
    manager .2  gw1 .11  gw2 .12  gw3 .13  ──  router .1 ── tenant .10
    store .20

The router forwards 6180, 6181 and 6182 to port 8080 of gw1, gw2 and gw3. In IPv6 the last numbers
are the same, in fd77::/64 and 2001:db8::/64; 6182 is forwarded, and the rest is routed.
Everybody knows ``public.example`` as the router and ``gw3.example`` as gw3.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.machine import processes
from tests.support.observation import process_output
from tests.support.running.product import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, looks, until

PUBLIC = "203.0.113.1"
PUBLIC_IPV6 = "2001:db8::1"
HOSTS = {"manager": 2, "gw1": 11, "gw2": 12, "gw3": 13, "store": 20}
NAMES = f"127.0.0.1 localhost\n::1 localhost\n{PUBLIC} public.example\n10.77.0.13 gw3.example\n"
"""What is in everybody's /etc/hosts."""
_SETTINGS = Path("/etc/netns")
"""``ip netns exec`` shows files from there in place of those in /etc (ip-netns(8))."""
_COLLECTIONS = {
    "server": ("/managedServers", "ManagedServers"),
    "gateway": ("/cloud/gateways", "CloudGateways"),
}
_BLACK_HOLE = "table inet hole { chain c { type filter hook prerouting priority raw; }; }"
_NAT = """
table ip nat {
  chain prerouting { type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.1 tcp dport 6180 dnat to 10.77.0.11:8080
    ip daddr 203.0.113.1 tcp dport 6181 dnat to 10.77.0.12:8080
    ip daddr 203.0.113.1 tcp dport 6182 dnat to 10.77.0.13:8080
  }
  chain postrouting { type nat hook postrouting priority srcnat;
    ip saddr 10.77.0.0/24 ct status dnat masquerade
  }
}
table ip6 nat {
  chain prerouting { type nat hook prerouting priority dstnat;
    ip6 daddr 2001:db8::1 tcp dport 6182 dnat to [fd77::13]:8080
  }
  chain postrouting { type nat hook postrouting priority srcnat;
    ip6 saddr fd77::/64 ct status dnat masquerade
  }
}
"""


def missing() -> str:
    """What keeps these tests from running here; empty when nothing does."""
    absent = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if absent:
        return f"{' and '.join(absent)} missing: sudo apt-get install iproute2 nftables"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "network namespaces are not allowed for this user"


@dataclass
class Network:
    """The namespaces, and what runs in them."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    disks: list[Path] = field(default_factory=list)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What a name server at the router says, in this order; without any there is none."""

    def name(self, place: str) -> str:
        """The namespace of a place."""
        return f"cg{self.mark}-{place}"

    def address(self, place: str) -> str:
        """The IP address of a place in the provider's network."""
        return f"10.77.0.{HOSTS[place]}"

    def ipv6(self, place: str) -> str:
        """The IPv6 address of a place in the provider's network."""
        return f"fd77::{HOSTS[place]}"

    def command(self, place: str, *words: str) -> list[str]:
        """A command as it is run in a place."""
        return ["ip", "netns", "exec", self.name(place), *words]

    def run(
        self, place: str, *words: str, text: str | None = None, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a place to its end."""
        done = subprocess.run(
            self.command(place, *words),
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
            **more,
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def start(self, place: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command in a place; ended with the network at the latest."""
        log_file = self.folder / f"{place}.log"
        process_output.keep(log_file)
        with log_file.open("ab") as log:
            started = subprocess.Popen(
                self.command(place, *words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
        self.processes.append(started)
        return started

    def log(self, place: str) -> str:
        """What was said in a place so far."""
        return (self.folder / f"{place}.log").read_text()

    def link(self, place: str, state: str) -> None:
        """Take a place's cable out (``down``), or put it in again (``up``)."""
        _ip("-n", self.name("router"), "link", "set", f"to-{place}", state)

    def small_disk(self, folder: Path, size: str) -> None:
        """Give a folder a disk of its own; taken away with the network."""
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        self.disks.append(folder)

    @contextmanager
    def no_way_round(self) -> Iterator[None]:
        """Have the router not turn around what comes from inside and is meant for its outside."""
        chain = "type filter hook forward priority 0;"
        rules = "iifname inside oifname inside ct status dnat drop;"
        self.run("router", "nft", f"table inet no-way-round {{ chain c {{ {chain} {rules} }}; }}")
        try:
            yield
        finally:
            self.run("router", "nft", "delete", "table", "inet", "no-way-round")

    def silence(self, place: str) -> None:
        """Have nothing pass between a place of the provider and the internet, and no answer come.

        Not even the router's, that nobody is there.
        """
        address = self.address(place)
        chain = "type filter hook forward priority 0;"
        rules = f"ip saddr {address} drop; ip daddr {address} drop;"
        table = f"table ip silent-{place} {{ chain c {{ {chain} {rules} }}; }}"
        self.run("router", "nft", table)

    def end_silence(self, place: str) -> None:
        """Have all pass again."""
        self.run("router", "nft", "delete", "table", "ip", f"silent-{place}")

    def kill(self, place: str) -> None:
        """End all that runs in a place at once, without a chance to tidy up."""
        while running := _pids(self.name(place)):
            processes.kill(running)

    def build(self) -> None:
        """Make the namespaces and join them."""
        for place in (*HOSTS, "router", "tenant"):
            _ip("netns", "add", self.name(place))
            _ip("-n", self.name(place), "link", "set", "lo", "up")
            own = _SETTINGS / self.name(place)
            own.mkdir(parents=True)
            (own / "hosts").write_text(NAMES)
            if self.names:
                (own / "resolv.conf").write_text(f"nameserver {self._name_server(place)}\n")
        router = self.name("router")
        _ip("-n", router, "link", "add", "inside", "type", "bridge")
        _ip("-n", router, "address", "add", "10.77.0.1/24", "dev", "inside")
        _ip("-n", router, "address", "add", "fd77::1/64", "dev", "inside", "nodad")
        _ip("-n", router, "link", "set", "inside", "up")
        for place in HOSTS:
            self._join(place, f"{self.address(place)}/24", "10.77.0.1")
            self._join_ipv6(place, f"{self.ipv6(place)}/64", "fd77::1")
            _ip("-n", router, "link", "set", f"to-{place}", "master", "inside")
        self._join("tenant", "203.0.113.10/24", PUBLIC)
        _ip("-n", router, "address", "add", f"{PUBLIC}/24", "dev", "to-tenant")
        _ip("-n", router, "address", "add", f"{PUBLIC_IPV6}/64", "dev", "to-tenant", "nodad")
        self._join_ipv6("tenant", "2001:db8::10/64", PUBLIC_IPV6)
        self.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.run("router", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.run("router", "nft", "-f", "-", text=_NAT)
        if self.names:
            self._serve_names()

    def _name_server(self, place: str) -> str:
        return PUBLIC if place == "tenant" else "10.77.0.1"

    def _serve_names(self) -> None:
        records = [f"--host-record={name},{','.join(of)}" for name, of in self.names.items()]
        usual = ("--keep-in-foreground", "--conf-file", "--no-hosts", "--no-resolv", "--user=root")
        started = self.start(
            "router", "dnsmasq", *usual, "--no-round-robin", "--pid-file", *records
        )
        until(
            lambda: (
                started.poll() is not None
                or "0.0.0.0:53"
                in self.run("router", "ss", "--listening", "--numeric", "--udp").stdout
            )
        )
        assert started.poll() is None, self.log("router")

    def ask_names_of(self, address: str, *places: str) -> None:
        """Have what is started in places from now on ask the name server at an address."""
        for place in places:
            (_SETTINGS / self.name(place) / "resolv.conf").write_text(f"nameserver {address}\n")

    def also(self, place: str, *addresses: str, device: str = "eth0") -> None:
        """Give a place more addresses in its network."""
        for each in addresses:
            length = "64" if ":" in each else "24"
            more = ("nodad",) if ":" in each else ()
            _ip("-n", self.name(place), "address", "add", f"{each}/{length}", "dev", device, *more)

    def swallow(self, place: str, *addresses: str) -> None:
        """Have nothing come back from some addresses of a place, or that lie behind it."""
        self.run(place, "nft", "-f", "-", text=_BLACK_HOLE)
        for each in addresses:
            family = "ip6" if ":" in each else "ip"
            self.run(
                place,
                "nft",
                "add",
                "rule",
                "inet",
                "hole",
                "c",
                family,
                "daddr",
                each,
                "counter",
                "drop",
            )

    def swallowed(self, place: str) -> int:
        """How many packets have gone there."""
        listed = self.run(place, "nft", "--json", "list", "table", "inet", "hole").stdout
        counters = [
            part["counter"]["packets"]
            for each in json.loads(listed)["nftables"]
            for part in each.get("rule", {}).get("expr", ())
            if "counter" in part
        ]
        return sum(counters)

    def _join(self, place: str, address: str, gateway: str) -> None:
        there, router = self.name(place), self.name("router")
        ends = ("eth0", "netns", there, "type", "veth", "peer", "name", f"to-{place}")
        _ip("link", "add", *ends, "netns", router)
        _ip("-n", there, "address", "add", address, "dev", "eth0")
        _ip("-n", there, "link", "set", "eth0", "up")
        _ip("-n", router, "link", "set", f"to-{place}", "up")
        _ip("-n", there, "route", "add", "default", "via", gateway)

    def _join_ipv6(self, place: str, address: str, gateway: str) -> None:
        there = self.name(place)
        _ip("-n", there, "address", "add", address, "dev", "eth0", "nodad")
        _ip("-n", there, "route", "add", "default", "via", gateway)

    def close(self) -> None:
        """End all that runs in the namespaces, and take them away."""
        for place in (*HOSTS, "router", "tenant"):
            self.kill(place)
        for process in self.processes:
            process.wait(PATIENCE_SECONDS)
        for place in (*HOSTS, "router", "tenant"):
            subprocess.run(["ip", "netns", "delete", self.name(place)], check=False)
            shutil.rmtree(_SETTINGS / self.name(place), ignore_errors=True)
        for folder in self.disks:
            subprocess.run(["umount", folder], check=False)


@dataclass
class Provider:
    """A manager in its namespace, and what an operator does at its keyboard."""

    network: Network
    data: Path
    manager: "subprocess.Popen[bytes]"
    options: tuple[str, ...] = ()
    """Of ``cloudgate serve``."""
    called: str | None = None
    """The name of the manager's machine."""

    @property
    def url(self) -> str:
        """The manager's address in the provider's network."""
        return f"https://{self.network.address('manager')}:9398"

    @property
    def ca_file(self) -> Path:
        """What tenants trust."""
        return self.data / "tls" / "ca.pem"

    def cloudgate(self, *words: str, place: str = "manager") -> subprocess.CompletedProcess[str]:
        """Type a command that succeeds at a machine of the provider."""
        done = self.type(*words, place=place)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def type(self, *words: str, place: str = "manager") -> subprocess.CompletedProcess[str]:
        """Type a command at a machine of the provider."""
        home = self.network.folder / place
        home.mkdir(exist_ok=True)
        return self.network.run(
            place,
            *(sys.executable, "-m", "cloudgate", *words),
            env={
                **os.environ,
                "HOME": str(home),
                "CLOUDGATE_URL": self.url,
                "CLOUDGATE_CA": str(self.ca_file),
                "CLOUDGATE_PASSWORD_FILE": str(self.network.folder / "admin-password"),
            },
            check=False,
        )

    def call(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the REST API answers to curl at the manager; for a task, once it has ended well."""
        jar, url = self.network.folder / "cookies", f"{self.url}/api"
        curl = [
            *("curl", "--silent", "--fail-with-body", "--cacert", str(self.ca_file)),
            *("--cookie", str(jar), "--header", "Accept: application/json"),
        ]
        if not jar.exists():
            logon = ("--cookie-jar", str(jar), "--user", f"admin:{PASSWORD}", "--request", "POST")
            self.network.run("manager", *curl, *logon, f"{url}/sessionMngr/?v=latest")
        kind = ("--header", "Content-Type: application/json", "--data", json.dumps(body))
        words = ("--request", verb, *(kind if body is not None else ()), f"{url}{path}")
        found: dict[str, Any] = json.loads(
            self.network.run("manager", *curl, *words).stdout or "{}"
        )
        if "Operation" not in found:
            return found
        for _ in looks(PATIENCE_SECONDS):
            if found["State"] == "Finished":
                break
            found = json.loads(self.network.run("manager", *curl, found["Href"]).stdout)
        assert found["State"] == "Finished", found
        assert found["Result"]["Success"], found
        return found

    def kill_manager(self) -> None:
        """End the manager at once, without a chance to tidy up."""
        for pid in _pids(self.network.name("manager")):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"serve" in words and str(self.data).encode() in words:
                processes.kill([pid])
        self.manager.wait(PATIENCE_SECONDS)

    def join(self, place: str) -> "subprocess.Popen[bytes]":
        """Make a machine a managed server, as the operator's guide says, and run its service."""
        shown = self.cloudgate("server", "create", place).stdout
        line = next(line for line in shown.splitlines() if "host join" in line)
        state = str(self.network.folder / place / "data")
        self.cloudgate(*line.split()[1:], "--data", state, place=place)
        return self.run_host(place)

    def run_host(self, place: str, *before: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Run the host service of a machine that has joined; `before` is a program to run it by."""
        state = str(self.network.folder / place / "data")
        words = (sys.executable, "-m", "cloudgate", "host", "run", "--data", state)
        return self.network.start(place, *before, *words, **environment)

    def start_manager(self) -> None:
        """Start the manager, again."""
        self.manager = _start_manager(self.network, self.data, self.options, self.called)

    def envoy_pid(self, place: str) -> int:
        """The process id of a machine's Envoy."""
        for pid in _pids(self.network.name(place)):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"--config-path" in command:
                return pid
        raise AssertionError(f"No Envoy runs at {place}.")

    def wait_until(self, kind: str, name: str, **expected: Any) -> dict[str, Any]:
        """Wait until a server or a gateway is as expected, and return it."""
        path, array = _COLLECTIONS[kind]
        for _ in looks(PATIENCE_SECONDS):
            listed = self.call("GET", f"{path}?format=Entity")[array]
            found: dict[str, Any] = next(each for each in listed if each["Name"] == name)
            if all(found.get(key) == value for key, value in expected.items()):
                return found
        raise AssertionError(f"{name} is not as expected: {found}")


def _start_manager(
    network: Network, data: Path, more: tuple[str, ...], called: str | None
) -> "subprocess.Popen[bytes]":
    password = network.folder / "admin-password"
    password.write_text(PASSWORD)
    before = (network.folder / "manager.log").stat().st_size if data.exists() else 0
    words = ("serve", "--data", str(data), "--admin-password-file", str(password), *more)
    naming = ("unshare", "--uts", "sh", "-c", f'hostname {called} && exec "$@"', "sh")
    before_it = naming if called else ()
    started = network.start("manager", *before_it, sys.executable, "-u", "-m", "cloudgate", *words)

    def is_ready() -> bool:
        assert started.poll() is None, network.log("manager")
        return "\nready\n" in network.log("manager")[before:]

    until(is_ready, said=lambda: network.log("manager"))
    return started


def _pids(namespace: str) -> list[int]:
    """What runs in a namespace."""
    words = ["ip", "netns", "pids", namespace]
    listed = subprocess.run(words, capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def provider(
    folder: Path,
    *more: str,
    names: Mapping[str, Sequence[str]] | None = None,
    called: str | None = None,
) -> Iterator[Provider]:
    """A network with a manager that answers.

    Args:
        folder: for all files.
        more: options of ``cloudgate serve``.
        names: what a name server says, in this order; none runs without.
        called: the name of the manager's machine; that of this machine when left out.
    """
    folder.mkdir(exist_ok=True)
    network = Network(folder, names=names or {})
    with ExitStack() as stack:
        stack.callback(network.close)
        network.build()
        data = folder / "data"
        made = Provider(network, data, _start_manager(network, data, more, called), more, called)
        made.cloudgate("backup-server", "create", "site1.example")
        yield made
