"""Backup commands: how does an operator back the manager up, and bring it back?"""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.passwords import somebody_types
from cloudgate.cli.service.manager.options import Data
from cloudgate.cli.settings import default_data_folder, present_data_folder
from cloudgate.errors import CloudgateError
from cloudgate.values import timestamps
from cloudgate.values.shown_texts import printable
from cloudgate.values.units import MB

if TYPE_CHECKING:
    from cloudgate.manager.backups.archive import Contents
    from cloudgate.manager.backups.revocations import ChangesSince
    from cloudgate.manager.security.sealed_files import SealingSecret

app = groups.group(name="backup", help="Back the manager up, and bring it back.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_PASSPHRASE_FILE",
        metavar="FILE",
        help="File with the passphrase that it is sealed with; asked for when left out.",
        show_default=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File of random bytes that it is sealed with instead.",
        show_default=False,
    ),
]
Journal = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What was changed since, as --audit-log writes it; the one beside the backup if left"
        " out.",
        show_default=False,
    ),
]


@app.command("create")
def create(
    file: File,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    data: Data = None,
) -> None:
    """Back the manager up into a new file; it may run meanwhile."""
    from cloudgate.manager.backups import archive  # noqa: PLC0415

    with failing_in_words():
        secret = asked_secret(passphrase_file, key_file, is_new=True)
        made = archive.create(data or present_data_folder(), file, secret, datetime.now(UTC))
        print(f"{file}: {_contents_text(made)}")
        for name in made.left_out:
            print(f"Not in it, as it is larger than a mebibyte: {name}")


@app.command("verify")
def verify(
    file: File,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    journal: Journal = None,
) -> None:
    """See that a backup can be restored, and what was taken away since it was made."""
    from cloudgate.manager.backups import archive, restore  # noqa: PLC0415

    with failing_in_words():
        secret = asked_secret(passphrase_file, key_file)
        with archive.unpacked(file, secret) as (found, database):
            print(f"{file} can be restored: {_contents_text(found)}")
            _say_what_was_taken(*restore.since_backup(file, found, database, journal), found)


@app.command("restore")
def restore(
    file: File,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    data: Data = None,
    journal: Journal = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a manager's state that is there aside.")
    ] = False,
) -> None:
    """Bring a backup back into a data folder that no manager uses."""
    with loading():
        from cloudgate.manager.backups import restore  # noqa: PLC0415

    folder = data or default_data_folder()
    with failing_in_words():
        secret = asked_secret(passphrase_file, key_file)
        done = restore.restore(
            file, folder, secret, datetime.now(UTC), journal=journal, replace=replace
        )
        print(f"Restored into {folder}: {_contents_text(done.contents)}")
        if done.finished is not None:
            print(
                f"A restore of the backup of {timestamps.readable(done.finished)}, which had been"
                " cut short, was finished first, and then replaced by this one."
            )
        if done.replaced is not None:
            print(f"What was there is in {done.replaced}")
        if done.open_tokens:
            print(
                "Join tokens that were not used yet are worth nothing any more. Make new ones, if"
                f" they are still wanted, with cloudgate server renew-token: "
                f"{', '.join(done.open_tokens)}"
            )
        _say_what_was_taken(done.by, done.since, done.contents)
        print("Start the manager, with its options of before: hosts come back by themselves.")


@app.command("decided")
def decided(data: Data = None) -> None:
    """Say that after a restore all is decided; the warning about it ends."""
    with loading():
        from cloudgate.manager.backups.restore import end_deciding  # noqa: PLC0415

    with failing_in_words():
        was_open = end_deciding(data or present_data_folder())
        print("Decided." if was_open else "There was nothing to decide.")


def asked_secret(
    passphrase_file: Path | None, key_file: Path | None, *, is_new: bool = False
) -> "SealingSecret":
    """What a file is, or is to be, sealed with.

    Raises:
        CloudgateError: it cannot be had.
    """
    from cloudgate.manager.security import sealed_files  # noqa: PLC0415

    if passphrase_file is not None or key_file is not None:
        return sealed_files.sealing_secret(passphrase_file, key_file)
    if not somebody_types():
        raise CloudgateError(
            "The passphrase is missing. Give --passphrase-file or --key-file, or set"
            " CLOUDGATE_PASSPHRASE_FILE."
        )
    typed = getpass.getpass("Passphrase: ")
    if is_new and getpass.getpass("Passphrase, once more: ") != typed:
        raise CloudgateError("The two passphrases are not the same.")
    return sealed_files.passphrase_secret(typed)


def _contents_text(contents: "Contents") -> str:
    counts = ", ".join(f"{number} {name}" for name, number in contents.counts.items())
    size = sum(size for size, _ in contents.files.values())
    return (
        f"backup of {timestamps.readable(contents.made_at)} by release {contents.release},"
        f" {counts}, {len(contents.files)} files of {size / MB:.1f} MB."
    )


def _say_what_was_taken(by: str, since: "ChangesSince | None", contents: "Contents") -> None:
    """What an operator has to decide: whether what was taken away since is to be so again."""
    from cloudgate.trust.audit_chain import span  # noqa: PLC0415

    made_at = timestamps.readable(contents.made_at)
    if since is None:
        print(
            f"What was changed after {made_at} is not known here: there is no journal beside the"
            " backup. Name one with --journal, such as a file of --audit-log."
        )
        return
    if since.ends_before:
        print(
            f"What was changed after {made_at} is not known here: {by} ends before the backup. Name"
            " another file with --journal, such as one of --audit-log."
        )
        return
    if since.is_of_another_past:
        print(
            f"Not all that was changed after {made_at} is known here: what is in {by} goes on from"
            " another backup, which was restored meanwhile. Name a file that goes on from this one"
            " with --journal, such as one of --audit-log."
        )
    for first, last in since.gaps:
        print(
            f"{span(first, last)} missing in {by}: what they took away after {made_at} is not known"
            " here. Name a file that has them with --journal, such as one of --audit-log."
        )
    if not since.revocations:
        known = "that is known here, " if since.gaps or since.is_of_another_past else ""
        print(
            f"Nothing was taken away after {made_at}, {known}by {by}, which has"
            f" {since.changes} changes"
        )
        return
    print(f"Taken away after {made_at}, by {by}; decide what is to be so again:")
    for each in since.revocations:
        print(f"  {printable(str(each))}")
    print(
        f"The last of {since.changes} changes that it has is of {since.last_at}. What was changed"
        " after that, or whose task had not ended, is not known here."
    )
