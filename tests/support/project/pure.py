"""Pure tests: which start nothing, or are over at once, and belong to ``make check``?

``.venv/bin/python -m tests.support.project.pure`` says them, for the Makefile.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

from tests.support.project.source import TESTS, modules, nodes

START_NOTHING = {"tests.support.project.source", "tests.support.waiting"}
START_SOMETHING = {"socket", "subprocess"}
TAKE_LONGER = {
    "data_path/test_fuzz.py": "a compiler, and what it made",
    "data_path/test_request.py": "a compiler",
    "host/envoy/test_xds_resources.py": "Envoy",
    "manager/security/test_sealed_files.py": "what hashes a passphrase",
    "manager/storage/test_storage.py": "databases",
    "manager/test_later_releases.py": "databases",
}
"""Modules by whose imports one does not see it, with what they run."""
OVER_AT_ONCE = frozenset(
    [
        "api/connections/test_acceptor.py",
        "api/connections/test_handshakes.py",
        "api/http/test_cross_site.py",
        "api/http/test_proxies.py",
        "client/test_kinds.py",
        "console/test_browser.py",
        "console/test_languages.py",
        "diagnosis/test_bundle.py",
        "documents/test_promises.py",
        "documents/test_recipes.py",
        "host/authorization/test_grpc_server.py",
        "host/authorization/test_module_connection.py",
        "host/authorization/test_policy.py",
        "host/state/test_principal.py",
        "host/test_parts.py",
        "manager/audit/test_audit.py",
        "manager/registries/hosts/test_fact_changes.py",
        "manager/test_rules.py",
        "monitoring/test_exposition.py",
        "monitoring/test_systemd.py",
        "network/test_happy_eyeballs.py",
        "network/test_hostport.py",
        "network/test_http_transport.py",
        "harness/test_scratch.py",
        "processes/test_freed_memory.py",
        "source/test_architecture.py",
        "source/test_own_tests.py",
        "source/test_unread.py",
        "trust/test_password_hashes.py",
        "trust/test_tenant_certificates.py",
        "trust/test_unreadable.py",
        "values/test_endpoints.py",
    ]
)
"""Modules that start something, or take what is shared, and are over in a second or two."""


def pure_tests() -> frozenset[str]:
    """By path from ``tests``."""
    known, fixtures = nodes(TESTS), shared_fixtures()
    start_nothing = {
        name
        for name, inside in known.items()
        if Path(name).name.startswith("test_") and is_pure(inside, fixtures)
    }
    return frozenset(start_nothing - set(TAKE_LONGER)) | OVER_AT_ONCE


def shared_fixtures() -> frozenset[str]:
    """Those that several modules have of a ``conftest.py``: each has something run."""
    return frozenset(
        node.name
        for name in modules(TESTS)
        if Path(name).name == "conftest.py"
        for node in nodes(TESTS)[name]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("fixture" in ast.unparse(each) for each in node.decorator_list)
    )


def is_pure(inside: Iterable[ast.AST], fixtures: frozenset[str]) -> bool:
    """Whether a module takes from nobody what has something run."""
    for node in inside:
        match node:
            case ast.ImportFrom(module=str(name)):
                if name.startswith("tests.") and not _starts_nothing(name, fixtures):
                    return False
                if name in START_SOMETHING:
                    return False
            case ast.Import(names=names):
                if any(each.name in START_SOMETHING for each in names):
                    return False
            case ast.arg(arg=name) if name in fixtures:
                return False
    return True


def _starts_nothing(name: str, fixtures: frozenset[str]) -> bool:
    """Whether a module of what tests share only has values, and functions of such."""
    inside = nodes(TESTS).get(f"{name.removeprefix('tests.').replace('.', '/')}.py")
    return name in START_NOTHING or (inside is not None and is_pure(inside, fixtures))


if __name__ == "__main__":
    print(*(f"tests/{name}" for name in sorted(pure_tests())))  # noqa: T201
