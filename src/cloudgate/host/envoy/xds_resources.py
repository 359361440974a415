"""xDS resources: what is Envoy told so that it is the gateway that an assignment asks for?

Pure: from a `Gateway` to Envoy's resources as JSON objects. Tenants and repositories never
appear here. The clusters of tunnels are of type ORIGINAL_DST: they connect each tunnel to the
address that the authorizer names in the request's metadata, which no client can write to. There is
one for each start rate, and one without (`cloudgate.host.envoy.start_rates`). Where a target has
several addresses, others make the connection, which try the next when one fails to connect.
"""

import hashlib
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudgate.host.access_log.record import AUTHORIZER_METADATA
from cloudgate.host.envoy.start_rates import (
    CLUSTER_HEADER,
    RATES_BYTES,
    RATES_TO_SEVERAL_BYTES,
    SEGMENT_BYTES,
    TO_SEVERAL,
    UNLIMITED_CLUSTER,
    name_of,
)
from cloudgate.host.platform.resource_limits import Capacity
from cloudgate.host.platform.send_buffer import most_unsent_bytes
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.site import OWN_METHODS
from cloudgate.network.well_known import WELL_KNOWN

Resource = dict[str, Any]

TUNNELS = "tunnels"
"""Under which name Envoy counts the tunnels of all clusters."""
ADDRESS, OTHER_ADDRESSES = "address", "others"
"""Where the authorizer names the target's address, and its others, with blanks between them, in the
order to try them."""
RETRIES_HEADER = "x-envoy-max-retries"
"""How often a tunnel is tried again: as often as it has other addresses (Envoy: Router). After the
last one Envoy would have no address, and would take the one that its client has dialled."""
AUTHORIZER = "authorizer"
CERTIFICATE = "certificate"
ROUTES = "routes"
CLIENT_AUTHORITIES = "client-authorities"
"""Who signs tenants' certificates."""
REQUESTS = "requests"
"""Where the module hands requests over to that it does not settle: a listener within Envoy."""

HEAP = "envoy.resource_monitors.fixed_heap"
BUFFER_BYTES = 128 * 1024
"""What a tunnel may hold back in each direction while its other end takes nothing. Envoy's own
megabyte is no faster, and a thousand tunnels that stall would fill a gigabyte."""
PACED_BUFFER_BYTES = 32 * 1024
"""The same where a tunnel is slow on purpose: what lies here arrives when the tunnel is over."""
SO_MAX_PACING_RATE, TCP_MAXSEG, TCP_NOTSENT_LOWAT = 47, 2, 25
"""Of Linux; other systems keep nobody to a rate."""
CONNECT_SECONDS = 5
"""How long a target has to take a connection."""
CONNECT_TO_ONE_OF_SEVERAL_SECONDS = 2.5
"""How long each of its addresses has; the one that has just answered comes first."""
MOST_OTHER_ADDRESSES = 5
OWN_BYTES = 8192
"""What a tenant may send that wants something for itself. It is read before anybody has proved
anything."""
OWN_SECONDS = 25
"""How long that may take until it has come whole and the authorizer has answered."""

WHAT_THIS_IS = (
    "This is a cloud gateway. It is an HTTPS proxy and only takes CONNECT to a repository.\n"
)
GUARD = {
    # One request of a connection, then those of the others: a tunnel for each connection is all
    # that there should be (Envoy: HTTP connection manager, runtime).
    "http.max_requests_per_io_cycle": 1,
    # Who gives up requests within a second, more than half of the first ten, is hung up on.
    "overload.premature_reset_total_stream_count": 10,
    "overload.premature_reset_min_stream_lifetime_seconds": 1,
    # The end of a connection within Envoy is an end: as a reset it would be one for the client.
    "envoy.reloadable_features.enable_send_rst_on_user_space_socket": False,
}
"""Envoy's runtime: what keeps a connection with many requests from keeping the others waiting."""
TYPES = "type.googleapis.com/envoy."
"""What the names of Envoy's messages begin with."""
_UNLIMITED = 1_000_000_000
_PER_ROUTE = f"{TYPES}extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_TCP_OPTIONS = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_NAME_THE_NEXT = f"""
function envoy_on_request(handle)
  local said = handle:streamInfo():dynamicMetadata()
  local others = said:get("{AUTHORIZER_METADATA}")["{OTHER_ADDRESSES}"]
  local address, rest = string.match(others, "^(%S*) ?(.*)$")
  said:set("{AUTHORIZER_METADATA}", "{ADDRESS}", address)
  said:set("{AUTHORIZER_METADATA}", "{OTHER_ADDRESSES}", rest)
