"""aiohttp, which has to be told of a proxy that speaks TLS."""

import asyncio
import os
import ssl
from pathlib import Path

import aiohttp


async def there_and_back(data: bytes) -> bytes:
    """What the storage gives of what it was given."""
    trust = ssl.create_default_context(cafile="trusted.pem")
    url = "https://files.example:8443/aiohttp.tar"
    async with aiohttp.ClientSession(
        proxy=os.environ["HTTPS_PROXY"], raise_for_status=True
    ) as session:
        async with session.put(url, data=data, ssl=trust):
            pass
        async with session.get(url, ssl=trust) as answer:
            return await answer.read()


sent = Path("home.tar").read_bytes()
Path("restored.tar").write_bytes(asyncio.run(there_and_back(sent)))
