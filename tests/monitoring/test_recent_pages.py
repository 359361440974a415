"""Are the figures of the last minutes there when somebody comes to look?"""

from datetime import UTC, datetime, timedelta

import pytest

from cloudgate.monitoring.recent_pages import INTERVAL_SECONDS, MOST_PAGES, RecentPages

pytestmark = pytest.mark.anyio


async def test_the_last_pages_are_kept_each_with_its_time() -> None:
    began = datetime(2026, 11, 28, tzinfo=UTC)
    now = began
    recent = RecentPages(lambda: now)
    await recent.keep()
    assert await recent.document("") == ([], "text/plain; charset=utf-8")

    async def page(_: str) -> tuple[list[bytes], str]:
        return [f"value {(now - began).seconds // 60}\n".encode()], "text/plain"

    recent.source = page
    for _ in range(MOST_PAGES + 3):
        now += timedelta(seconds=INTERVAL_SECONDS)
        await recent.keep()
    lines = b"".join((await recent.document(""))[0]).decode().splitlines()
    assert lines[0] == "# 2026-11-28T00:04:00+00:00"
    assert lines[1::2] == [f"value {number}" for number in range(4, 9)]
