"""Benchmark run: which parts are asked for? `python -m bench [--quick] [PART ...]`."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.attacks import attack
from bench.data_path import (
    fairness,
    limits,
    memory,
    networks,
    revoke,
    setup,
    tenants,
    throughput,
    wan,
)
from bench.managers import api, console, create, hosts, metrics, remote, two_managers
from bench.report import Section, goals
from bench.testbed.gateway import gateway
from bench.testbed.load import load
from bench.testbed.machine import allow_many_files, describe, most_tunnels
from bench.testbed.proxies import haproxy, nginx, stunnel
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.host.settings import CONNECTIONS_VARIABLE
from tests.support.machine.network import missing

PARTS = (
    "memory",
    "setup",
    "throughput",
    "fairness",
    "limits",
    "revoke",
    "networks",
    "tenants",
    "create",
    "remote",
    "api",
    "hosts",
    "metrics",
)
NAMED = ("attack", "wan", "managers", "console")
"""Parts that are measured only when they are asked for."""
LARGE_BUFFER_BYTES = 128 * 1024
LONGEST_SECONDS = 1800
"""When a run that hangs is ended."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    throughput_rounds: int
    throughput_bytes: int
    """Moved in each round."""
    setup_rounds: int
    setup_tunnels: int
    idle_tunnels: int
    creations: int
    calls: int
    fairness_seconds: float
    limits_seconds: float = 8.0
    revoked_tunnels: int = 1000
    edits: int = 20
    """Of networks, each way."""
    tenants: int = 10_000
    deaths: int = 50
    """Of managers."""
    pages: int = 8
    """Looks at each page of the console."""


QUICK = Effort(1, 300_000_000, 1, 200, 500, 5, 200, 3.0, deaths=3, pages=3)
FULL = Effort(7, 1_000_000_000, 4, 250, 10_000, 15, 2000, 10.0, revoked_tunnels=10_000)


def main() -> None:
    """Measure, print, and leave nothing behind."""
    options = _options()
    effort = QUICK if options.quick else FULL
    allow_many_files()
    os.environ[CONNECTIONS_VARIABLE] = str(most_tunnels())  # all clients are at one address
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, lambda *_: sys.exit("The benchmark was ended before its time."))
    signal.alarm(LONGEST_SECONDS)
    print(f"## Benchmark\n\n{describe()}\n", flush=True)
    done = []
    wanted = [*options.parts, *(options.only or ())]
    for section in _sections(
        [each for each in wanted if each not in NAMED] if wanted else PARTS, effort
    ):
        print(section, flush=True)
        done.append(section)
    for name, measure in _named(options, effort).items():
        if name in wanted:
            section = measure()
            print(section, flush=True)
            done.append(section)
    print(goals(done) or "")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this part")
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join((*PARTS, *NAMED))}")
    parser.add_argument(
        "--kind", action="append", choices=tuple(attack.PARTS), help="of attack, only this kind"
    )
    parser.add_argument("--record", metavar="RELEASE", help="keep what attacks reached as before's")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, *NAMED}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def _named(options: argparse.Namespace, effort: Effort) -> dict[str, Callable[[], Section]]:
    kinds = tuple(options.kind or ())
    return {
        "attack": lambda: _in_folder(lambda at: attack.measure(at, kinds, options.record)),
        "wan": lambda: _in_folder(lambda at: wan.measure(at / "wan", quick=options.quick)),
        "managers": lambda: _in_folder(
            lambda at: two_managers.measure(at / "managers", effort.deaths)
        ),
        "console": lambda: _in_folder(lambda at: console.measure(at / "console", effort.pages)),
    }


def _in_folder(measure: Callable[[Path], Section]) -> Section:
    with tempfile.TemporaryDirectory(prefix="cloudgate-bench-") as folder:
        return measure(Path(folder))


def _sections(parts: Sequence[str], effort: Effort) -> Iterator[Section]:
    with tempfile.TemporaryDirectory(prefix="cloudgate-bench-") as folder:
        if set(parts) & {"memory", "setup", "throughput"}:
            yield from _beside_others(Path(folder) / "proxies", parts, effort)
        if "fairness" in parts:
            yield fairness.measure(Path(folder) / "fairness", effort.fairness_seconds)
        if "limits" in parts:
            yield limits.measure(Path(folder) / "limits", effort.limits_seconds)
        if "revoke" in parts:
            tunnels = min(effort.revoked_tunnels, most_tunnels() - 1)  # another tenant has one
            yield revoke.measure(Path(folder) / "revoke", tunnels)
        if "networks" in parts:
            yield networks.measure(Path(folder) / "networks", effort.edits)
        if "tenants" in parts:
            yield tenants.measure(Path(folder) / "tenants", effort.tenants, effort.setup_tunnels)
        if "create" in parts:
            yield create.measure(Path(folder) / "create", effort.creations)
        if "remote" in parts and not missing():
            yield remote.measure(Path(folder) / "remote", effort.creations)
        if "api" in parts:
            yield api.measure(Path(folder) / "api", effort.calls)
        yield from _of_the_manager(Path(folder), parts)


def _of_the_manager(folder: Path, parts: Sequence[str]) -> Iterator[Section]:
    if "hosts" in parts:
        yield hosts.measure(folder / "hosts")
    if "metrics" in parts:
        yield metrics.measure(folder / "metrics")


def _beside_others(folder: Path, parts: Sequence[str], effort: Effort) -> Iterator[Section]:
    folder.mkdir()
    with ExitStack() as stack:
        start = stack.enter_context
        work = start(load())
        ours, material = start(gateway(folder, work.port, DataPathKind.MODULE))
        by_http, _ = start(gateway(folder, work.port, DataPathKind.HTTP))
        few = [ours, by_http, start(haproxy(material)), start(nginx(material))]
        all_of_them = [*few, start(haproxy(material, LARGE_BUFFER_BYTES)), start(stunnel(material))]
        if "memory" in parts:  # before all else, while the proxies are fresh
            yield memory.measure(work, few, min(effort.idle_tunnels, most_tunnels()))
        if "setup" in parts:
            yield setup.measure(work, few, effort.setup_rounds, effort.setup_tunnels)
        if "throughput" in parts:
            measure = partial(throughput.measure, work, all_of_them)
            yield measure(effort.throughput_rounds, effort.throughput_bytes)


if __name__ == "__main__":
    main()
