"""Stored document: what the manager said, in force at once, on disk as soon as that takes it?"""

from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.host.state.withdrawal_journal import TooLongError, WithdrawalJournal

D = TypeVar("D", bound=BaseModel)


class StoredDocument(Generic[D]):
    """The newest document of a kind, in memory at once and on disk as soon as that takes it."""

    def __init__(self, path: Path, kind: type[D], journal: WithdrawalJournal | None) -> None:
        """`journal` takes what the disk does not."""
        self._path = path
        self._journal = journal
        written = read_or_backup(path, kind.model_validate_json)
        self._written_revision = _revision(written)
        self.current = written
        self.problem: OSError | None = None
        """Why the current one is not on disk."""
        self._is_written = True
        entry = journal.get(path.name) if journal else None
        if entry is not None and entry["base"] == self._written_revision:
            self.current = kind.model_validate(entry["document"])
            self._is_written = False

    def replace(self, document: D) -> None:
        """Have another one in force from now on, and over restarts."""
        self.current = document
        self._is_written = False
        self.keep()

    def keep(self) -> None:
        """Write the current one, if it is not; `problem` says how that went."""
        document = self.current
        if document is None or self._is_written:
            return
        try:
            write_with_backup(self._path, document.model_dump_json())
        except OSError as error:
            self.problem = error
            self._note(
                {"base": self._written_revision, "document": document.model_dump(mode="json")}
            )
        else:
            self.problem = None
            self._is_written = True
            self._written_revision = _revision(document)
            self._note(None)

    def _note(self, entry: dict[str, object] | None) -> None:
        if self._journal is None:
            return
        try:
            self._journal.put(self._path.name, entry)
        except (OSError, TooLongError) as error:
            if isinstance(error, OSError):
                self.problem = error


def _revision(document: BaseModel | None) -> int | None:
    revision = getattr(document, "revision", None)
    return revision if isinstance(revision, int) else None
