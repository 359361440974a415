"""Access log record: what does one line say of a tunnel?

Tenant, target and reason are the authorizer's words. The raw request is left out, because a
confused client may put a password anywhere. Of requests that became no tunnel only so many have a
line of their own, so that nobody fills a disk with them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.network import hostport
from cloudgate.values import ip_addresses

AUTHORIZER_METADATA = "envoy.filters.http.ext_authz"
"""Where Envoy keeps what the authorizer said of a request."""

FLUSH_MILLISECONDS = 50
"""A line reaches the file at most this long after its event."""
PERIOD_SECONDS = 15
"""How often a live tunnel says how much went through it."""
REFUSALS_AT_ONCE = 100
"""Lines about requests that became no tunnel, one after the other; then only so many each second.
How many more there were is summed up in the log of the host service."""
REFUSALS_PER_SECOND = 5
_ESTABLISHED = 200
REFUSAL_LINES = "refusal-lines"
"""Name of the bucket that these lines come from."""
LEFT_OUT = "access_log.process_ratelimit.denied"
"""Envoy's counter of the lines that were left out."""
GOODBYE_SECONDS = 2
"""How long Envoy waits between the end of a tunnel in HTTP/1.1 and its own close_notify, for the
client to close. The end of a tunnel that its target tore is read from the log within this time,
and told the client as what it is."""
PROCESS_VARIABLE = "CLOUDGATE_ENVOY"
"""In Envoy's environment: what tells its lines from those of another Envoy."""


class RecordType(StrEnum):
    """What a line is about, in Envoy's words (access log, ``%ACCESS_LOG_TYPE%``)."""

    BEGUN = "DownstreamTunnelSuccessfullyEstablished"
    GOING_ON = "DownstreamPeriodic"
    ENDED = "DownstreamEnd"


_OF_TCP = {
    "TcpUpstreamConnected": RecordType.BEGUN,
    "TcpPeriodic": RecordType.GOING_ON,
    "TcpConnectionEnd": RecordType.ENDED,
}
"""What Envoy calls the same where it carries a tunnel by TCP alone."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """What a line says of a tunnel that was let in."""

    kind: RecordType
    tunnel: str
    envoy: str
    """Which Envoy carries it."""
    started_at: datetime
    metadata: TunnelMetadata
    target: str
    client: str
    """Address and port that the tenant came from."""
    from_address: str
    """Address and port that the gateway's own connection to the target comes from."""
    bytes_up: int
    bytes_down: int
    gateway_address: str = ""
    """Address and port that the tenant came to; empty where the release before wrote the line."""
    target_address: str = ""
    """Address and port of the target, at the other end of the gateway's own connection."""
    ended_at: datetime | None = None
    """None where the line is of no end."""
    setup_seconds: float | None = None
    """From the request to the beginning of the tunnel; None where the line is of no beginning."""
    is_torn: bool = False
    """Whether the target tore it (RST), where Envoy does not tell the client so by itself."""


