"""Common words of routes: what do calls of several modules share?"""

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
