"""xDS listener: where and how does the gateway listen? Pure.

TLS with the certificate from a watched file, then HTTP: a CONNECT is shown to the authorizer and
becomes a tunnel, anything else is told what this is.
"""

import base64
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cloudgate.host.access_log.record import (
    AUTHORIZER_METADATA,
    GOODBYE_SECONDS,
    PERIOD_SECONDS,
    REFUSAL_LINES,
    access_log,
)
from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.envoy.data_path.resources import SHOWN_CERTIFICATE, by_module
from cloudgate.host.envoy.start_rates import TENANTS_SEGMENT_BYTES
from cloudgate.host.envoy.xds_resources import (
    AUTHORIZER,
    BUFFER_BYTES,
    CERTIFICATE,
    CLIENT_AUTHORITIES,
    KEEPALIVE,
    ROUTES,
    TCP_MAXSEG,
    TYPES,
    WHAT_THIS_IS,
    Resource,
    digest,
    path_config_source,
    prebound,
    proxy_protocol,
)
from cloudgate.host.platform.congestion_control import TCP_CONGESTION
from cloudgate.host.state.paths import StatePaths
from cloudgate.protocol import Gateway
from cloudgate.trust.tenant_certificates import LONGEST_SHOWN

FIRST_REQUEST_SECONDS = 10
"""How long a client has for its TLS handshake, and then again for its request."""
AUTHORIZER_SECONDS = 15
"""How long an answer of the authorizer may take, name lookup and waiting in line included."""
STREAM_SECONDS = 20
"""How long an answer may lie here that its client does not take, which is the client's choice in
HTTP/2. Nothing comes of who waits for the authorizer, so it is more than that may take."""

MOST_REQUESTS = 10
"""Of one connection, the tunnel included. A program needs two: without its password, and with it.
Whoever floods pays for a handshake each time."""
HTTP2_WINDOW_BYTES = 512 * 1024
"""What a client may send in HTTP/2 before it is told that it was taken."""

CONNECTION_HEADER = "x-cloudgate-connection"
"""Where Envoy tells the authorizer whose connection a request came by, where load balancers may say
that it is somebody else's."""
CERTIFICATE_HEADER = "x-cloudgate-certificate"
"""Where Envoy tells it the client's certificate, of a request that the module has handed over."""

RETRY_SECONDS = 5
"""What Retry-After says where the reason may be gone soon (RFC 9110, section 10.2.3)."""

NO_ANSWER = "The repository does not answer. The gateway is well; try again later.\n"
NO_AUTHORIZER = "The gateway cannot check passwords at the moment. Try again in some seconds.\n"
OVERLOADED = "The gateway cannot serve this request at the moment. Try again in some seconds.\n"
REFUSALS = {
    400: (
        "The gateway does not understand this request. It takes CONNECT HOST:PORT in HTTP/1.0,"
        " HTTP/1.1 or HTTP/2, without a body; a host is an IP address, in brackets if it is of"
        " version 6, or a name of letters, digits, hyphens and dots, in its A-label form. One with"
        " an underscore is understood in HTTP/2 only.\n"
    ),
    403: "The gateway upgrades to no other protocol. Leave Upgrade out of the request.\n",
    404: WHAT_THIS_IS,
    408: f"The request was not complete within {FIRST_REQUEST_SECONDS} seconds.\n",
    413: "The request is too large: the gateway takes CONNECT without a body.\n",
    414: "The request is too large: its first line is too long.\n",
    426: "The gateway speaks HTTP/1.0, HTTP/1.1 and HTTP/2.\n",
    431: "The headers of the request are too large, or too many.\n",
    501: "The gateway knows no such Transfer-Encoding; CONNECT has no body.\n",
}
"""What Envoy itself refuses, by status, in words for a person."""


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen on; `dual` when an IPv6 socket takes IPv4 too."""

    address: str
    port: int
    dual: bool = False


def listen_addresses(
    addresses: Sequence[str], port: int, *, host_has_ipv6: bool
) -> tuple[ListenAddress, ...]:
    """Where to listen; no `addresses` means on all."""
    if addresses:
        return tuple(ListenAddress(each, port) for each in addresses)
    if host_has_ipv6:
        return (ListenAddress("::", port, dual=True),)
    return (ListenAddress("0.0.0.0", port),)  # noqa: S104  # all addresses are asked for


@dataclass(frozen=True)
class ListenerSettings:
    """What a gateway's listener does besides listening; the defaults are those of most gateways."""

    proxied: bool = False
    """Whether connections may begin with a PROXY header; the authorizer says whose."""
    asks_for_certificates: bool = False
    """Whether clients are asked for tenants' certificates."""

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        """What this gateway is set to."""
        return cls(
            proxied=bool(gateway.proxy_networks),
            asks_for_certificates=bool(gateway.client_authorities),
        )


