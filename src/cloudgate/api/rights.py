"""Rights: what would somebody be told of a call? By the rules that it goes by when it is made."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from cloudgate.api import access
from cloudgate.api.http.router import choose
from cloudgate.api.table import router
from cloudgate.errors import AccessDeniedError
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.storage.tables import LogonSession

DENIED = "Access denied"
_QUERIES = "/query"


def refusals_of(who: LogonSession | Visitor) -> Callable[[str, str], str]:
    """What somebody would be told of calls, each by its verb and its path below the root.

    It is empty where the call may be made. The path may have variables in braces and a query.
    """
    roles = access.roles_of_who(who)

    def refusal(verb: str, path: str) -> str:
        path, _, query = path.partition("?")
        asked = {name.lower(): value for name, value in parse_qsl(query)}
        found = router().match(path)
        if found is None or verb not in found.routes:
            return ""
        route = choose(found.routes[verb], asked.get("action"))
        if not route.needs_session:
            return ""
        try:
            access.check(route, who, by_token=False)
        except AccessDeniedError as problem:
            return str(problem)
        is_query = path.lower() == _QUERIES and "type" in asked
        return DENIED if is_query and not access.may_ask_for(asked["type"], roles) else ""

    return refusal