def parse_record(line: str) -> AccessRecord | None:
    """The entry in a line; None for refusals, for what is no tunnel, and for broken lines."""
    try:
        said = json.loads(line)
        metadata = _pass(said)
        if said["status"] != _ESTABLISHED or metadata is None or not said["target"]:
            return None
        kind, started_at = RecordType(said["type"]), datetime.fromisoformat(said["time"])
        return AccessRecord(
            kind=kind,
            tunnel=said["tunnel"],
            envoy=said.get("envoy") or "",
            started_at=started_at,
            metadata=metadata,
            target=said["target"],
            client=said["client"],
            from_address=said.get("from_address") or "",
            bytes_up=said["bytes_up"],
            bytes_down=said["bytes_down"],
            gateway_address=_as_the_kernel_says(said.get("gateway_address") or ""),
            target_address=_as_the_kernel_says(said.get("address") or ""),
            ended_at=_ended_at(started_at, said) if kind is RecordType.ENDED else None,
            setup_seconds=_setup_seconds(said) if kind is RecordType.BEGUN else None,
            is_torn=kind is RecordType.ENDED and _is_torn(said),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _as_the_kernel_says(address: str) -> str:
    """Where Envoy says an address as it was configured, one of IPv4 may stand as one of IPv6."""
    if not address.startswith("[::ffff:"):
        return address
    host, port = hostport.split(address)
    return hostport.join(ip_addresses.unmapped(host), port)


def _ended_at(started_at: datetime, said: dict[str, Any]) -> datetime:
    return started_at + timedelta(milliseconds=said.get("duration_ms") or 0)


def _setup_seconds(said: dict[str, Any]) -> float | None:
    lasted = said.get("duration_ms")
    return lasted / 1000 if isinstance(lasted, int | float) else None


def _is_torn(said: dict[str, Any]) -> bool:
    # UC is Envoy's flag of an upstream connection's termination. HTTP/2 has RST_STREAM for it, and
    # what goes by TCP alone is torn by Envoy itself.
    return said.get("flags") == "UC" and said["protocol"] != "HTTP/2"


@dataclass(frozen=True, slots=True)
class ReleasedSlot:
    """A slot that the end of a request gives back."""

    slot_id: str
    client: str
    """Address and port that the request came from."""


def released_slot(line: str) -> ReleasedSlot | None:
    """What the end of a request gives back, whether it ever became a tunnel or not."""
    if f'"type":"{RecordType.ENDED}"' not in line:
        return None
    try:
        said = json.loads(line)
        metadata = _pass(said)
        if metadata is None or not metadata.slot_id:
            return None
        return ReleasedSlot(metadata.slot_id, said.get("client") or "")
    except (ValueError, KeyError, TypeError):
        return None


def _pass(said: dict[str, Any]) -> TunnelMetadata | None:
    if "pass" in said:
        return TunnelMetadata.read(said["pass"]) if said["pass"] else None
    # That is how a listener of the release before writes, until its last tunnel has ended.
    if not said["tenant_id"]:
        return None
    return TunnelMetadata(
        slot_id=said["place"] or "",
        tenant_id=UUID(said["tenant_id"]),
        user_id=UUID(said["user_id"]) if said["user_id"] else None,
        restoring=bool(said.get("restoring")),
    )


def _metadata_operator(key: str) -> str:
    return f"%DYNAMIC_METADATA({AUTHORIZER_METADATA}:{key})%"


JSON_FORMAT = {
    # As all lines begin that Cloudgate writes.
    "timestamp": "%EMIT_TIME%",
    "level": "info",
    "event": "tunnel",
    "time": "%START_TIME%",
    "type": "%ACCESS_LOG_TYPE%",
    "tunnel": "%STREAM_ID%",
    "envoy": f"%ENVIRONMENT({PROCESS_VARIABLE})%",
    "tenant": _metadata_operator("tenant"),
    "pass": _metadata_operator("pass"),
    "target": _metadata_operator("target"),
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "gateway_address": "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "bytes_up": "%BYTES_RECEIVED%",
    "bytes_down": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "reason": _metadata_operator("reason"),
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "address": "%UPSTREAM_REMOTE_ADDRESS%",
    "from_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "address_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}


_HANDED_OVER_FORMAT = {
    **JSON_FORMAT,
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "gateway_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
}
"""Of what the module has handed over, within Envoy: both ends are those that it says."""
_TCP_FORMAT: dict[str, str | int] = {
    **JSON_FORMAT,
    "protocol": "HTTP/1",
    "status": _ESTABLISHED,
    # Without CONNECT and its answer, which are the module's.
    "bytes_up": "%UPSTREAM_WIRE_BYTES_SENT%",
    "bytes_down": "%UPSTREAM_WIRE_BYTES_RECEIVED%",
    "details": "%CONNECTION_TERMINATION_DETAILS%",
}
"""Of tunnels that the module carries; there is no line of what became none."""


def access_log(
    path: str, refusal_lines: dict[str, Any], *, handed_over: bool = False
) -> dict[str, Any]:
    """Envoy's access logger that appends to `path`.

    Args:
        path: the file.
        refusal_lines: where Envoy reads the bucket of the lines about what was refused, as a
            config source.
        handed_over: whether requests come from the module.
    """
    some = {"or_filter": {"filters": [_WAS_LET_IN, _one_of_few(refusal_lines)]}}
    return _file_log(path, some, _HANDED_OVER_FORMAT if handed_over else JSON_FORMAT)


def tcp_access_logs(path: str) -> list[dict[str, Any]]:
    """The same for tunnels that the module carries, in the same words."""
    return [
        _file_log(
            path,
            {"and_filter": {"filters": [_WAS_LET_IN, {"log_type_filter": {"types": [of_tcp]}}]}},
            {**_TCP_FORMAT, "type": str(kind)},
        )
        for of_tcp, kind in _OF_TCP.items()
    ]


def _file_log(path: str, some: dict[str, Any], json_format: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "envoy.access_loggers.file",
        "filter": some,
        "typed_config": {
            "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
            "path": path,
            # As null, what nothing is said of would cost more than the keys that all lines have.
            "log_format": {"json_format": dict(json_format), "omit_empty_values": True},
        },
    }


def refusal_lines() -> dict[str, Any]:
    """The bucket that each line about what was refused takes a token from."""
    bucket = {
        "@type": "type.googleapis.com/envoy.type.v3.TokenBucket",
        "max_tokens": REFUSALS_AT_ONCE,
        "tokens_per_fill": REFUSALS_PER_SECOND,
        "fill_interval": "1s",
    }
    return {
        "@type": "type.googleapis.com/envoy.service.discovery.v3.Resource",
        "name": REFUSAL_LINES,
        "resource": bucket,
    }


_TYPES = "type.googleapis.com/envoy.extensions"
# What counts tunnels and places has to see each of these lines.
_WAS_LET_IN = {
    "metadata_filter": {
        "matcher": {
            "filter": AUTHORIZER_METADATA,
            "path": [{"key": "pass"}],
            "value": {"present_match": True},
        },
        "match_if_key_not_found": False,
    }
}


def _one_of_few(refusal_lines: dict[str, Any]) -> dict[str, Any]:
    kind = f"{_TYPES}.access_loggers.filters.process_ratelimit.v3.ProcessRateLimitFilter"
    few = {"resource_name": REFUSAL_LINES, "config_source": refusal_lines}
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.process_ratelimit",
            "typed_config": {"@type": kind, "dynamic_config": few},
        }
    }
