"""Is a body, and an answer, in the form that existing programs expect?"""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.http.negotiation import (
    Form,
    UnsupportedFormError,
    answer_form,
    body_charset,
    body_form,
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Form.XML),
        ("", Form.XML),
        ("*/*", Form.XML),
        ("application/json", Form.JSON),
        ("Application/JSON; q=0.1", Form.JSON),
        ("text/json", Form.JSON),
        ("text/xml", Form.XML),
        ("application/xml, application/json", Form.XML),
        ("application/json;q=0.1, application/xml", Form.JSON),  # what stands first
        ("text/html, */*, application/json", Form.JSON),
        ("text/html", Form.XML),
        ("application/vnd.api+json", Form.XML),
        (",,;,application/json", Form.JSON),
    ],
)
def test_an_answer_is_in_what_is_named_first_of_the_two_and_else_xml(
    accept: str | None, form: Form
) -> None:
    assert answer_form(accept) is form


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/xml", Form.XML),
        ("TEXT/XML; charset=utf-8", Form.XML),
        (" application/json ;charset=utf-8", Form.JSON),
        ("text/json", Form.JSON),
    ],
)
def test_a_body_is_what_its_type_says(content_type: str, form: Form) -> None:
    assert body_form(content_type) is form


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        (None, "it is missing"),
        ("", "it is missing"),
        (";charset=utf-8", "it is missing"),
        ("application/pdf", "found 'application/pdf'"),
        ("application/jsonx", "found 'application/jsonx'"),
        ("x" * 5000, f"found '{'x' * 100}'"),
    ],
)
def test_what_is_neither_is_refused_with_what_was_found(
    content_type: str | None, found: str
) -> None:
    with pytest.raises(UnsupportedFormError) as refused:
        body_form(content_type)
    assert refused.value.message == (
        f"Content-Type: {found}, expected application/xml or application/json."
    )


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        (None, None),
        ("application/xml", None),
        ("application/xml; charset=", None),
        ('application/xml; charset=""', None),
        ("application/xml; charset=utf-8", "utf-8"),
        ("application/xml;CHARSET = 'UTF-8'", "utf-8"),
        ('application/xml; a=b; charset="utf-16"; c=d', "utf-16"),
        ("application/xml; charset=iso-8859-1;", "iso-8859-1"),
        ("application/xml; mycharset=utf-16", None),
    ],
)
def test_the_characters_of_a_body_are_those_that_are_said(
    content_type: str | None, charset: str | None
) -> None:
    found = body_charset(content_type)
    assert (found and codecs.lookup(found)) == (charset and codecs.lookup(charset))


def test_characters_that_nobody_knows_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedFormError, match="'klingon' is unknown here; send UTF-8"):
        body_charset("application/xml; charset=klingon")


@given(st.text())
def test_whatever_is_said_is_taken_or_refused_in_words(said: str) -> None:
    assert answer_form(said) in Form
    for read in (body_form, body_charset):
        try:
            read(said)
        except UnsupportedFormError as problem:
            assert problem.message.startswith("Content-Type: ")
