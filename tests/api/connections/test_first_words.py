"""What clients say before they are known, or beside what they ask: is it taken as they mean it?

A logon without a password, to be asked for one; an offer of another protocol; what is no HTTP.
"""

import base64
import re
import socket

import pytest

from tests.support.running.manager import PASSWORD, RunningManager
from tests.support.waiting import PATIENCE_SECONDS

HOST = "Host: localhost"
ADMIN = "Authorization: Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
XML = "Content-Type: text/xml"
OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
LOGON = "POST /api/sessionMngr/?v=latest HTTP/1.1"
OF_A_TENANT = (
    '<LoginSpec xmlns="http://www.veeam.com/ent/v1.0"><TenantCredentials><Username>acme</Username>'
    "<Password>wrong</Password></TenantCredentials></LoginSpec>"
)


def answered(running: RunningManager, *said: str) -> str:
    """What the manager says to that, packet by packet, until it hangs up."""
    host, _, port = running.url.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), PATIENCE_SECONDS) as plain,
        running.context.wrap_socket(plain, server_hostname=host) as line,
    ):
        for each in said:
            line.sendall(each.encode())
        heard = b""
        while more := line.recv(65536):
            heard += more
    return heard.decode()


def statuses(answers: str) -> list[str]:
    return re.findall(r"HTTP/1\.1 (\d+)", answers)


def request(*lines: str, body: str = "") -> str:
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join((*lines, HOST, *length, "", body))


LAST = request("GET /api/ HTTP/1.1", "Connection: close")


def test_a_logon_that_waits_to_be_asked_for_its_password_is_no_guess(
    running: RunningManager,
) -> None:
    client = running.client(Accept="application/json")
    for header in ({}, {"Authorization": "Negotiate YII="}, {"Authorization": "Basic !!!"}):
        for way in ("", "&as=tenant"):
            asked = client.post(f"/sessionMngr/?v=latest{way}", headers=header)
            assert asked.status_code == 401
            assert asked.headers["WWW-Authenticate"] == "Basic Realm=RestSvc"
    # What counts as a guess is waited for, and on record.
    assert not [each for each in running.audited() if not each.success]
    assert client.post("/sessionMngr/?v=latest", auth=("admin", "guess")).status_code == 401
    assert [each.account for each in running.audited() if not each.success] == ["admin"]


@pytest.mark.parametrize("offer", ["Accept: */*", OFFER, "Connection: Upgrade\r\nUpgrade: foo"])
def test_a_logon_for_a_tenant_wants_the_tenants_password_whatever_else_is_offered(
    running: RunningManager, offer: str
) -> None:
    said = request(LOGON, ADMIN, offer, XML, body=OF_A_TENANT)
    assert statuses(answered(running, said, LAST)) == ["401", "200"]


def test_the_body_of_a_request_with_an_offer_is_never_the_next_request(
    running: RunningManager,
) -> None:
    hidden = request("GET /api/ HTTP/1.1")
    head, _, body = request(LOGON, ADMIN, OFFER, XML, body=hidden).partition("\r\n\r\n")
    assert statuses(answered(running, head + "\r\n\r\n", body, LAST)) == ["400", "200"]


@pytest.mark.parametrize(
    "first", ["GET /api/query?filter=Name==Müller HTTP/1.1", "get /api/ HTTP/1.1", "hello"]
)
def test_what_is_no_http_is_answered_as_every_failure_is(
    running: RunningManager, first: str
) -> None:
    head, _, body = answered(running, request(first)).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 Bad Request\r\n")
    assert "\r\nContent-Type: application/xml" in head
    assert body.startswith("<?xml")
    assert 'StatusCode="400"' in body
    assert "percent-encoded" in body
