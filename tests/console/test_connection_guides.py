"""Do the lines that a tenant copies say what it is called, and nothing else?"""

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.console.operator.customers.connection_guides import connection_guides

CLIENTS = Path(__file__).parents[2] / "docs" / "clients.md"


def test_lines_to_copy_are_those_of_the_page_about_clients() -> None:
    page = CLIENTS.read_text("utf-8")
    given = connection_guides("acme", "provider.example:6180", ["vault.example:8443"])
    (restic,) = (each.lines for each in given if each.program == "restic")
    for line in restic.splitlines():
        assert line.replace("repo ", "") in page, line
    assert (
        "HTTPS_PROXY='https://m%C3%BCller%40x:" in connection_guides("müller@x", "g:1", [])[0].lines
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1))
@example("o'neil & sons; rm -rf /")
@example('$(reboot) `reboot` \\ "')
def test_whatever_a_tenant_is_called_its_name_is_one_word_and_nothing_is_run(name: str) -> None:
    given = connection_guides(name, "gw.example:6180", ["vault.example:8443"])
    assert len({each.program for each in given}) == len(given)
    for each in given:
        for line in each.lines.splitlines():
            if "cloudgate connect" in line:
                words = shlex.split(line)
                assert words[words.index("--tenant") + 1] == name
            if line.startswith("export HTTPS_PROXY="):
                (_, _, proxy) = shlex.split(line)[1].partition("=")
                parts = urlsplit(proxy)
                assert unquote(parts.username or "") == name
                assert (parts.hostname, parts.port) == ("gw.example", 6180)


@pytest.mark.parametrize(
    ("gateway", "storage", "names"),
    [
        ("gw.example:6180", ["vault.example:8443"], ("gw.example:6180", "vault.example:8443")),
        ("gw.example:6180", ["[2001:db8::1]:8443"], ("gw.example:6180", "[2001:db8::1]:8443")),
        ("", [], ("provider.example:6180", "vault.example:8443")),
    ],
)
def test_what_is_there_is_named_and_else_what_is_not_mistaken_for_it(
    gateway: str, storage: list[str], names: tuple[str, ...]
) -> None:
    found = {each.program: each.lines for each in connection_guides("acme", gateway, storage)}
    assert all(name in found["restic"] for name in names)
    others = next(lines for lines in found.values() if "-L 18443:" in lines)
    assert others.endswith(f"-L 18443:{names[1]}")
