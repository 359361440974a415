"""Common words of routes: what do calls of several modules share?"""

import json
from collections.abc import Mapping
from typing import Any

from cloudgate.api.http.router import Parameter, starts
from cloudgate.wire.resources.sessions import Task

TASK = starts(Task)
PAGED = (
    Parameter(name="filter", description="As the query service's."),
    Parameter(name="sortAsc", description="A parameter to sort by."),
    Parameter(name="sortDesc", description="A parameter to sort by, the largest first."),
    Parameter(name="pageSize", description="How many on a page.", pattern="^([1-9][0-9]{0,3})?$"),
    Parameter(name="page", description="Counted from 1.", pattern="^([1-9][0-9]{0,8})?$"),
)


def document_of(document: Mapping[str, Any] | None) -> str | None:
    """What was or is, as the audit log's entries have it: JSON."""
    return None if document is None else json.dumps(document, ensure_ascii=False)
