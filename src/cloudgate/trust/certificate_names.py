"""Certificate names: which DNS names and IP addresses is a certificate for?

As RFC 9525 has it.
"""

import ipaddress
from collections.abc import Iterable

from cryptography import x509

_NO_NAMES = (
    ValueError,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""A certificate that says so is for nobody."""


def subject_alt_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses in its subjectAltName."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except _NO_NAMES:
        return ()
    names = found.value.get_values_for_type(x509.DNSName)
    addresses = found.value.get_values_for_type(x509.IPAddress)
    return (*names, *(str(each) for each in addresses))


def not_covered(names: Iterable[str], certificate: x509.Certificate) -> tuple[str, ...]:
    """Those of `names` that it is not for; a wildcard is for one label."""
    known = {each.lower().rstrip(".") for each in subject_alt_names(certificate)}
    return tuple(name for name in names if not _is_covered(name.lower().rstrip("."), known))


def _is_covered(name: str, known: set[str]) -> bool:
    if name in known:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        _, dot, rest = name.partition(".")
        return bool(dot) and f"*.{rest}" in known
    return False
