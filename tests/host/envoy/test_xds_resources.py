"""Is what Envoy is told well formed, and does each setting have a name of its own?"""

import re
from pathlib import Path
from typing import Any

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration

# Messages in messages are found by name, once their modules are imported.
from envoy.extensions.access_loggers.file.v3 import file_pb2 as _file_log  # noqa: F401
from envoy.extensions.access_loggers.filters.process_ratelimit.v3 import (
    process_ratelimit_pb2 as _few,  # noqa: F401
)
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2 as _authz  # noqa: F401
from envoy.extensions.filters.http.lua.v3 import lua_pb2 as _lua  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401
from envoy.extensions.filters.http.upstream_codec.v3 import (
    upstream_codec_pb2 as _codec,  # noqa: F401
)
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as _manager,  # noqa: F401
)
from envoy.extensions.resource_monitors.downstream_connections.v3 import (
    downstream_connections_pb2 as _connections,  # noqa: F401
)
from envoy.extensions.resource_monitors.fixed_heap.v3 import fixed_heap_pb2 as _heap  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2 as _tls  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _options  # noqa: F401
from envoy.extensions.upstreams.tcp.v3 import tcp_protocol_options_pb2 as _tcp_options  # noqa: F401
from envoy.service.discovery.v3.discovery_pb2 import Resource
from envoy.type.v3 import token_bucket_pb2 as _bucket  # noqa: F401
from google.protobuf.json_format import ParseDict

from cloudgate.host.access_log.record import refusal_lines
from cloudgate.host.envoy import xds_resources
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.envoy.xds_listener import (
    AUTHORIZER_SECONDS,
    FIRST_REQUEST_SECONDS,
    listen_addresses,
    listener,
)
from cloudgate.host.platform.resource_limits import Capacity
from cloudgate.host.state.paths import StatePaths
from data_path.build import HERE as SOURCES_OF_MODULE

LAYOUT = StatePaths(Path("/state"), Path("/run/x"))
DOORS = UnixEndpoints(LAYOUT)
CAPACITY = Capacity(connections=1000, heap_bytes=2**30)
EVERYWHERE = listen_addresses((), 6180, host_has_ipv6=True)


def without_type(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != "@type"}


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (
            xds_resources.bootstrap(LAYOUT, DOORS.admin_config("a1b2"), Capacity(1000, 2**30)),
            Bootstrap,
        ),
        (xds_resources.routes(), RouteConfiguration),
        (xds_resources.secret("chain", "key"), Secret),
        (refusal_lines(), Resource),
        (listener(LAYOUT, EVERYWHERE), Listener),
        *((each, Cluster) for each in xds_resources.clusters(DOORS.authorizer_endpoint())),
    ],
)
def test_every_resource_is_what_envoy_defines(resource: dict[str, Any], message: Any) -> None:
    ParseDict(without_type(resource), message())


def test_the_module_gives_as_much_time_as_envoy_where_there_is_none() -> None:
    header = (SOURCES_OF_MODULE / "asker.h").read_text(encoding="utf-8")
    said = dict(re.findall(r"#define (FIRST_BYTE_MS|ANSWER_MS) (\d+)\n", header))
    assert {name: int(ms) for name, ms in said.items()} == {
        "FIRST_BYTE_MS": FIRST_REQUEST_SECONDS * 1000,
        "ANSWER_MS": AUTHORIZER_SECONDS * 1000,
    }


def test_the_version_of_a_file_follows_its_content() -> None:
    one, other = (
        xds_resources.discovery_response([{"a": 1}]),
        xds_resources.discovery_response([{"a": 2}]),
    )
    assert one == xds_resources.discovery_response([{"a": 1}])
    assert one != other
