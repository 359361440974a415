"""Certificate roles: is what shows a certificate a manager, or a gateway?

One root signs for both, and a tenant's program trusts the root alone. Below it are two issuing
authorities, one for managers and one for gateways. A leaf says its role in its subject, too
(organizationalUnit), because roots that were made before there were two may have no authorities
below them and sign by themselves. Whoever speaks with the one refuses the other, whatever name its
certificate is for. What somebody else's authority signed has no role: its names are what counts.
"""

import ssl
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

ROOT_NAME = "Cloudgate certificate authority"


class Role(StrEnum):
    """What a certificate is for; the value is what its subject says."""

    MANAGER = "Cloudgate manager"
    GATEWAY = "Cloudgate gateway"


ISSUER_NAMES = {
    Role.MANAGER: "Cloudgate manager issuing authority",
    Role.GATEWAY: "Cloudgate gateway issuing authority",
}
"""The common names of the issuing authorities. Verifying the chain has proved which it was."""
LEGACY_MANAGER_DAYS = 92
"""How long the certificate of a manager of the release before is good, which says no role. Its
gateways' have another life, unless the operator has chosen the longest."""


class WrongRoleError(ssl.SSLCertVerificationError):
    """A certificate is genuine, and not for what it is shown as; `verify_message` says why."""


Judge = Callable[[Mapping[str, Any]], str]
"""Says of a verified certificate, as `ssl.SSLSocket.getpeercert` gives it, why it is refused;
empty when it is not."""


def role_of(certificate: Mapping[str, Any]) -> Role | None:
    """What a verified certificate of the product's own authorities is for.

    None for one of the release before, which says no role; see `is_ours`.
    """
    issuer = _attribute(certificate, "issuer", "commonName")
    for role, name in ISSUER_NAMES.items():
        if issuer == name:
            return role
    said = _attribute(certificate, "subject", "organizationalUnitName")
    return Role(said) if said in set(Role) else None


def is_ours(certificate: Mapping[str, Any]) -> bool:
    """Whether one of the product's own authorities has signed a verified certificate."""
    issuer = _attribute(certificate, "issuer", "commonName")
    return issuer == ROOT_NAME or issuer in ISSUER_NAMES.values()


def only_a_manager(certificate: Mapping[str, Any]) -> str:
    """A `Judge` that takes nothing for a manager that was signed for something else."""
    if not is_ours(certificate) or role_of(certificate) is Role.MANAGER:
        return ""
    return "it was signed for a gateway, or before managers' certificates said what they are for"


def no_gateway(certificate: Mapping[str, Any]) -> str:
    """As `only_a_manager`, but takes a manager of the release before."""
    if is_ours(certificate) and role_of(certificate) is None and _is_legacy_manager(certificate):
        return ""
    return only_a_manager(certificate)


def no_manager(certificate: Mapping[str, Any]) -> str:
    """A `Judge` that takes nothing for a gateway that was signed for a manager."""
    if is_ours(certificate) and role_of(certificate) is Role.MANAGER:
        return "it was signed for a manager"
    return ""


def wrong_role(problem: BaseException | None) -> str:
    """Why a `Judge` refused a certificate, if that is what a failure came of; else empty."""
    while problem is not None:
        if isinstance(problem, WrongRoleError):
            return problem.verify_message
        problem = problem.__cause__ or problem.__context__
    return ""


class RoleContext(ssl.SSLContext):
    """Verifies as usual, and then asks a `Judge`, before a byte of the application is sent."""

    judge: Judge

    def __new__(cls, *_: object, **__: object) -> Self:
        """As for any client."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.sslsocket_class = _Socket
        made.sslobject_class = _Object
        return made


def client_context(
    judge: Judge, *, file: Path | None = None, pem: str | None = None
) -> RoleContext:
    """A context for clients that trusts the authorities in a file or a text, else the system's.

    Raises:
        OSError: the file cannot be read.
        ssl.SSLError: it holds no certificates.
        ValueError: the text holds none.
    """
    context = RoleContext()
    if file is None and pem is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cafile=str(file) if file else None, cadata=pem)
    context.judge = judge
    return context


def _refuse(context: ssl.SSLContext | None, certificate: Mapping[str, Any] | None) -> None:
    if not isinstance(context, RoleContext) or context.verify_mode is not ssl.CERT_REQUIRED:
        return
    why = context.judge(certificate or {})
    if why:
        problem = WrongRoleError(1, why)
        problem.verify_code, problem.verify_message = 0, why
        raise problem


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as its base has it
        super().do_handshake(block)
        _refuse(self.context, self.getpeercert())


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _refuse(self.context, self.getpeercert())


def _is_legacy_manager(certificate: Mapping[str, Any]) -> bool:
    begins = ssl.cert_time_to_seconds(certificate["notBefore"])
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    return ends - begins == LEGACY_MANAGER_DAYS * 24 * 3600


def _attribute(certificate: Mapping[str, Any], which: str, name: str) -> str:
    pairs = (pair for each in certificate.get(which, ()) for pair in each)
    return next((str(value) for key, value in pairs if key == name), "")
