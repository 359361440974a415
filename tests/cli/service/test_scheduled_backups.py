"""When does a manager back itself up, by its options, and which of them make no sense together?"""

from datetime import timedelta
from pathlib import Path

import pytest

from cloudgate.cli.service.manager.options import BackupOptions, Options
from cloudgate.cli.service.manager.scheduled_backups import scheduled_backups_of
from cloudgate.errors import CloudgateError


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple")
    return file


def every(text: str, folder: Path, passphrase: Path) -> Options:
    backups = BackupOptions(
        backup_folder=folder, backup_every=text, backup_passphrase_file=passphrase
    )
    return Options(data=folder / "data", backups=backups)


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_backups_come_as_often_as_it_says(
    text: str, pause: timedelta, tmp_path: Path, passphrase: Path
) -> None:
    found = scheduled_backups_of(every(text, tmp_path, passphrase))
    assert found is not None
    folder, schedule = found
    assert (folder, schedule.every) == (tmp_path / "data", pause)


@pytest.mark.parametrize("text", ["", "0", "30s", "daily", "1.5h", "99999999d"])
def test_what_is_no_time_between_backups_is_refused(
    text: str, tmp_path: Path, passphrase: Path
) -> None:
    with pytest.raises(CloudgateError, match="is no time between backups"):
        scheduled_backups_of(every(text, tmp_path, passphrase))


def test_backups_are_sealed_or_not_made_and_go_into_a_folder(
    tmp_path: Path, passphrase: Path
) -> None:
    assert scheduled_backups_of(Options(data=tmp_path)) is None
    for backups, words in (
        (BackupOptions(backup_folder=tmp_path), "what backups are sealed with"),
        (BackupOptions(backup_passphrase_file=passphrase), "Name the folder"),
    ):
        with pytest.raises(CloudgateError, match=words):
            scheduled_backups_of(Options(data=tmp_path, backups=backups))
