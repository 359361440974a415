"""Mail: how is somebody told by mail, in which words? Always over TLS; templates are texts.

Templates are those of `string.Template`. A provider's own have the names of the usual ones.
"""

import base64
import html
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, BinaryIO

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.notifications.outbox import identifier_of
from cloudgate.manager.settings.outgoing import MailServer
from cloudgate.network import hostport
from cloudgate.network.time_limit import TimeLimit

ANSWER_SECONDS = 15.0
"""How long a mail server may be silent."""
DELIVERY_SECONDS = 60.0
"""How long it may take to take a mail, however little it says at a time."""
_MOST_SAID_BYTES = 64 * 1024
"""Of what it says in one dialogue, before TLS and after."""
NAMES = ("subject.txt", "mail.txt", "event.txt", "mail.html", "event.html")
"""Of templates: a mail's subject, its two bodies, and one event in each."""
_FOLDER = Path(__file__).parent / "templates"
_LARGEST_BYTES = 256 * 1024
_LOGGED_ON = 235  # RFC 4954, 6
_READY = 220  # RFC 5321, 4.2
_EXAMPLE = {
    "Id": "0",
    "Event": "Test",
    "Severity": "info",
    "Cleared": False,
    "Time": "2030-12-31T00:00:00Z",
    "ObjectName": "example",
    "BackupServer": None,
    "Message": "This is an example.",
}


@cache
def usual_templates() -> Mapping[str, str]:
    """The templates that come with the product."""
    return {name: (_FOLDER / name).read_text("utf-8") for name in NAMES}


