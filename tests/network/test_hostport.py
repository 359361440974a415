"""Is there one grammar for host and port, for what programs can name and nothing else?"""

import ast
import re

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.connector.settings import read_address
from cloudgate.console.texts import at_port
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.gateways.rules import host_name_or_address
from cloudgate.manager.repositories.rules import service
from cloudgate.network import hostport
from cloudgate.network.hostport import HostPort, InvalidHostError
from tests.support.project.source import SOURCE, nodes

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Repo.Example:443", "repo.example:443"),
        ("repo.example.:443", "repo.example:443"),
        ("10.0.0.1:22", "10.0.0.1:22"),
        ("10.0.0.1.:22", "10.0.0.1:22"),
        ("[2001:DB8::0:1]:443", "[2001:db8::1]:443"),
        ("[::ffff:192.0.2.1]:443", "[::ffff:c000:201]:443"),
        ("repo:0443", "repo:443"),
        ("my_host.example:1", "my_host.example:1"),
        ("_sip._tcp.example:1", "_sip._tcp.example:1"),
        ("r3---sn.example:1", "r3---sn.example:1"),
        ("1and1.example:1", "1and1.example:1"),
        (f"{'x' * 63}.example:1", f"{'x' * 63}.example:1"),
        ("écho.example:8443", "xn--cho-9la.example:8443"),
        ("ÉCHO.Example:8443", "xn--cho-9la.example:8443"),
        ("e\u0301cho.example:8443", "xn--cho-9la.example:8443"),
        ("XN--CHO-9la.example:8443", "xn--cho-9la.example:8443"),
        ("straße.example:1", "xn--strae-oqa.example:1"),
        ("例え。テスト:1", "xn--r8jz45g.xn--zckzah:1"),
        ("\uff56ault\uff0eexample:1", "vault.example:1"),
        ("_dmarc.écho.example:1", "_dmarc.xn--cho-9la.example:1"),
        ("\uff11\uff19\uff12.0.2.\uff11:1", "192.0.2.1:1"),
    ],
)
def test_host_and_port_have_one_spelling(written: str, read: str) -> None:
    assert str(hostport.parse(written)) == read
    assert hostport.authority(written) == read


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "port is missing"),
        ("repo", "port is missing"),
        ("repo:", "ports are 1 to 65535"),
        (":443", "host is missing"),
        (".:443", "host is missing"),
        ("repo:0", "ports are 1 to 65535"),
        ("repo:65536", "ports are 1 to 65535"),
        ("repo:-1", "ports are 1 to 65535"),
        ("repo:4_4", "ports are 1 to 65535"),
        ("repo:٣", "ports are 1 to 65535"),
        ("repo:000443", "ports are 1 to 65535"),
        ("*.vault.example:8443", "asterisk names no host"),
        ("v*.example:8443", "characters that names cannot have"),
        ("-x.example:443", "begins or ends with a hyphen"),
        ("x-.example:443", "begins or ends with a hyphen"),
        ("[1.2.3.4]:443", "brackets are for IPv6 addresses"),
        ("[repo]:443", "brackets are for IPv6 addresses"),
        ("[::1:443", "a bracket is missing"),
        ("[::1]x:443", "after the bracket"),
        ("[fe80::1%eth0]:443", "zone"),
        ("[1:2]:443", "is no IP address"),
        ("2001:db8::1:443", "stands in brackets"),
        ("1.2.3:443", "is no IP address"),
        ("1.2.3.4.5:443", "is no IP address"),
        ("1.2.3.256:443", "is no IP address"),
        ("01.2.3.4:443", "is no IP address"),
        ("repo.7:443", "is no IP address"),
        ("0.0.0.0:443", "address of no host"),
        ("[::]:443", "address of no host"),
        ("224.0.0.1:443", "address of no host"),
        ("a..example:443", "empty label"),
        (".a.example:443", "empty label"),
        ("a.example..:443", "empty label"),
        (f"{'x' * 64}.example:443", "more than 63 characters"),
        (f"{'x' * 63}.{'x' * 63}.{'x' * 63}.{'x' * 62}:443", "253 at most"),
        (f"{'é' * 60}.example:443", "no name that programs could turn into ASCII"),
        ("a b:1", "characters that names cannot have"),
        ("u:p@repo:1", "stands in brackets"),
        ("u@repo:1", "characters that names cannot have"),
        ("repo/x:1", "characters that names cannot have"),
        ("https://repo:1", "no URL"),
        ("☃.example:1", "no name that programs could turn into ASCII"),
        ("a\u202eb.example:1", "characters that names cannot have"),
    ],
)
def test_what_no_program_can_name_is_refused_with_the_reason(written: str, reason: str) -> None:
    with pytest.raises(InvalidHostError, match=reason):
        hostport.parse(written)
    with pytest.raises(InvalidRequestError, match=reason) as refused:
        service(written, "Endpoint")
    assert refused.value.message.startswith("Endpoint: found ")
    with pytest.raises(InvalidRequestError, match=reason):
        read_address(written)


