"""Common words of routes: what do calls of several modules share?"""

import json
from collections.abc import Mapping
from typing import Any

from cloudgate.api.http.call import Call
from cloudgate.api.http.router import Parameter, starts
from cloudgate.manager.sessions import administration
from cloudgate.wire.resources.passkeys import CurrentPasswordSpec
from cloudgate.wire.resources.security import EnterpriseAccountPasswordSpec
from cloudgate.wire.resources.sessions import Task

TASK = starts(Task)
PAGED = (
    Parameter(name="filter", description="As the query service's."),
    Parameter(name="sortAsc", description="A parameter to sort by."),
    Parameter(name="sortDesc", description="A parameter to sort by, the largest first."),
    Parameter(
        name="pageSize",
        description="How many on a page, 10000 at most.",
        pattern="^([1-9][0-9]{0,3}|10000)?$",
    ),
    Parameter(name="page", description="Counted from 1.", pattern="^([1-9][0-9]{0,8})?$"),
)


def check_own_password(
    call: Call, spec: EnterpriseAccountPasswordSpec | CurrentPasswordSpec
) -> str:
    """See whether who is asking, by an account, knows its password. Returns the hash of it.

    Raises:
        AccessDeniedError: the current one is wrong.
    """
    with call.reading() as work:
        account = administration.get_account(work, call.session.account_id)
    administration.check_password(account, spec.current_password or "")
    return account.password_hash


def document_of(document: Mapping[str, Any] | None) -> str | None:
    """What was or is, as the audit log's entries have it: JSON."""
    return None if document is None else json.dumps(document, ensure_ascii=False)
