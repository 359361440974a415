"""Data path resources: what is Envoy told so that tunnels go through the module? Pure.

Of a client that shows a certificate the module settles nothing: it hands all over, and with it the
certificate, in the PROXY header that says within Envoy whose connection it is.
"""

from collections.abc import Callable

from cloudgate.host.access_log.record import PERIOD_SECONDS, tcp_access_logs
from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.envoy.xds_resources import (
    BUFFER_BYTES,
    REQUESTS,
    TYPES,
    Resource,
    proxy_protocol,
    unlimited,
)
from cloudgate.host.state.paths import StatePaths

_CERTIFICATE_TLV = 0xE0
"""Type of the TLV with the client's certificate: one for custom use (PROXY protocol, 2.2.7)."""
_CERTIFICATE_KEY = "certificate"
SHOWN_CERTIFICATE = f"FILTER_STATE(envoy.network.proxy_protocol.tlv:FIELD:{_CERTIFICATE_KEY})"
"""What Envoy calls the certificate that was handed over: PEM in the encoding of URLs."""


def by_module(
    paths: StatePaths,
    data_path: DataPath,
    http: Resource,
    behind_tls: Callable[[list[Resource]], Resource],
    *,
    asks_for_certificates: bool,
) -> Resource:
    """Settings of a listener: who speaks HTTP/2 alone, as ALPN says, goes by HTTP; all else by us.

    Args:
        paths: where the files are.
        data_path: names the module.
        http: the chain of filters that goes by HTTP.
        behind_tls: makes a chain of filters behind TLS.
        asks_for_certificates: whether that asks clients for theirs.
    """
    inspector = f"{TYPES}extensions.filters.listener.tls_inspector.v3.TlsInspector"
    offered = f"{TYPES}extensions.matching.common_inputs.network.v3.ApplicationProtocolInput"
    proxy = _tcp_proxy(paths, data_path, shows_certificates=asks_for_certificates)
    filters = [_module_filter(paths, data_path), proxy]
    return {
        "listener_filters": [
            {
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {"@type": inspector},
            }
        ],
        "filter_chain_matcher": {
            "matcher_tree": {
                "input": {"name": "offered", "typed_config": {"@type": offered}},
                "exact_match_map": {"map": {"'h2'": _chain("http")}},
            },
            "on_no_match": _chain("module"),
        },
        "filter_chains": [
            {"name": "http", **http},
            {"name": "module", **behind_tls(filters)},
        ],
    }


def _chain(name: str) -> Resource:
    value = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": name}
    return {"action": {"name": name, "typed_config": value}}


def requests_listener(manager: Resource) -> Resource:
    """Where the module hands requests over to: a connection manager of this Envoy."""
    return {
        "name": REQUESTS,
        "stat_prefix": REQUESTS,
        "internal_listener": {},
        # They were counted when they came to the gateway.
        "ignore_global_conn_limit": True,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "listener_filters": [
            proxy_protocol(
                tlv_location="FILTER_STATE",
                rules=[{"tlv_type": _CERTIFICATE_TLV, "on_tlv_present": {"key": _CERTIFICATE_KEY}}],
            )
        ],
        "filter_chains": [{"filters": [manager]}],
    }


def requests_cluster() -> Resource:
    """The connection manager in this process, which is told whose connection it is."""
    raw = f"{TYPES}extensions.transport_sockets.raw_buffer.v3.RawBuffer"
    proxy = f"{TYPES}extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"
    passing = f"{TYPES}extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
    said = {
        "name": "envoy.transport_sockets.upstream_proxy_protocol",
        "typed_config": {
            "@type": proxy,
            "config": {
                "version": "V2",
                "pass_through_tlvs": {"match_type": "INCLUDE", "tlv_type": [_CERTIFICATE_TLV]},
            },
            "transport_socket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typed_config": {"@type": raw},
            },
        },
    }
    internal = {"envoy_internal_address": {"server_listener_name": REQUESTS}}
    endpoint = {"endpoint": {"address": internal}}
    return {
        "@type": f"{TYPES}config.cluster.v3.Cluster",
        "name": REQUESTS,
        "type": "STATIC",
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": unlimited(),
        "load_assignment": {
            "cluster_name": REQUESTS,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {"@type": passing, "transport_socket": said},
        },
    }


def _certificate_tlv() -> Resource:
    text = {"inline_string": "%DOWNSTREAM_PEER_CERT%"}
    # Envoy's word for none, a hyphen, would be one.
    form = {"text_format_source": text, "omit_empty_values": True}
    return {"type": _CERTIFICATE_TLV, "format_string": form}


def _module_filter(paths: StatePaths, data_path: DataPath) -> Resource:
    kind = f"{TYPES}extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter"
    path = {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": str(paths.authorizer_socket),
    }
    return {
        "name": "envoy.filters.network.dynamic_modules",
        "typed_config": {
            "@type": kind,
            "dynamic_module_config": _module(data_path),
            "filter_name": "connect",
            "filter_config": path,
        },
    }


def _module(data_path: DataPath) -> Resource:
    return {"name": data_path.module, "do_not_close": True}


def _tcp_proxy(paths: StatePaths, data_path: DataPath, *, shows_certificates: bool) -> Resource:
    logger = f"{TYPES}extensions.access_loggers.dynamic_modules.v3.DynamicModuleAccessLog"
    # The module's comes first: only then does Envoy know what the tunnel's lines say.
    connected = {
        "name": "envoy.access_loggers.dynamic_modules",
        "typed_config": {
            "@type": logger,
            "dynamic_module_config": _module(data_path),
            "logger_name": "connected",
        },
    }
    proxy = {
        "@type": f"{TYPES}extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "gateway",
        # The module names another for whom it lets in.
        "cluster": REQUESTS,
        "max_connect_attempts": 2,
        "idle_timeout": "0s",
        # The module gives it nothing before it is connected; without, nothing would be read at all.
        "max_early_data_bytes": BUFFER_BYTES,
        **({"proxy_protocol_tlvs": [_certificate_tlv()]} if shows_certificates else {}),
        "access_log": [connected, *tcp_access_logs(str(paths.access_log))],
        "access_log_options": {
            "flush_access_log_on_connected": True,
            "access_log_flush_interval": f"{PERIOD_SECONDS}s",
        },
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}
