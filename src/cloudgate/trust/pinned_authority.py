"""Pinned authority: of what somebody shows, what is it that a fingerprint was given for? Pure."""

import hashlib
import re
import ssl

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----", re.ASCII
)


class AnotherAuthorityError(ValueError):
    """The authority that was shown is not the one that is meant."""

    def __init__(self, found: str) -> None:
        """`found`: the fingerprint of the one that was shown."""
        super().__init__(f"the fingerprint is {found}")
        self.found = found


def pinned_authority(pem: str, fingerprint: str) -> str:
    """The certificate that has the fingerprint, in PEM, made anew of what was hashed.

    Nothing else of what was shown is in it: whoever trusts a text trusts every certificate in it,
    and anybody can write his own beside a genuine one.

    Args:
        pem: what somebody has shown who has proved nothing. Its first certificate is meant.
        fingerprint: SHA-256 of the certificate in DER, in 64 small hexadecimal digits.

    Raises:
        AnotherAuthorityError: the certificate is another one.
        ValueError: there is none.
    """
    shown = _CERTIFICATE.search(pem)
    if shown is None:
        raise ValueError("no certificate")
    der = ssl.PEM_cert_to_DER_cert(shown[0])
    found = hashlib.sha256(der).hexdigest()
    if found != fingerprint:
        raise AnotherAuthorityError(found)
    return ssl.DER_cert_to_PEM_cert(der)
