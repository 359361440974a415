"""Does Envoy know whose connection it is that the module hands over?"""

from pathlib import Path
from typing import Any

import pytest

from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.envoy.data_path.resources import (
    SHOWN_CERTIFICATE,
    by_module,
    requests_cluster,
    requests_listener,
)
from cloudgate.host.envoy.xds_resources import REQUESTS
from cloudgate.host.state.paths import StatePaths

LAYOUT = StatePaths(Path("/state"), Path("/run/x"))
MODULE = DataPath("cloudgate")
HTTP = {"filters": ["by http"]}


def made(*, asks: bool) -> dict[str, Any]:
    return by_module(
        LAYOUT,
        MODULE,
        HTTP,
        lambda filters: {"filters": filters},
        asks_for_certificates=asks,
    )


def tcp_proxy(*, asks: bool) -> dict[str, Any]:
    (_, chain) = made(asks=asks)["filter_chains"]
    found: dict[str, Any] = chain["filters"][-1]["typed_config"]
    return found


def test_only_who_speaks_http_2_goes_by_http_and_all_else_by_the_module() -> None:
    found = made(asks=False)
    by_http, module = found["filter_chains"]
    assert by_http == {"name": "http", **HTTP}
    matcher = found["filter_chain_matcher"]
    said = matcher["matcher_tree"]["exact_match_map"]["map"]
    assert {name: each["action"]["name"] for name, each in said.items()} == {"'h2'": "http"}
    assert matcher["on_no_match"]["action"]["name"] == module["name"] == "module"
    first, proxy = (each["typed_config"] for each in module["filters"])
    assert first["dynamic_module_config"]["name"] == MODULE.module
    assert first["filter_config"]["value"] == str(LAYOUT.authorizer_socket)
    assert proxy["@type"].endswith(".TcpProxy")


def test_whom_the_module_does_not_let_in_comes_to_http_within_this_envoy() -> None:
    manager = {"name": "manager"}
    listener, cluster = requests_listener(manager), requests_cluster()
    assert tcp_proxy(asks=False)["cluster"] == cluster["name"] == listener["name"] == REQUESTS
    (endpoints,) = cluster["load_assignment"]["endpoints"]
    (endpoint,) = endpoints["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["envoy_internal_address"]
    assert address["server_listener_name"] == REQUESTS
    assert listener["filter_chains"] == [{"filters": [manager]}]
    assert "internal_listener" in listener
    assert "address" not in listener, "nobody else reaches it"


def test_a_certificate_is_handed_over_by_one_name_and_type_and_only_where_it_is_asked_for() -> None:
    assert "proxy_protocol_tlvs" not in tcp_proxy(asks=False)
    (told,) = tcp_proxy(asks=True)["proxy_protocol_tlvs"]
    assert told["format_string"]["omit_empty_values"] is True, "a hyphen is no certificate"
    (read,) = requests_listener({})["listener_filters"]
    (rule,) = read["typed_config"]["rules"]
    passing = requests_cluster()["transport_socket"]["typed_config"]["transport_socket"]
    kept = passing["typed_config"]["config"]["pass_through_tlvs"]
    assert kept["match_type"] == "INCLUDE"
    assert kept["tlv_type"] == [told["type"]] == [rule["tlv_type"]]
    assert f":FIELD:{rule['on_tlv_present']['key']})" in SHOWN_CERTIFICATE


@pytest.mark.parametrize("asks", [False, True])
def test_a_tunnel_is_known_before_its_first_line_and_never_ends_for_being_idle(
    *, asks: bool
) -> None:
    found = tcp_proxy(asks=asks)
    first, *others = found["access_log"]
    assert first["typed_config"]["logger_name"] == "connected"
    assert others
    assert found["idle_timeout"] == "0s"
    assert found["access_log_options"]["flush_access_log_on_connected"] is True
