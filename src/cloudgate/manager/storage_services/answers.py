"""Service answers: how is a server's answer read that may be large, slow, or without an end?"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2
from lxml import etree

from cloudgate import __version__
from cloudgate.errors import UnavailableError
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.storage_services.rules import StorageService
from cloudgate.network.happy_eyeballs import NoAllowedAddressError
from cloudgate.network.http_transport import DiallingTransport
from cloudgate.values.numbers import whole

ANSWER_SECONDS = 30.0
"""How long a server may be silent."""
_MARGIN_SECONDS = 1.0
"""For who reads an answer and sees by itself, in better words, that it takes too long."""
_MOST_BYTES = 10**18 - 1
_MOST_UNWANTED_BYTES = 1024 * 1024
"""How much of an answer is kept in memory before an element comes that was asked for."""


class UnansweredError(UnavailableError):
    """What was asked is not known. `everyone`: nor is it, if asked of another tenant."""

    def __init__(self, message: str, *, everyone: bool = False) -> None:
        super().__init__(message)
        self.everyone = everyone


@dataclass(frozen=True)
class Limits:
    """What it may cost to ask."""

    seconds: float = 900.0
    answer_bytes: int = 512 * 1024 * 1024
    reachable: ReachableTargets = field(default_factory=ReachableTargets)
    """Where it may lead."""


@contextmanager
def calling(
    service: StorageService, reachable: ReachableTargets, seconds: float
) -> Iterator[httpx2.Client]:
    """A client that trusts whom `service` names, and goes where it is told and may go only.

    It is given up after `seconds`, also while the head of an answer comes byte by byte.
    """
    context = ssl.create_default_context(cadata=service.authority_pem or None)
    allows = partial(
        reachable.may_be_dialled, named_by_administrator=service.named_by_administrator
    )
    with httpx2.Client(
        transport=DiallingTransport(context, allows, seconds + _MARGIN_SECONDS),
        timeout=ANSWER_SECONDS,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": f"Cloudgate/{__version__}"},
    ) as client:
        yield client


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what can go wrong on the way into words.

    Raises:
        UnansweredError: it went wrong.
    """
    try:
        yield
    except NoAllowedAddressError:
        raise UnansweredError(
            f"{url} leads to an address that the manager does not dial: the machine itself, its"
            " network's own means, or outside of the networks that the operator has named. Correct"
            " the Url, or have an administrator set it.",
            everyone=True,
        ) from None
    except httpx2.ConnectError as problem:
        text = str(problem)
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            raise UnansweredError(
                f"The server of {url} cannot be trusted: {text[:300]}. Give the authority that"
                " signed its certificate as CaFile, if it is a private one.",
                everyone=True,
            ) from None
        raise UnansweredError(
            f"The server of {url} cannot be reached: {text[:300]}. Is it running, and does the"
            " manager's machine reach it?",
            everyone=True,
        ) from None
    except httpx2.HTTPError as problem:
        raise UnansweredError(
            f"The server of {url} does not answer as it should:"
            f" {(str(problem) or type(problem).__name__)[:300]}.",
            everyone=True,
        ) from None


def number(text: str | None) -> int | None:
    """A number of bytes; None when it is none."""
    return whole((text or "").strip(), 0, _MOST_BYTES)


class Reader:
    """Reads XML as it comes, and never keeps more than one element of it."""

    def __init__(
        self, url: str, response: httpx2.Response, limits: Limits, deadline: float
    ) -> None:
        """`deadline` by the monotonic clock."""
        self._url = url
        self._response = response
        self._limits = limits
        self._deadline = deadline
        self._unwanted_bytes = 0

    def elements(self, *tags: str, root: str | None) -> Iterator[etree._Element]:
        """Each element of these tags, once it is whole; its children are gone afterwards.

        Args:
            tags: theirs, in lxml's words: `{*}` before those of any namespace.
            root: what the root of the answer is called, in whatever namespace; None where that
                says nothing.

        Raises:
            UnansweredError: the answer is no XML, is another than was asked for, is too long, takes
                too long, or breaks off.
        """
        parser = etree.XMLPullParser(
            events=("end",), tag=tags, resolve_entities=False, no_network=True
        )
        received = 0
        try:
            with explained(self._url):
                for piece in self._response.iter_bytes():
                    received += len(piece)
                    self._unwanted_bytes += len(piece)
                    self._check(received)
                    parser.feed(piece)
                    yield from self._whole(parser, root)
                whole = parser.close()
                yield from self._whole(parser, root)
                self._check_root(whole, root)
        except etree.XMLSyntaxError as problem:
            raise UnansweredError(
                f"What the server answers for {self._url} is no sound XML: {problem.msg[:200]}."
            ) from None
        finally:
            self._response.close()

    def _whole(self, parser: etree.XMLPullParser, root: str | None) -> Iterator[etree._Element]:
        for _, node in parser.read_events():
            if not isinstance(node, etree._Element):  # noqa: SLF001  the stubs' only name for it
                continue
            self._check_root(node.getroottree().getroot(), root)
            self._unwanted_bytes = 0
            yield node
            node.clear()
            for each in (node, *node.iterancestors()):
                parent = each.getparent()
                while parent is not None and each.getprevious() is not None:
                    del parent[0]

    def _check_root(self, found: etree._Element, expected: str | None) -> None:
        name = etree.QName(found).localname
        if expected is not None and name != expected:
            raise UnansweredError(
                f"What the server answers for {self._url} is {name[:100]!r}, expected {expected!r}."
                " Is it the right address, and is the server in order?"
            )

    def _check(self, received_bytes: int) -> None:
        if self._unwanted_bytes > _MOST_UNWANTED_BYTES:
            raise UnansweredError(
                f"What the server answers for {self._url} is XML, but none that was asked for."
            )
        if received_bytes > self._limits.answer_bytes:
            raise UnansweredError(
                f"The server's answer for {self._url} is longer than"
                f" {self._limits.answer_bytes} bytes; it was given up."
            )
        if time.monotonic() > self._deadline:
            raise UnansweredError(
                f"The server's answers for {self._url} took longer than"
                f" {self._limits.seconds:g} seconds; it was given up."
            )
