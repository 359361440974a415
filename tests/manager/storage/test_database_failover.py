"""The primary dies, its standby takes its place: does the manager go on with all it accepted?"""

import threading
from pathlib import Path

from cloudgate.manager.lease import Lease
from tests.support.programs.postgres import needs_postgresql, new_server
from tests.support.running.manager import running_manager
from tests.support.waiting import until

pytestmark = needs_postgresql


def test_after_a_promotion_changes_go_on_without_a_restart_and_nothing_accepted_is_lost(
    tmp_path: Path,
) -> None:
    primary = new_server()
    primary.run("CREATE DATABASE mine TEMPLATE template0")
    standby = primary.new_standby()
    hosts = f"host={primary.folder}&host={standby.folder}&target_session_attrs=read-write"
    url = f"postgresql://postgres@/mine?{hosts}"
    accepted: list[str] = []
    refused: list[tuple[int, str | None]] = []
    stop = threading.Event()
    with running_manager(tmp_path, database_url=url) as running:
        lease = Lease(running.manager.database, "a manager")
        lease.take()
        lease.keep(stop.set)
        client = running.logged_on()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                name = f"vault{number}.example"
                spec = {"Name": name, "Endpoint": f"{name}:8443"}
                answer = client.post("/repositories", json=spec)
                if answer.status_code == 201:
                    accepted.append(name)
                else:
                    refused.append((answer.status_code, answer.headers.get("Retry-After")))

        writing = threading.Thread(target=write)
        writing.start()
        try:
            until(lambda: len(accepted) >= 10)
            term = lease.term
            primary.stop("immediate")
            until(lambda: refused)
            standby.promote()
            before = len(accepted)
            until(lambda: len(accepted) >= before + 10)
            assert lease.term == term
            until(lease.is_sure)
        finally:
            stop.set()
            writing.join()
        listed = client.get("/repositories").json()["Refs"]
        lease.give_back()
    assert set(refused) == {(503, "2")}
    assert set(accepted) <= {each["Name"] for each in listed}
    standby.stop()
