"""Brand: whose portal is it, by name, logo and colours? Pure, but for reading the logo.

Colours are taken as they are or refused: text in them has the contrast that WCAG 2.2 asks for
(success criterion 1.4.3, 4.5 to 1) on each ground that it stands on.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cloudgate.errors import CloudgateError

PRODUCT = "Cloudgate"
LONGEST_NAME = 60
LARGEST_LOGO_BYTES = 256 * 1024
LEAST_CONTRAST = 4.5
GROUNDS = {
    "light": ("#ffffff", "#f4f6f8", "#f8fafb", "#e3f1f5", "#eaedf1"),
    "dark": ("#11151a", "#191f26", "#1f262e", "#12303a", "#29313a"),
}
"""What links and marks of a colour stand on in each theme: those of console.css."""
_USUAL = {"light": "#0f5f78", "dark": "#6cc6de"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


class WrongBrandError(CloudgateError):
    """Such a brand cannot be shown."""


@dataclass(frozen=True, kw_only=True)
class Brand:
    """What the portal is dressed in; the product's own where nothing is said."""

    name: str = PRODUCT
    logo: bytes = b""
    logo_type: str = ""
    light: str = ""
    """The colour of links and buttons in the light theme, as #rrggbb; empty for the usual."""
    dark: str = ""
    is_for_console: bool = False
    """Whether the operators' console is dressed in it, too."""

    @cached_property
    def style(self) -> str:
        """A style sheet for after the usual one; empty when colours are the usual."""
        if not self.light and not self.dark:
            return ""
        light, dark = self.light or _USUAL["light"], self.dark or _USUAL["dark"]
        return (
            f":root {{ --accent: light-dark({light}, {dark});"
            f" --accent-ink: light-dark({ink_on(light)}, {ink_on(dark)});"
            " --accent-wash: var(--idle-wash); }\n"
        )

    @cached_property
    def version(self) -> str:
        """Changes with what it is, so that browsers may keep its parts for ever."""
        return hashlib.sha256(self.logo + self.style.encode()).hexdigest()[:12]

    def part(self, name: str) -> tuple[bytes, str] | None:
        """What a page loads of it, and of which type that is; None where there is no such part."""
        parts = {
            "brand.css": (self.style.encode(), "text/css; charset=utf-8"),
            "logo": (self.logo, self.logo_type),
        }
        found = parts.get(name)
        return found if found and found[0] else None


def brand_of(name: str | None, logo: Path | None, light: str | None, dark: str | None) -> Brand:
    """The brand that an operator wants; what is None or empty is the product's own.

    Raises:
        WrongBrandError: it cannot be shown.
    """
    content = _read(logo) if logo else b""
    return Brand(
        name=_checked_name(name) if name else PRODUCT,
        logo=content,
        logo_type=_type_of(content, logo) if logo else "",
        light=_checked_colour(light, "light") if light else "",
        dark=_checked_colour(dark, "dark") if dark else "",
    )


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, from 1 to 21: WCAG 2.2, contrast ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """White or black: what is read better on a colour. One of the two always is well."""
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, colour))


def _checked_name(name: str) -> str:
    shown = " ".join(name.split())
    if not shown.isprintable() or len(shown) > LONGEST_NAME:
        raise WrongBrandError(
            f"The portal's name has {len(shown)} characters, or some that cannot be shown;"
            f" expected at most {LONGEST_NAME} printable ones."
        )
    return shown


def _checked_colour(text: str, theme: str) -> str:
    colour = text.strip().lower()
    if not _COLOUR.fullmatch(colour):
        raise WrongBrandError(f"The portal's colour {text[:50]!r} is none such as #0f5f78.")
    ground = min(GROUNDS[theme], key=lambda each: contrast(colour, each))
    reached = contrast(colour, ground)
    if reached < LEAST_CONTRAST:
        word = "darker" if theme == "light" else "lighter"
        raise WrongBrandError(
            f"The portal's colour {colour} cannot be read in the {theme} theme: its contrast with"
            f" {ground} is {reached:.1f} to 1, and {LEAST_CONTRAST} is needed. Take a {word} one."
        )
    return colour


def _read(logo: Path) -> bytes:
    try:
        with logo.open("rb") as file:
            content = file.read(LARGEST_LOGO_BYTES + 1)
    except OSError as problem:
        raise WrongBrandError(
            f"The portal's logo {logo} cannot be read: {problem.strerror}."
        ) from problem
    if len(content) > LARGEST_LOGO_BYTES:
        raise WrongBrandError(
            f"The portal's logo {logo} is larger than {LARGEST_LOGO_BYTES // 1024} KB."
        )
    return content


def _type_of(content: bytes, logo: Path) -> str:
    """Of which type a picture is, by what is in it."""
    for begin, kind in _KINDS.items():
        if content.startswith(begin):
            return kind
    if b"<svg" in content[:1000].lower():
        return "image/svg+xml"
    raise WrongBrandError(f"The portal's logo {logo} is no picture of type PNG, JPEG or SVG.")


def _luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1: WCAG 2.2, relative luminance."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
