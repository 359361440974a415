"""Object lock: for how many days does a bucket keep what was written? GetObjectLockConfiguration.

The mode GOVERNANCE protects from nobody who has the right to pass it, so it does not count.
"""

import time

from lxml import etree

from cloudgate.manager.protection.rules import Protection, ProtectionFinding
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.storage_services.answers import (
    Limits,
    Reader,
    UnansweredError,
    calling,
    number,
)
from cloudgate.manager.storage_services.s3 import DEFAULT_REGION, Bucket, Keys, RefusedError

_ANSWER_BYTES = 64 * 1024
_DAYS_OF_A_YEAR = 365
_NO_LOCK = "ObjectLockConfigurationNotFoundError"
_STRICT = "COMPLIANCE"
_SAID = ("{*}ObjectLockEnabled", "{*}Mode", "{*}Days", "{*}Years")


def check_object_lock(
    protection: Protection, password: str, reachable: ReachableTargets
) -> ProtectionFinding:
    """What the bucket's object lock says. Blocks.

    Raises:
        UnansweredError: nobody can say, with the reason.
    """
    limits = Limits(seconds=30, answer_bytes=_ANSWER_BYTES, reachable=reachable)
    keys = Keys(protection.username, password, protection.region or DEFAULT_REGION)
    with calling(protection, limits.reachable, limits.seconds) as client:
        bucket = Bucket(client, protection.url, keys, protection.bucket)
        try:
            response = bucket.ask("read the bucket's object lock", {"object-lock": ""})
        except RefusedError as refusal:
            if refusal.code == _NO_LOCK:
                return _not_so(f"The bucket {bucket.shown} has no object lock")
            raise
        reader = Reader(bucket.shown, response, limits, time.monotonic() + limits.seconds)
        said = {
            etree.QName(node).localname: (node.text or "").strip()
            for node in reader.elements(*_SAID, root="ObjectLockConfiguration")
        }
    return _finding(bucket.shown, said)


def _finding(shown: str, said: dict[str, str]) -> ProtectionFinding:
    if said.get("ObjectLockEnabled") != "Enabled":
        return _not_so(f"The bucket {shown} has no object lock")
    days, years = number(said.get("Days")), number(said.get("Years"))
    if days is None and years is None:
        return _not_so(f"The bucket {shown} has object lock, and keeps nothing by default")
    if said.get("Mode") != _STRICT:
        return _not_so(
            f"The object lock of the bucket {shown} has the mode"
            f" {said.get('Mode', 'none')[:20]}, which may be passed"
        )
    kept = days if days is not None else (years or 0) * _DAYS_OF_A_YEAR
    if not kept:
        raise UnansweredError(f"The object lock of the bucket {shown} is for 0 days.")
    return ProtectionFinding(holds=True, days=kept)


def _not_so(what: str) -> ProtectionFinding:
    return ProtectionFinding(
        holds=False,
        problem=f"{what}: give it a default retention in the mode {_STRICT}.",
    )
