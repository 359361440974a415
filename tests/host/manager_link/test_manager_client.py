"""Does a call to the manager arrive though the host's credential is replaced meanwhile?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.host.manager_link.client import ManagerClient, UnknownCallError
from cloudgate.protocol import GatewayState, Report
from tests.host.manager import CREDENTIAL, TinyManager, tiny_manager
from tests.support.certificates.authority import Authority

pytestmark = pytest.mark.anyio
OF_BEFORE = "the-credential-of-before"
REPORT = Report(assignment_revision=1, directory_revision=1, state=GatewayState.LISTENING)


@pytest.fixture
async def manager(authority: Authority, tmp_path: Path) -> AsyncIterator[TinyManager]:
    async with tiny_manager(authority, tmp_path) as running:
        yield running


async def test_what_was_said_with_the_credential_of_before_is_said_again_with_the_new_one(
    manager: TinyManager, authority: Authority
) -> None:
    known = [OF_BEFORE, CREDENTIAL]
    async with ManagerClient(manager.url, authority.pem, lambda: known.pop(0)) as client:
        await client.report(REPORT)
    assert manager.refusals == 1
    assert manager.reports.get_nowait() == REPORT


async def test_what_was_said_with_a_credential_that_stays_is_said_once(
    manager: TinyManager, authority: Authority
) -> None:
    async with ManagerClient(manager.url, authority.pem, lambda: OF_BEFORE) as client:
        with pytest.raises(NotAuthenticatedError):
            await client.report(REPORT)
    assert manager.refusals == 1


@pytest.mark.parametrize(
    ("status", "body", "is_unknown"),
    [
        (404, '{"message": "The host protocol has no call."}', True),
        (404, "<html>Nothing here</html>", False),
        (400, '{"message": "A second machine speaks as gw1."}', False),
        (403, "<html>Forbidden</html>", False),
    ],
)
async def test_only_a_manager_that_says_so_is_taken_for_one_of_a_release_before(
    manager: TinyManager, authority: Authority, status: int, body: str, *, is_unknown: bool
) -> None:
    manager.said["/host/v1/here"] = status, body
    async with ManagerClient(manager.url, authority.pem, lambda: CREDENTIAL) as client:
        if is_unknown:
            await client.see()
            return
        with pytest.raises(InvalidRequestError) as refused:
            await client.see()
    assert not isinstance(refused.value, UnknownCallError)
