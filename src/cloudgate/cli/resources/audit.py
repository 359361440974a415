"""Audit commands: is each entry of the audit log there, and as it was?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, command
from cloudgate.cli.output import complain, note
from cloudgate.errors import InvalidRequestError
from cloudgate.named_files import opened
from cloudgate.trust.audit_chain import span, verify_lines
from cloudgate.values.numbers import whole

PATH = "/audit/verification"


app = groups.group(name="audit", help="The audit log.")


@app.callback()
def _group() -> None:
    """The audit log."""


@command(app, "verify")
def verify(
    call: Call,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:HASH",
            help="An entry that was noted elsewhere: it has to be in the log, as it was.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Verify this file of --audit-log as well, and that the log has what it ends with.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """See whether each entry is there and as it was; status 1 when not."""
    noted = _numbered(expect) if expect is not None else None
    answer = call.api.get(PATH)
    found = answer.body
    call.screen.details(answer)
    if not found.get("Intact"):
        complain(str(found.get("Message")))
        raise typer.Exit(1)
    if noted is not None:
        _expect(call, *noted)
    if file is not None:
        number, digest = _verified(file)
        _expect(call, number, digest)


def _expect(call: Call, number: int, digest: str) -> None:
    events = call.api.get(f"/audit?filter=Number=={number}").body["AuditEvents"]["AuditEvents"]
    if [each.get("Hash") for each in events] != [digest]:
        raise InvalidRequestError(
            f"Entry {number} is missing in the manager's audit log, or not the one that was noted."
        )


def _verified(file: Path) -> tuple[int, str]:
    """The last entry of a file whose lines follow each other."""
    found = verify_lines(_lines(file))
    for first, last in found.replaced:
        note(
            f"{file}: {span(first, last)} of a past that a restore has replaced: the manager's log"
            " does not have it, and nothing but this file vouches for it."
        )
    if found.message:
        raise InvalidRequestError(f"{file}: {found.message}")
    if found.last is None:
        raise InvalidRequestError(f"{file} has no entry with a hash.")
    return found.last, found.hash


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with opened(file) as lines:
        for number, line in enumerate(lines, 1):
            try:
                said = json.loads(line)
            except ValueError:  # also what is not UTF-8
                raise InvalidRequestError(f"{file}, line {number}, is not JSON.") from None
            # The release before wrote no hashes.
            if isinstance(said, dict) and "hash" in said:
                yield said


def _numbered(text: str) -> tuple[int, str]:
    said, _, digest = text.partition(":")
    number = whole(said, 0, 2**63 - 1)
    if number is None or not digest:
        raise typer.BadParameter(f"{text!r} is not NUMBER:HASH, such as 4711:5f2c….")
    return number, digest
