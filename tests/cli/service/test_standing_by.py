"""A manager stands by: is it seen when nobody is handed on by it any more?"""

import asyncio
import shutil
from pathlib import Path

import pytest

from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.serving import started
from cloudgate.manager.lease import Lease
from cloudgate.manager.storage.database import Database
from tests.support.ports import free_port
from tests.support.programs.postgres import needs_postgresql, shared_server

pytestmark = needs_postgresql


def test_a_manager_whose_server_fails_while_it_stands_by_does_not_go_on_without(
    tmp_path: Path,
) -> None:
    url = shared_server().new_database()
    database = Database(url)
    Lease(database, "another one", "https://another.example:9398").take()
    options = Options(
        data=tmp_path / "manager",
        host="127.0.0.1",
        port=free_port(),
        database=url,
        metrics_listen="off",
    )

    async def stand_by() -> None:
        with started(options) as service:
            assert service.lease is not None
            assert not service.lease.try_to_take()
            shutil.rmtree(options.data / "tls")
            async with service.standing_by():
                await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as told:
        asyncio.run(asyncio.wait_for(stand_by(), 30))
    assert told.group_contains(FileNotFoundError)
    database.close()
