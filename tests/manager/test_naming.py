"""Naming: names are kept in one form, and have nothing in them that nobody sees."""

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.manager import naming


def test_a_name_is_kept_in_one_form() -> None:
    assert naming.printable(" Caf\u0065\u0301 ", "Name") == naming.printable("Café", "Name")


@pytest.mark.parametrize("text", ["two\nlines", "left\u202eright", "zero\u200bwidth"])
def test_a_name_has_no_character_that_nobody_sees_unless_it_had_it_before(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"Name: .* has the character"):
        naming.printable(text, "Name")
    assert naming.printable(text, "Name", before=text) == text


@pytest.mark.parametrize("text", ["gate.example", "192.0.2.1", "2001:db8::1"])
def test_a_machine_is_named_by_a_dns_name_or_an_address(text: str) -> None:
    assert naming.host(text, "HostName") == text


@pytest.mark.parametrize("text", ["two words", "gate.example:80", "-gate.example"])
def test_what_no_machine_can_be_called_is_refused_unless_it_is_called_so(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"HostName: found .* expected a DNS name"):
        naming.host(text, "HostName")
    assert naming.host(text, "HostName", before=text) == text
