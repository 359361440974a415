"""Time-based codes: which six digits does an app on a telephone show? RFC 6238. Pure.

Own lines, tested by the RFC's vectors, as a library answers only yes or no: of which step a code
was has to be known, so that each is good once.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
LEEWAY_STEPS = 1
"""How far a telephone's clock may be off, either way (RFC 6238, 5.2)."""
_SECRET_BYTES = 20
"""As many as SHA-1 has (RFC 4226, 4): what apps understand."""


def new_secret() -> str:
    """A secret, in base 32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def step_at(moment: datetime) -> int:
    """The step that a moment is in."""
    return int(moment.timestamp()) // STEP_SECONDS


def code_of(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of a step (RFC 4226, 5.3)."""
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The step that a code is of, if that is about now and later than `after`; else None."""
    middle = step_at(now)
    found = None
    for step in range(middle - LEEWAY_STEPS, middle + LEEWAY_STEPS + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def uri(secret: str, account: str, issuer: str = "Cloudgate") -> str:
    """What an app reads from a QR code (Key URI format)."""
    asked = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{account}', safe='')}?{asked}"