end
"""
"""Puts the next address into the place of the one that is tried now."""
KEEPALIVE = {"keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 6}


def bootstrap(
    paths: StatePaths,
    administration: Resource,
    capacity: Capacity,
    internal_listeners: Sequence[Resource] = (),
) -> Resource:
    """What Envoy starts with: where its administration is and which files to watch.

    Args:
        paths: where the files are.
        administration: where Envoy has that.
        capacity: what it may take.
        internal_listeners: what it listens on for itself alone.
    """
    internal: Resource = {
        "static_resources": {"listeners": list(internal_listeners)},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": f"{TYPES}extensions.bootstrap.internal_listener.v3.InternalListener",
                    "buffer_size_kb": BUFFER_BYTES // 1024,
                },
            }
        ],
    }
    return {
        **(internal if internal_listeners else {}),
        "node": {"id": "gateway", "cluster": "cloudgate"},
        "admin": {**administration, "ignore_global_conn_limit": True},
        "overload_manager": _overload_manager(capacity),
        "layered_runtime": {"layers": [{"name": "guard", "static_layer": GUARD}]},
        "dynamic_resources": {
            "cds_config": path_config_source(paths.xds, "clusters"),
            "lds_config": path_config_source(paths.xds, "listeners"),
        },
    }


def _overload_manager(capacity: Capacity) -> Resource:
    """Newcomers are turned away before memory or files run out; no live tunnel is touched.

    https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager
    """
    monitors = f"{TYPES}extensions.resource_monitors."
    connections = {
        "@type": f"{monitors}downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": capacity.connections,
    }
    heap = {
        "@type": f"{monitors}fixed_heap.v3.FixedHeapConfig",
        "max_heap_size_bytes": capacity.heap_bytes,
    }
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": connections,
            },
            {"name": HEAP, "typed_config": heap},
        ],
        "actions": [
            _when_heap_is("envoy.overload_actions.shrink_heap", 0.85),
            _when_heap_is("envoy.overload_actions.stop_accepting_connections", 0.95),
        ],
    }


def _when_heap_is(action: str, part: float) -> Resource:
    return {"name": action, "triggers": [{"name": HEAP, "threshold": {"value": part}}]}


def snapshot_file(folder: Path, name: str) -> Path:
    """The file that Envoy watches for the resources called `name`."""
    return folder / f"{name}.json"


def discovery_response(resources: Sequence[Resource]) -> str:
    """The text of a watched file. The version is a hash, so that equal files are equal."""
    version = digest(list(resources))
    return json.dumps({"version_info": version, "resources": list(resources)})


def clusters(authorizer: Resource, more: Sequence[Resource] = ()) -> list[Resource]:
    """The tunnels' clusters, the authorizer's, and more.

    `authorizer`: where that is, as `cloudgate.host.envoy.endpoints.LocalEndpoints` says it.
    """
    return [
        _tunnels_cluster(),
        *(_paced(_tunnels_cluster(), rate) for rate in RATES_BYTES),
        _tunnels_to_several_cluster(),
        *(_paced(_tunnels_to_several_cluster(), rate) for rate in RATES_TO_SEVERAL_BYTES),
        _authorizer_cluster(**authorizer),
        *more,
    ]


def routes() -> Resource:
    """CONNECT goes to the cluster that the authorizer names; all else is told what this is."""
    return {
        "@type": f"{TYPES}config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [
            {
                "name": "any",
                "domains": ["*"],
                "routes": [
                    _tunnel_to_several_route(),
                    _tunnel_route(),
                    _connect_route(),
                    _well_known_route(),
                    *(_own_route(path, method) for path, method in OWN_METHODS.items()),
                    _other_route(),
                ],
            }
        ],
    }


def secret(chain_pem: str, key_pem: str) -> Resource:
    """The gateway's certificate with its key."""
    return {
        "@type": f"{TYPES}extensions.transport_sockets.tls.v3.Secret",
        "name": CERTIFICATE,
        "tls_certificate": {
            "certificate_chain": {"inline_string": chain_pem},
            "private_key": {"inline_string": key_pem},
        },
    }


def client_authorities(pems: Sequence[str]) -> Resource:
    """Whose certificates are asked for. Who shows another one, or none, is let on all the same.

    What a certificate is worth the authorizer says, which Envoy hands it to: many programs show one
    of their own to whoever asks, and come in by their passwords.
    """
    return {
        "@type": f"{TYPES}extensions.transport_sockets.tls.v3.Secret",
        "name": CLIENT_AUTHORITIES,
        "validation_context": {
            "trusted_ca": {"inline_string": "".join(pems)},
            "trust_chain_verification": "ACCEPT_UNTRUSTED",
        },
    }


