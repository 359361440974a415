"""Long line: how fast is a restore, or a backup, over a line that is long and loses packets?"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.report import Goal, Section, table
from bench.testbed.gateway import gateway
from bench.testbed.load import Load, load
from bench.testbed.proxies import GATEWAY, HAPROXY, Proxy, haproxy
from bench.testbed.tunnels import DOWNLOAD, UPLOAD
from cloudgate.host.envoy.data_path.choice import DataPathKind
from tests.support.machine.long_line import NEAR, USUAL, LongLine, Quality, long_line

SECONDS, WARM_UP_SECONDS = 6.0, 1.0
MBIT = 100.0
LINES = tuple(Quality(trip, loss, MBIT) for trip in (20, 80, 200) for loss in (0, 0.1, 0.5, 2))
QUICK_LINES = (Quality(80, 0.5, MBIT),)
FLOWS = tuple((way, count) for way in (DOWNLOAD, UPLOAD) for count in (1, 4, 16))
QUICK_FLOWS = FLOWS[:1]
WANTED_RATIO, WANTED_PART = 20.0, 0.8
"""Of a restore by one tunnel, 80 ms there and back, 0.5 % lost: against HAProxy, of the line."""
MEGABYTE = 1e6

Flow = tuple[bytes, int]
"""Direction, and tunnels at once."""


def measure(folder: Path, *, quick: bool) -> Section:
    """Compare a gateway and HAProxy, each with its defaults, over the same lines."""
    folder.mkdir()
    lines, flows = (QUICK_LINES, QUICK_FLOWS) if quick else (LINES, FLOWS)
    with ExitStack() as stack:
        line = stack.enter_context(long_line())
        work = stack.enter_context(load())
        ours, material = stack.enter_context(gateway(folder, work.port, DataPathKind.MODULE))
        theirs = stack.enter_context(haproxy(replace(material, listen="0.0.0.0")))
        proxies = [_over(line, ours), _over(line, theirs)]
        found = {
            (each.name, quality, flow): _speed(work, line, each, quality, flow)
            for quality in lines
            for flow in flows
            for each in proxies
        }
    names = [each.name for each in proxies]
    rows = [
        [_name(quality), *(_cell(found, names, quality, flow) for flow in flows)]
        for quality in lines
    ]
    head = ("there and back, lost", *(_title(flow) for flow in flows))
    note = (
        f"A line of {MBIT:g} Mbit/s ({MBIT / 8:g} MB/s) between two network namespaces, where"
        f" connections use {USUAL} unless they ask for something else. In each"
        f" cell MB/s through {names[0]}, and behind it through {names[1]}; {SECONDS:g} seconds"
        " each, after the first one."
    )
    return Section("Long lines", note, table(head, rows), _goals(found))


def _over(line: LongLine, proxy: Proxy) -> Proxy:
    return replace(proxy, way=replace(proxy.way, host=NEAR, network=line.far_network))


def _speed(work: Load, line: LongLine, proxy: Proxy, quality: Quality, flow: Flow) -> float:
    with line.carrying(quality), work.flowing(proxy.way, *flow):
        time.sleep(WARM_UP_SECONDS)
        moved, began = work.transferred_bytes(), time.monotonic()
        time.sleep(SECONDS)
        return (work.transferred_bytes() - moved) / MEGABYTE / (time.monotonic() - began)


def _name(quality: Quality) -> str:
    return f"{quality.round_trip_ms:g} ms, {quality.loss_percent:g} %"


def _title(flow: Flow) -> str:
    direction, tunnels = flow
    what = "restore" if direction == DOWNLOAD else "backup"
    return f"{what}, {tunnels} tunnel{'s' if tunnels > 1 else ''}"


def _cell(
    found: dict[tuple[str, Quality, Flow], float],
    names: Sequence[str],
    quality: Quality,
    flow: Flow,
) -> str:
    return " / ".join(f"{found[name, quality, flow]:.2f}" for name in names)


def _goals(found: dict[tuple[str, Quality, Flow], float]) -> tuple[Goal, ...]:
    one = Quality(80, 0.5, MBIT), (DOWNLOAD, 1)
    ours, theirs = found[GATEWAY, *one], found[HAPROXY, *one]
    ratio, part = ours / theirs, ours * MEGABYTE / one[0].bytes_per_second
    name = "restore over 80 ms that loses 0.5 %"
    return (
        Goal(
            f"{name}, against HAProxy's defaults",
            f"at least {WANTED_RATIO:g} times",
            f"{ratio:.1f} times",
            ratio >= WANTED_RATIO,
        ),
        Goal(
            f"{name}, of the line",
            f"at least {100 * WANTED_PART:g} %",
            f"{100 * part:.0f} %",
            part >= WANTED_PART,
        ),
    )
