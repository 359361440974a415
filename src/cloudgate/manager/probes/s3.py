"""S3 probe: how much do the objects of a bucket hold? ListObjectsV2."""

import time

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
                response = listed.ask("list the bucket", _page(prefix, token))
            except RefusedError as refusal:
                if refusal.status == _NOT_FOUND and refusal.code == "NoSuchBucket":
                    return None
                raise
            previous, token = token, ""
            truncated = False
            reader = Reader(listed.shown, response, limits, deadline)
            for node in reader.elements(
                "{*}Contents", "{*}IsTruncated", "{*}NextContinuationToken"
            ):
                name = etree.QName(node).localname
                if name == "Contents":
                    used_bytes += number(node.findtext("{*}Size")) or 0
                elif name == "IsTruncated":
                    truncated = (node.text or "").strip() == "true"
                else:
                    token = (node.text or "").strip()
            if not truncated:
                return used_bytes
            if token in ("", previous):
                raise UnansweredError(
                    f"The S3 server does not say how its list of {listed.shown} goes on."
                )


def _page(prefix: str, token: str) -> dict[str, str]:
    asked = {"encoding-type": "url", "list-type": "2", "max-keys": "1000", "prefix": prefix}
    return {**asked, "continuation-token": token} if token else asked
