"""WebDAV probe: how much is in a collection? PROPFIND (RFC 4918), quotas (RFC 4331)."""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import httpx2
from lxml import etree

from cloudgate.manager.probes.operations import Disk
from cloudgate.manager.probes.rules import Probe, TenantStorage
from cloudgate.manager.storage_services.answers import (
    Limits,
    Reader,
    UnansweredError,
    calling,
    explained,
    number,
)

_DAV = "{DAV:}"
_ASKED = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<quota-used-bytes/><quota-available-bytes/><getcontentlength/><resourcetype/></prop></propfind>"
)
_MULTI_STATUS, _NOT_AUTHENTICATED, _FORBIDDEN, _NOT_FOUND = 207, 401, 403, 404
_ELSEWHERE = range(300, 400)
_REFUSED_DEPTHS = frozenset({400, 403, 405, 413, 500, 501, 507})
"""What servers answer that do not list a whole tree at once (RFC 4918, 9.1: 403)."""
MOST_COLLECTIONS = 100_000
_SHARED_WITHIN = 0.05
"""Figures that are no further apart than by this part may be of the same disk."""


@dataclass(frozen=True)
class _WebdavEntry:
    """What is said of one resource."""

    path: str
    """Decoded, without a slash at its end."""
    href: str
    is_collection: bool
    length_bytes: int
    used_bytes: int | None
    available_bytes: int | None


def disk(probe: Probe, password: str, url: str, limits: Limits | None = None) -> Disk | None:
    """How much may be in a collection, and how much more may come (RFC 4331). Blocks.

    None where the server does not say.
    """
    limits = limits or Limits()
    with calling(probe, limits.reachable, limits.seconds) as client:
        if probe.username:
            client.auth = httpx2.BasicAuth(probe.username, password)
        return _WebdavWalk(client, limits).disk(url)


def measure(
    probe: Probe, password: str, place: TenantStorage, limits: Limits | None = None
) -> int | None:
    """How many bytes a collection holds; None when it is not there. Blocks.

    Raises:
        UnansweredError: the server does not say, with the reason.
    """
    limits = limits or Limits()
    with calling(probe, limits.reachable, limits.seconds) as client:
        if probe.username:
            client.auth = httpx2.BasicAuth(probe.username, password)
        asking = _WebdavWalk(client, limits)
        url = place.base + "".join(f"{each}/" for each in place.parts)
        return asking.collection(url, place.base)


