"""Reachable targets: what may who name to be dialled or measured? Pure.

Nobody may name addresses that no service of a provider has (`cloudgate.network.destinations`).
The machine itself, and folders of hosts, may be named by administrators; by others where the
operator who started the manager has named the network or the folder. Where networks are
named, others may name nothing outside of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import PurePosixPath

from cloudgate.errors import AccessDeniedError, InvalidRequestError
from cloudgate.network.address_ranges import named_networks
from cloudgate.network.destinations import final_address, is_loopback, is_never, is_own_name
from cloudgate.values.enumeration import few

Network = IPv4Network | IPv6Network


def reachable_by(networks: Iterable[str], folders: Iterable[str]) -> "ReachableTargets":
    """What an operator names.

    Raises:
        InvalidRequestError: a text is no network, or no absolute path.
    """
    found = named_networks(
        networks, "--reachable: {} is no IP address or network such as 10.0.0.0/8"
    )
    for folder in folders:
        path = PurePosixPath(folder)
        if not path.is_absolute() or ".." in path.parts:
            raise InvalidRequestError(
                f"--measurable-folder: found {folder!r}, expected an absolute path without '..'."
            )
    return ReachableTargets(found, tuple(folders))


@dataclass(frozen=True)
class ReachableTargets:
    """What the operator names for those who do not administer."""

    networks: tuple[Network, ...] = ()
    folders: tuple[str, ...] = ()

    def may_be_dialled(self, address: str, *, named_by_administrator: bool) -> bool:
        """Whether an IP address may be dialled that somebody has named, or that a name led to."""
        if is_never(address):
            return False
        if named_by_administrator or self._is_named(address):
            return True
        return not self.networks and not is_loopback(address)

    def check_host(self, host: str, element: str, *, administers: bool) -> None:
        """See whether a host may be named; where a name leads is seen when it is dialled.

        Raises:
            InvalidRequestError: nobody may name it.
            AccessDeniedError: who is asking may not.
        """
        if is_never(host):
            raise InvalidRequestError(
                f"{element}: {host} is no address that a service can have: it means the machine"
                " that asks, its network's own means, or many at once."
            )
        if administers:
            return
        if (is_own_name(host) or is_loopback(host)) and not self._is_named(host):
            raise AccessDeniedError(
                f"Access denied: {element}: {host} means the machine itself. Only administrators"
                " name it, or all where the operator starts the manager with --reachable."
            )
        if self.networks and not self._is_named(host):
            raise AccessDeniedError(
                f"Access denied: {element}: found {host}, expected an IP address in one of the"
                f" networks that the operator has named: {few(self.networks)}."
            )

    def check_advertised(self, host: str, element: str, *, administers: bool) -> None:
        """See whether tenants may be told to come to a host, where the manager looks then.

        Networks that are named are those of services, and not of gateways.

        Raises:
            InvalidRequestError: nobody may name it.
            AccessDeniedError: who is asking may not.
        """
        ReachableTargets().check_host(
            host, element, administers=administers or self._is_named(host)
        )

    def check_folder(self, path: str, *, administers: bool) -> None:
        """See whether a folder of a managed server may be measured.

        Raises:
            AccessDeniedError: who is asking may not name it.
        """
        asked = PurePosixPath(path)
        if administers or any(asked.is_relative_to(folder) for folder in self.folders):
            return
        named = few(self.folders) or "none so far"
        raise AccessDeniedError(
            f"Access denied: Path: {path[:100]} is in no folder that may be measured: {named}. An"
            " administrator may name any, or the operator starts the manager with"
            " --measurable-folder."
        )

    def _is_named(self, address: str) -> bool:
        found = final_address(address)
        return found is not None and any(
            found in network for network in self.networks if network.version == found.version
        )
