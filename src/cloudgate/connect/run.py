"""What does the connector do from its start to its end?"""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence

from cloudgate.connect.fleet import Fleet
from cloudgate.connect.ports import Ports, Traffic
from cloudgate.connect.settings import Address, Forward
from cloudgate.connect.tunnel import Identity

SHOWN_SECONDS = 1.0
"""How often the live line is renewed."""


async def run_connector(
    gateway: Address,
    forwards: Sequence[Forward],
    who: Identity,
    *,
    say: Callable[[str], None],
    show: Callable[[str], None] | None = None,
) -> None:
    """Open local ports, and keep them open until SIGINT or SIGTERM.

    Args:
        gateway: where the tenant's gateways are asked for.
        forwards: the local ports, and where they lead.
        who: the tenant.
        say: told once what is open, and that all is ready.
        show: told again and again what goes on, for somebody who watches.

    Raises:
        CloudgateError: the gateway does not let the tenant in, or a port cannot be opened.
    """
    fleet = Fleet(gateway, who)
    await fleet.learn()
    ports = Ports(fleet)
    stop = asyncio.Event()
    _on_signals(stop)
    try:
        for forward in forwards:
            number = await ports.listen(forward)
            say(f"{Address(forward.local.host, number)} leads to {forward.target}")
        say("ready")
        work = [asyncio.create_task(fleet.run())]
        if show is not None:
            work.append(asyncio.create_task(_show(fleet, ports.traffic, show)))
        await stop.wait()
        for each in work:
            each.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    finally:
        ports.close()


async def _show(fleet: Fleet, traffic: Traffic, show: Callable[[str], None]) -> None:
    up, down = 0, 0
    while True:
        show(
            f"{traffic.tunnels} tunnels, {_speed(traffic.bytes_up - up)} up,"
            f" {_speed(traffic.bytes_down - down)} down, by {fleet.used}"
        )
        up, down = traffic.bytes_up, traffic.bytes_down
        await asyncio.sleep(SHOWN_SECONDS)


def _speed(bytes_a_second: float) -> str:
    return f"{bytes_a_second / SHOWN_SECONDS / 1e6:.1f} MB/s"


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
