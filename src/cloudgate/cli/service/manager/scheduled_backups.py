"""Scheduled backups: what do the options of when, where and how sealed come to?"""

from datetime import timedelta
from pathlib import Path

from cloudgate.cli.service.manager.options import Options
from cloudgate.errors import CloudgateError
from cloudgate.manager.jobs.backup_schedule import Schedule
from cloudgate.manager.security.sealed_files import sealing_secret
from cloudgate.values import durations

_SHORTEST_SECONDS = 60
_LONGEST_SECONDS = 10_000 * 86_400


def scheduled_backups_of(options: Options) -> tuple[Path, Schedule] | None:
    """When the manager is backed up by itself.

    Raises:
        CloudgateError: backups are wanted that cannot be sealed, or not as often.
    """
    said = options.backups
    files = (said.backup_passphrase_file, said.backup_key_file)
    if said.backup_folder is not None and options.database is not None:
        raise CloudgateError(
            "--backup-folder is for a database in the data folder. Back PostgreSQL up with its own"
            " tools, and the keys with cloudgate manager export-secrets."
        )
    if said.backup_folder is None:
        if any(files):
            raise CloudgateError("Name the folder that backups go into, with --backup-folder.")
        return None
    if not any(files):
        raise CloudgateError(
            "Say what backups are sealed with, by --backup-passphrase-file or --backup-key-file:"
            " they hold the keys of this installation."
        )
    schedule = Schedule(
        said.backup_folder,
        _pause(said.backup_every),
        said.backup_keep,
        sealing_secret(*files, options="--backup-"),
    )
    return options.data, schedule


def _pause(text: str) -> timedelta:
    try:
        seconds = durations.seconds_of(text)
    except ValueError:
        seconds = 0
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        raise CloudgateError(
            f"--backup-every {text!r} is no time between backups. Give it as 30m, 24h or 7d."
        )
    return timedelta(seconds=seconds)
