"""Has each pure module a test of its name, and are tests nobody's helpers?

In the folder of its room, where one looks for it; what helps in several rooms is in
``tests/support``.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.project.source import SOURCE, TESTS, modules

WITHOUT: dict[str, str] = {}
"""Pure modules that need no test of their name, with why."""

NAMES_TESTS = "documents/test_promises.py"
"""It imports tests of many rooms, as each promise names those by which it is kept."""


def pure_modules() -> Iterator[tuple[Path, str]]:
    """By path, with what it calls its thing; a room's tests are those of its modules."""
    for name, module in modules(SOURCE).items():
        said = ast.get_docstring(module) or ""
        if "Pure." in said and Path(name).name != "__init__.py":
            yield Path(name), said.partition(":")[0]


def folders_of(module: Path) -> list[str]:
    """Where its test may be: in the folder of its room, or of one that this room is in."""
    folders = [f"{room}/" for room in map(str, module.parents) if room != "."]
    return folders or [""]


def imported(test: ast.Module) -> set[str]:
    """What a test has from elsewhere, whole modules and what is in them."""
    found = set()
    for node in ast.walk(test):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}", *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def is_tried(module: Path, thing: str) -> bool:
    """Whether a test is called as the module or as its thing, and imports it."""
    dotted = ".".join(("cloudgate", *module.with_suffix("").parts))
    called = {module.stem, "_".join(thing.lower().replace("-", " ").split())}
    tests = modules(TESTS)
    names = (f"{folder}test_{each}.py" for folder in folders_of(module) for each in called)
    return any(name in tests and dotted in imported(tests[name]) for name in names)


def test_each_pure_module_has_a_test_of_its_name() -> None:
    missing = {str(module) for module, thing in pure_modules() if not is_tried(module, thing)}
    assert missing == set(WITHOUT), (
        "A module that says that it is pure is tried by tests/ROOM/test_MODULE.py, or by"
        " test_THING.py, as its first line calls it, where several modules have its name."
    )


def test_there_are_many_and_a_test_of_another_module_is_none() -> None:
    assert sum(1 for _ in pure_modules()) > 60
    assert is_tried(Path("max_min.py"), "Max-min fairness")
    assert not is_tried(Path("max_max.py"), "Max-min")
    assert not is_tried(Path("values/max_min.py"), "Max-min fairness")


def test_what_several_tests_need_is_in_a_module_that_is_no_test() -> None:
    """For whoever looks for it, and so that no test of another module comes along with it."""
    found = [
        f"{name}: {each}"
        for name, module in modules(TESTS).items()
        for each in imported(module)
        if each.startswith("tests.") and ".test_" in each
        if name != NAMES_TESTS
    ]
    assert found == []


def of_other_rooms(name: str, imports: set[str]) -> set[str]:
    """What a module of tests has from rooms but its own, and that of what all share."""
    rooms = {Path(name).parts[0], "support"}
    of_tests = {each for each in imports if each.startswith("tests.")}
    return {each for each in of_tests if each.split(".")[1] not in rooms}


def test_what_several_rooms_need_is_in_support() -> None:
    """So that a room can be rebuilt with a look at its own tests alone."""
    found = {
        name: others
        for name, module in modules(TESTS).items()
        if (others := of_other_rooms(name, imported(module))) and name != NAMES_TESTS
    }
    assert found == {}, "move what it imports to a module of tests/support"


def test_a_room_has_nothing_from_another_and_support_has_nothing_from_any() -> None:
    theirs = {"tests.host.manager", "tests.support.waiting", "cloudgate.host"}
    assert of_other_rooms("host/envoy/test_a.py", theirs) == set()
    for name in ("connector/support.py", "support/running/a.py", "conftest.py"):
        assert of_other_rooms(name, theirs) == {"tests.host.manager"}
    assert of_other_rooms(NAMES_TESTS, imported(modules(TESTS)[NAMES_TESTS]))
