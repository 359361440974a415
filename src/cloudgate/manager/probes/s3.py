"""S3 probe: how much do the objects of a bucket hold? ListObjectsV2."""

import time
from dataclasses import dataclass

from lxml import etree

from cloudgate.manager.probes.rules import Probe
from cloudgate.manager.storage_services.answers import (
    Limits,
    Reader,
    UnansweredError,
    calling,
    number,
)
from cloudgate.manager.storage_services.s3 import DEFAULT_REGION, Bucket, Keys, RefusedError

_NOT_FOUND = 404
_LISTED = ("{*}Contents", "{*}IsTruncated", "{*}NextContinuationToken")


@dataclass(frozen=True)
class _Page:
    """What one answer says of a list."""

    used_bytes: int
    goes_on: bool
    token: str
    """By which the next one is asked for."""


def measure(
    probe: Probe, password: str, bucket: str, prefix: str, limits: Limits | None = None
) -> int | None:
    """How many bytes the objects hold that begin with a prefix; None when there is no such bucket.

    Noncurrent versions and uploads that were not completed do not count: lists do not show them.
    Blocks.

    Raises:
        UnansweredError: the server does not say, with the reason.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    keys = Keys(probe.username, password, probe.region or DEFAULT_REGION)
    used_bytes, token = 0, ""
    with calling(probe, limits.reachable, limits.seconds) as client:
        while True:
            listed = Bucket(client, probe.url, keys, bucket)
            try:
                response = listed.ask("list the bucket", _asked(prefix, token))
            except RefusedError as refusal:
                if refusal.status == _NOT_FOUND and refusal.code == "NoSuchBucket":
                    return None
                raise
            page = _read(listed.shown, Reader(listed.shown, response, limits, deadline))
            used_bytes += page.used_bytes
            if not page.goes_on:
                return used_bytes
            if page.token in ("", token):
                raise UnansweredError(
                    f"The S3 server does not say how its list of {listed.shown} goes on."
                )
            token = page.token


def _read(shown: str, reader: Reader) -> _Page:
    used_bytes, goes_on, token = 0, None, ""
    for node in reader.elements(*_LISTED, root="ListBucketResult"):
        name, text = etree.QName(node).localname, (node.text or "").strip()
        if name == "Contents":
            used_bytes += _size(shown, node)
        elif name == "IsTruncated":
            goes_on = {"true": True, "false": False}.get(text.lower())
        else:
            token = text
    if goes_on is None:  # the list may end anywhere: a sum of it would be none
        raise UnansweredError(
            f"The S3 server does not say whether its list of {shown} is whole (IsTruncated)."
        )
    return _Page(used_bytes, goes_on, token)


def _size(shown: str, contents: etree._Element) -> int:
    size_bytes = number(contents.findtext("{*}Size"))
    if size_bytes is None:
        raise UnansweredError(
            f"The S3 server does not say how large an object is in its list of {shown} (Size)."
        )
    return size_bytes


def _asked(prefix: str, token: str) -> dict[str, str]:
    asked = {"encoding-type": "url", "list-type": "2", "max-keys": "1000", "prefix": prefix}
    return {**asked, "continuation-token": token} if token else asked
