"""Well-known paths of a gateway: where does a tenant ask it for more than a tunnel?

By RFC 8615.
"""

WELL_KNOWN = "/.well-known/cloudgate"
"""GET: by which gateways the tenant may come in."""
CERTIFICATE_PATH = f"{WELL_KNOWN}/certificate"
"""POST with a certificate request (PKCS #10) in PEM; the answer is the certificate."""
PASSWORD_PATH = f"{WELL_KNOWN}/password"
"""PUT with JSON, as ``PUT /cloud/password`` of the API takes it."""
