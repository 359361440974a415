"""Tables: how is much that was found written as comma-separated values, and nobody held up?"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence

from cloudgate.console.api import Json
from cloudgate.values.shown_texts import cell

AT_ONCE = 200
"""Rows: a thousand would hold up what others ask of the manager, and cost no less."""


async def table(columns: Sequence[str], portions: AsyncIterator[list[Json]]) -> AsyncIterator[str]:
    """A table with a heading (RFC 4180), portion by portion, of which there is one at least."""
    heading = [columns]
    async for rows in portions:
        written = io.StringIO()
        lines = csv.writer(written)
        lines.writerows(heading)
        lines.writerows([cell(row.get(name)) for name in columns] for row in rows)
        heading = []
        yield written.getvalue()


async def portions(rows: list[Json]) -> AsyncIterator[list[Json]]:
    """What is there, some rows at a time, between which others have their turn; one at least."""
    for begin in range(0, max(1, len(rows)), AT_ONCE):
        yield rows[begin : begin + AT_ONCE]
        await asyncio.sleep(0)


async def with_first_piece(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same pieces, of which the first is there: the API has not refused it."""
    first = await anext(pieces)

    async def all_of_them() -> AsyncIterator[str]:
        yield first
        async for each in pieces:
            yield each

    return all_of_them()
