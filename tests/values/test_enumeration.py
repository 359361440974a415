"""Does each sentence of the product stay short, however many things it is about?"""

import ast
from collections.abc import Iterator

import pytest

from cloudgate.values.enumeration import few
from tests.support.project.source import modules

JOINTS = {", ", "; "}
NOT_MANY = {
    "api/contract_document.py _calls": "verbs of a path",
    "api/handlers/cloud/certificates.py certificate_entity": "the names themselves are asked for",
    "api/handlers/infrastructure/managed_servers.py server_entity": "as many as a report may have",
    "api/http/router.py choose": "actions of a path",
    "api/openapi/page.py _structure": "members of a type of the schema",
    "api/rest_api.py _matched": "verbs of a path",
    "cli/output.py on_one_line": "the value itself is asked for",
    "cli/resources/cloud/quotas.py in_short": "the quotas themselves are asked for",
    "cli/resources/status.py summary": "kinds of things",
    "cli/service/backups.py _contents_text": "kinds of things",
    "cli/service/backups.py restore": "each has to be made anew, and nothing else names them",
    "cli/service/settings_file.py _value": "names of settings",
    "diagnosis/findings.py of_lines": "the kernel's ways to control congestion",
    "diagnosis/machine.py _database": "three lines are asked for",
    "diagnosis/machine.py _keys": "the manager's keys",
    "host/manager_link/reporter.py _report": "members of the report",
    "host/state/files.py damaged_files": "kinds of files",
    "manager/backups/archive.py _examine": "kinds of files",
    "manager/backups/archive.py see_that_it_is_whole": "kinds of files",
    "manager/backups/restore.py _see_that_there_is_none": "kinds of files",
    "manager/backups/revocations.py _taken": "fields of one thing",
    "manager/backups/secrets.py export_secrets": "the manager's keys",
    "manager/backups/secrets.py import_secrets": "the manager's keys",
    "manager/notifications/conditions.py _of_gateways": "what of a machine can be used up",
    "manager/queries/fields.py __init__": "fields of a type",
    "manager/queries/fields.py _enumerated": "values of a field",
    "manager/servers/backup_servers.py delete_backup_server": "kinds of things",
    "manager/storage/sqlite_files.py quick_check": "three lines are asked for",
    "manager/storage/sqlite_files.py take_marks_from": "marks of a statement",
    "monitoring/systemd.py _show": "cut to what systemd takes",
    "wire/description.py __repr__": "members of a type of the schema",
    "wire/json.py _fill": "members of a type of the schema",
}
"""Which functions name all of something, and why that is never much."""


def whole_lists() -> Iterator[str]:
    """Functions that put all of something into one text; what a constant holds is known."""
    for name, module in modules().items():
        for function in ast.walk(module):
            match function:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    if any(map(_names_all, ast.walk(function))):
                        yield f"{name} {function.name}"


def _names_all(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=joint), attr="join"), args=[of]):
            names = {each.id for each in ast.walk(of) if isinstance(each, ast.Name)}
            return joint in JOINTS and not any(each.isupper() for each in names)
    return False


def test_a_sentence_names_few_of_what_there_may_be_many() -> None:
    assert set(whole_lists()) == NOT_MANY.keys(), "few() names some, and counts the others"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, ""), (1, "1"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 more")],
)
def test_five_things_are_named_and_the_rest_is_counted(count: int, said: str) -> None:
    assert few(range(1, count + 1)) == said


def test_what_was_not_read_is_counted_too() -> None:
    assert few(["a", "b"], "; ", total=999) == "a; b and 997 more"
