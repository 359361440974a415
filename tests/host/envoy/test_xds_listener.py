"""Does the gateway listen as it is to, and is nobody let in unasked?"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
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
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _options  # noqa: F401
from envoy.extensions.upstreams.tcp.v3 import tcp_protocol_options_pb2 as _tcp_options  # noqa: F401
from envoy.type.v3 import token_bucket_pb2 as _bucket  # noqa: F401

from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.envoy.xds_listener import (
    CERTIFICATE_HEADER,
    CONNECTION_HEADER,
    ListenAddress,
    ListenerSettings,
    listen_addresses,
    listener,
    requests_manager,
)
from cloudgate.host.state.paths import StatePaths
from cloudgate.protocol import Gateway

LAYOUT = StatePaths(Path("/state"), Path("/run/x"))
EVERYWHERE = listen_addresses((), 6180, host_has_ipv6=True)
MODULE = DataPath("cloudgate")


def test_all_addresses_are_one_socket_where_there_is_ipv6() -> None:
    assert (ListenAddress("::", 6180, dual=True),) == EVERYWHERE
    without = listen_addresses((), 6180, host_has_ipv6=False)
    assert without == (ListenAddress("0.0.0.0", 6180),)


def test_equal_settings_have_equal_names_and_others_another() -> None:
    again = listen_addresses((), 6180, host_has_ipv6=True)
    moved = listen_addresses((), 6181, host_has_ipv6=True)
    assert listener(LAYOUT, EVERYWHERE) == listener(LAYOUT, again)
    assert listener(LAYOUT, EVERYWHERE)["name"] != listener(LAYOUT, moved)["name"]


def test_no_listener_shares_its_port() -> None:
    assert listener(LAYOUT, EVERYWHERE)["enable_reuse_port"] is False


def test_a_listener_with_another_control_is_another_listener() -> None:
    where = [ListenAddress("0.0.0.0", 6180)]
    paths = LAYOUT
    assert listener(paths, where)["name"] != listener(paths, where, "bbr")["name"]


def inside(thing: Any) -> list[dict[str, Any]]:
    """All parts of a resource."""
    if isinstance(thing, dict):
        return [thing, *(each for value in thing.values() for each in inside(value))]
    if isinstance(thing, list):
        return [each for value in thing for each in inside(value)]
    return []


def of_type(thing: Any, name: str) -> list[dict[str, Any]]:
    return [each for each in inside(thing) if str(each.get("@type", "")).endswith(f".{name}")]


WANTED = [
    ListenerSettings(proxied=proxied, asks_for_certificates=asks)
    for proxied, asks in itertools.product((False, True), repeat=2)
]
ALL = [
    (where, control, path, wanted)
    for where in (EVERYWHERE, (ListenAddress("192.0.2.1", 6180), ListenAddress("::1", 6180)))
    for control in ("", "bbr")
    for path in (None, DataPath(), MODULE)
    for wanted in WANTED
]
MADE = [listener(LAYOUT, *each) for each in ALL]


def test_a_name_stands_for_its_settings_and_for_no_others() -> None:
    said = [(each["name"], json.dumps({**each, "name": ""}, sort_keys=True)) for each in MADE]
    for (name, settings), (other_name, others) in itertools.combinations(said, 2):
        assert (name == other_name) == (settings == others)
    # Where it is proxied, the module carries nothing; where there is none, it is as without.
    assert len({each["name"] for each in MADE}) == 2 * 2 * (4 + 2)


@pytest.mark.parametrize("made", [*MADE, requests_manager(LAYOUT)])
def test_nobody_is_let_in_unasked_or_says_in_a_header_what_envoy_tells(
    made: dict[str, Any],
) -> None:
    managers = of_type(made, "HttpConnectionManager")
    assert managers
    for manager in managers:
        filters = manager["http_filters"]
        *told, asked, router = (each["typed_config"] for each in filters)
        assert asked["@type"].endswith(".ExtAuthz")
        assert router["@type"].endswith(".Router")
        assert asked["failure_mode_allow"] is False
        seen = {each["exact"] for each in asked["allowed_headers"]["patterns"]}
        overwritten = set()
        for each in told:
            removed, put = each["mutations"]["request_mutations"]
            assert removed["remove"] == put["append"]["header"]["key"]
            assert put["append"]["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
            overwritten.add(removed["remove"])
        assert seen - {"proxy-authorization", "authorization"} == overwritten
        assert overwritten <= {CONNECTION_HEADER, CERTIFICATE_HEADER}


def test_all_that_comes_is_behind_tls_of_the_gateways_own_certificate() -> None:
    for (*_, wanted), made in zip(ALL, MADE, strict=True):
        for chain in made["filter_chains"]:
            (tls,) = of_type(chain["transport_socket"], "DownstreamTlsContext")
            common = tls["common_tls_context"]
            assert common["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"
            (own,) = common["tls_certificate_sds_secret_configs"]
            assert own["name"] == "certificate"
            asks = "validation_context_sds_secret_config" in common
            assert asks is wanted.asks_for_certificates
            assert tls.get("require_client_certificate") is not True, "passwords go on"


def test_only_where_it_is_proxied_may_somebody_say_for_whom_a_connection_is() -> None:
    for (*_, path, wanted), made in zip(ALL, MADE, strict=True):
        proxy = of_type(made.get("listener_filters", []), "ProxyProtocol")
        assert bool(proxy) is wanted.proxied
        told = {each.get("remove") for each in inside(made)} - {None}
        assert (CONNECTION_HEADER in told) is wanted.proxied
        by_module = bool(of_type(made, "DynamicModuleNetworkFilter"))
        assert by_module is (path is MODULE and not wanted.proxied)


def test_each_address_is_listened_on_and_only_the_one_for_all_takes_both_versions() -> None:
    assert listen_addresses(("192.0.2.1", "::1"), 7, host_has_ipv6=True) == (
        ListenAddress("192.0.2.1", 7),
        ListenAddress("::1", 7),
    )
    for (where, *_), made in zip(ALL, MADE, strict=True):
        sockets = [made["address"], *(each["address"] for each in made["additional_addresses"])]
        found = [each["socket_address"] for each in sockets]
        assert [each["address"] for each in found] == [each.address for each in where]
        assert [each.get("ipv4_compat", False) for each in found] == [each.dual for each in where]


def test_a_gateways_settings_are_those_of_its_assignment() -> None:
    usual = Gateway.model_construct(proxy_networks=(), client_authorities=())
    assert ListenerSettings.of(usual) == ListenerSettings()
    both = Gateway.model_construct(proxy_networks=("192.0.2.0/24",), client_authorities=("pem",))
    assert ListenerSettings.of(both) == ListenerSettings(proxied=True, asks_for_certificates=True)
