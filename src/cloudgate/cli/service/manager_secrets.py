"""Manager commands: how do its keys come to another manager on the same database?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.loading import loading
from cloudgate.cli.service.backups import (
    KeyFile,
    PassphraseFile,
    asked_secret,
)
from cloudgate.cli.service.failures import failing_in_words
from cloudgate.cli.service.manager.options import Data
from cloudgate.cli.settings import default_data_folder

app = groups.group(name="manager", help="The keys of an installation, for another manager.")
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
        folder = data or default_data_folder()
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
        folder = data or default_data_folder()
        known = secrets.import_secrets(file, folder, asked_secret(passphrase_file, key_file))
        print(f"{folder} has the keys of the certificate authority with SHA-256 {known}.")
