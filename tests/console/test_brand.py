"""Is a provider's brand shown as it is wanted, and one that nobody could read refused?"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.server import ServerOptions
from cloudgate.console.brand import (
    GROUNDS,
    LARGEST_LOGO_BYTES,
    LEAST_CONTRAST,
    Brand,
    WrongBrandError,
    brand_of,
    contrast,
    ink_on,
)
from cloudgate.console.rendering import asset
from tests.support.running.console import text_of, visitor
from tests.support.running.manager import running_manager

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@given(COLOURS)
def test_text_on_a_button_of_any_colour_can_be_read(colour: str) -> None:
    assert contrast(ink_on(colour), colour) >= LEAST_CONTRAST


@given(COLOURS)
def test_a_colour_is_taken_where_it_can_be_read_on_every_ground_and_else_refused(
    colour: str,
) -> None:
    least = min(contrast(colour, ground) for ground in GROUNDS["light"])
    try:
        brand = brand_of(None, None, colour, None)
    except WrongBrandError as problem:
        assert least < LEAST_CONTRAST
        assert "Take a darker one" in str(problem)
    else:
        assert least >= LEAST_CONTRAST
        assert f"light-dark({colour}, #6cc6de)" in brand.style


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    sheet = asset("console.css").decode()
    names = ("panel", "ground", "raised", "accent-wash", "idle-wash")
    said = [re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", sheet) for name in names]
    assert [each and each[1] for each in said] == list(GROUNDS["light"])
    assert {each and each[2] for each in said} == set(GROUNDS["dark"])


def test_what_nobody_said_is_the_products_own() -> None:
    assert brand_of(None, None, None, None) == Brand()
    assert Brand().style == ""
    assert Brand().part("brand.css") is None
    assert Brand().part("logo") is None


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff...", "image/jpeg"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<html>", ""),
        (b"", ""),
        (b"\x89PNG\r\n\x1a\n" + b"x" * LARGEST_LOGO_BYTES, ""),
    ],
    ids=["png", "jpeg", "svg", "html", "nothing", "too large"],
)
def test_a_logo_is_a_picture_by_what_is_in_it(tmp_path: Path, content: bytes, kind: str) -> None:
    logo = tmp_path / "logo"
    logo.write_bytes(content)
    if kind:
        assert brand_of(None, logo, None, None).part("logo") == (content, kind)
        return
    with pytest.raises(WrongBrandError, match="logo"):
        brand_of(None, logo, None, None)


@pytest.mark.parametrize(
    ("name", "colour", "said"),
    [
        ("x" * 61, None, "at most 60"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", None, "printable"),
        (None, "purple", "is none such as #0f5f78"),
        (None, "#fff", "is none such as"),
        (None, "#000000", "in the dark theme.*Take a lighter one"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(
    name: str | None, colour: str | None, said: str
) -> None:
    with pytest.raises(WrongBrandError, match=said):
        brand_of(name, None, None, colour)


def test_a_logo_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(WrongBrandError, match="No such file"):
        brand_of(None, tmp_path / "nothing", None, None)


def test_the_console_is_dressed_as_the_portal_is_where_the_provider_wants_it(
    tmp_path: Path,
) -> None:
    brand = Brand(name="Blue Harbour", light="#7a1fa2", is_for_console=True)
    with running_manager(tmp_path, extras=ServerOptions(brand=brand)) as started:
        page = visitor(started).get("sign-in").text
        style = re.search(r'assets/\w+/brand\.css(?=")', page)
        assert style
        assert "Blue Harbour" in text_of(page)
        assert "Cloudgate" not in text_of(page)
        assert "#7a1fa2" in visitor(started).get(style[0]).text
