"""By which mail server, and to which addresses, does the manager send?"""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.settings.outgoing import MailServer, OutgoingSettings, mail_server, networks


def test_a_program_inside_is_called_where_the_operator_allows_it_and_metadata_never() -> None:
    outside, inside = "93.184.215.14", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1"]
    wide = OutgoingSettings(networks=networks(["0.0.0.0/0", "::/0"]))
    assert OutgoingSettings().may_be_called(outside)
    for each in (*inside, "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"):
        assert not OutgoingSettings().may_be_called(each), each
        assert wide.may_be_called(each), each
    for each in ("169.254.169.254", "0.0.0.0", "fe80::1", "fd00:ec2::254", "no address"):
        assert not wide.may_be_called(each), each
    assert not OutgoingSettings(networks=networks(["10.0.0.0/8"])).may_be_called("192.168.1.1")
    with pytest.raises(InvalidRequestError, match="--hook-network"):
        networks(["hooks.example"])


SENDER = "cloudgate@provider.example"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", MailServer("mail.example", 587, SENDER)),
        ("smtps://mail.example/", MailServer("mail.example", 465, SENDER, starts_plain=False)),
        (
            "smtp://me%40here@mail.example:25",
            MailServer("mail.example", 25, SENDER, user="me@here", password="a password"),
        ),
        ("smtp://[2001:db8::1]:25", MailServer("2001:db8::1", 25, SENDER)),
    ],
)
def test_a_mail_server_is_where_its_address_says(url: str, expected: MailServer) -> None:
    found = mail_server(url, SENDER, expected.password, "")
    assert found == expected
    assert "a password" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://user:password@mail.example",
        "smtp://mail.example/box",
        "smtp://mail.example:many",
        "smtp://mail.example:70000",
        "smtp://mail.example:0",
        "smtp://[mail",
    ],
)
def test_what_is_no_mail_server_is_refused_in_words(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="--smtp: found"):
        mail_server(url, SENDER, "", "")


@pytest.mark.parametrize("sender", ["", "@", "nobody", "a b@x.example", "a@x.example\nBcc: b@y"])
def test_mail_is_from_an_address(sender: str) -> None:
    with pytest.raises(InvalidRequestError, match="--mail-from: found"):
        mail_server("smtp://mail.example", sender, "", "")


@given(st.ip_addresses())
def test_what_the_operator_allows_only_adds_and_never_what_nobody_may(address: object) -> None:
    text = str(address)
    wide, usual = OutgoingSettings(networks=networks(["0.0.0.0/0", "::/0"])), OutgoingSettings()
    assert wide.may_be_called(text) >= usual.may_be_called(text)
    assert not usual.may_be_called(text) or ip_address(text).is_global
