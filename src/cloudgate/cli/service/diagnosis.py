"""Diagnosis commands: how does an operator have a machine checked, and help found?"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.output import Screen, at
from cloudgate.cli.service.manager.options import Data, DatabaseUrl
from cloudgate.cli.settings import Output, present_data_folder

if TYPE_CHECKING:
    from cloudgate.diagnosis.findings import Finding

AsJson = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="json for programs.", show_default=False),
]
COLUMNS = {
    "Check": at("Check"),
    "Verdict": at("Verdict"),
    "What was found": at("Text"),
    "What to do": at("Advice"),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("doctor")(doctor)
    app.command("support-bundle")(support_bundle)


def doctor(data: Data = None, database: DatabaseUrl = None, output: AsJson = None) -> None:
    """Check this machine: clock, names, ports, disk, certificates; ends with 1 for a problem."""
    import asyncio  # noqa: PLC0415  keeps --help fast

    from cloudgate.diagnosis.findings import Verdict, worst  # noqa: PLC0415

    with _told_what_cannot_be_read(), failing_in_words():
        found = asyncio.run(_checked(data or present_data_folder(), database))
    documents = [each.document() for each in found]
    if output is Output.JSON:
        print(json.dumps(documents))
    else:
        Screen().sections({"checks": (documents, COLUMNS)})
    if worst(found) is Verdict.PROBLEM:
        raise typer.Exit(1)


def support_bundle(
    file: Annotated[
        Path | None,
        typer.Argument(help="The new file; the time names it if left out.", show_default=False),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A log of the manager or the host service that is elsewhere; may be repeated.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where this machine has its metrics.", show_default=False),
    ] = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Put what whoever helps needs to see into one file, without secrets and customers' names."""
    import asyncio  # noqa: PLC0415

    from cloudgate.diagnosis.bundle import METRICS, MISSING, write  # noqa: PLC0415

    folder = data or present_data_folder()
    named = file or Path(f"cloudgate-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    with _told_what_cannot_be_read(), failing_in_words():
        found = asyncio.run(_checked_as_far_as_it_goes(folder, database))
        names = write(named, folder, found, log or (), metrics or METRICS, database=database)
    print(
        f"{named}: {len(names)} files. Secrets are taken out, and customers have other names in it."
    )
    if MISSING in names:
        print(f"Not all could be had: {MISSING} in it says what is left out, and why.")


@contextmanager
def _told_what_cannot_be_read() -> Iterator[None]:
    """The data folder is its user's only: whoever is another one is told so."""
    try:
        yield
    except PermissionError as problem:
        print(
            f"Error: {problem.filename} cannot be read by this user. Run this as the user who runs"
            " the service, or as root.",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None


async def _checked_as_far_as_it_goes(folder: Path, database: str | None) -> "list[Finding]":
    """The checks; one that fails by a fault of ours is a finding, too, and keeps nothing back."""
    from cloudgate.diagnosis.findings import Finding, Verdict  # noqa: PLC0415
    from cloudgate.diagnosis.machine import check  # noqa: PLC0415

    found: list[Finding] = []
    try:
        async for each in check(folder, database=database):
            found.append(each)  # noqa: PERF401  those before the fault are kept
    except PermissionError:
        raise
    except Exception as problem:  # noqa: BLE001  on a broken machine anything may be broken
        text = f"They ended early: {type(problem).__name__}."
        found.append(Finding("checks", Verdict.UNKNOWN, text))
    return found


async def _checked(folder: Path, database: str | None) -> "list[Finding]":
    from cloudgate.diagnosis.machine import check  # noqa: PLC0415

    return [each async for each in check(folder, database=database)]
