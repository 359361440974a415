"""Access log: what does Envoy write of tunnels?"""

import json
from pathlib import Path

from tests.support.waiting import until_async


async def access_lines(path: Path, count: int) -> list[dict[str, object]]:
    """The log's lines, once there are `count`: Envoy writes them once a second."""

    def lines() -> list[str]:
        return path.read_text().splitlines()

    await until_async(lambda: len(lines()) >= count, said=lines)
    return [json.loads(line) for line in lines()]
