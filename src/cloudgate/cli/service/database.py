"""Database commands: how does an operator upgrade a database by hand, or have another one?"""

from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.service.manager.options import Data, DatabaseUrl
from cloudgate.cli.settings import present_data_folder

app = groups.group(name="database", help="The manager's database, by hand.")


@app.command("upgrade")
def upgrade(
    database: DatabaseUrl = None,
    data: Data = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether there is something to do.")
    ] = False,
) -> None:
    """Bring the database to this release; a manager does it by itself when it starts."""
    with loading():
        from cloudgate.manager.security import installation  # noqa: PLC0415
        from cloudgate.manager.storage import database as databases  # noqa: PLC0415
        from cloudgate.manager.storage import migrations  # noqa: PLC0415
        from cloudgate.manager.storage.sqlite import sqlite_url  # noqa: PLC0415

    with failing_in_words():
        file = (data or present_data_folder()) / installation.DATABASE
        url = database or sqlite_url(file)
        if database is None:
            installation.see_that_it_is_there(file)
        before = databases.revision_at(url)
        newest = migrations.newest_revision()
        if check:
            print(f"It is at revision {before or 'none'}; this release works with {newest}.")
            raise typer.Exit(0 if before == newest else 1)
        databases.Database(url).close()
        more = " already" if before == newest else f", and was at {before or 'none'}"
        print(f"It is at revision {newest}{more}.")


@app.command("copy")
def copy(
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="An empty one: postgresql://USER@HOST/NAME.")
    ],
    data: Data = None,
) -> None:
    """Copy the database in the data folder of a manager that does not run into PostgreSQL."""
    with loading():
        from sqlalchemy.exc import DatabaseError  # noqa: PLC0415

        from cloudgate.errors import UnavailableError  # noqa: PLC0415
        from cloudgate.manager.security import installation  # noqa: PLC0415
        from cloudgate.manager.storage import database as databases  # noqa: PLC0415
        from cloudgate.manager.storage.copying import copy_all  # noqa: PLC0415
        from cloudgate.manager.storage.failures import reason  # noqa: PLC0415
        from cloudgate.manager.storage.postgresql import postgresql_url  # noqa: PLC0415
        from cloudgate.manager.storage.sqlite import sqlite_url  # noqa: PLC0415

    folder = data or present_data_folder()
    with failing_in_words():
        postgresql_url(to)
        installation.see_that_it_is_there(folder / installation.DATABASE)
        with installation.locked(folder):
            source = databases.Database(sqlite_url(folder / installation.DATABASE))
            try:
                target = databases.Database(to)
                try:
                    copied = copy_all(source, target)
                finally:
                    target.close()
            except DatabaseError as problem:
                raise UnavailableError(reason(problem) or f"It failed: {problem.orig}.") from None
            finally:
                source.close()
        for name, count in sorted(copied.items()):
            if count:
                print(f"{count:10} {name}")
        print(f"{sum(copied.values())} rows are there as they are here, by count and SHA-256.")
        print(f"Start the manager with --data {folder} --database, and never without it again.")