def read_templates(folder: Path) -> Mapping[str, str]:
    """A provider's own templates.

    Raises:
        InvalidRequestError: one cannot be read, or has a placeholder that there is not.
    """
    found: dict[str, str] = {}
    try:
        names = sorted(each.name for each in folder.iterdir())
        for name in (each for each in NAMES if each in names):
            text = (folder / name).read_bytes()[:_LARGEST_BYTES].decode("utf-8")
            found[name] = text
    except OSError as problem:  # whatever keeps it from being read is for the operator to see
        raise InvalidRequestError(
            f"--mail-templates: cannot read {folder}: {problem.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise InvalidRequestError(f"--mail-templates: {folder / name} is not UTF-8 text.") from None
    try:
        for name, text in found.items():
            _compose({**usual_templates(), name: text}, [_EXAMPLE])
    except (KeyError, ValueError) as problem:
        raise InvalidRequestError(
            f"--mail-templates: {folder / name} has a placeholder that there is not: {problem}."
            " There are: in event.txt and event.html $message, $time, $severity, $state, $name,"
            " $site and $event; in the others $title, $count and $events. $$ is a dollar sign."
        ) from None
    return found


def _values(event: Mapping[str, Any], escape: Callable[[str], str]) -> dict[str, str]:
    values = {
        "message": event["Message"],
        "time": event["Time"].replace("T", " ").replace("Z", " UTC"),
        "severity": event["Severity"],
        "state": "over" if event["Cleared"] else event["Severity"],
        "name": event["ObjectName"],
        "site": event["BackupServer"] or "",
        "event": event["Event"],
    }
    return {name: escape(str(value)) for name, value in values.items()}


def _compose(
    templates: Mapping[str, str], events: Sequence[Mapping[str, Any]]
) -> tuple[str, str, str]:
    """Subject, plain text and HTML of a mail."""
    first = str(events[0]["Message"])
    title = first if len(events) == 1 else f"{len(events)} messages: {first}"
    bodies = []
    for ending, escape in ((".txt", str), (".html", html.escape)):
        told = "".join(
            Template(templates[f"event{ending}"]).substitute(_values(each, escape))
            for each in events
        )
        values = {"title": escape(title), "count": str(len(events)), "events": told}
        bodies.append(Template(templates[f"mail{ending}"]).substitute(values))
    values = {"title": title, "count": str(len(events)), "events": ""}
    subject = Template(templates["subject.txt"]).substitute(values)
    return " ".join(subject.split())[:200], bodies[0], bodies[1]


def message(
    server: MailServer,
    own_templates: Mapping[str, str],
    receiver: str,
    events: Sequence[Mapping[str, Any]],
    now: datetime,
) -> EmailMessage:
    """A mail about events. What is sent again has the same Message-ID."""
    subject, text, markup = _compose({**usual_templates(), **own_templates}, events)
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = server.sender, receiver, subject
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{identifier_of(events)}@{server.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    made.set_content(text)
    made.add_alternative(markup, subtype="html")
    return made


def send(server: MailServer, mail: EmailMessage) -> None:
    """Hand a mail over.

    Raises:
        UnavailableError: the server was not reached, is not who it should be, or refuses it, or
            takes too long.
    """
    where = f"The mail server {hostport.join(server.host, server.port)}"
    with TimeLimit(DELIVERY_SECONDS) as limit:
        try:
            _hand_over(server, mail, where, limit)
        except Exception:
            if not limit.is_over:  # else whatever the library makes of a connection that is gone
                raise
            raise UnavailableError(
                f"{where} did not take the mail within {DELIVERY_SECONDS:.0f} seconds."
            ) from None


def _hand_over(server: MailServer, mail: EmailMessage, where: str, limit: TimeLimit) -> None:
    try:
        context = ssl.create_default_context(cadata=server.authority_pem or None)
        smtp = _connected(server, context, limit)
        try:
            if server.user:
                _log_on(smtp, server, where)
            smtp.send_message(mail)
        finally:
            with suppress(smtplib.SMTPException, OSError):  # EPIPE: it has the mail, or said why
                smtp.quit()
    except smtplib.SMTPAuthenticationError:
        raise UnavailableError(f"{where} does not accept the password of {server.user}.") from None
    except smtplib.SMTPRecipientsRefused:
        raise UnavailableError(f"{where} refuses the receiver {mail['To']}.") from None
    except smtplib.SMTPNotSupportedError:  # of what is sent: TLS and passwords have their own words
        raise UnavailableError(
            f"{where} takes no addresses that are not ASCII (SMTPUTF8), and {mail['From']} or"
            f" {mail['To']} is one. Name another address."
        ) from None
    except smtplib.SMTPException as problem:
        if isinstance(problem.__context__, TimeoutError):
            raise UnavailableError(_silent(where)) from None
        raise UnavailableError(f"{where} does not take the mail: {str(problem)[:300]}.") from None
    except ssl.SSLError as problem:
        raise UnavailableError(f"{where} cannot be trusted: {problem.reason or problem}.") from None
    except TimeoutError:
        raise UnavailableError(_silent(where)) from None
    except OSError as problem:  # whatever keeps it from being reached is for the operator to see
        raise UnavailableError(
            f"{where} cannot be reached: {problem.strerror or problem}."
        ) from None


def _silent(where: str) -> str:
    return f"{where} did not answer within {ANSWER_SECONDS:.0f} seconds."


class _Smtp(smtplib.SMTP):
    """A client whose connection ends with a time limit, and which reads so much and no more."""

    limit: TimeLimit

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self.limit.cover(made)
        return made

    def getreply(self) -> tuple[int, bytes]:
        """What the server says to a command."""
        if self.file is None and self.sock is not None:
            self.file = _BoundedFile(self.sock.makefile("rb"))
        return super().getreply()


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The same, where TLS comes first: on the connection of `_Smtp`."""


class _BoundedFile:
    """What a server says, until it is too much: a reply may have any number of lines."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST_SAID_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPException(f"it says more than {_MOST_SAID_BYTES // 1024} KB")
        return line

    def close(self) -> None:
        self._file.close()


def _connected(server: MailServer, context: ssl.SSLContext, limit: TimeLimit) -> smtplib.SMTP:
    smtp: _Smtp
    if server.starts_plain:
        smtp = _Smtp(timeout=ANSWER_SECONDS)
    else:
        smtp = _SmtpOverTls(timeout=ANSWER_SECONDS, context=context)
    smtp.limit = limit
    vars(smtp)["_host"] = server.host  # for which TLS is, as the library sets it where it connects
    try:
        _begin(smtp, server)
    except BaseException:
        smtp.close()
        raise
    if not server.starts_plain:
        return smtp
    try:
        smtp.starttls(context=context)
    except smtplib.SMTPNotSupportedError:
        smtp.close()
        raise UnavailableError(
            f"The mail server {hostport.join(server.host, server.port)} offers no TLS (STARTTLS);"
            " nothing is sent without TLS."
        ) from None
    except BaseException:
        smtp.close()
        raise
    return smtp


def _begin(smtp: smtplib.SMTP, server: MailServer) -> None:
    code, said = smtp.connect(server.host, server.port)
    if code != _READY:
        raise smtplib.SMTPConnectError(code, said)


def _log_on(smtp: smtplib.SMTP, server: MailServer, where: str) -> None:
    """Say name and password; those that are not ASCII as UTF-8 (RFC 4616), which smtplib does not.

    Raises:
        UnavailableError: the server takes no passwords, or none that is not ASCII.
        SMTPException: it does not take this one.
    """
    smtp.ehlo_or_helo_if_needed()
    if not smtp.has_extn("auth"):
        raise UnavailableError(
            f"{where} takes no passwords (AUTH), and {server.user} is named in --smtp."
        )
    if server.user.isascii() and server.password.isascii():
        smtp.login(server.user, server.password)
        return
    if "PLAIN" not in smtp.esmtp_features["auth"].upper().split():
        raise UnavailableError(
            f"{where} does not offer AUTH PLAIN, and the user name or the password is not ASCII."
            " Choose ones that are."
        )
    said = f"\0{server.user}\0{server.password}".encode()
    code, answer = smtp.docmd("AUTH", f"PLAIN {base64.b64encode(said).decode()}")
    if code != _LOGGED_ON:
        raise smtplib.SMTPAuthenticationError(code, answer)
