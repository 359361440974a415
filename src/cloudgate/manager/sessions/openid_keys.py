"""OpenID keys: which of those that a provider shows may signatures be checked by? Pure."""

from collections.abc import Mapping
from typing import Any

_OF_EACH_KEY = ("kty", "kid", "use", "alg")
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""Members of keys by their kind: RFC 7518, 6; RFC 8037, 2."""
_LONGEST_MODULUS = 2731
"""Characters of base64url: 16384 bits, the most that OpenSSL checks a signature by."""


def public_keys(said: Mapping[str, Any]) -> list[dict[str, str]]:
    """The keys of a JWK Set that signatures may be checked by, and of each what is public.

    What is not is of no use here, and to check a private exponent may take a day, in which nobody
    else has his turn.
    """
    listed = said.get("keys")
    return [
        {name: each[name] for name in (*_OF_EACH_KEY, *_PUBLIC[each["kty"]]) if name in each}
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
        and all(isinstance(each.get(name, ""), str) for name in _OF_EACH_KEY)
        and each.get("use", "sig") == "sig"
        and each.get("kty") in _PUBLIC
        and len(str(each.get("n", ""))) <= _LONGEST_MODULUS
    ]
