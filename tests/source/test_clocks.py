"""Is there one clock by which the manager dates things? A test, and whoever looks back, sets it."""

import ast

from tests.support.project.source import nodes

ROOMS = ("manager/", "api/", "console/")
OF_THE_MACHINE = {
    "manager/certificates/acme_server.py": "the library for ACME compares with the machine's",
    "manager/core/unit_of_work.py": "it is the manager's, where nobody gives it another one",
    "manager/registries/hosts/listening_time.py": "it sees that the machine's was set forward",
    "manager/security/authority.py": "a root is made before there is a manager",
    "manager/storage_services/s3.py": "a signature is good for minutes, by the asked one's clock",
}
"""Who may ask the machine which time it is, and why."""
ASKED = {"datetime": {"now", "utcnow", "today"}, "date": {"today"}, "time": {"time", "time_ns"}}


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=of), attr=name):
            return name in ASKED.get(of, ())
        case ast.ImportFrom(module="time", names=names):
            return any(each.name in ASKED["time"] for each in names)
    return False


def test_the_manager_its_api_and_its_pages_ask_the_managers_clock() -> None:
    asking = {
        name
        for name, found in nodes().items()
        if name.startswith(ROOMS) and "/versions/" not in name and any(map(_asks, found))
    }
    assert asking == OF_THE_MACHINE.keys(), "work.now, manager.clock() and visit.now have the time"
