"""How much do tunnels carry in a time?"""

import asyncio

from tests.support.running.tenant_program import Tunnel


async def moved_bytes(tunnels: list[Tunnel], seconds: float) -> list[int]:
    """How much came back through tunnels to an echo in a time, each sending all that it can."""
    moved = [0] * len(tunnels)
    piece = bytes(64 * 1024)

    async def send(tunnel: Tunnel) -> None:
        while True:
            tunnel.writer.write(piece)
            await tunnel.writer.drain()

    async def receive(number: int, tunnel: Tunnel) -> None:
        while data := await tunnel.reader.read(1024 * 1024):
            moved[number] += len(data)

    work = [asyncio.create_task(send(each)) for each in tunnels]
    work += [asyncio.create_task(receive(*each)) for each in enumerate(tunnels)]
    await asyncio.sleep(seconds)
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    return moved
