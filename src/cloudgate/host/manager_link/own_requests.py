"""Own requests' way: how does what a tenant wants for itself come to the manager?"""

from cloudgate.errors import UnavailableError
from cloudgate.host.manager_link.client import UnknownCallError
from cloudgate.host.manager_link.manager_connection import ManagerConnection
from cloudgate.host.platform.machine import machine_mark
from cloudgate.protocol import OwnAnswer, OwnRequest


async def hand_on(line: ManagerConnection, request: OwnRequest) -> OwnAnswer:
    """Ask the manager, on a connection of its own.

    Raises:
        UnavailableError: it does not answer, or is of the release before.
        CloudgateError: it refuses this host.
    """
    try:
        async with line.connected() as client:
            return await client.send_own(request.model_copy(update={"machine": machine_mark()}))
    except UnknownCallError as problem:
        raise UnavailableError(f"The manager takes no requests of tenants: {problem}.") from None
