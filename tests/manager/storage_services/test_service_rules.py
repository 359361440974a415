"""What may be said of a storage service, whoever looks at it, and where does its password go?"""

from dataclasses import dataclass

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.storage_services import rules


def test_a_port_is_one() -> None:
    with pytest.raises(InvalidRequestError):
        rules.check_url("https://dav.example:0/", open_password=False)


@pytest.mark.parametrize(
    "url",
    ["ftp://dav.example/", "https:///x", "https://a:b@dav.example/", "https://{tenant}.example/"],
)
def test_what_is_no_url_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="Url: "):
        rules.check_url(url, open_password=False)


@pytest.mark.parametrize("url", ["https://dav.example/", "http://127.0.0.1:8080/", "http://[::1]/"])
def test_a_password_goes_where_nobody_reads_it_on_the_way(url: str) -> None:
    rules.check_url(url, open_password=True)


@pytest.mark.parametrize("url", ["http://dav.example/", "http://127.1/", "http://0x7f.1/"])
def test_a_password_that_could_be_read_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        rules.check_url(url, open_password=True)


def test_a_url_of_s3_names_no_bucket() -> None:
    rules.check_s3_url("http://s3.example:9000/")
    with pytest.raises(InvalidRequestError, match="named by Bucket"):
        rules.check_s3_url("http://s3.example:9000/vault")


def test_a_service_is_dialled_by_the_usual_form_of_its_name() -> None:
    assert rules.origin_of("HTTPS://ÉCHO.example.:8443/x") == "https://xn--cho-9la.example:8443"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("abc", True), ("a.b-c", True), ("ab", False), ("Abc", False), ("abc-", False)],
)
def test_a_bucket_has_a_name_of_a_bucket(name: str, is_one: bool) -> None:
    assert rules.is_bucket(name) == is_one


def test_an_authority_is_a_certificate() -> None:
    with pytest.raises(InvalidRequestError, match="CaFile"):
        rules.check_authority("none")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"Url": "x", "Path": "y"}, "Path: a probe with the method WebDAV has none"),
        ({"Url": ""}, "the method WebDAV needs Url"),
        ({"Url": "x", "Username": "u"}, "belong together"),
    ],
)
def test_a_service_is_described_by_what_its_method_knows(given: dict[str, str], words: str) -> None:
    elements = {"Path": "", "Username": "", "Password": "", **given}
    with pytest.raises(InvalidRequestError, match=words):
        rules.check_elements(
            elements, ("UsageProbe", "a probe"), "WebDAV", {"Url", "Username", "Password"}, ["Url"]
        )


@dataclass(frozen=True, kw_only=True)
class Service:
    method: str = "WebDAV"
    url: str = "https://a.example/x"
    username: str = "u"
    authority_pem: str = "pem"
    named_by_administrator: bool = True


@pytest.mark.parametrize(
    "other",
    [
        Service(method="S3"),
        Service(url="http://a.example/x"),
        Service(url="https://a.example:1/x"),
        Service(username="v"),
        Service(authority_pem=""),
    ],
    ids=str,
)
def test_a_password_is_given_anew_for_another_service(other: Service) -> None:
    known = rules.opened_by_password(Service())
    assert rules.opened_by_password(Service(url="https://a.example/y")) == known
    assert rules.opened_by_password(other) != known
