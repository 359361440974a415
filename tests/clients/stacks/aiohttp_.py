"""aiohttp, which has to be told of a proxy that speaks TLS."""

import asyncio
import os
import ssl
from pathlib import Path

import aiohttp


async def run() -> None:
    """There and back."""
    trust = ssl.create_default_context(cafile="trusted.pem")
    url = "https://files.example:8443/aiohttp.tar"
    async with aiohttp.ClientSession(proxy=os.environ["HTTPS_PROXY"]) as session:
        data = Path("home.tar").read_bytes()
        async with session.put(url, data=data, ssl=trust) as answer:
            answer.raise_for_status()
        async with session.get(url, ssl=trust) as answer:
            answer.raise_for_status()
            Path("restored.tar").write_bytes(await answer.read())


asyncio.run(run())
