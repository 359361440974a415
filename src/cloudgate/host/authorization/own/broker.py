"""Own-request broker: is what a tenant asks for itself handed on, and what came of it?

A tenant has one own request at a time, and all together some: nobody fills the line to the manager.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from cloudgate.errors import CloudgateError
from cloudgate.host.authorization.authenticator import AuthenticationResult
from cloudgate.host.authorization.own.requests import OwnChange
from cloudgate.host.authorization.policy import Denial, parse_credentials
from cloudgate.host.state.principal import Principal
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.protocol import OwnAnswer, OwnRequest, Refusal

MOST_AT_ONCE = 8
ANSWER_SECONDS = 9.0
"""How long the manager has, where as much is left."""
LEAST_SECONDS = 2.0
"""How much has to be left for it to be asked: whoever is told too late knows of nothing."""
HEARD_SECONDS = 3.0
"""How long a gateway waits then to hear of it itself, where as much is left."""
RETRY_SECONDS = 10
BUSY = Denial(503, "The gateway hands on enough already; try again.", RETRY_SECONDS)
AWAY = Denial(
    503,
    "The provider's manager does not answer, so whether it was done is not known. Try again later.",
    RETRY_SECONDS,
    kind=Refusal.TIMEOUT,
)
OLD_PASSWORD = Denial(
    401, "That password has been replaced; ask with the one of now.", kind=Refusal.CREDENTIALS
)
BY_PASSWORD = Denial(
    403, "A password is changed by who gives the one of now, not by a certificate.", None
)
OUT_OF_BOUNDS = Denial(
    400, "The password or the request is longer than it may be, or has characters that it may not."
)

Ask = Callable[[OwnRequest], Awaitable[OwnAnswer]]


@dataclass(frozen=True)
class OwnResult:
    """What a tenant is told."""

    name: str
    text: str = ""
    """Empty when refused."""
    denial: Denial | None = None


class OwnRequestBroker:
    """Hands on what tenants want for themselves, once they have proved who they are."""

    def __init__(self, directory: TenantDirectory) -> None:
        self._directory = directory
        self.ask: Ask | None = None
        """How the manager is asked; None while there is no way."""
        self._asking: set[UUID] = set()

    async def hand_on(
        self,
        who: AuthenticationResult,
        authorization: str | None,
        address: str,
        change: OwnChange | Denial,
        deadline_seconds: float,
    ) -> OwnResult:
        """Have the manager do what somebody who has proved it to be that one wants.

        Args:
            who: has proved it.
            authorization: the value of the header that it came with, if it did.
            address: where it comes from.
            change: what it wants, or why it is refused.
            deadline_seconds: when it is to be told, by the clock of the event loop.
        """
        principal, denial = who.principal, self._denial(who, change)
        if (
            isinstance(change, Denial)
            or denial is not None
            or principal is None
            or self.ask is None
        ):
            return OwnResult(who.name, denial=denial or AWAY)
        try:
            request = _request(who, principal, authorization, address, change)
        except ValidationError:  # its text would quote what may be a password
            return OwnResult(who.name, denial=OUT_OF_BOUNDS)
        self._asking.add(request.tenant_id)
        try:
            async with asyncio.timeout_at(_earlier(deadline_seconds, ANSWER_SECONDS)):
                answer = await self.ask(request)
        except (CloudgateError, TimeoutError):
            return OwnResult(who.name, denial=AWAY)
        finally:
            self._asking.discard(request.tenant_id)
        told = _result_of(who.name, answer)
        if told.denial is None and change.new_password is not None:
            await self._heard_of_change(principal, _earlier(deadline_seconds, HEARD_SECONDS))
        return told

    async def _heard_of_change(self, before: Principal, deadline_seconds: float) -> None:
        """Wait a moment until this gateway knows of a new password, so that it is good at once."""
        while asyncio.get_running_loop().time() < deadline_seconds:
            now = self._directory.find(before.name)
            if now is None or now.password_hash != before.password_hash:
                return
            await asyncio.sleep(HEARD_SECONDS / 100)

    def _denial(self, who: AuthenticationResult, change: OwnChange | Denial) -> Denial | None:
        if isinstance(change, Denial):
            return change
        if change.new_password is not None and who.certificate_id is not None:
            return BY_PASSWORD
        if who.is_old:
            return OLD_PASSWORD
        tenant_id = who.principal.tenant.tenant_id if who.principal else None
        return BUSY if tenant_id in self._asking or len(self._asking) >= MOST_AT_ONCE else None


def _earlier(deadline_seconds: float, seconds: float) -> float:
    return min(deadline_seconds, asyncio.get_running_loop().time() + seconds)


def _request(
    who: AuthenticationResult,
    principal: Principal,
    authorization: str | None,
    address: str,
    change: OwnChange,
) -> OwnRequest:
    said = parse_credentials(authorization)
    return OwnRequest(
        tenant_id=principal.tenant.tenant_id,
        user_id=principal.user.user_id if principal.user else None,
        address=address,
        password=said.password if said and not who.certificate_id else "",
        new_password=change.new_password,
        old_password_seconds=change.old_password_seconds,
        certificate_request=change.certificate_request,
        certificate_id=who.certificate_id,
    )


def _result_of(name: str, answer: OwnAnswer) -> OwnResult:
    if answer.status == 200:  # noqa: PLR2004
        return OwnResult(name, text=answer.certificate_pem or "The password has been changed.\n")
    kind = Refusal.CREDENTIALS if answer.status == 401 else Refusal.OTHER  # noqa: PLR2004
    return OwnResult(name, denial=Denial(answer.status, answer.message, kind=kind))
