"""What is malformed, incomplete or against a rule gets a clear Error, and changes nothing."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from lxml import etree

from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, running_manager

NS = "http://www.veeam.com/ent/v1.0"
GOOD_XML = (
    f'<CreateCloudGatewaySpec xmlns="{NS}">\n'
    "<ServerHostName>gw1.example</ServerHostName>\n"
    "<Description>d</Description>\n"
    "<ExternalPort>6180</ExternalPort>\n"
    "<NetworkType>Direct</NetworkType>\n"
    "<InternalPort>6180</InternalPort>\n"
    "</CreateCloudGatewaySpec>"
)
GOOD_JSON = (
    '{"ServerHostName": "gw1.example", "Description": "d", "ExternalPort": 6180,'
    ' "NetworkType": "Direct", "InternalPort": 6180}'
)
PORT = "<ExternalPort>6180</ExternalPort>"
DTD = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """One manager for all: whatever is refused changes nothing."""
    with running_manager(tmp_path_factory.mktemp("manager")) as running:
        host = ScriptedHost(running)
        yield running.logged_on(accept="*/*")
        host.close()


def refused(client: httpx2.Client, body: str | bytes, kind: str, status: int = 400) -> str:
    """The message of the Error that a body gets; nothing has changed."""
    answer = client.post(
        "/cloud/gateways",
        content=body,
        headers={"Content-Type": f"application/{kind}", "Accept": f"application/{kind}"},
    )
    assert answer.status_code == status, answer.text
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert client.get("/tasks", headers={"Accept": "application/json"}).json() == {"Tasks": []}
    if kind == "json":
        error: dict[str, Any] = answer.json()
        assert list(error) == [
            "FirstChanceExceptionMessage",
            "Message",
            "StackTrace",
            "Status",
            "StatusCode",
        ]
        assert (error["StatusCode"], error["StackTrace"]) == (status, None)
        return str(error["Message"])
    root = etree.fromstring(answer.content)
    assert root.tag == f"{{{NS}}}Error"
    assert (root.get("StatusCode"), len(root)) == (str(status), 0)
    return str(root.get("Message"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ["body is missing", "CreateCloudGatewaySpec"]),
        (GOOD_XML[:-5], ["not well-formed XML", "line 7"]),
        ("just text", ["not well-formed XML"]),
        (DTD + GOOD_XML, ["DOCTYPE"]),
        (DTD + GOOD_XML.replace(">d<", ">&secret;<"), ["DOCTYPE"]),
        (GOOD_XML.replace(">d<", ">&secret;<"), ["not well-formed XML", "secret"]),
        (GOOD_XML.replace("CreateCloudGatewaySpec", "CloudGateway"), ["CreateCloudGatewaySpec"]),
        (GOOD_XML.replace(NS, "urn:other"), ["namespace", NS]),
        (GOOD_XML.replace(f' xmlns="{NS}"', ""), ["namespace", NS]),
        (
            GOOD_XML.replace(PORT, "").replace("<Description>", PORT + "<Description>"),
            ["Description is not expected here", "out of order", "NetworkType", "line 3"],
        ),
        (GOOD_XML.replace(PORT, PORT + PORT), ["ExternalPort is not expected", "twice"]),
        (GOOD_XML.replace(PORT, "<Color>red</Color>"), ["Color is not expected", "unknown"]),
        (GOOD_XML.replace(PORT, "<externalPort>1</externalPort>"), ["externalPort"]),
        (
            GOOD_XML.replace("<NetworkType>Direct</NetworkType>", ""),
            ["expected NetworkType", "line 6"],
        ),
        (
            (
                f'<CreateCloudGatewaySpec xmlns="{NS}"><ServerHostName>a</ServerHostName>'
                "</CreateCloudGatewaySpec>"
            ),
            ["incomplete", "NetworkType", "missing"],
        ),
        (GOOD_XML.replace(">gw1.example<", "><"), ["ServerHostName", "DNS name or an IP address"]),
        (GOOD_XML.replace(">Direct<", ">direct<"), ["NetworkType", "'direct'", "Direct or NAT"]),
    ]
    + [
        (
            GOOD_XML.replace(PORT, f"<ExternalPort>{port}</ExternalPort>"),
            ["ExternalPort", port, "a port number from 1 to 65535", "line 4"],
        )
        for port in ("0", "65536", "-1", "6180x", "6180.5", "0x1", "1e3", "99999999999999999999")
    ],
)
def test_bad_xml_is_refused_with_the_place_and_what_was_expected(
    client: httpx2.Client, body: str, words: list[str]
) -> None:
    message = refused(client, body, "xml")
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ["body is missing"]),
        (GOOD_JSON[:-1], ["not well-formed JSON", "line 1"]),
        ("[]", ["expected an object"]),
        ("null", ["expected an object"]),
        ('"text"', ["expected an object"]),
        ("[" * 200_000, ["nested too deeply"]),
        ('{"a":' * 200_000, ["nested too deeply"]),
        (GOOD_JSON.replace("6180,", "NaN,"), ["NaN"]),
        (GOOD_JSON.replace("6180,", "Infinity,"), ["Infinity"]),
        (GOOD_JSON.replace("6180,", '"6180",'), ["ExternalPort", "whole number"]),
        (GOOD_JSON.replace("6180,", "6180.5,"), ["ExternalPort", "6180.5", "whole number"]),
        (GOOD_JSON.replace("6180,", "true,"), ["ExternalPort", "true", "whole number"]),
        (GOOD_JSON.replace("6180,", "[6180],"), ["ExternalPort", "an array"]),
        (GOOD_JSON.replace("6180,", "1" * 5000 + ","), ["number that is too long"]),
        (GOOD_JSON.replace('"d"', "7"), ["Description", "7", "a string"]),
        (GOOD_JSON.replace('"d"', '"\\u0000"'), ["characters that no text may have"]),
        (GOOD_JSON.replace('"d"', '"\\ud800"'), ["characters that no text may have"]),
        (GOOD_JSON.replace('"Description"', '"Colour"'), ["no property 'Colour'", "Description"]),
        (GOOD_JSON.replace('"Description"', '"serverHostName"'), ["'serverHostName'"]),
        (GOOD_JSON.replace('"Description"', '"ServerHostName"'), ["'ServerHostName'", "twice"]),
        (GOOD_JSON.replace('"ServerHostName"', '"Description"', 1), ["twice"]),
        (GOOD_JSON.replace('"Direct"', '"NATT"'), ["NetworkType", "'NATT'", "Direct or NAT"]),
        (GOOD_JSON.replace('"Direct"', "null"), ["NetworkType"]),
    ]
    + [
        (
            GOOD_JSON.replace("6180,", f"{port},"),
            ["ExternalPort", str(port), "a port number from 1 to 65535"],
        )
        for port in (0, 65536, -1)
    ],
)
def test_bad_json_is_refused_by_the_same_rules(
    client: httpx2.Client, body: str, words: list[str]
) -> None:
    message = refused(client, body, "json")
    assert [word for word in words if word not in message] == [], message


def test_bytes_that_are_no_text_are_refused(client: httpx2.Client) -> None:
    assert "UTF-8" in refused(client, b'{"a": "\xff"}', "json")
    assert "not well-formed XML" in refused(client, b"<a>\xff</a>", "xml")


def test_a_body_in_another_encoding_with_a_byte_order_mark_is_read(client: httpx2.Client) -> None:
    for content in (GOOD_XML.encode("utf-8-sig"), GOOD_XML.encode("utf-16")):
        wrong = content.replace(b"gw1", b"gw9").replace(
            "gw1".encode("utf-16-le"), "gw9".encode("utf-16-le")
        )
        assert "'gw9.example' is not in the infrastructure" in refused(client, wrong, "xml", 404)


@pytest.mark.parametrize(
    ("form", "content", "status", "words"),
    [
        (
            "xml; charset=ISO-8859-1",
            GOOD_XML.replace(">d<", ">\xe4<").encode("latin-1"),
            404,
            "gw9",
        ),
        ('xml; charset="utf-16"', GOOD_XML.encode("utf-16-be"), 404, "gw9"),
        (
            "xml; charset=utf-16",
            GOOD_XML.encode("utf-8"),
            400,
            "Content-Type names the charset utf-16",
        ),
        ("xml; charset=utf-8", GOOD_XML.replace(">d<", ">\xe4<").encode("latin-1"), 400, "UTF-8"),
        ("xml; charset=klingon", GOOD_XML.encode(), 415, "the charset 'klingon' is unknown"),
        ("json; charset=utf-16", GOOD_JSON.encode("utf-16"), 404, "gw9"),
        ("json; charset=latin-1", GOOD_JSON.replace('"d"', '"\xe4"').encode("latin-1"), 404, "gw9"),
        (
            "json; charset=utf-8",
            b"\xff",
            400,
            "is not UTF-8 (Content-Type names the charset utf-8)",
        ),
        ("json; charset=base64", GOOD_JSON.encode(), 415, "the charset 'base64' is unknown"),
    ],
)
def test_the_charset_of_content_type_is_what_the_body_is_read_in(
    client: httpx2.Client, form: str, content: bytes, status: int, words: str
) -> None:
    for one in ("utf-8", "utf-16-le", "utf-16-be"):
        content = content.replace("gw1".encode(one), "gw9".encode(one))
    answer = client.post(
        "/cloud/gateways",
        content=content,
        headers={
            "Content-Type": f"application/{form}",
            "Accept": "application/json",
        },
    )
    assert answer.status_code == status, answer.text
    assert words in answer.json()["Message"]


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 8 * 1024 * 1024])
def test_a_body_over_a_mebibyte_is_too_large(client: httpx2.Client, size: int) -> None:
    assert "1048576 bytes" in refused(client, b" " * size, "xml", 413)


def test_a_body_over_a_mebibyte_in_chunks_is_too_large(client: httpx2.Client) -> None:
    answer = client.post(
        "/cloud/gateways",
        content=(b" " * 65536 for _ in range(20)),
        headers={"Content-Type": "application/xml"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "xml"])
def test_a_body_of_an_unknown_type_is_not_read(client: httpx2.Client, kind: str) -> None:
    answer = client.post("/cloud/gateways", content=GOOD_XML, headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert b"expected application/xml or application/json" in answer.content


def test_unknown_paths_verbs_and_ids_are_the_apis_error(client: httpx2.Client) -> None:
    json = {"Accept": "application/json"}
    gone = client.get("/cloud/nothing", headers=json)
    assert (gone.status_code, gone.json()["StatusCode"]) == (404, 404)
    verb = client.request("PATCH", "/cloud/gateways", headers=json)
    assert (verb.status_code, verb.headers["Allow"]) == (405, "GET, POST")
    assert verb.json()["Message"].startswith("Method is not Allowed")
    guid = "29e5d158-1f58-44bc-bbaa-2752d787a91d"
    for path, status in [
        (f"/cloud/gateways/{guid}", 404),
        ("/cloud/gateways/not-a-guid", 400),
        (f"/cloud/gateways/urn:veeam:CloudTenant:{guid}", 400),
        (f"/cloud/tenants/{guid}/resources", 404),
        ("/tasks/task-99", 404),
        ("/tasks/task-99999999999999999999999", 404),
        ("/tasks/7", 404),
        (f"/logonSessions/{guid}", 404),
        ("/repositories/x", 400),
        (f"/managedServers/{guid}", 404),
        (f"/backupServers/{guid}", 404),
    ]:
        answer = client.get(path, headers=json)
        assert (path, answer.status_code) == (path, status)
        assert answer.json()["StatusCode"] == status


def test_outside_the_api_there_is_an_error_too(client: httpx2.Client) -> None:
    root = str(client.base_url).removesuffix("/api/")
    for path in ("/", "/favicon.ico", "/apis"):
        answer = client.get(root + path)
        assert answer.status_code == 404
        assert b"<Error " in answer.content


def test_what_nobody_foresaw_is_an_error_without_a_stack_trace(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_manager(tmp_path_factory.mktemp("damaged")) as running:
        logged_on = running.logged_on()
        with running.manager.changing() as work:
            work.session.connection().exec_driver_sql(
                "UPDATE backup_servers SET id = 'no identifier'"
            )
        answer = logged_on.get("/backupServers")
        assert answer.status_code == 500
        assert answer.json()["StatusCode"] == 500
        assert answer.json()["Message"] == "Internal error: the manager's log says more."


def test_a_database_that_fails_is_an_error_that_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_manager(tmp_path_factory.mktemp("broken")) as running:
        logged_on = running.logged_on()
        with running.manager.changing() as work:
            work.session.connection().exec_driver_sql("ALTER TABLE cloud_gateways RENAME TO gone")
        answer = logged_on.get("/cloud/gateways")
        assert answer.status_code == 503
        assert "The database cannot be used" in answer.json()["Message"]
        assert "Traceback" not in answer.text


def test_a_request_that_breaks_off_does_no_harm(
    client: httpx2.Client, running: RunningManager
) -> None:
    port = int(running.url.rpartition(":")[2])
    for piece in (b"", b"POST /api/cloud/gateways HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"):
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            running.context.wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            secured.sendall(piece)
    assert isinstance(running.context, ssl.SSLContext)
    assert running.logged_on().get("/tasks").json() == {"Tasks": []}
