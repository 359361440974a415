"""PostgreSQL in bad surroundings: a pooler, a full disk, a wrong clock. Does it go on?"""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.manager.lease import Lease
from cloudgate.manager.storage import failures
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.tables import Counter
from cloudgate.network.api_headers import SESSION_ID
from tests.support.machine.disks import make_room, needs_mounts, small_disk, take_bytes
from tests.support.programs.pooler import needs_pooler, pooler
from tests.support.programs.postgres import needs_postgresql, new_folder, shared_server
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import running_manager
from tests.support.running.managers import spec

pytestmark = needs_postgresql


@pytest.fixture
def pooled() -> Iterator[str]:
    """An empty database's address behind a pooler in transaction mode."""
    with pooler(shared_server().empty_database()) as url:
        yield url


@needs_pooler
def test_behind_a_pooler_in_transaction_mode_one_leads_and_one_writes_at_a_time(
    pooled: str,
) -> None:
    databases = Database(pooled), Database(pooled, as_it_is=True)
    leases = [Lease(each, f"{place}") for place, each in enumerate(databases)]
    for leads, stands_by in ((0, 1), (1, 0), (0, 1)):
        leases[leads].take()
        leases[leads].keep(threading.Event().set)
        assert not leases[stands_by].try_to_take()
        count_with_many(databases[leads])
        with pytest.raises(UnavailableError, match="Another manager leads"):
            count_once(databases[stands_by])
        leases[leads].give_back()
    with databases[0].reading() as session:
        assert session.get_one(Counter, "n").value == 3 * WRITERS * WRITES
    for each in databases:
        each.close()


WRITERS, WRITES = 6, 10


def count_with_many(database: Database) -> None:
    """More at once than the pooler has connections."""

    def count() -> None:
        for _ in range(WRITES):
            count_once(database)

    writing = [threading.Thread(target=count) for _ in range(WRITERS)]
    for each in writing:
        each.start()
    for each in writing:
        each.join()


def count_once(database: Database) -> None:
    with database.writing() as session, session.begin():
        counter = session.get(Counter, "n")
        if counter is None:
            session.add(Counter(name="n", value=1))
        else:
            counter.value += 1


@needs_mounts
def test_while_the_disk_of_the_database_is_full_it_can_be_read_and_says_so(tmp_path: Path) -> None:
    server = shared_server()
    with small_disk(new_folder() / "disk", size="64m", inodes=5000) as disk:
        url = server.database_on(disk)
        with running_manager(tmp_path / "manager", database_url=url) as running:
            client = running.logged_on()
            made = client.post("/repositories", json=spec("before.example"))
            assert made.status_code == 201, made.text
            take_bytes(disk)
            large = {"Description": "x" * 2000}
            answers = (
                client.post("/repositories", json=spec(f"r{number}.example") | large)
                for number in range(1000)
            )
            refused = next(each for each in answers if each.status_code != 201)
            assert refused.status_code == 503
            assert refused.json()["Message"] == failures.SERVER_OUT_OF_ROOM
            listed = client.get("/repositories").json()["Refs"]
            assert "before.example" in [each["Name"] for each in listed]
            make_room(disk)
            after = client.post("/repositories", json=spec("after.example"))
            assert after.status_code == 201, after.text
        server.forget(url)


@pytest.mark.parametrize("wrong", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_a_manager_whose_clock_is_wrong_by_a_minute_goes_on_where_the_other_was(
    tmp_path: Path, wrong: timedelta
) -> None:
    url = shared_server().new_database()
    with running_manager(tmp_path / "right", database_url=url) as right:
        client = right.logged_on()
        token = client.cookies[SESSION_ID]
        host = ScriptedHost(right)
        client.post("/repositories", json=spec("before.example")).raise_for_status()
        lease = Lease(right.manager.database, "right")
        lease.take()
        lease.give_back()
    other = running_manager(tmp_path / "wrong", database_url=url, site=None, ahead=wrong)
    with other as running:
        lease = Lease(running.manager.database, "wrong")
        assert lease.try_to_take()
        known = running.client(Accept="application/json")
        known.headers[SESSION_ID] = token
        assert known.post("/repositories", json=spec("after.example")).status_code == 201
        assert [each["Name"] for each in known.get("/repositories").json()["Refs"]] == [
            "after.example",
            "before.example",
        ]
        (server,) = known.get("/managedServers?format=Entity").json()["ManagedServers"]
        assert server["Name"] == host.name
        assert server["State"] == "Online"
        lease.give_back()
    host.close()
