"""Connector run: what does the connector do from its start to its end?"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cloudgate.background import Background, Job
from cloudgate.connector.balancer import Balancer
from cloudgate.connector.local_listeners import LocalListeners, relay_standard_streams
from cloudgate.connector.own_certificate import CertificateKeeper
from cloudgate.connector.relay import Traffic
from cloudgate.connector.settings import Forward
from cloudgate.network.hostport import HostPort
from cloudgate.processes.signals import on_end
from cloudgate.values.enumeration import few
from cloudgate.values.units import MB

SHOWN_SECONDS = 1.0
"""How often the live line is renewed."""


@dataclass(frozen=True)
class Output:
    """Where the connector's messages go: once, and for whoever watches."""

    say: Callable[[str], None]
    """Told once what is open, and that all is ready."""
    show: Callable[[str], None] | None = None
    """Told again and again what goes on, for somebody who watches."""


async def run_connector(
    fleet: Balancer,
    forwards: Sequence[Forward],
    told: Output,
    keeper: CertificateKeeper | None = None,
) -> None:
    """Open local ports, and keep them open until SIGINT or SIGTERM.

    `keeper` has the certificate that the tenant comes in by; None where that is its password.

    Raises:
        CloudgateError: no gateway lets the tenant in, or a port cannot be opened.
    """
    ports = LocalListeners(fleet)
    stop = asyncio.Event()
    with on_end(stop.set):
        try:
            opened = [await ports.listen(forward) for forward in forwards]
            if not await _ends_before(stop, _begin(fleet, keeper)):
                return
            if keeper is not None:
                fleet.on_refused = keeper.refused
            for forward, number in zip(forwards, opened, strict=True):
                told.say(f"{HostPort(forward.local.host, number)} leads to {forward.target}")
            told.say("ready")
            jobs = [fleet.job(), *([keeper.job()] if keeper is not None else [])]
            if told.show is not None:
                jobs.append(
                    Job(
                        name="Showing what goes on",
                        attempt=partial(_show, fleet, ports.traffic, told.show),
                        interval_seconds=SHOWN_SECONDS,
                        lasts=True,
                    )
                )
            work = asyncio.create_task(Background(jobs).run())
            await stop.wait()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        finally:
            await ports.close()


async def run_standard_streams(
    fleet: Balancer, target: HostPort, keeper: CertificateKeeper | None = None
) -> None:
    """Be a tunnel from standard input and output, until both sides have said all.

    Raises:
        CloudgateError: there is no tunnel, or it was cut.
    """
    await _begin(fleet, keeper)
    await relay_standard_streams(fleet, target)


async def _begin(fleet: Balancer, keeper: CertificateKeeper | None) -> None:
    """Have what the tenant shows, and know the gateways."""
    if keeper is not None:
        await keeper.begin()
    await fleet.discover()


async def _ends_before(stop: asyncio.Event, steps: Coroutine[Any, Any, None]) -> bool:
    """Whether steps end before that is set; if not, they are cancelled.

    Raises:
        CloudgateError: as they do.
    """
    work, stopped = asyncio.create_task(steps), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return False
        work.result()
        return True
    finally:
        work.cancel()
        stopped.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)


async def _show(fleet: Balancer, traffic: Traffic, show: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    seconds, up, down = SHOWN_SECONDS, 0, 0
    while True:
        speeds = (traffic.bytes_up - up) / seconds, (traffic.bytes_down - down) / seconds
        show(live_line(traffic, *speeds, last=fleet.used))
        at, up, down = loop.time(), traffic.bytes_up, traffic.bytes_down
        await asyncio.sleep(SHOWN_SECONDS)
        seconds = loop.time() - at


def live_line(traffic: Traffic, up: float, down: float, *, last: HostPort | None) -> str:
    """What goes on: tunnels, by which gateways, and speed.

    Args:
        traffic: what went through the connector.
        up: bytes per second to the targets; shown in MB as limits are set.
        down: bytes per second from them.
        last: the gateway that the last tunnel went through.
    """
    carrying = [(gateway, count) for gateway, count in traffic.by.most_common() if count]
    ways = few(f"{count} by {gateway}" for gateway, count in carrying)
    if len(carrying) == 1:
        ways = f"by {carrying[0][0]}"
    elif not carrying:
        ways = f"the last by {last}" if last else ""
    tunnels = f"{traffic.tunnels or 'no'} tunnel{'' if traffic.tunnels == 1 else 's'}"
    speeds = f"{up / MB:.1f} MB/s up, {down / MB:.1f} MB/s down"
    return f"{tunnels} ({ways}), {speeds}" if ways else f"{tunnels}, {speeds}"
