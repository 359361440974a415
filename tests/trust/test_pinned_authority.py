"""Is nothing trusted of what somebody shows but the one certificate that a fingerprint is for?"""

import hashlib
import re
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cloudgate.client.core.retries import UntrustedError
from cloudgate.client.verification import check_authority
from cloudgate.trust.pinned_authority import AnotherAuthorityError, pinned_authority

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def authority(name: str) -> str:
    """In PEM; its length is that of the name, and else always the same."""
    key = ed25519.Ed25519PrivateKey.generate()
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    return made.public_bytes(Encoding.PEM).decode()


def der_of(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


def fingerprint(pem: str) -> str:
    return hashlib.sha256(der_of(pem)).hexdigest()


GENUINE = {len(der_of(pem)) % 3: pem for pem in map(authority, ("abcd", "abcde", "abcdef"))}
"""By what is left of the length in DER: on that depends with how many = an end is written."""
OTHER = authority("Another")


def trusted(pem: str) -> list[bytes]:
    """The certificates that a text brings whoever trusts it, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    return context.get_ca_certs(binary_form=True)


@pytest.mark.parametrize("rest", [0, 1, 2])
@pytest.mark.parametrize("between", ["", "\n", "Bag Attributes\n"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_whatever_comes_after_the_genuine_certificate_is_not_trusted(
    rest: int, between: str, ends: str
) -> None:
    genuine = GENUINE[rest]
    shown = f"{between}{genuine}{between}{OTHER}".replace("\n", ends)
    assert trusted(pinned_authority(shown, fingerprint(genuine))) == [der_of(genuine)]
    known = check_authority("https://manager.example", shown, fingerprint(genuine))
    assert trusted(known) == [der_of(genuine)]


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_a_genuine_certificate_after_another_one_does_not_help_it(rest: int) -> None:
    genuine = GENUINE[rest]
    with pytest.raises(AnotherAuthorityError) as problem:
        pinned_authority(OTHER + genuine, fingerprint(genuine))
    assert problem.value.found == fingerprint(OTHER)
    with pytest.raises(UntrustedError, match=f"is {fingerprint(OTHER)}. Nothing was sent"):
        check_authority("https://manager.example", OTHER + genuine, fingerprint(genuine))


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_a_certificate_that_is_shown_alone_stays_as_it_is(rest: int) -> None:
    genuine = GENUINE[rest]
    assert pinned_authority(genuine, fingerprint(genuine)) == genuine


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "not found",
        OTHER.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        OTHER.replace("-----END", "----END"),
        re.sub("[A-Za-z0-9+/=]{4}\n-----END", "A\n-----END", OTHER),
        "-----BEGIN CERTIFICATE-----" * 2000,
    ],
)
def test_what_holds_no_certificate_is_told_apart_from_another_authority(shown: str) -> None:
    with pytest.raises(ValueError) as problem:  # noqa: PT011  its kind says it
        pinned_authority(shown, fingerprint(OTHER))
    assert not isinstance(problem.value, AnotherAuthorityError)
    with pytest.raises(UntrustedError, match="not as a manager does"):
        check_authority("https://manager.example", shown, fingerprint(OTHER))
