"""Metrics tokens: who may scrape on the port that strangers reach? Who has a token of the file.

Whoever has one may see figures and health, and do nothing else: it opens no session.
"""

import hmac
import os
from pathlib import Path

import structlog

from cloudgate.api.http.token_gate import bearer_token
from cloudgate.errors import CloudgateError
from cloudgate.trust.token_hashes import token_hash

SHORTEST_TOKEN = 32
"""Characters: nobody guesses so many."""
MOST_TOKENS = 100

_log = structlog.get_logger(__name__)


class MetricsTokens:
    """The tokens of a file, one a line, read anew when it was changed."""

    def __init__(self, file: Path) -> None:
        """Read it.

        Raises:
            CloudgateError: it cannot be read, or has no token that is long enough.
        """
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._hashes: tuple[str, ...] = ()
        try:
            self._read()
        except OSError as problem:
            raise CloudgateError(
                f"The file of --metrics-token-file, {file}, cannot be read: {problem.strerror}."
            ) from None
        if not self._hashes:
            raise CloudgateError(
                f"The file of --metrics-token-file, {file}, has no token of {SHORTEST_TOKEN}"
                f" characters or more. Make one: openssl rand -hex 32 > {file}"
            )

    def has(self, authorization: str) -> bool:
        """Whether an Authorization header has one of them (RFC 6750, section 2.1)."""
        token = bearer_token(authorization)
        if not token:
            return False
        try:
            self._read()
        except OSError as problem:  # ENOENT, EACCES, EIO: those that were known hold
            _log.warning("metrics tokens cannot be read anew", reason=problem.strerror)
        shown = token_hash(token)
        return any([hmac.compare_digest(shown, each) for each in self._hashes])  # noqa: C419  all of them

    def _read(self) -> None:
        found = os.stat(self._file)  # noqa: PTH116  as little as possible for each request
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen == self._seen:
            return
        lines = self._file.read_text("utf-8", "replace").split()
        good = [each for each in lines if len(each) >= SHORTEST_TOKEN]
        self._hashes = tuple(token_hash(each) for each in good[:MOST_TOKENS])
        self._seen = seen
