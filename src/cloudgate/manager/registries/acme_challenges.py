"""ACME challenges: how does an ACME server see that a name is ours? Over HTTP, or by DNS.

What is to be seen is put here while an order is under way. Threads may use it at the same time.
"""

from pathlib import Path
from threading import Lock

import structlog

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.processes.programs import ask

HTTP, DNS = "http-01", "dns-01"
HOOK_SECONDS = 300.0
"""How long the operator's program may take to put a record into DNS, or to take it out."""
_SHOWN_CHARACTERS = 500

log = structlog.get_logger(__name__)


class AcmeChallenges:
    """What ACME servers may look for right now."""

    def __init__(self, dns_hook: Path | None = None) -> None:
        """`dns_hook`: the operator's program that puts records into DNS; None for none."""
        self.dns_hook = dns_hook
        self.left_behind = ""
        """Why the last record stays in DNS, for the operator; empty where it was taken out."""
        self._lock = Lock()
        self._tokens: dict[str, str] = {}

    def check(self, kind: str) -> None:
        """See that a kind of challenge can be met.

        Raises:
            InvalidRequestError: it cannot, with what to do.
        """
        if kind == DNS and self.dns_hook is None:
            raise InvalidRequestError(
                "Challenge: dns-01 needs a program that puts records into DNS. Start the manager"
                " with --acme-dns-hook FILE."
            )

    def answer(self, token: str) -> str | None:
        """What is answered at ``/.well-known/acme-challenge/<token>`` (RFC 8555, 8.3)."""
        with self._lock:
            return self._tokens.get(token)

    def show(self, token: str, text: str) -> None:
        """Answer `text` for a token, until it is hidden."""
        with self._lock:
            self._tokens[token] = text

    def hide(self, token: str) -> None:
        """Answer nothing any more."""
        with self._lock:
            self._tokens.pop(token, None)

    def clean_up(self, record: str, value: str) -> None:
        """Have a TXT record taken out of DNS. One that stays there keeps no certificate away."""
        try:
            self.call_hook("cleanup", record, value)
        except UnavailableError as problem:
            self.left_behind = (
                f"A record of an order stays in DNS: {problem.message} Take it out by hand, and"
                " correct the program of --acme-dns-hook."
            )
            log.warning("a record stays in DNS", record=record, reason=problem.message)
        else:
            self.left_behind = ""

    def call_hook(self, verb: str, record: str, value: str) -> None:
        """Have the operator's program put a TXT record into DNS, or take it out (RFC 8555, 8.4).

        Args:
            verb: ``present``, which ends when the record can be seen, or ``cleanup``.
            record: its name, such as ``_acme-challenge.gate.example``.
            value: its text.

        Raises:
            UnavailableError: the program cannot be run, fails, or does not end in time.
        """
        if self.dns_hook is None:
            raise UnavailableError(
                "dns-01 needs a program that puts records into DNS, and the manager was started"
                " without --acme-dns-hook."
            )
        told = f"The program {self.dns_hook} ({verb} {record})"
        try:
            ended = ask([self.dns_hook, verb, record, value], seconds=HOOK_SECONDS)
        except UnavailableError as problem:
            raise UnavailableError(f"{told} failed: {problem.message}") from None
        if not ended.is_well:
            said = ended.errors.strip()[-_SHOWN_CHARACTERS:]
            raise UnavailableError(
                f"{told} failed with status {ended.status}: {said or 'it said nothing'}"
            )
