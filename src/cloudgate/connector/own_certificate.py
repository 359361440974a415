"""Own certificate: by which one does the tenant come in, and who gets it the next one in time?

It is in one file with its key, and renewed with the same key when two thirds of its time are over,
at any gateway that answers. Where a password is there it takes a new one by that when the old one
is not good any more. What does not succeed is tried again, more and more seldom.
"""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID

from cloudgate.atomic_files import write_private
from cloudgate.background import Job
from cloudgate.connector.tls_connection import Identity
from cloudgate.connector.tunnel import request_certificate
from cloudgate.errors import CloudgateError, InvalidRequestError, NotAuthenticatedError
from cloudgate.network.hostport import HostPort
from cloudgate.trust.certificate_request import new_key_pem, request_pem
from cloudgate.trust.tenant_certificates import issued_at
from cloudgate.trust.unreadable import UNREADABLE
from cloudgate.values.backoff import doubled
from cloudgate.values.timestamps import has_come

RENEWED_AFTER_PART = 2 / 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
"""After an attempt that has failed, and at most."""
_LOOK_SECONDS = 0.5
_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate with its key, as it is in the file."""

    pem: str
    """All that the file has."""
    key_pem: str
    """The key alone."""
    name: str
    """Whose it is, as it logs in."""
    ends_at: datetime
    due_at: datetime
    """When the next one is wanted."""


def read_certificate(file: Path) -> OwnCertificate | None:
    """What is in a file; None where there is none.

    Raises:
        InvalidRequestError: it cannot be read, or has not a key and its certificate.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidRequestError(f"Cannot read the certificate file {file}: {problem}.") from None
    found = _certificate(text)
    if found is None:
        raise InvalidRequestError(
            f"The certificate file {file} must have a private key and its certificate, both in PEM,"
            " as `cloudgate tenant certificate` writes it."
        )
    return found


def _certificate(text: str) -> OwnCertificate | None:
    key = _PRIVATE_KEY.search(text)
    # Other programs write the certificate first, and what they call it above (OpenSSL).
    key_pem = f"{key[0]}\n" if key else ""
    try:
        shown = x509.load_pem_x509_certificate(text.encode())
        asked = x509.load_pem_x509_csr(request_pem(key_pem).encode())
    except UNREADABLE:
        return None
    if shown.public_key() != asked.public_key():
        return None
    names = shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ends_at = shown.not_valid_after_utc
    life = ends_at - issued_at(shown)
    return OwnCertificate(
        pem=text,
        key_pem=key_pem,
        name=str(names[0].value) if names else "",
        ends_at=ends_at,
        due_at=ends_at - life * (1 - RENEWED_AFTER_PART),
    )


class CertificateKeeper:
    """Has the tenant show a certificate that is good, for as long as that can be had."""

    def __init__(
        self,
        file: Path,
        who: Identity,
        gateways: Callable[[], Sequence[HostPort]],
        *,
        password: Callable[[], str | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """How it is kept.

        Args:
            file: where key and certificate are.
            who: is to show it.
            gateways: those that may be asked, the best first.
            password: says the password of now, if there is one.
            now: what time it is.
        """
        self._file = file
        self._who = who
        self._gateways = gateways
        self._password = password
        self._now = now
        self._held = read_certificate(file)
        self.failures = 0
        """How often, one after the other, the next one could not be had."""
        self._not_before = self._not_renewed_before = now()
        self._refused = False

    async def begin(self) -> None:
        """Have one that is good right now.

        Raises:
            CloudgateError: there is none, and none can be had.
        """
        held = self._held
        if held is not None:
            self._show()
        if held is not None and self._now() < held.due_at:
            return
        try:
            await self._take_next()
        except CloudgateError as problem:
            if held is None or self._now() >= held.ends_at:
                raise
            self._note_failure(problem)

    def refused(self) -> None:
        """A gateway has refused the tenant: perhaps it is the certificate, and a password helps."""
        self._refused = True

    def job(self) -> Job:
        """What is to be run: renewing it."""
        return Job(
            name="Renewing the certificate",
            attempt=self._look_after,
            interval_seconds=_LOOK_SECONDS,
            lasts=True,
        )

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._has_come(self._not_before):
                continue
            try:
                if self._is_due():
                    self._refused = False
                    await self._take_next()
            except CloudgateError as problem:
                self._note_failure(problem)

    def _has_come(self, moment: datetime) -> bool:
        return has_come(moment, self._now(), timedelta(seconds=LONGEST_PAUSE_SECONDS))

    def _is_due(self) -> bool:
        is_old = self._held is None or (
            self._now() >= self._held.due_at and self._has_come(self._not_renewed_before)
        )
        return is_old or (self._refused and self._password() is not None)

    async def _take_next(self) -> None:
        """Renew the one that is held; or else, with a password, get one for a new key."""
        held, problem = self._held, NotAuthenticatedError(_none(self._file))
        if held is not None and self._now() < held.ends_at:
            try:
                self._take(held.key_pem, await self._ask(held.key_pem, ""))
            except NotAuthenticatedError as refused:
                problem = refused
            else:
                return
        password = self._password()
        if password is None:
            raise problem
        key = new_key_pem()
        self._take(key, await self._ask(key, password))

    async def _ask(self, key_pem: str, password: str) -> str:
        """A certificate, of the first gateway that gives one.

        Raises:
            CloudgateError: none does.
        """
        if not os.access(self._file.parent, os.W_OK):
            raise InvalidRequestError(f"Cannot write into the folder of {self._file}.")
        wanted, problems = request_pem(key_pem), list[CloudgateError]()
        for each in self._gateways():
            try:
                return await request_certificate(each, self._who, wanted, password)
            except CloudgateError as problem:
                if type(problem) is NotAuthenticatedError:
                    raise  # it is the tenant, and not the gateway, that another one refuses, too
                problems.append(problem)
        raise problems[0] if problems else InvalidRequestError("No gateway is named.")

    def _take(self, key_pem: str, certificate_pem: str) -> None:
        found = _certificate(key_pem + certificate_pem)
        if found is None:
            raise CloudgateError("The gateway's answer is no certificate of the key.")
        try:
            write_private(self._file, found.pem)
        except OSError as problem:
            raise InvalidRequestError(f"Cannot write {self._file}: {problem.strerror}.") from None
        self._show()
        self.failures, self._held = 0, found
        if self._now() >= found.due_at:
            # By a clock that is ahead, or made for too short a time: not asked for without a pause.
            self._not_renewed_before = self._now() + timedelta(seconds=LONGEST_PAUSE_SECONDS)
        _log.info("certificate renewed", tenant=found.name, good_until=_shown(found.ends_at))

    def _show(self) -> None:
        try:
            self._who.show(self._file)
        except OSError as problem:  # ssl.SSLError is one
            raise InvalidRequestError(
                f"The certificate in {self._file} cannot be shown: {problem}."
            ) from None

    def _note_failure(self, problem: CloudgateError) -> None:
        self.failures += 1
        pause = doubled(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self.failures)
        self._not_before = self._now() + timedelta(seconds=pause)
        ends_at = self._held.ends_at if self._held else None
        _log.warning(
            "the certificate is not renewed yet",
            reason=problem.message,
            good_until=_shown(ends_at) if ends_at else "",
            next_in_seconds=pause,
        )


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _none(file: Path) -> str:
    return (
        f"There is no certificate that is good in {file}, and no password to get one by: give"
        " --password-file, or have the provider issue one."
    )
