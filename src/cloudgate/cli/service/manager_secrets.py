"""Manager commands: how do its keys come to another manager, and its administrator in again?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.service.backups import (
    KeyFile,
    PassphraseFile,
    asked_secret,
)
from cloudgate.cli.service.manager.options import Data, DatabaseUrl
from cloudgate.cli.settings import present_data_folder

app = groups.group(name="manager", help="An installation: its keys, and its administrator.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The file with the keys, sealed.")]


@app.command("export-secrets")
def export_secrets(
    file: File,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    data: Data = None,
) -> None:
    """Write the manager's keys into a new file; the manager may run meanwhile."""
    with loading():
        from cloudgate.manager.backups import secrets  # noqa: PLC0415

    with failing_in_words():
        secret = asked_secret(passphrase_file, key_file, is_new=True)
        folder = data or present_data_folder()
        known = secrets.export_secrets(folder, file, secret, datetime.now(UTC))
        print(f"{file}: the keys of the certificate authority with SHA-256 {known}.")


@app.command("import-secrets")
def import_secrets(
    file: File,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    data: Data = None,
) -> None:
    """Bring these keys into a data folder that has none."""
    with loading():
        from cloudgate.manager.backups import secrets  # noqa: PLC0415

    with failing_in_words():
        folder = data or present_data_folder()
        known = secrets.import_secrets(file, folder, asked_secret(passphrase_file, key_file))
        print(f"{folder} has the keys of the certificate authority with SHA-256 {known}.")


@app.command("reset-admin")
def reset_admin(database: DatabaseUrl = None, data: Data = None) -> None:
    """Have admin come in by a new password alone, which is printed; no manager may run meanwhile.

    The account has its role again, and no second factor, session or API token.
    """
    with loading():
        from cloudgate.manager.core.unit_of_work import Manager  # noqa: PLC0415
        from cloudgate.manager.security import installation  # noqa: PLC0415
        from cloudgate.manager.security.authority import open_authority  # noqa: PLC0415
        from cloudgate.manager.security.database_keys import check_keys  # noqa: PLC0415
        from cloudgate.manager.security.generated_passwords import (  # noqa: PLC0415
            generate_password,
        )
        from cloudgate.manager.security.sealing import open_sealing  # noqa: PLC0415
        from cloudgate.manager.sessions.recovery import let_administrator_in  # noqa: PLC0415
        from cloudgate.manager.storage.database import Database  # noqa: PLC0415
        from cloudgate.manager.storage.sqlite import sqlite_url  # noqa: PLC0415

    folder = data or present_data_folder()
    file = folder / installation.DATABASE
    with failing_in_words():
        if database is None:
            installation.see_that_it_is_there(file)
        with installation.locked(folder):
            opened = Database(database or sqlite_url(file))
            password = generate_password()
            try:
                installation.begin_keys(folder, is_new=False)
                authority, sealing = open_authority(folder / "tls"), open_sealing(folder)
                check_keys(opened, authority, sealing)
                let_administrator_in(Manager(opened, authority, sealing), password)
            finally:
                opened.close()
        print(f"admin signs in by this password, and nothing else: {password}")
        print("Where --admin-password-file is set, what is in that holds from the next start on.")
