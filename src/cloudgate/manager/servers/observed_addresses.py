"""Observed addresses: from where does a machine speak, as the manager saw it itself?

Unlike what a machine says of itself, such an address may stand in its certificate. At most one of
each IP version is kept, and another takes its place when it has not been heard of for a while: a
machine with two ways out does not get another certificate with every poll.
"""

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from cloudgate.manager.registries.hosts.source_addresses import KEPT_FOR
from cloudgate.values import ip_addresses

Addresses = tuple[str, ...]


@lru_cache(4096)
def usable(text: str) -> str:
    """An IP address in its usual form; empty for one that nobody could be told to go to."""
    try:
        address = ip_addresses.read(text)
    except ValueError:
        return ""
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        return ""
    return str(address)


def read(kept: str) -> Addresses:
    """From what the database has."""
    return tuple(kept.split())


def after(kept: str, address: str, heard: Mapping[str, datetime], now: datetime) -> str:
    """What the database is to have once a machine has spoken from a usable address.

    `heard`: when it last did from which.
    """
    known = read(kept)
    if not address or address in known:
        return kept
    version = ipaddress.ip_address(address).version
    rivals = [each for each in known if ipaddress.ip_address(each).version == version]
    if any(each in heard and now - heard[each] < KEPT_FOR for each in rivals):
        return kept
    return " ".join(sorted({*known, address} - set(rivals)))
