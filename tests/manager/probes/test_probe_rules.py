"""Does a usage probe look at one tenant's place alone, whatever it and the tenant are called?"""

from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.probes import rules
from cloudgate.manager.probes.rules import Probe, ProbeMethod, Subject
from cloudgate.values.units import MB

ACME = Subject("acme", UUID(int=7))
ODD_NAMES = st.text() | st.sampled_from(
    [
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        "..\\x",
        "\0",
        "{tenantId}",
        "%2e%2e",
        "",
        "a\nb",
        "ü" * 128,
    ]
)


@given(ODD_NAMES)
def test_no_name_leads_out_of_its_place(name: str) -> None:
    subject = Subject(name, uuid4())
    try:
        place = rules.directory_of("/srv/backups/x{tenant}/data", subject)
    except InvalidRequestError:
        pass
    else:
        assert (place.base, place.parts) == ("/srv/backups", (f"x{name}", "data"))
        assert "/" not in name
    try:
        found = rules.collection_of("https://dav.example/a%20b/{tenant}/", subject)
    except InvalidRequestError:
        too_long = len(name.encode(errors="replace")) > 255
        odd = name in ("", ".", "..") or set(name) & set("/\\") or not name.isprintable()
        assert odd or too_long
    else:
        assert found.base == "https://dav.example/a%20b/"
        assert len(found.parts) == 1
        assert not set(found.parts[0]) & set("/?#&;= \\")
        assert found.parts[0] not in (".", "..")


@pytest.mark.parametrize(
    ("typed", "dialled"),
    [
        ("https://①②③.example/{tenant}/", "https://123.example/"),
        ("https://écho.example:8443/{tenant}/", "https://xn--cho-9la.example:8443/"),
        ("HTTPS://DAV.example./{tenant}/", "https://dav.example/"),
        ("https://[2001:DB8::1]:1/{tenant}/", "https://[2001:db8::1]:1/"),
    ],
)
def test_a_server_is_dialled_by_the_usual_form_of_its_name(typed: str, dialled: str) -> None:
    rules.check(Probe(method=ProbeMethod.WEBDAV, url=typed), "")
    base = rules.collection_of(typed, ACME).base
    assert base == dialled
    assert httpx2.URL(base).host  # what it cannot read would be a fault that nobody foresaw


@pytest.mark.parametrize("template", ["/srv/.{tenant}", "/srv/{tenant}/../x", "/srv/../{tenant}"])
def test_dots_that_come_together_are_refused(template: str) -> None:
    with pytest.raises(InvalidRequestError):
        rules.directory_of(template, Subject(".", UUID(int=1)))


def test_megabytes_are_rounded_up_and_measurements_spread() -> None:
    sizes = [0, 1, MB, MB + 1]
    assert [rules.megabytes(each) for each in sizes] == [0, 1, 1, 2]
    hour = timedelta(hours=1)
    assert rules.next_time(hour, 0) == timedelta(minutes=54)
    assert rules.next_time(hour, 1) == timedelta(minutes=66)


@pytest.mark.parametrize("template", ["/srv/{tenant}\n", "/s\trv/{tenant}", "/srv\u200b/{tenant}"])
def test_a_path_has_no_character_that_cannot_be_seen(template: str) -> None:
    with pytest.raises(InvalidRequestError, match="can be seen"):
        rules.directory_of(template, Subject("acme", uuid4()))