def listener(
    paths: StatePaths,
    where: Sequence[ListenAddress],
    congestion_control: str = "",
    data_path: DataPath | None = None,
    wanted: ListenerSettings = ListenerSettings(),
) -> Resource:
    """The gateway's listener. Its name is a hash of all its settings.

    Envoy cuts the tunnels of a listener that changes, so other settings have another name: the
    new listener is added, the old one removed, and the old one's tunnels go on.

    Args:
        paths: where the files are.
        where: what it listens on.
        congestion_control: of its connections; empty for what the system uses by itself.
        data_path: which way tunnels go; by HTTP alone when left out, and where it is proxied.
        wanted: what it does besides.
    """
    settings = _listener_settings(where, congestion_control)
    # The module does not tell the connection's address from the one that a PROXY header says.
    settings |= (
        _by_module(paths, data_path, wanted)
        if data_path and data_path.module and not wanted.proxied
        else _by_http(paths, wanted)
    )
    return {**settings, "name": f"gateway-{digest(settings)}"}


def _listener_settings(where: Sequence[ListenAddress], congestion_control: str) -> Resource:
    first, *others = [{"address": _socket_address(each)} for each in where]
    return {
        "@type": f"{TYPES}config.listener.v3.Listener",
        **first,
        "additional_addresses": others,
        "stat_prefix": "gateway",
        # With it, a second owner of the port would be no error but take half of the tenants.
        "enable_reuse_port": False,
        "tcp_backlog_size": 4096,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "socket_options": _socket_options(congestion_control),
    }


def _by_http(paths: StatePaths, wanted: ListenerSettings) -> Resource:
    shows = wanted.asks_for_certificates
    manager = _connection_manager(paths, proxied=wanted.proxied, shows=shows)
    found: Resource = {"filter_chains": [_filter_chain(paths, wanted, [manager])]}
    if not wanted.proxied:
        return found
    return found | {
        "listener_filters": [proxy_protocol(allow_requests_without_proxy_protocol=True)],
        "listener_filters_timeout": f"{FIRST_REQUEST_SECONDS}s",
    }


def _by_module(paths: StatePaths, data_path: DataPath, wanted: ListenerSettings) -> Resource:
    def behind_tls(filters: list[Resource]) -> Resource:
        return _filter_chain(paths, wanted, filters)

    asks = wanted.asks_for_certificates
    http = behind_tls([_connection_manager(paths, shows=asks)])
    found = by_module(paths, data_path, http, behind_tls, asks_for_certificates=asks)
    return found | {"listener_filters_timeout": f"{FIRST_REQUEST_SECONDS}s"}


def requests_manager(paths: StatePaths) -> Resource:
    """The connection manager of what the module hands over."""
    return _connection_manager(paths, handed_over=True)


def _filter_chain(paths: StatePaths, wanted: ListenerSettings, filters: list[Resource]) -> Resource:
    return {
        "transport_socket": _downstream_tls(
            paths.xds, asks_for_certificates=wanted.asks_for_certificates
        ),
        "transport_socket_connect_timeout": f"{FIRST_REQUEST_SECONDS}s",
        "filters": filters,
    }


def _socket_address(where: ListenAddress) -> Resource:
    address: Resource = {"address": where.address, "port_value": where.port}
    return {"socket_address": address | ({"ipv4_compat": True} if where.dual else {})}


def _socket_options(congestion_control: str) -> list[Resource]:
    # A listening socket hands these down to the connections that it accepts.
    values = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE["keepalive_time"]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE["keepalive_interval"]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE["keepalive_probes"]),
    ]
    if sys.platform == "linux":
        # A connection that turns out to be a slow tenant's can be slowed, its packets not cut.
        values.append((socket.IPPROTO_TCP, TCP_MAXSEG, TENANTS_SEGMENT_BYTES))
    options = [prebound(*each) for each in values]
    if congestion_control:
        name = base64.b64encode(congestion_control.encode()).decode()
        options.append(
            {
                "level": socket.IPPROTO_TCP,
                "name": TCP_CONGESTION,
                "buf_value": name,
                "state": "STATE_PREBIND",
            }
        )
    return options


