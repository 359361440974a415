"""Tenants' certificates on the command line: issued, got by a password, listed, revoked."""

import json
import re
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.cli.conftest import Run
from tests.support.certificates.client_certificates import new_key, request_pem


def test_one_is_issued_into_a_private_file_got_by_the_tenant_listed_and_revoked(
    cloudgate: Run, home: Path
) -> None:
    password = home / "acme.password"
    password.write_text("a long password\n")
    made = cloudgate("tenant", "create", "acme", "--password-file", str(password))
    assert made.exit_code == 0, made.output
    file = home / "acme.pem"
    issued = cloudgate("tenant", "certificate", "issue", "acme", "--file", str(file))
    assert issued.exit_code == 0, issued.output
    assert re.match(r"Issued for acme, good until \S+; it is in ", issued.output)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    pem = file.read_bytes()
    shown, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    assert shown.public_key() == key.public_key()

    asked = home / "request.pem"
    asked.write_text(request_pem(new_key()))
    by_request = ("--request", str(asked), "--file", str(file), "--valid-for", "7d")
    assert cloudgate("tenant", "certificate", "issue", "acme", *by_request).exit_code == 0
    assert "PRIVATE KEY" not in file.read_text()

    get = ("tenant", "certificate", "get", "--user", "acme", "--file", str(file))
    own = ("--password-file", str(password))
    refused = cloudgate(*get, *own)
    assert refused.exit_code == 1
    assert "does not let acme get certificates" in refused.stderr
    assert cloudgate("tenant", "edit", "acme", "--own-certificates").exit_code == 0
    got = cloudgate(*get, *own)
    assert got.exit_code == 0, got.output

    answer = cloudgate("tenant", "certificate", "list", "acme", "-o", "json")
    listed = json.loads(answer.stdout)["CloudTenantCertificates"]
    assert [each["Status"] for each in listed] == ["Good"] * 3
    first = str(listed[-1]["Id"])
    assert cloudgate("tenant", "certificate", "revoke", "acme", first).exit_code == 0
    assert cloudgate("tenant", "certificate", "revoke", "acme").exit_code == 2
    assert cloudgate("tenant", "certificate", "revoke", "acme", "--all").exit_code == 0
    answer = cloudgate("tenant", "certificate", "list", "acme", "-o", "json")
    listed = json.loads(answer.stdout)["CloudTenantCertificates"]
    assert [each["Status"] for each in listed] == ["Revoked"] * 3


def test_none_is_left_that_could_not_be_kept(cloudgate: Run, home: Path) -> None:
    cloudgate("tenant", "create", "acme", "--generate-password")
    for file in (home, home / "none" / "acme.pem"):
        for said in (("issue", "acme"), ("get",)):
            refused = cloudgate("tenant", "certificate", *said, "--file", str(file))
            assert refused.exit_code == 1
            assert "Nothing was issued" in refused.stderr
    long = str(home / ("x" * 300))
    refused = cloudgate("tenant", "certificate", "issue", "acme", "--file", long)
    assert (refused.exit_code, "was revoked" in refused.stderr) == (1, True)
    listed = cloudgate("-o", "json", "tenant", "certificate", "list", "acme").stdout
    known = json.loads(listed)["CloudTenantCertificates"]
    assert [each["Status"] for each in known] == ["Revoked"]
