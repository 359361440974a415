"""Certificates and requests of others: is a strange one refused in words, wherever it is read?"""

import base64
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as some

import cloudgate
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.security.tenant_authority import (
    CertificateSubject,
    new_tenant_authority,
    requested_key,
)
from cloudgate.trust.tenant_certificates import holder_of
from tests.support.certificates.client_certificates import new_key, request_pem

SOURCES = Path(cloudgate.__file__).parent
OWN = {
    "diagnosis/findings.py",
    "host/envoy/loopback_endpoints.py",
    "host/state/private_key.py",
    "manager/security/authority.py",
    "manager/tenants/certificates.py",
}
"""What reads nothing but what was made here, by the host or the manager itself."""
NOW = datetime.now(UTC)
SIGNER = new_tenant_authority(NOW)
ID = UUID(int=7)


def shown(name: str) -> x509.Certificate:
    wanted = CertificateSubject(ID, ID, None, name, new_key().public_key(), NOW + timedelta(days=1))
    return SIGNER.issue(wanted, NOW)


REQUEST = x509.load_pem_x509_csr(request_pem(new_key()).encode()).public_bytes(Encoding.DER)
SHOWN = shown("Acme").public_bytes(Encoding.DER)
VERSION_OF_REQUEST, VERSION_OF_SHOWN = REQUEST.index(b"\x02\x01\x00"), SHOWN.index(b"\x02\x01\x02")


def pem(der: bytes, kind: str) -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(der).decode()}\n-----END {kind}-----\n"


@given(some.integers(0, 600), some.binary(max_size=4), some.integers(0, 4))
@example(VERSION_OF_REQUEST + 2, b"\x07", 1)
@example(VERSION_OF_SHOWN + 2, b"\x07", 1)
def test_what_was_changed_on_the_way_is_none_and_nothing_worse(
    place: int, put: bytes, taken: int
) -> None:
    request, certificate = (
        whole[:place] + put + whole[place + taken :] for whole in (REQUEST, SHOWN)
    )
    try:
        requested_key(pem(request, "CERTIFICATE REQUEST"))
    except InvalidRequestError as problem:
        assert problem.message.startswith("CertificateRequest: ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers that a later release will not read
        found = holder_of(pem(certificate, "CERTIFICATE"), (SIGNER.pem,))
    assert found is None or certificate == SHOWN


@pytest.mark.parametrize("name", ["Acme", "株式会社" * 9, "🎉" * 40, "x" * 300])
def test_a_name_in_any_script_has_its_place_in_a_certificate(name: str) -> None:
    (said,) = shown(name).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.startswith(str(said.value))
    assert 60 < len(str(said.value).encode()) <= 64 or said.value == name


def test_where_others_certificates_are_read_all_that_is_raised_is_known() -> None:
    reading = {
        str(each.relative_to(SOURCES))
        for each in SOURCES.rglob("*.py")
        if "x509.load_" in (text := each.read_text()) and "UNREADABLE" not in text
    }
    assert reading == OWN
