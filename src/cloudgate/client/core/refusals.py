"""Refusals: which error has a manager answered? By its status, in the manager's words."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from cloudgate.client.core.exchange import LONGEST_RETRY_AFTER_SECONDS
from cloudgate.client.core.kinds import Json
from cloudgate.errors import (
    AccessDeniedError,
    ChangedMeanwhileError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotOfferedError,
    TooManyRequestsError,
    UnavailableError,
)
from cloudgate.values.numbers import whole

if TYPE_CHECKING:  # commands load this before they know whether anything is asked
    from cloudgate.client.core.exchange import Reply, Request


class RefusedError(CloudgateError):
    """The manager has answered that it will not or cannot do this; the text is its own.

    It is also the error of `cloudgate.errors` that its status stands for: 404 is a
    `NotFoundError`, too.
    """

    def __init__(self, message: str, status: int, *, advice: str = "", where: str = "") -> None:
        super().__init__(message, advice)
        self.status = status
        self.where = where
        """What was asked of which manager, such as ``PUT https://m.example:9398/api/tasks/1``."""
        if where:
            self.add_note(f"This was the answer to {where}.")


class InvalidError(RefusedError, InvalidRequestError):
    """Status 400."""


class NotLoggedOnError(RefusedError, NotAuthenticatedError):
    """Status 401."""


class DeniedError(RefusedError, AccessDeniedError):
    """Status 403."""


class MissingError(RefusedError, NotFoundError):
    """Status 404."""


class ChangedError(RefusedError, ChangedMeanwhileError):
    """Status 412."""


class TooManyError(RefusedError, TooManyRequestsError):
    """Status 429."""


class UnknownHereError(RefusedError, NotOfferedError):
    """Status 501."""


class BusyError(RefusedError, UnavailableError):
    """Status 503."""


_BY_STATUS: dict[int, type[RefusedError]] = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.UNAUTHORIZED: NotLoggedOnError,
    HTTPStatus.FORBIDDEN: DeniedError,
    HTTPStatus.NOT_FOUND: MissingError,
    HTTPStatus.PRECONDITION_FAILED: ChangedError,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyError,
    HTTPStatus.NOT_IMPLEMENTED: UnknownHereError,
    HTTPStatus.SERVICE_UNAVAILABLE: BusyError,
}


def refusal(request: "Request", reply: "Reply", body: Json) -> RefusedError:
    """The error that an answer says."""
    reason = str(body.get("Message") or f"The manager answered with status {reply.status}.")
    advice = str(body.get("FirstChanceExceptionMessage") or "")
    problem = _BY_STATUS.get(reply.status, RefusedError)(
        f"{reason}. {advice}" if advice else reason,
        reply.status,
        advice=advice,
        where=f"{request.verb} {request.url}/api{request.path}",
    )
    if isinstance(problem, UnavailableError):
        problem.retry_after_seconds = whole(reply.retry_after, 0, LONGEST_RETRY_AFTER_SECONDS)
    return problem
