"""Failures: what is a failed request told? Every error, as a status and the API's `Error`."""

import structlog
from sqlalchemy.exc import DatabaseError, OperationalError

from cloudgate.api.http.call import Answer
from cloudgate.api.http.negotiation import UnsupportedFormError
from cloudgate.errors import (
    AccessDeniedError,
    BadTokenError,
    ChangedMeanwhileError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotOfferedError,
    TooManyRequestsError,
    UnavailableError,
)
from cloudgate.manager.storage.failures import OTHERS_WRITE, PASSING, reason
from cloudgate.wire.resources.base import Error

log = structlog.get_logger(__name__)


RETRY_AFTER_SECONDS = 30
"""When whoever was one too many may ask again."""
SERVER_BACK_SECONDS = 2
"""When a database's server may be there again that is being replaced or started anew."""


class TooLargeError(CloudgateError):
    """The body is larger than any that is allowed."""


class NoSuchVerbError(CloudgateError):
    """The path is there, but not for this verb."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


_STATUS: dict[type[CloudgateError], int] = {
    InvalidRequestError: 400,
    NotAuthenticatedError: 401,
    BadTokenError: 401,
    AccessDeniedError: 403,
    NotFoundError: 404,
    NoSuchVerbError: 405,
    ChangedMeanwhileError: 412,
    TooLargeError: 413,
    UnsupportedFormError: 415,
    TooManyRequestsError: 429,
    NotOfferedError: 501,
    UnavailableError: 503,
}


def error_response(problem: Exception, *, at_logon: bool = False) -> Answer:
    """The answer to a request that failed. What nobody foresaw is logged, not told in detail."""
    if isinstance(problem, CloudgateError):
        status = _STATUS.get(type(problem), 500)
        headers = _headers(problem, at_logon=at_logon)
        return _answer(status, problem.message, headers, problem.advice)
    if isinstance(problem, DatabaseError) and (found := reason(problem)):
        if found in OTHERS_WRITE:
            log.warning("the database was busy", reason=found, error=str(problem.orig))
        else:
            log.error("the database failed", reason=found, error=str(problem.orig))
        again = {"Retry-After": str(SERVER_BACK_SECONDS)} if found in PASSING else None
        return _answer(503, found, again)
    if isinstance(problem, OperationalError):
        log.error("the database failed", exc_info=problem)
        return _answer(
            503, "The database cannot be used right now; the manager's log says why. Try again."
        )
    log.error("a request failed in a way that nobody foresaw", exc_info=problem)
    return _answer(500, "Internal error: the manager's log says more.")


def _headers(problem: CloudgateError, *, at_logon: bool) -> dict[str, str]:
    if isinstance(problem, NoSuchVerbError):
        return {"Allow": problem.allowed}
    if isinstance(problem, BadTokenError):
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, 3
    if isinstance(problem, NotAuthenticatedError) and at_logon:
        return {"WWW-Authenticate": "Basic Realm=RestSvc"}
    if isinstance(problem, TooManyRequestsError):
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if isinstance(problem, UnavailableError) and problem.retry_after_seconds is not None:
        return {"Retry-After": str(problem.retry_after_seconds)}
    return {}


def _answer(
    status: int, message: str, headers: dict[str, str] | None = None, advice: str = ""
) -> Answer:
    error = Error(
        message=message, status_code=status, first_chance_exception_message=advice or None
    )
    return Answer(
        status=status,
        resource=error,
        headers=headers or {},
    )
