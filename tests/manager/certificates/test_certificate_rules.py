"""May a certificate that an operator has brought be a gateway's?"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.certificates.rules import (
    BroughtCertificate,
    check_time,
    from_pem,
    from_pfx,
    leaf_of,
    thumbprint,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
END = NOW + timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
ROOT, MIDDLE, LEAF, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
WEAK = rsa.generate_private_key(65537, 1024)
STRANGE = ed25519.Ed25519PrivateKey.generate()


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def made(
    subject: str, key: Key, issuer: str, by: Key, usage: Sequence[x509.ObjectIdentifier] = ()
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(END)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    return builder.sign(by, None if isinstance(by, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def pem(thing: x509.Certificate | Key) -> str:
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(Encoding.PEM).decode()
    return thing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


GATEWAY = made("gw.example", LEAF, "middle", MIDDLE)
CHAIN = (GATEWAY, made("middle", MIDDLE, "root", ROOT), made("root", ROOT, "root", ROOT))
GOOD = "".join(map(pem, CHAIN))


@pytest.mark.parametrize("order", list(permutations((*CHAIN, LEAF))))
def test_in_whatever_order_they_come_the_gateways_own_is_first_and_then_its_issuers(
    order: tuple[x509.Certificate | Key, ...],
) -> None:
    found = from_pem("\n".join(map(pem, order)))
    assert found == BroughtCertificate(GOOD, pem(LEAF))
    assert leaf_of(found.chain_pem) == GATEWAY
    assert pem(LEAF) not in repr(found)


def test_what_is_of_somebody_elses_chain_is_left_out() -> None:
    stray = made("elsewhere", OTHER, "root", ROOT)
    assert from_pem(pem(stray) + GOOD + pem(LEAF)).chain_pem == GOOD
    without_middle = from_pem(pem(CHAIN[2]) + pem(GATEWAY) + pem(LEAF))
    assert without_middle.chain_pem == pem(GATEWAY)


def test_issuers_that_name_each_other_in_a_circle_come_to_an_end() -> None:
    one, two = made("one", MIDDLE, "two", ROOT), made("two", ROOT, "one", MIDDLE)
    leaf = made("gw.example", LEAF, "one", MIDDLE)
    found = from_pem(pem(two) + pem(one) + pem(leaf) + pem(LEAF))
    assert found.chain_pem == pem(leaf) + pem(one) + pem(two)


@pytest.mark.parametrize("password", ["", "a password"])
def test_a_file_of_pkcs_12_says_the_same(password: str) -> None:
    how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    file = pkcs12.serialize_key_and_certificates(b"gw", LEAF, GATEWAY, CHAIN[1:], how)
    assert from_pfx(file, password) == from_pem(GOOD + pem(LEAF))
    with pytest.raises(InvalidRequestError, match="Pfx: it is malformed, or its password is wrong"):
        from_pfx(file, "another password")
    with pytest.raises(InvalidRequestError, match="Pfx: it is malformed"):
        from_pfx(file[:-9], password)
    none = pkcs12.serialize_key_and_certificates(b"gw", None, GATEWAY, None, how)
    with pytest.raises(InvalidRequestError, match="Pfx: expected a certificate and its key"):
        from_pfx(none, password)


SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.mark.parametrize(
    ("usage", "good"),
    [
        ((), True),
        ((SERVER,), True),
        ((CLIENT, SERVER), True),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), True),
        ((CLIENT,), False),
    ],
)
def test_it_is_one_that_servers_may_show(
    usage: tuple[x509.ObjectIdentifier, ...], good: bool
) -> None:
    text = pem(made("gw.example", LEAF, "root", ROOT, usage)) + pem(LEAF)
    if good:
        assert from_pem(text).key_pem == pem(LEAF)
    else:
        with pytest.raises(InvalidRequestError, match="lacks serverAuth"):
            from_pem(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Pem: expected the certificate"),
        (GOOD, "Pem: expected the certificate"),
        (pem(LEAF), "Pem: expected the certificate"),
        (GOOD + pem(LEAF)[:-40], "Pem: expected the certificate"),
        (GOOD + pem(OTHER), "The key is not the one of any"),
        (
            pem(made("gw", WEAK, "gw", WEAK)) + pem(WEAK),
            "The key has 1024 bits; RSA keys have 2048",
        ),
        (pem(made("gw", STRANGE, "gw", STRANGE)) + pem(STRANGE), "of RSA or of an elliptic curve"),
    ],
    ids=["nothing", "no key", "no certificate", "cut short", "another key", "weak", "strange"],
)
def test_what_cannot_be_a_gateways_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        from_pem(text)


def altered(certificate: x509.Certificate, old: bytes, new: bytes) -> str:
    """A certificate in which bytes are others: what it is signed by is not looked at here."""
    der = certificate.public_bytes(Encoding.DER)
    assert der.count(old) >= 1
    body = base64.encodebytes(der.replace(old, new)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


ELLIPTIC, UNKNOWN = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")


def test_a_certificate_with_a_key_of_a_kind_that_nobody_knows_is_refused_or_left_out() -> None:
    strange = altered(CHAIN[1], ELLIPTIC, UNKNOWN)
    found = from_pem(strange + pem(GATEWAY) + pem(LEAF))
    assert leaf_of(found.chain_pem) == GATEWAY
    with pytest.raises(InvalidRequestError):
        from_pem(altered(GATEWAY, ELLIPTIC, UNKNOWN) + pem(LEAF))


def test_a_certificate_that_is_malformed_inside_is_refused() -> None:
    usage = bytes.fromhex("06082b06010505070301")
    spoilt = altered(made("gw.example", LEAF, "root", ROOT, (SERVER,)), usage, b"\x05" + usage[1:])
    with pytest.raises(InvalidRequestError, match="or one of its issuers, is malformed"):
        from_pem(spoilt + pem(LEAF))


@given(st.integers(0, 500), st.binary(max_size=3), st.integers(0, 3))
def test_whatever_was_changed_on_the_way_is_taken_or_refused_in_words(
    place: int, put: bytes, taken: int
) -> None:
    der = made("gw.example", LEAF, "root", ROOT, (SERVER,)).public_bytes(Encoding.DER)
    body = base64.encodebytes(der[:place] + put + der[place + taken :]).decode()
    text = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n{pem(LEAF)}"
    try:
        found = from_pem(text)
        check_time(found, NOW)
    except InvalidRequestError as problem:
        assert problem.message.endswith(".")
    else:
        assert len(thumbprint(found.chain_pem)) == 64


def test_it_is_in_force_from_its_beginning_to_before_its_end() -> None:
    found, second = from_pem(GOOD + pem(LEAF)), timedelta(seconds=1)
    check_time(found, NOW)
    check_time(found, END - second)
    with pytest.raises(InvalidRequestError, match="has expired at 2026-01-02 12:00 UTC"):
        check_time(found, END)
    with pytest.raises(InvalidRequestError, match="is good from 2026-01-01 12:00 UTC only"):
        check_time(found, NOW - second)


def test_a_thumbprint_is_of_the_gateways_own_and_not_of_its_issuers() -> None:
    found = thumbprint(GOOD)
    assert found == GATEWAY.fingerprint(hashes.SHA256()).hex()
    assert found == thumbprint(pem(GATEWAY))
    assert found != thumbprint(pem(CHAIN[1]))
