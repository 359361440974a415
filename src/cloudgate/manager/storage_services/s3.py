"""S3 client: how is an S3 server asked about a bucket? Signature Version 4.

A signature for GET without a body is two screens of hashing; the libraries that have it bring
every service of one provider with them, or have not been kept.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import httpx2

from cloudgate.manager.storage_services.answers import Limits, Reader, UnansweredError, explained
from cloudgate.manager.storage_services.rules import origin_of

DEFAULT_REGION = "us-east-1"
_OK = 200
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"
_ERROR_BYTES = 64 * 1024
_ADVICE: Mapping[str, str] = {
    "InvalidAccessKeyId": "correct Username, which is the access key id",
    "SignatureDoesNotMatch": "correct Password, which is the secret access key",
    "AuthorizationHeaderMalformed": "correct Region",
    "RequestTimeTooSkewed": "set the clock of the manager's machine, or of the server",
    "AccessDenied": "give the owner of the access key the right to",
    "NoSuchBucket": "correct Bucket, or make the bucket",
    "PermanentRedirect": "name the server and Region of the bucket",
}
_OF_EVERYONE = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "RequestTimeTooSkewed",
    }
)


class RefusedError(UnansweredError):
    """An S3 server has refused."""

    def __init__(self, message: str, status: int, code: str) -> None:
        """`code` is what the server calls the reason; empty where it does not."""
        super().__init__(message, everyone=code in _OF_EVERYONE)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Keys:
    """Who asks, and the region that the server is in."""

    access_key_id: str
    secret: str
    region: str

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id}, ...)"


def authorization(keys: Keys, host: str, path: str, query: str, now: datetime) -> dict[str, str]:
    """The headers that sign a GET without a body (AWS, Signature Version 4).

    Args:
        keys: who asks.
        host: as the Host header has it.
        path: percent-encoded.
        query: percent-encoded, its parameters in order.
        now: in UTC.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    day = stamp[:8]
    signed = "host;x-amz-content-sha256;x-amz-date"
    canonical = (
        f"GET\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{_EMPTY_SHA256}\n"
        f"x-amz-date:{stamp}\n\n{signed}\n{_EMPTY_SHA256}"
    )
    scope = f"{day}/{keys.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for part in (day, keys.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{keys.access_key_id}/{scope}"
    return {
        "x-amz-content-sha256": _EMPTY_SHA256,
        "x-amz-date": stamp,
        "Authorization": (
            f"{_ALGORITHM} Credential={credential},SignedHeaders={signed},Signature={signature}"
        ),
    }


class Bucket:
    """A bucket of an S3 server, which is asked about it."""

    def __init__(self, client: httpx2.Client, url: str, keys: Keys, bucket: str) -> None:
        self._client = client
        self._keys = keys
        self._bucket = bucket
        self._origin = origin_of(url)
        self.shown = f"{self._origin}/{bucket}"

    def ask(self, doing: str, asked: Mapping[str, str]) -> httpx2.Response:
        """The answer to a question, to be read; `doing` says in words what is asked for.

        Raises:
            RefusedError: the server does not answer it.
            UnansweredError: the server is not reached.
        """
        query = "&".join(f"{each}={quote(asked[each], safe='-_.~')}" for each in sorted(asked))
        path = f"/{quote(self._bucket, safe='-_.~')}"
        request = self._client.build_request("GET", f"{self._origin}{path}?{query}")
        host = request.headers["Host"]
        request.headers.update(authorization(self._keys, host, path, query, datetime.now(UTC)))
        with explained(self.shown):
            response = self._client.send(request, stream=True)
        if response.status_code == _OK:
            return response
        raise self._refused(doing, response.status_code, self._error_code(response))

    def _error_code(self, response: httpx2.Response) -> str:
        limits = Limits(seconds=30, answer_bytes=_ERROR_BYTES)
        reader = Reader(self.shown, response, limits, time.monotonic() + limits.seconds)
        try:
            found = [node.text or "" for node in reader.elements("{*}Code", root=None)]
        except UnansweredError:
            return ""
        return found[0].strip()[:100] if found else ""

    def _refused(self, doing: str, status: int, code: str) -> RefusedError:
        said = f"{status}{f', {code}' if code else ''}"
        advice = _ADVICE.get(code, "is it the address of an S3 server, and is it in order?")
        if code == "AccessDenied":
            advice = f"{advice} {doing}"
        text = f"The S3 server of {self.shown} refused to {doing} ({said}): {advice}."
        return RefusedError(text.replace("?.", "?"), status, code)
