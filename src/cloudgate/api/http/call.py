"""Call: what does a handler get to see, and what does it give back?"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.requests import Request

from cloudgate.api.http.entity_tags import Precondition
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions.administration import roles_of
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import LogonSession
from cloudgate.manager.tasks.operations import ALL_TASKS, TaskScope
from cloudgate.values.identifiers import parse
from cloudgate.wire.description import ResourceType

NO_TEXT_HAS = "\0"
"""PostgreSQL keeps and compares none that has it. Of bodies the schema refuses it."""


def parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """The query parameters. Some clients copy ``&amp;`` from XML, and name them ``amp;page``.

    Raises:
        InvalidRequestError: the address has a character that no text has.
    """
    found = request.query_params.multi_items()
    texts = (request.scope["path"], *(text for each in found for text in each))
    if any(NO_TEXT_HAS in text for text in texts):
        raise InvalidRequestError(
            "The address has the character U+0000 (%00), which no text has; leave it out."
        )
    return tuple((name.removeprefix("amp;"), value) for name, value in found)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, as far as a handler may know it."""

    manager: Manager
    root: str
    """Absolute URL of the API's root by the address that the client used, no slash at the end."""
    path: Mapping[str, str] = field(default_factory=dict)
    """The variable segments of the path."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameters; names in lower case."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Query parameters in their order, as they were given."""
    authorization: str = ""
    address: str = ""
    """The client's IP address."""
    logon: LogonSession | None = None
    """Of an account."""
    visiting: Visitor | None = None
    """Of a tenant, or its user, for itself; no call has both."""
    by_token: bool = False
    """Whether an API token stands for the session, which then has the token's id."""
    changes: int = 0
    """How many changes the manager had made before it was looked at who is asking."""
    check_standing: "Callable[[Call, UnitOfWork], None] | None" = None
    """Sees, in a change, whether who is asking is there still and may make it."""
    code: str = ""
    """Of a second factor, as it was shown beside a password."""
    proven: Any = None
    """What the route's `Proof` gave."""
    precondition: Precondition | None = None
    """What has to be so still when something is changed."""

    @property
    def session(self) -> LogonSession:
        """The logon session; routes that need none do not ask, nor do those that are kept."""
        if self.logon is None:
            raise LookupError("This route was declared to need no session, or to be kept.")
        return self.logon

    @property
    def visitor(self) -> Visitor:
        """The tenant, or its user, that asks; only routes for them alone do."""
        if self.visiting is None:
            raise LookupError("This route was not declared to be for tenants alone.")
        return self.visiting

    @property
    def who(self) -> LogonSession | Visitor | None:
        """Who is asking; None where nobody has to be anybody."""
        return self.visiting or self.logon

    @property
    def author(self) -> str:
        """Who is asking, as the audit log names them; empty without a session."""
        if self.visiting is not None:
            return self.visiting.login
        return self.logon.account.name if self.logon else ""

    @property
    def roles(self) -> frozenset[Role]:
        """The roles of who is asking."""
        return roles_of(self.session.account)

    @property
    def administers(self) -> bool:
        """Whether who is asking may do everything."""
        if self.logon is None or self.logon.tenant_id is not None:
            return False
        return Role.PORTAL_ADMINISTRATOR in roles_of(self.logon.account)

    @property
    def sees_tasks(self) -> TaskScope:
        """The tasks that who is asking may see and remove: the own ones, unless they administer."""
        if self.session.tenant_id is not None:
            return TaskScope()
        if self.administers:
            return ALL_TASKS
        return TaskScope(self.session.account_id)

    @property
    def wants_entity(self) -> bool:
        """Whether the whole entity is asked for, not a reference."""
        return self.query.get("format", "").lower() in ("entity", "entities")

    def identifier(self, resource_type: str, name: str = "id") -> UUID:
        """The id in the path, bare or as a whole UID.

        Raises:
            InvalidRequestError: it is no id of that type.
        """
        return parse(self.path[name], resource_type)

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """See one state of everything."""
        with self.manager.reading() as work:
            yield work

    @contextmanager
    def changing(self) -> Iterator[UnitOfWork]:
        """Change things in the name of who is asking, if they may still.

        Raises:
            NotAuthenticatedError: they are not there any more.
            AccessDeniedError: they may not any more.
        """
        account_id = self.logon.account_id if self.logon else None
        with self.manager.changing(
            self.author, self.address, account_id=account_id, administers=self.administers
        ) as work:
            work.session.connection()  # one writes at a time: nobody comes between
            if self.check_standing is not None:
                self.check_standing(self, work)
            if self.precondition is not None:
                self.precondition.check(self, changing=True)
            yield work


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back: a resource in the form that was asked for, or bytes as they are."""

    status: int = 200
    resource: ResourceType | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    document: bytes | None = None
    """What is not a resource, such as the schema."""
    media_type: str = "application/xml"
    """Of the document."""
    version: str = ""
    """What else can be changed of an entity besides what it shows: for its tag."""
