"""Do tenants who dial a gateway's advertised address end up at that gateway? Tried from here.

The manager is not where tenants are, so that a failure is a warning: a NAT device that does not
turn around what comes from inside, for one, lets tenants through and not the manager.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from cloudgate.manager.gateways.settle import Reach

ANSWER_SECONDS = 3.0
"""How long the gateway has for a TLS handshake."""

Prober = Callable[[Reach], Awaitable[str]]


async def probe(reach: Reach) -> str:
    """Why the advertised address does not lead to the gateway; empty when it does."""
    where = f"{reach.address}, port {reach.port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate itself is what is compared
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(reach.address, reach.port, ssl=context)
    except TimeoutError:
        return f"Nothing answers at {where}, as seen from the manager."
    except ssl.SSLError:
        return f"What answers at {where}, as seen from the manager, does not speak TLS."
    except OSError as error:
        return f"{where} cannot be reached from the manager: {error.strerror or error}."
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    if not _is_same(shown, reach.certificate_chain_pem):
        return f"Another server than this gateway answers at {where}, as seen from the manager."
    return ""


def _is_same(shown_der: bytes | None, chain_pem: str) -> bool:
    if not shown_der or not chain_pem:
        return False
    expected = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    shown = x509.load_der_x509_certificate(shown_der)
    return shown.fingerprint(hashes.SHA256()) == expected.fingerprint(hashes.SHA256())
