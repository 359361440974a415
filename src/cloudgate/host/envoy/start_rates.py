"""Start rates: how fast does a connection to a target begin, and which cluster makes it? Pure.

The kernel keeps a connection to a rate from its first packet on when the rate is set before it is
made. Envoy sets that for a whole cluster (BindConfig, ``socket_options``): there is one cluster for
each rate that a tunnel may begin with, and the authorizer names it. Tenants without a limit go
through a cluster without any of this.

Where a target has several addresses, other clusters make the connection, which try the next address
when one fails. They are fewer, because each costs Envoy more: a tunnel through them begins with a
third of its rate at the least.
"""

from bisect import bisect_right
from collections.abc import Sequence

CLUSTER_HEADER = "x-cloudgate-cluster"
"""Names a tunnel's cluster. The authorizer sets it anew, whatever a client says."""
UNLIMITED_CLUSTER = "tunnels"
"""Name of the cluster of the tunnels that may be as fast as they can."""
TO_SEVERAL = "tunnels-to-several"
"""The same for the tunnels whose target has several addresses."""
SEGMENT_BYTES = 1460
"""What a packet carries over Ethernet (RFC 9293, section 3.7.1). The kernel paces nothing before
the tenth packet, and sends in pieces of at least one or two packets: over loopback, where packets
carry 64 KiB, that would be more than a slow tenant may send within a second."""
TENANTS_SEGMENT_BYTES = 2048
"""The same at the most towards tenants, where it is set before anybody knows who comes. It changes
nothing over Ethernet. Over loopback 16 uploads that are not slowed take a fifth more CPU, with this
and with any other length below loopback's own."""
UNPACED_BYTES = 7 * TENANTS_SEGMENT_BYTES + 16 * 1024
"""What a connection may send before it is paced (Linux, ``tcp_update_skb_after_send``): ten
packets, less those of the handshake, and what is sent together with the last of them, which is a
record of TLS."""


def _rates(*steps: float) -> tuple[int, ...]:
    return (*(int(step * 10**power) for power in range(3, 9) for step in steps), 10**9)


RATES_BYTES = _rates(1, 1.5, 2, 3, 5, 7)
"""Bytes each second."""
RATES_TO_SEVERAL_BYTES = _rates(1, 3)
"""The same for the targets that have several addresses."""


def cluster_of(rate_bytes: float) -> str:
    """The cluster whose connections begin no faster than that; the slowest if all are faster."""
    return name_of(_no_faster(RATES_BYTES, rate_bytes))


def to_several(cluster: str) -> str:
    """The cluster that does the same for a target with several addresses: it tries the next one."""
    rate_bytes = rate_of(cluster)
    if rate_bytes is None:
        return TO_SEVERAL
    return name_of(_no_faster(RATES_TO_SEVERAL_BYTES, rate_bytes), TO_SEVERAL)


def to_one(cluster: str) -> str:
    """The cluster that does the same for a target with one address."""
    rate_bytes = rate_of(cluster)
    return UNLIMITED_CLUSTER if rate_bytes is None else cluster_of(rate_bytes)


def rate_of(cluster: str) -> int | None:
    """How fast the connections of a cluster begin; None for as fast as they can."""
    rate = cluster.rpartition("-")[2]
    return int(rate) if rate.isdecimal() else None


def name_of(rate_bytes: int, unlimited: str = UNLIMITED_CLUSTER) -> str:
    """The cluster with that start rate, beside one without any."""
    return f"{unlimited}-{rate_bytes}"


def _no_faster(rates_bytes: Sequence[int], rate_bytes: float) -> int:
    return rates_bytes[max(bisect_right(rates_bytes, rate_bytes) - 1, 0)]
