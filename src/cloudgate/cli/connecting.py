"""Connecting: how does a command reach the manager that its options name, and in whose name?"""

from collections.abc import Iterator
from contextlib import contextmanager

from cloudgate.cli import passwords
from cloudgate.cli.session_cache import LogonFile
from cloudgate.cli.settings import Connection
from cloudgate.client.api import Api
from cloudgate.client.blocking import Transport
from cloudgate.client.core.conversation import Conversation, MessageTerms
from cloudgate.client.core.logons import LogonIdentity
from cloudgate.client.verification import Trust

_FACTOR = (
    "shows a code of it, at a terminal or by CLOUDGATE_CODE, or uses an API token (--token-file)"
)
_WORDS = MessageTerms(url="--url", ca="--ca", factor=_FACTOR)


@contextmanager
def connected(where: Connection) -> Iterator[Api]:
    """The manager's API. What is read or changed is asked for once: who types sees the failure.

    Raises:
        InvalidRequestError: the address or the certificate authority cannot be used.
    """
    talk = Conversation((where.url,), _who(where), LogonFile(where), words=_WORDS)
    with Transport(Trust(where.ca), _WORDS) as transport:
        yield Api(talk, transport)


def _who(where: Connection) -> LogonIdentity:
    return LogonIdentity(
        where.user,
        password=lambda: passwords.of_user(where),
        token=lambda: passwords.token(where),
        code=passwords.code,
        asked_code=lambda: passwords.asked_code(where),
    )