def _downstream_tls(xds: Path, *, asks_for_certificates: bool) -> Resource:
    authorities = {
        "name": CLIENT_AUTHORITIES,
        "sds_config": path_config_source(xds, CLIENT_AUTHORITIES),
    }
    context = {
        "@type": f"{TYPES}extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            # Go's clients offer h2 to a proxy and then speak HTTP/1.1, so that comes first.
            "alpn_protocols": ["http/1.1", "h2"],
            "tls_certificate_sds_secret_configs": [
                {"name": CERTIFICATE, "sds_config": path_config_source(xds, CERTIFICATE)}
            ],
            **(
                {"validation_context_sds_secret_config": authorities}
                if asks_for_certificates
                else {}
            ),
        },
        # Programs open each tunnel with a handshake of its own; tickets would only cost.
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _connection_manager(
    paths: StatePaths, *, handed_over: bool = False, proxied: bool = False, shows: bool = False
) -> Resource:
    told = {}
    if proxied:
        told[CONNECTION_HEADER] = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"
    if handed_over:
        told[CERTIFICATE_HEADER] = f"%{SHOWN_CERTIFICATE}:{LONGEST_SHOWN + 1}%"
    manager = {
        "@type": (
            f"{TYPES}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": "gateway",
        "server_name": "cloudgate",
        "rds": {
            "route_config_name": ROUTES,
            "config_source": path_config_source(paths.xds, ROUTES),
        },
        "use_remote_address": True,
        "skip_xff_append": True,
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        # Python's http.client before 3.12, and what is built on it, ask in HTTP/1.0.
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": "gateway",
        },
        "http2_protocol_options": _http2_options(),
        "add_proxy_protocol_connection_state": False,  # memory for what never comes here
        "request_headers_timeout": f"{FIRST_REQUEST_SECONDS}s",
        # Of a connection without a request; a tunnel is a request that goes on.
        "common_http_protocol_options": {
            "idle_timeout": f"{FIRST_REQUEST_SECONDS}s",
            "max_requests_per_connection": MOST_REQUESTS,
        },
        "stream_idle_timeout": f"{STREAM_SECONDS}s",
        "delayed_close_timeout": f"{GOODBYE_SECONDS}s",
        "http_filters": [
            *(_telling(header, value) for header, value in told.items()),
            _authorization_filter(list(told), shows_certificates=shows),
            _router(),
        ],
        "local_reply_config": {"mappers": _local_replies()},
        "access_log": [
            access_log(
                str(paths.access_log),
                path_config_source(paths.xds, REFUSAL_LINES),
                handed_over=handed_over,
            )
        ],
        "access_log_options": {
            "flush_log_on_tunnel_successfully_established": True,
            "access_log_flush_interval": f"{PERIOD_SECONDS}s",
        },
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _http2_options() -> Resource:
    # A tunnel for each connection, as in HTTP/1.1: what is counted, slowed and ended is the
    # connection. What a target that stalls may leave here is the window.
    return {
        "allow_connect": True,
        "max_concurrent_streams": 1,
        "initial_stream_window_size": HTTP2_WINDOW_BYTES,
        "initial_connection_window_size": HTTP2_WINDOW_BYTES,
    }


def _telling(name: str, value: str) -> Resource:
    """Tells the authorizer something in a header, whatever is said in it: or takes that away."""
    header = {"key": name, "value": value}
    told = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    mutation = {
        "@type": f"{TYPES}extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"remove": name}, told]},
    }
    return {"name": "envoy.filters.http.header_mutation", "typed_config": mutation}


def _authorization_filter(told: Sequence[str], *, shows_certificates: bool) -> Resource:
    # Without an answer of the authorizer nobody gets in. Its failures are 500 here, so that
    # `_local_replies` can tell them from what the authorizer itself answers.
    check = {
        "@type": f"{TYPES}extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": {
            "envoy_grpc": {"cluster_name": AUTHORIZER},
            "timeout": f"{AUTHORIZER_SECONDS}s",
        },
        "failure_mode_allow": False,
        # The authorizer names the cluster.
        "clear_route_cache": True,
        "status_on_error": {"code": "InternalServerError"},
        # Of the TLS connection, where no header of a client comes near it.
        **({"include_peer_certificate": True} if shows_certificates else {}),
        "allowed_headers": {
            "patterns": [
                {"exact": "proxy-authorization"},
                {"exact": "authorization"},
                *({"exact": each} for each in told),
            ]
        },
    }
    return {"name": AUTHORIZER_METADATA, "typed_config": check}


def _router() -> Resource:
    router = {"@type": f"{TYPES}extensions.filters.http.router.v3.Router"}
    return {"name": "envoy.filters.http.router", "typed_config": router}


def _local_replies() -> list[Resource]:
    """What Envoy's own answers say. The first that fits counts."""
    authorizer = {"response_flag_filter": {"flags": ["UAEX"]}}
    no_authorizer = {"and_filter": {"filters": [authorizer, _status_is("EQ", 500)]}}
    no_answer = {"response_flag_filter": {"flags": ["UF", "UH", "URX", "UO"]}}
    return [
        _passing(no_authorizer, NO_AUTHORIZER),
        {"filter": authorizer},  # the authorizer's own words
        _passing(no_answer, NO_ANSWER),
        *(
            {"filter": _status_is("EQ", status), "body": {"inline_string": text}}
            for status, text in REFUSALS.items()
        ),
        _passing(_status_is("GE", 500), OVERLOADED),
    ]


def _passing(which: Resource, text: str) -> Resource:
    """A refusal that is over some time: with it goes when to come back."""
    return {
        "filter": which,
        "status_code": 503,
        "body": {"inline_string": text},
        "headers_to_add": [{"header": {"key": "retry-after", "value": str(RETRY_SECONDS)}}],
    }


def _status_is(compared: str, status: int) -> Resource:
    value = {"default_value": status, "runtime_key": "cloudgate.status"}
    return {"status_code_filter": {"comparison": {"op": compared, "value": value}}}
