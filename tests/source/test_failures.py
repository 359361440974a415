"""How failures are caught, by the source: what a handler cannot hear, and who runs programs."""

import ast
import builtins

from tests.support.project.source import nodes

STARTS_PROGRAMS = {
    "processes/programs.py": "asks programs, with a time limit",
    "host/platform/linux.py": "starts Envoy, which is to outlive it",
    "host/platform/linux_sockets.py": "reaches into one that waits, which ends with that",
    "host/platform/windows.py": "starts Envoy, which is to outlive it",
    "host/platform/windows_service.py": "runs the host service",
    "host/manager_link/disk_usage.py": "has a time limit of its own, and ends with its parent",
    "cli/service/launcher.py": "runs the host service of `up`, which ends with it",
}
_STARTING = {"Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec"}


def caught(handler: ast.ExceptHandler) -> list[type[BaseException]]:
    """The built-in exceptions that a handler is for."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [each.id for each in kinds if isinstance(each, ast.Name)]
    found = [getattr(builtins, name, None) for name in names]
    return [each for each in found if isinstance(each, type) and issubclass(each, BaseException)]


def test_no_handler_stands_behind_one_that_hears_its_exceptions_first() -> None:
    deaf = []
    for name, inside in nodes().items():
        for tried in (node for node in inside if isinstance(node, ast.Try)):
            before: list[type[BaseException]] = []
            for handler in tried.handlers:
                deaf += [
                    f"{name}:{handler.lineno}: {kind.__name__}"
                    for kind in caught(handler)
                    if any(issubclass(kind, each) and kind is not each for each in before)
                ]
                before += caught(handler)
    assert deaf == []  # TimeoutError is an OSError


def test_programs_are_started_in_few_places_each_of_which_ends_them() -> None:
    found = set()
    for name, inside in nodes().items():
        for node in inside:
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            whose = node.func.value
            if isinstance(whose, ast.Name) and whose.id in ("subprocess", "asyncio", "os"):
                starts = node.func.attr in _STARTING if whose.id != "os" else False
                if starts and not (whose.id == "asyncio" and node.func.attr == "run"):
                    found.add(name)
    assert found <= STARTS_PROGRAMS.keys()


def test_nothing_is_swallowed_whole() -> None:
    """A handler for everything says why, and does something about it."""
    silent = []
    for name, inside in nodes().items():
        handlers = [node for node in inside if isinstance(node, ast.ExceptHandler)]
        silent += [
            f"{name}:{each.lineno}"
            for each in handlers
            if {Exception, BaseException} & {*caught(each)}
            and all(isinstance(step, ast.Pass | ast.Continue) for step in each.body)
        ]
    assert silent == []