class _WebdavWalk:
    def __init__(self, client: httpx2.Client, limits: Limits) -> None:
        self._client = client
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds

    def disk(self, url: str) -> Disk | None:
        try:
            found = self._itself(url)
        except UnansweredError:
            return None  # the account sees its own folder only, or the server fails
        if found is None or found.available_bytes is None or found.used_bytes is None:
            return None
        return Disk(found.used_bytes + found.available_bytes, found.available_bytes)

    def collection(self, url: str, base: str) -> int | None:
        itself = self._itself(url)
        if itself is None:
            if self._itself(base) is None:
                raise UnansweredError(
                    f"There is nothing at {base}: correct the Url of the usage probe.",
                    everyone=True,
                )
            return None
        if not itself.is_collection:
            raise UnansweredError(f"{url} is a file; expected a folder of the tenant's own.")
        if itself.used_bytes is not None and self._is_its_own(itself.used_bytes, base):
            return itself.used_bytes
        return self._sum(url)

    def _is_its_own(self, used_bytes: int, base: str) -> bool:
        """Whether a figure is that of the tenant alone.

        RFC 4331, 4: it may include other resources that share a quota, and many servers tell what
        is used of the whole disk. Then the collection that has all the tenants tells much the same,
        as of a moment later.
        """
        try:
            around = self._itself(base)
        except UnansweredError:
            return True  # the account sees its own folder only
        if around is None or around.used_bytes is None:
            return True
        apart = abs(around.used_bytes - used_bytes)
        return apart > _SHARED_WITHIN * max(around.used_bytes, used_bytes)

    def _itself(self, url: str) -> _WebdavEntry | None:
        status, found = self._propfind(url, "0")
        if status == _NOT_FOUND:
            return None
        if status != _MULTI_STATUS:
            raise _refused(url, status)
        with closing(found):
            return next(found)

    def _sum(self, url: str) -> int:
        """By listing all files at once, or, where the server does not, folder by folder."""
        status, found = self._propfind(url, "infinity")
        if status == _MULTI_STATUS:
            return sum(each.length_bytes for each in found)
        if status not in _REFUSED_DEPTHS:
            raise _refused(url, status)
        return self._sum_by_folders(url)

    def _sum_by_folders(self, url: str) -> int:
        used_bytes = 0
        waiting = [url]
        known = {_path_of(url)}
        while waiting:
            current = waiting.pop()
            here = _path_of(current)
            status, found = self._propfind(current, "1")
            if status == _NOT_FOUND and current != url:
                continue  # gone since it was listed
            if status != _MULTI_STATUS:
                raise _refused(current, status)
            for each in found:
                used_bytes += each.length_bytes
                # Only what is below it: a server must not lead round in circles, or elsewhere.
                if each.is_collection and each.path.startswith(f"{here}/"):
                    if each.path not in known:
                        known.add(each.path)
                        waiting.append(urljoin(url, urlsplit(each.href).path))
                    if len(known) > MOST_COLLECTIONS:
                        raise UnansweredError(
                            f"{url} has more than {MOST_COLLECTIONS} folders, and the server does"
                            " not list them at once. Have it allow PROPFIND with Depth: infinity."
                        )
        return used_bytes

    def _propfind(self, url: str, depth: str) -> tuple[int, Generator[_WebdavEntry, None, None]]:
        """The status, and what is said of each resource as it comes."""
        request = self._client.build_request(
            "PROPFIND",
            url,
            content=_ASKED,
            headers={"Depth": depth, "Content-Type": "application/xml; charset=utf-8"},
        )
        with explained(url):
            response = self._client.send(request, stream=True)
        if response.status_code != _MULTI_STATUS:
            response.close()
            return response.status_code, _nothing()
        return _MULTI_STATUS, self._read(url, response)

    def _read(self, url: str, response: httpx2.Response) -> Generator[_WebdavEntry, None, None]:
        reader = Reader(url, response, self._limits, self._deadline)
        own_host = urlsplit(url).netloc
        is_empty = True
        for node in reader.elements(f"{_DAV}response", root="multistatus"):
            found = _found(node)
            if found is not None and urlsplit(found.href).netloc in ("", own_host):
                is_empty = False
                yield found
        if is_empty:  # at least what was asked for is in it (RFC 4918, 9.1)
            raise UnansweredError(
                f"The WebDAV server says nothing of {url}, and that it is there. Is it in order?"
            )


def _nothing() -> Generator[_WebdavEntry, None, None]:
    yield from ()


def _found(node: etree._Element) -> _WebdavEntry | None:
    href = (node.findtext(f"{_DAV}href") or "").strip()
    if not href:
        return None
    is_collection, length_bytes, used_bytes, available_bytes = False, 0, None, None
    for stat in node.iterfind(f"{_DAV}propstat"):
        if " 200" not in (stat.findtext(f"{_DAV}status") or " 200"):
            continue
        prop = stat.find(f"{_DAV}prop")
        if prop is None:
            continue
        is_collection |= prop.find(f"{_DAV}resourcetype/{_DAV}collection") is not None
        length_bytes = number(prop.findtext(f"{_DAV}getcontentlength")) or length_bytes
        quota = number(prop.findtext(f"{_DAV}quota-used-bytes"))
        used_bytes = quota if quota is not None else used_bytes
        available = number(prop.findtext(f"{_DAV}quota-available-bytes"))
        available_bytes = available if available is not None else available_bytes
    # Some servers tell a length of collections, too; it is that of the page that shows them.
    return _WebdavEntry(
        path=_path_of(href),
        href=href,
        is_collection=is_collection,
        length_bytes=0 if is_collection else length_bytes,
        used_bytes=used_bytes,
        available_bytes=available_bytes,
    )


def _path_of(href: str) -> str:
    return unquote(urlsplit(href).path).rstrip("/")


def _refused(url: str, status: int) -> UnansweredError:
    if status == _NOT_AUTHENTICATED:
        return UnansweredError(
            f"The WebDAV server does not accept Username and Password for {url} (401): correct"
            " them in the usage probe.",
            everyone=True,
        )
    if status == _FORBIDDEN:
        return UnansweredError(
            f"The WebDAV server does not let the probe's user read {url} (403): give that user the"
            " right to."
        )
    if status in _ELSEWHERE:
        return UnansweredError(
            f"The WebDAV server sends whoever asks for {url} elsewhere ({status}): name in Url"
            " where it sends them."
        )
    return UnansweredError(
        f"The WebDAV server answered {status} for {url} to PROPFIND; expected 207. Is it the"
        " address of a WebDAV server, and is it in order?"
    )
