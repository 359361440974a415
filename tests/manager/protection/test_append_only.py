"""What a server has to answer before it is believed to delete nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from cloudgate.manager.protection.append_only import CONTENT, check_append_only
from cloudgate.manager.protection.rules import Protection, ProtectionFinding, ProtectionMethod
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.storage_services.answers import UnansweredError
from tests.support.programs.storage import serving

Answering = Callable[[Any, Any], list[bytes]]
PAGE = b"<html>Welcome</html>"


def showing(page: bytes) -> Answering:
    """A web server that shows that at every path, and changes nothing."""

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        is_asked = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        status = "200 OK" if is_asked else "405 Method Not Allowed"
        start_response(status, [("Content-Length", str(len(page)))])
        return [page]

    return answer


def look(url: str) -> ProtectionFinding:
    asked = Protection(method=ProtectionMethod.REST_SERVER, url=f"{url}/cloudgate/")
    return check_append_only(asked, "", ReachableTargets())


@pytest.mark.parametrize(
    "page",
    [PAGE, b"", CONTENT + PAGE, CONTENT[:-1], PAGE * 100_000],
    ids=["page", "nothing", "more", "less", "much"],
)
def test_who_shows_something_else_than_was_stored_is_not_believed_to_keep_anything(
    page: bytes,
) -> None:
    with serving(showing(page)) as url, pytest.raises(UnansweredError) as caught:
        look(url)
    assert f"{url}/cloudgate/ answers with something else" in caught.value.message


def test_who_shows_what_was_stored_and_changes_nothing_keeps_it() -> None:
    with serving(showing(CONTENT)) as url:
        assert look(url) == ProtectionFinding(holds=True)


def test_who_lets_it_be_deleted_and_then_shows_nothing_keeps_nothing() -> None:
    stored = {"/cloudgate/": b""}

    def forgetful(environ: Any, start_response: Any) -> list[bytes]:
        path, verb = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        status = "200 OK"
        if verb == "POST":
            stored[path] = environ["wsgi.input"].read()
        elif verb == "DELETE":
            del stored[path]
        elif path not in stored:
            status = "404 Not Found"
        found = stored.get(path, b"") if verb == "GET" else b""
        start_response(status, [("Content-Length", str(len(found)))])
        return [found]

    with serving(forgetful) as url:
        found = look(url)
    assert (found.holds, "--append-only" in found.problem) == (False, True)
