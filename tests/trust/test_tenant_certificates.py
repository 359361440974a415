"""Whose is a certificate that somebody shows, and is it of anybody at all?"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.security.tenant_authority import CertificateSubject, new_tenant_authority
from cloudgate.trust.tenant_certificates import (
    BACKDATED,
    LONGEST_PEM,
    Holder,
    holder_of,
    issued_at,
    uri_of,
)
from tests.support.certificates.client_certificates import new_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER, OTHER = new_tenant_authority(NOW), new_tenant_authority(NOW)
TENANT, USER, ID = UUID(int=1), UUID(int=2), UUID(int=2**128 - 7)
KEY = new_key()
WANTED = CertificateSubject(ID, TENANT, USER, "Acme", KEY.public_key(), NOW + timedelta(days=7))
HOLDER = Holder(ID, TENANT, USER, NOW - BACKDATED, NOW + timedelta(days=7))


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


GOOD = pem(SIGNER.issue(WANTED, NOW))


def built(*extensions: x509.ExtensionType, serial: int = 7) -> str:
    """One that the tenants' authority has signed, with these extensions."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(SIGNER.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    return pem(builder.sign(SIGNER.key, hashes.SHA256()))


CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER_TOO = x509.ExtendedKeyUsage(
    [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
)
LEAF, ISSUER = (x509.BasicConstraints(ca=each, path_length=None) for each in (False, True))


def named(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


ITS = uri(uri_of(TENANT, None))


@given(st.uuids(), st.none() | st.uuids(), st.uuids())
def test_what_was_issued_says_whose_it_is(
    tenant_id: UUID, user_id: UUID | None, certificate_id: UUID
) -> None:
    if not certificate_id.int:
        return  # no serial number (RFC 5280, 4.1.2.2)
    wanted = replace(WANTED, certificate_id=certificate_id, tenant_id=tenant_id, user_id=user_id)
    made = SIGNER.issue(wanted, NOW)
    found = holder_of(pem(made), [OTHER.pem, SIGNER.pem])
    assert found == Holder(certificate_id, tenant_id, user_id, NOW - BACKDATED, wanted.ends_at)
    assert issued_at(made) == NOW


def test_only_who_is_trusted_says_whose_one_is() -> None:
    assert holder_of(GOOD, [SIGNER.pem]) == HOLDER
    assert holder_of(GOOD, [OTHER.pem]) is None, "of the same name, and with another key"
    assert holder_of(GOOD, []) is None
    assert holder_of(SIGNER.pem, [SIGNER.pem]) is None, "the authority's own"


@pytest.mark.parametrize(
    "extensions",
    [
        (CLIENT, LEAF, named(uri("cloudgate:tenant:acme"))),
        (CLIENT, LEAF, named(uri(f"x{uri_of(TENANT, None)}"))),
        (CLIENT, LEAF, named(uri(f"{uri_of(TENANT, USER)}:more"))),
        (CLIENT, LEAF, named(uri("cloudgate:tenant:" + "-" * 36))),
        (CLIENT, LEAF, named(ITS, uri(uri_of(USER, None)))),
        (CLIENT, LEAF, named(ITS, x509.DNSName("gw.example"))),
        (CLIENT, LEAF, named()),
        (CLIENT, LEAF),
        (CLIENT, ISSUER, named(ITS)),
        (SERVER_TOO, LEAF, named(ITS)),
        (LEAF, named(ITS)),
        (CLIENT, named(ITS)),
    ],
    ids=[
        "no id",
        "more before",
        "more after",
        "hyphens alone",
        "of two",
        "of a server, too",
        "of nobody",
        "without a name",
        "that issues",
        "for servers, too",
        "for anything",
        "without constraints",
    ],
)
def test_what_was_signed_for_something_else_is_nobodys(
    extensions: tuple[x509.ExtensionType, ...],
) -> None:
    assert holder_of(built(CLIENT, LEAF, named(ITS)), [SIGNER.pem]) is not None
    assert holder_of(built(*extensions), [SIGNER.pem]) is None


def test_a_number_that_is_no_id_is_nobodys() -> None:
    good, long = ((CLIENT, LEAF, named(ITS)), 2**128)
    assert holder_of(built(*good, serial=long - 1), [SIGNER.pem]) is not None
    assert holder_of(built(*good, serial=long), [SIGNER.pem]) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[1:],
        lambda text: text.replace("-----END", "-----ENDE"),
        lambda text: text + " " * (LONGEST_PEM + 1 - len(text)),
        lambda text: f"\ud800{text}",
    ],
    ids=["nothing", "no beginning", "no end", "too long", "no text"],
)
def test_what_is_no_certificate_is_nobodys(spoil: Callable[[str], str]) -> None:
    assert holder_of(spoil(GOOD), [SIGNER.pem]) is None


def test_it_is_good_from_its_beginning_to_before_its_end() -> None:
    moment = timedelta(microseconds=1)
    assert HOLDER.is_in_time(HOLDER.begins_at)
    assert not HOLDER.is_in_time(HOLDER.begins_at - moment)
    assert HOLDER.is_in_time(HOLDER.ends_at - moment)
    assert not HOLDER.is_in_time(HOLDER.ends_at)
