"""Errors: what can go wrong that a user can meet? One tree, translated at the edge.

A message says what failed, where, why, and what to do. It never holds a secret.
"""


class CloudgateError(Exception):
    """Something went wrong that its reader can act on. The text is the message for that reader."""

    of_standing = False
    """Whether it is of who asks, whatever they have shown: nothing of that was looked at."""

    def __init__(self, message: str, advice: str = "") -> None:
        """`advice`: what to do, where the message is one that programs compare as a whole."""
        super().__init__(message)
        self.message = message
        self.advice = advice


class InvalidRequestError(CloudgateError):
    """What was asked for is malformed, incomplete, or against a rule."""


class NotAuthenticatedError(CloudgateError):
    """Nobody, or somebody unknown, is asking."""

    whose = ""
    """Whose password was wrong, for who slows guesses; empty where it is of who logs on."""


class RevokedError(NotAuthenticatedError):
    """Who is asking was known, and was shut out."""


class BadTokenError(NotAuthenticatedError):
    """What was shown as an API token is none, or is good no more."""


class AccessDeniedError(CloudgateError):
    """Who is asking may not have this."""


class ChangedMeanwhileError(CloudgateError):
    """What is to be changed is not any more as whoever changes it has seen it."""


class TooManyRequestsError(CloudgateError):
    """More is asked from one place, or of all together, than can be looked at; later it can."""


class NotFoundError(CloudgateError):
    """What was named does not exist."""


class NotOfferedError(CloudgateError):
    """What was asked for exists elsewhere, but this product has no notion of it."""


class UnavailableError(CloudgateError):
    """A part that is needed does not answer right now."""

    def __init__(
        self, message: str, advice: str = "", *, retry_after_seconds: int | None = None
    ) -> None:
        """`retry_after_seconds`: when it may be there again, where that is known."""
        super().__init__(message, advice)
        self.retry_after_seconds = retry_after_seconds
