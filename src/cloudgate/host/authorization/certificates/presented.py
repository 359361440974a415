"""Presented certificates: who comes by a certificate, and is it still good?

Envoy has seen that whoever shows one has its key, and nothing more. Those that no authority of
tenants has signed are as none: programs show certificates of their own to whoever asks.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from cloudgate.host.authorization.policy import Denial
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.principal import Principal
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.protocol import Refusal
from cloudgate.trust.tenant_certificates import LONGEST_SHOWN, Holder, holder_of

MOST_REMEMBERED = 4096
ENDED = Denial(
    407,
    "The certificate has ended; renew it, or give name and password.",
    kind=Refusal.CERTIFICATE,
)
REVOKED = Denial(
    407,
    "The certificate is not good any more; get another one, or give name and password.",
    kind=Refusal.CERTIFICATE,
)
ANOTHER = Denial(
    403,
    "The certificate and the name are not of the same tenant or user; give one of them alone.",
    kind=Refusal.CERTIFICATE,
)


@dataclass(frozen=True)
class PresentedCertificate:
    """A certificate that an authority of tenants has signed."""

    holder: Holder
    principal: Principal | None
    """Whose it is; None where it is nobody's here."""
    denial: Denial | None = None
    """Why nobody comes in by it alone."""


class PresentedCertificates:
    """Looks at certificates, and remembers what authorities have signed."""

    def __init__(self, directory: TenantDirectory, gateway_status: GatewayStatus) -> None:
        self._directory = directory
        self._gateway_status = gateway_status
        self._signed: OrderedDict[bytes, Holder] = OrderedDict()

    def find(self, shown: str, now: datetime) -> PresentedCertificate | None:
        """What a client's certificate is worth; None for none, and for one of somebody else's.

        `shown`: as Envoy says it, PEM in the encoding of URLs; empty for none.
        """
        holder = self._holder(shown)
        if holder is None:
            return None
        principal = self._principal(holder)
        if not holder.is_in_time(now):
            return PresentedCertificate(holder, principal, ENDED)
        is_ended = principal is not None and any(
            each.certificate_id == holder.certificate_id
            for each in principal.tenant.ended_certificates
        )
        return PresentedCertificate(
            holder, principal, REVOKED if is_ended or principal is None else None
        )

    def _holder(self, shown: str) -> Holder | None:
        authorities = self._gateway_status.client_authorities
        if not shown or len(shown) > LONGEST_SHOWN or not authorities:
            return None
        said = "\0".join((shown, *authorities)).encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(said, digest_size=32).digest()
        found = self._signed.get(key)
        if found is None:
            found = holder_of(unquote(shown), authorities)
            if found is None:
                return None
            self._signed[key] = found
            if len(self._signed) > MOST_REMEMBERED:
                self._signed.popitem(last=False)
        self._signed.move_to_end(key)
        return found

    def _principal(self, holder: Holder) -> Principal | None:
        tenant = self._directory.by_id(holder.tenant_id)
        if tenant is None or not tenant.password_hash:
            return None  # gone, or one that this gateway lets nobody in of
        if holder.user_id is None:
            return Principal(tenant)
        found = (each for each in tenant.users if each.user_id == holder.user_id)
        return next((Principal(tenant, each) for each in found), None)
