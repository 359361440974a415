"""Listener rollout: how does Envoy come to listen where it should, or stay as it was?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import REFUSAL_LINES, refusal_lines
from cloudgate.host.envoy import xds_files
from cloudgate.host.envoy.admin_client import AdminClient, Listeners
from cloudgate.host.envoy.data_path.resources import requests_cluster
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.supervisor import EnvoySupervisor
from cloudgate.host.envoy.xds_listener import ListenerSettings, listen_addresses, listener
from cloudgate.host.envoy.xds_resources import (
    CERTIFICATE,
    CLIENT_AUTHORITIES,
    ROUTES,
    Resource,
    client_authorities,
    clusters,
    routes,
    secret,
)
from cloudgate.host.platform.addresses import host_has_ipv6
from cloudgate.host.platform.congestion_control import congestion_control
from cloudgate.host.platform.port_owner import explain, find_owner, taken_port
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.private_key import check_certificate, private_key_pem
from cloudgate.protocol import Gateway

APPLY_SECONDS = 5.0
"""How long Envoy has to take over what was written."""

_LOOK_AGAIN_SECONDS = 0.02

_log = structlog.get_logger(__name__)


class _ModuleRejectedError(UnavailableError):
    """Envoy does not take the listener, because of the module that it names."""


class ListenerRollout:
    """Opens and closes the gateway's port, and believes only what Envoy says of it."""

    def __init__(
        self,
        paths: StatePaths,
        endpoints: LocalEndpoints,
        envoy: EnvoySupervisor,
        admin: AdminClient,
    ) -> None:
        self._paths = paths
        self._endpoints = endpoints
        self._envoy = envoy
        self._admin = admin

    async def apply(self, gateway: Gateway) -> float:
        """Have Envoy listen as `gateway` says; returns when it does.

        What listened before goes on until then, and goes on when this fails. What is returned is
        when all was written and Envoy ran, in seconds of `time.monotonic`.

        Raises:
            CloudgateError: It does not, with what an operator can do about it.
        """
        check_certificate(self._paths, gateway.certificate_chain_pem, gateway.private_key_pem)
        try:
            return await self._apply(gateway)
        except _ModuleRejectedError as error:
            self._envoy.give_up_module(f"Envoy does not take it: {error.message}")
            return await self._apply(gateway)

    async def _apply(self, gateway: Gateway) -> float:
        await self._envoy.begin_hot_restart()
        wanted = self._wanted(gateway)
        # One that takes over gets the port from the other only while that one listens.
        told = (
            [wanted]
            if self._envoy.processes.is_hot_restarting
            else xds_files.listeners(self._paths.xds)
        )
        version = self._put_common(gateway)
        self._put(told)  # Envoy does not start without the file
        await self._envoy.ensure_running()
        applied_at_seconds = time.monotonic()
        found = await self._admin.listeners()
        in_force = [each for each in told if each["name"] in found.active]
        if [each["name"] for each in told] != [wanted["name"]] or not in_force:
            await self._replace(in_force, wanted)
            await self._wait_active(wanted)
        elif not _listens(found, wanted):
            await self._wait_active(wanted)
        await self._wait_certificate(version)
        return applied_at_seconds

    async def withdraw(self) -> None:
        """Close the port at once; live tunnels go on. On a full disk that is worth its reserve.

        Raises:
            UnavailableError: Envoy does not say that it did.
        """
        self._envoy.reserve.release_for(lambda: self._put([]))
        if not await self._envoy.adopt() and not self._envoy.processes.is_hot_restarting:
            return
        await self._envoy.ensure_running()
        await self._wait_exactly([])

    def _wanted(self, gateway: Gateway) -> Resource:
        where = listen_addresses(gateway.addresses, gateway.port, host_has_ipv6=host_has_ipv6())
        return listener(
            self._paths,
            where,
            congestion_control(),
            self._envoy.data_path,
            ListenerSettings.of(gateway),
        )

    def _put_common(self, gateway: Gateway) -> str:
        folder = self._paths.xds
        authorizer = self._endpoints.authorizer_endpoint()
        more = [requests_cluster()] if self._envoy.data_path.module else []
        xds_files.write(folder, "clusters", clusters(authorizer, more))
        xds_files.write(folder, ROUTES, [routes()])
        xds_files.write(folder, REFUSAL_LINES, [refusal_lines()])
        if gateway.client_authorities:
            authorities = client_authorities(gateway.client_authorities)
            xds_files.write(folder, CLIENT_AUTHORITIES, [authorities])
        chain = gateway.certificate_chain_pem
        key = gateway.private_key_pem or private_key_pem(self._paths)
        return xds_files.write(folder, CERTIFICATE, [secret(chain, key)])

    def _put(self, listeners: Sequence[Resource]) -> None:
        xds_files.write(self._paths.xds, xds_files.LISTENERS, listeners)

    async def _replace(self, before: list[Resource], wanted: Resource) -> None:
        others = [each for each in before if each["name"] != wanted["name"]]
        # Two sockets for one port would be in each other's way: then a moment without any.
        together = all(xds_files.have_disjoint_ports(each, wanted) for each in others)
        first = others if together else []
        try:
            self._put(first)
            await self._wait_exactly(first)
            self._put([*first, wanted])
            await self._wait_active(wanted)
        except BaseException:
            self._put(before)
            raise
        self._put([wanted])
        await self._wait_exactly([wanted])

    async def _wait_active(self, wanted: Resource) -> None:
        name = wanted["name"]

        async def is_active() -> bool:
            found = await self._admin.listeners()
            if name in found.rejected:
                details = found.rejected[name]
                kind = _ModuleRejectedError if _is_of_module(details) else UnavailableError
                raise kind(await _reason(details))
            return _listens(found, wanted)

        complaint = "Envoy neither takes nor rejects the gateway's settings."
        await self._until(is_active, complaint, xds_files.LISTENERS)

    async def _wait_certificate(self, version: str) -> None:
        async def is_taken() -> bool:
            return await self._admin.certificate_version() == version

        complaint = "Envoy does not take the gateway's certificate."
        await self._until(is_taken, complaint, CERTIFICATE)

    async def _wait_exactly(self, listeners: Sequence[Resource]) -> None:
        names = {each["name"] for each in listeners}

        async def are_all() -> bool:
            found = await self._admin.listeners()
            return found.active == names and set(found.bound) == names and not found.rejected

        complaint = "Envoy does not close the gateway's port."
        await self._until(are_all, complaint, xds_files.LISTENERS)

    async def _until(self, holds: Callable[[], Awaitable[bool]], complaint: str, file: str) -> None:
        """Look again and again until it holds.

        Raises:
            UnavailableError: it did not in time; Envoy is told the file anew for the next attempt.
        """
        deadline = time.monotonic() + APPLY_SECONDS
        while time.monotonic() < deadline:
            if await holds():
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._envoy.reserve.release_for(partial(xds_files.write_again, self._paths.xds, file))
        raise UnavailableError(complaint)


def _listens(found: Listeners, wanted: Resource) -> bool:
    name = wanted["name"]
    bound = {(ip_address(each), port) for each, port in found.bound.get(name, frozenset())}
    asked = {(ip_address(each), port) for each, port in xds_files.sockets_of(wanted)}
    return name in found.active and bound == asked


def _is_of_module(details: str) -> bool:
    """Whether Envoy's words are of a module that it cannot use. Pure."""
    return "dynamic module" in details.lower() or "dynamic_module" in details


async def _reason(details: str) -> str:
    port = taken_port(details)
    owner = await asyncio.to_thread(find_owner, port) if port is not None else None
    _log.warning("envoy rejects the listener", details=details)
    return explain(details, owner)
