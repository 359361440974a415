"""Customers' names: which have to be replaced in a bundle, and are all of them known?"""

import errno
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from cloudgate.diagnosis.database import FAILURES, database_of, select
from cloudgate.host.state.files import backup_path, read_if_there
from cloudgate.manager.security.installation import DATABASE, PIECES, missing_pieces
from cloudgate.network.hostport import host_of

_NAMES = (
    ("tenant", "cloud_tenants", ("name", "login", "description")),
    ("user", "subtenants", ("name", "login", "description")),
    ("account", "accounts", ("name",)),
    ("repository", "repositories", ("name", "endpoint", "address")),
    ("name", "former_names", ("name",)),
    ("name", "audit_events", ("account",)),
    ("target", "usage", ("target",)),
)
_NAMED = (
    "CloudTenant", "CloudTenantResource", "CloudSubtenant", "Repository", "EnterpriseAccount",
    "LogonSession",
)  # fmt: skip
"""Types of objects in the audit log whose names are a customer's."""
_NAMED_IN_LOGS = {"tenant": "tenant", "account": "account", "target": "target"}
"""Members of a log's lines that name a customer, also one that is not known here any more."""


def readable_names(
    names: Callable[[], Iterable[tuple[str, str]]], whose: str, missing: list[str]
) -> Iterable[tuple[str, str]]:
    """The names as far as they can be read; what cannot is said."""
    found: list[tuple[str, str]] = []
    try:
        for each in names():
            found.append(each)  # noqa: PERF402  those before the fault are kept
    except Exception as problem:  # noqa: BLE001  whatever it is, names are not known then
        reason = problem if isinstance(problem, (*FAILURES, OSError)) else type(problem).__name__
        missing.append(
            f"Not all names of customers are known: {whose} cannot be read ({reason}). What could"
            " name one is left out; cloudgate doctor says more."
        )
    return found


def of_manager(data: Path, database: str | None) -> Iterator[tuple[str, str]]:
    """The names that have to be replaced; as many as can be read.

    Raises:
        OSError, sqlite3.Error, UnavailableError: they cannot be read.
    """
    opened = database_of(data, database)
    if opened is None:
        if len(missing_pieces(data)) < PIECES:
            wanted = "the database is missing; one of PostgreSQL is to be named by --database"
            raise FileNotFoundError(errno.ENOENT, wanted, str(data / DATABASE))
        return  # there is no manager here
    for kind, table, columns in _NAMES:
        for each in columns:
            for row in opened.rows(select(f"DISTINCT {each} AS name", table)):
                name = str(row["name"] or "")
                yield name, kind
                if kind in ("repository", "target"):
                    yield host_of(name), kind
    types = ", ".join(f"'{each}'" for each in _NAMED)
    named = select("DISTINCT object_name AS name", "audit_events", f"object_type IN ({types})")
    for row in opened.rows(named):
        yield str(row["name"] or ""), "name"


def of_host(file: Path) -> Iterator[tuple[str, str]]:
    """The names that have to be replaced; as many as can be read.

    Raises:
        OSError: they cannot be read.
        ValueError, KeyError, TypeError, AttributeError, RecursionError: the file is damaged.
    """
    files = (backup_path(file), file)
    texts = [text for each in files if (text := read_if_there(each)) is not None]
    for each in texts:
        yield from _named_in(json.loads(each)["tenants"])


def _named_in(tenants: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for tenant in tenants:
        yield str(tenant.get("name", "")), "tenant"
        for user in (tenant, *tenant.get("users", ())):
            if user is not tenant:
                yield str(user.get("name", "")), "user"
            for target in user.get("targets", ()):
                for member in ("endpoint", "address"):
                    name = str(target.get(member, ""))
                    yield name, "repository"
                    yield host_of(name), "repository"


def of_log(text: str) -> Iterator[tuple[str, str]]:
    """The names that lines of JSON say to be a customer's."""
    for line in text.split("\n"):
        if not line.startswith("{"):
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a text
        for member, kind in _NAMED_IN_LOGS.items():
            name = said.get(member)
            if isinstance(name, str):
                yield name, kind
                if kind == "target":
                    yield host_of(name), kind
