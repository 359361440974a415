"""Leader election: when does a manager lead, and when does it stand by for another one?"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.lease import Lease
from cloudgate.manager.storage.failures import reason
from cloudgate.network import hostport
from cloudgate.processes.end_deadline import ended_within
from cloudgate.processes.loop_watchdog import LoopWatchdog

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often a manager that stands by looks whether anybody leads."""
LEAVE_SECONDS = 45.0
"""How long a role may take to end: longer than a change waits for the database, and shorter than
systemd waits."""

Role = Callable[[], AbstractAsyncContextManager[None]]
"""What a manager does while it has a role."""


def own_url(said: str | None, host: str, port: int) -> str:
    """By which address hosts and other managers reach a manager that listens at a host and port.

    Raises:
        InvalidRequestError: what was said is no address.
    """
    if said is None:
        return f"https://{hostport.join(host or socket.gethostname(), port)}"
    try:
        parts = urlsplit(said)
        is_one = parts.scheme == "https" and parts.hostname and (parts.port or True)
    except ValueError:  # of the port
        is_one = False
    if not is_one or parts.path.strip("/") or parts.query or parts.username:
        raise InvalidRequestError(
            f"--own-url: found {said!r}, expected https://HOST:PORT, by which hosts and other"
            " managers reach this manager."
        )
    return said.rstrip("/")


async def run_elected(lease: Lease, stop: asyncio.Event, *, lead: Role, stand_by: Role) -> None:
    """Lead while nobody else does, and stand by while somebody does, until `stop`.

    A role that does not end within `LEAVE_SECONDS` ends the process, which says where it stood.

    Raises:
        SQLAlchemyError: the database cannot be asked at the start.
        UnavailableError: this manager is too old to lead, or cannot for another reason.
    """
    leads = await asyncio.to_thread(lease.try_to_take)
    while not stop.is_set():
        if not leads:
            async with _in_role(stand_by, "standing by"):
                leads = await _until_taken(lease, stop)
        if leads:
            over = asyncio.Event()
            with suppress(_LostError):
                async with _in_role(partial(_leading, lease, stop, over, lead), "leading"):
                    await over.wait()
            leads = False


@asynccontextmanager
async def _in_role(role: Role, what: str) -> AsyncIterator[None]:
    with ended_within(LEAVE_SECONDS, what) as is_to_end:
        async with role():
            try:
                yield
            finally:
                is_to_end()


@asynccontextmanager
async def _leading(
    lease: Lease, stop: asyncio.Event, over: asyncio.Event, lead: Role
) -> AsyncIterator[None]:
    """Keep the lease meanwhile; `over` is set when it is lost, or at `stop`.

    Raises:
        _LostError: another manager leads before this one has begun to.
    """
    loop = asyncio.get_running_loop()
    lease.keep(lambda: loop.call_soon_threadsafe(over.set), LoopWatchdog(loop).is_responsive)
    stopping = asyncio.create_task(stop.wait())
    stopping.add_done_callback(lambda _: over.set())
    try:
        async with lead():
            log.info("this manager leads", term=lease.term)
            yield
    except UnavailableError as problem:
        if lease.is_sure():
            raise  # it leads, and cannot
        log.warning("this manager did not begin to lead", reason=problem.message)
        raise _LostError from problem
    finally:
        stopping.cancel()
        with suppress(SQLAlchemyError):  # it ends by itself
            await asyncio.to_thread(lease.give_back)


class _LostError(Exception):
    """Another manager leads."""


async def _until_taken(lease: Lease, stop: asyncio.Event) -> bool:
    """Whether this manager leads now, or is to stop."""
    failing = ""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
        if stop.is_set():
            break
        try:
            if await asyncio.to_thread(lease.try_to_take):
                return True
        except (SQLAlchemyError, UnavailableError) as problem:
            found = problem.message if isinstance(problem, UnavailableError) else reason(problem)
            if found != failing:
                log.warning("it cannot be seen who leads", reason=found or str(problem))
            failing = found or ""
        else:
            failing = ""
    return False
