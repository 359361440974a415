"""Does a call to the manager arrive though the host's credential is replaced meanwhile?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudgate.errors import NotAuthenticatedError
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.protocol import GatewayState, Report
from tests.host.manager import CREDENTIAL, TinyManager, tiny_manager
from tests.host.support import Authority

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