def _connect_route() -> Resource:
    return {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster_header": CLUSTER_HEADER,
            "timeout": "0s",
            "idle_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    }


def _tunnel_route(*also_named: str) -> Resource:
    """Of whom the authorizer has let in: what is left for it is kept until it takes that.

    Of whom it has not, the connection manager gives up what is not taken.
    """
    route = _connect_route()
    named = [_named(each) for each in (ADDRESS, *also_named)]
    return {
        "match": {**route["match"], "dynamic_metadata": named},
        "route": {**route["route"], "flush_timeout": "0s"},
    }


def _tunnel_to_several_route() -> Resource:
    route = _tunnel_route(OTHER_ADDRESSES)
    again = {
        "retry_on": "connect-failure",
        "num_retries": 0,  # unless the authorizer says that there are other addresses
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
    }
    return {**route, "route": {**route["route"], "retry_policy": again}}


def _named(what: str) -> Resource:
    """That the authorizer names it in the request's metadata."""
    return {
        "filter": AUTHORIZER_METADATA,
        "path": [{"key": what}],
        "value": {"present_match": True},
    }


def _well_known_route() -> Resource:
    """Answered by the authorizer, which knows who may have the answer."""
    return {
        "match": {"path": WELL_KNOWN},
        "direct_response": {"status": 404, "body": {"inline_string": WHAT_THIS_IS}},
    }


def _own_route(path: str, method: str) -> Resource:
    """Answered by the authorizer, too, which is shown the body: a small one, and for seconds."""
    body = {"max_request_bytes": OWN_BYTES, "allow_partial_message": False}
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"exact": method}}],
        },
        # Nothing goes there: what the authorizer says is the answer. A direct response has no end.
        "route": {
            "cluster": AUTHORIZER,
            "idle_timeout": f"{OWN_SECONDS}s",
            "max_stream_duration": {"max_stream_duration": f"{OWN_SECONDS}s"},
        },
        "typed_per_filter_config": {
            AUTHORIZER_METADATA: {
                "@type": _PER_ROUTE,
                "check_settings": {"with_request_body": body},
            }
        },
    }


def _other_route() -> Resource:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": WHAT_THIS_IS}},
        "typed_per_filter_config": {AUTHORIZER_METADATA: {"@type": _PER_ROUTE, "disabled": True}},
    }


def _tunnels_cluster() -> Resource:
    return {
        "@type": f"{TYPES}config.cluster.v3.Cluster",
        "name": UNLIMITED_CLUSTER,
        "alt_stat_name": TUNNELS,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {
            "metadata_key": {"key": AUTHORIZER_METADATA, "path": [{"key": ADDRESS}]}
        },
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "upstream_connection_options": {"tcp_keepalive": KEEPALIVE},
        "circuit_breakers": unlimited(),
        "typed_extension_protocol_options": {_TCP_OPTIONS: _never_idle()},
    }


def _never_idle() -> Resource:
    # Envoy has a timer for each connection that could be used again; a tunnel's never is.
    return {
        "@type": f"{TYPES}extensions.upstreams.tcp.v3.TcpProtocolOptions",
        "idle_timeout": "0s",
    }


def _paced(cluster: Resource, rate_bytes: int) -> Resource:
    """The same cluster for tunnels that begin with this rate."""
    options = (
        (socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate_bytes),
        (socket.IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES),
        (socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, most_unsent_bytes(rate_bytes)),
    )
    return {
        **cluster,
        "name": name_of(rate_bytes, cluster["name"]),
        "per_connection_buffer_limit_bytes": PACED_BUFFER_BYTES,
        "upstream_bind_config": {"socket_options": [prebound(*each) for each in options]},
    }


def prebound(level: int, name: int, value: int) -> Resource:
    """A socket option that is set before the socket is bound (Envoy: SocketOption)."""
    return {"level": level, "name": name, "int_value": value, "state": "STATE_PREBIND"}


def _tunnels_to_several_cluster() -> Resource:
    # The filter runs for each attempt, once its address is chosen.
    lua = {
        "@type": f"{TYPES}extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": _NAME_THE_NEXT},
    }
    codec = f"{TYPES}extensions.filters.http.upstream_codec.v3.UpstreamCodec"
    options = {
        "@type": f"{TYPES}extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": [
            {"name": "envoy.filters.http.lua", "typed_config": lua},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": codec}},
        ],
    }
    return {
        **_tunnels_cluster(),
        "name": TO_SEVERAL,
        "connect_timeout": f"{CONNECT_TO_ONE_OF_SEVERAL_SECONDS}s",
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options, _TCP_OPTIONS: _never_idle()},
    }


def _authorizer_cluster(address: Resource, transport_socket: Resource | None = None) -> Resource:
    endpoint = {"endpoint": {"address": address}}
    http2 = {
        "@type": f"{TYPES}extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "@type": f"{TYPES}config.cluster.v3.Cluster",
        "name": AUTHORIZER,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": unlimited(),
        "load_assignment": {
            "cluster_name": AUTHORIZER,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {_HTTP_OPTIONS: http2},
        **({"transport_socket": transport_socket} if transport_socket else {}),
    }


def unlimited() -> Resource:
    """Circuit breakers that never open: how many there may be is said elsewhere."""
    kinds = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {"thresholds": [dict.fromkeys(kinds, _UNLIMITED)]}


def proxy_protocol(**settings: Any) -> Resource:
    """The listener filter that takes connections to be for whom they say."""
    kind = f"{TYPES}extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
    return {
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": kind, **settings},
    }


def path_config_source(folder: Path, name: str) -> Resource:
    """Where Envoy reads the resources called `name`, and reads them again after a rename."""
    source = {
        "path": str(snapshot_file(folder, name)),
        "watched_directory": {"path": str(folder)},
    }
    return {"path_config_source": source, "resource_api_version": "V3"}


def digest(content: Any) -> str:
    """The same for equal JSON, short enough for a name."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
