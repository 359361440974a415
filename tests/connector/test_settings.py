"""Is what a tenant wants understood as it was written?"""

from pathlib import Path

import pytest

from cloudgate.connector.settings import Options, read_address, read_file, read_forward
from cloudgate.errors import InvalidRequestError
from cloudgate.network.hostport import HostPort


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8443:vault.example:8443", ("127.0.0.1", 8443, "vault.example", 8443)),
        ("0.0.0.0:1:h:2", ("0.0.0.0", 1, "h", 2)),
        ("[::1]:1:[2001:db8::1]:2", ("::1", 1, "2001:db8::1", 2)),
        ("0:h:2", ("127.0.0.1", 0, "h", 2)),
        (f"{'0' * 4400}:h:2", ("127.0.0.1", 0, "h", 2)),
    ],
)
def test_a_forward_is_read_as_it_is_written(text: str, expected: tuple[object, ...]) -> None:
    found = read_forward(text)
    assert (found.local.host, found.local.port, found.target.host, found.target.port) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8443", "a:b", "x:h:1", "1:h:0", "1:h:65536", "1:2:3:4:5", f"{'0' * 4400}1:h:1"],
)
def test_what_is_no_forward_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_forward(text)


def test_an_address_may_leave_its_port_to_the_usual_one() -> None:
    assert read_address("gw.example", 6180) == HostPort("gw.example", 6180)
    assert read_address("[2001:db8::1]:7", 6180) == HostPort("2001:db8::1", 7)
    assert str(HostPort("2001:db8::1", 7)) == "[2001:db8::1]:7"


@pytest.mark.parametrize("text", ["listen = 3", "gateway = 1", "x = 'y'", "=", "listen = [1]"])
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "connector.toml"
    file.write_text(text)
    with pytest.raises(InvalidRequestError, match=r"connector\.toml"):
        read_file(file)


def test_options_go_before_the_file() -> None:
    said = Options(tenant="me").override(Options(tenant="you", gateway=("gw",)))
    assert (said.tenant, said.gateway) == ("me", ("gw",))