LABELS = st.from_regex(rf"[{LETTERS}_]([{LETTERS}_-]{{0,20}}[{LETTERS}_])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join).filter(lambda name: not (
    name.rpartition(".")[2].isdigit()
))  # fmt: skip
PORTS = st.integers(1, hostport.HIGHEST_PORT)


@given(NAMES, PORTS)
def test_any_name_of_dns_is_taken_in_any_case_and_with_a_last_dot(name: str, port: int) -> None:
    wanted = HostPort(name, port)
    assert hostport.parse(str(wanted)) == wanted
    assert hostport.parse(f"{name.upper()}.:{port}") == wanted


@given(st.ip_addresses(), PORTS)
def test_an_address_comes_apart_as_it_was_joined(address: object, port: int) -> None:
    host = str(address).partition("%")[0]
    assert hostport.split(hostport.join(host, port)) == (host, port)


@given(st.text())
@example("xn--a.example:1")
@example("a\u3002b:1")
@example("\u00ad.a:1")
@example("a\u00df:1")
def test_reading_twice_is_reading_once_and_what_is_shown_means_the_same(written: str) -> None:
    read = hostport.authority(written)
    assert read is None or hostport.authority(read) == read
    try:
        found = hostport.parse(written)
    except InvalidHostError:
        return
    assert str(found).isascii()
    assert hostport.parse(str(found)) == found
    assert hostport.parse(hostport.typed(written)) == found
    assert hostport.known_as(hostport.typed(written)) == str(found)


@given(st.text(st.characters(categories=("Ll", "Lu", "Lo", "Nd")), min_size=1, max_size=8))
def test_a_name_in_any_script_becomes_what_other_programs_send_for_it(label: str) -> None:
    try:
        sent = idna.encode(f"{label}.example", uts46=True).decode()
    except idna.IDNAError:
        return
    assert hostport.parse(f"{label}.example:1").host == sent


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Écho.example:8443", "Écho.example:8443"),
        ("xn--cho-9la.example:8443", "xn--cho-9la.example:8443"),
        ("Vault.Example.:8443", "vault.example:8443"),
        ("\uff56ault.example:1", "vault.example:1"),
    ],
)
def test_a_name_in_another_script_is_shown_as_it_was_typed(written: str, shown: str) -> None:
    assert service(written, "Endpoint") == shown
    assert host_name_or_address(written.rpartition(":")[0]) == shown.rpartition(":")[0]


@pytest.mark.parametrize("written", ["a..b:443", "a-.b:8443", "1.2.3:1", "repo.7:443"])
def test_what_was_taken_before_there_was_one_grammar_goes_on(written: str) -> None:
    assert hostport.authority(written.upper()) == written
    assert hostport.known_as(written) == written


WRITTEN_APART = {
    "network/hostport.py": "names of former times, which are no addresses",
    "values/endpoints.py": "it sees to brackets",
    "api/http/proxies.py": "a host as a proxy has sent it, in brackets",
    "cli/resources/infrastructure/servers.py": "hosts as URLs write them, in brackets",
    "console/operator/customers/connection_guides.py": "two parts of a host:port, put together",
    "host/platform/windows.py": "IPv4 addresses alone",
}
"""Modules that put a colon between a host and a port, and why that is right there."""
_HOST = re.compile(r"(?i)host|server|address|\bip\b|externalip")
_PORT = re.compile(r"(?i)port")
_IN_A_PAGE = re.compile(r"\{\{[^}]*\}\}:\{\{[^}]*port[^}]*\}\}", re.IGNORECASE)


def puts_a_colon(node: ast.AST) -> bool:
    """Whether a text is made of a host, a colon and a port, whatever the host is."""
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return any(
        isinstance(colon, ast.Constant)
        and colon.value == ":"
        and _HOST.search(ast.unparse(host))
        and _PORT.search(ast.unparse(port))
        for host, colon, port in zip(parts, parts[1:], parts[2:], strict=False)
    )


def test_nothing_but_the_one_place_puts_a_colon_between_host_and_port() -> None:
    found = {name for name, inside in nodes().items() if any(map(puts_a_colon, inside))}
    assert found <= set(WRITTEN_APART)
    pages = SOURCE.rglob("*.html")
    assert [page.name for page in pages if _IN_A_PAGE.search(page.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("host", "shown"),
    [("2001:db8::1", "[2001:db8::1]:6180"), ("192.0.2.1", "192.0.2.1:6180"), (None, "\N{EN DASH}")],
)
def test_where_tenants_connect_to_is_shown_as_programs_take_it(
    host: str | None, shown: str
) -> None:
    assert at_port(host, 6180) == shown
