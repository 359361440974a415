"""Revocations since a backup: which rights that were taken away would a restore give back? Pure.

By the entries of the audit log that the backup does not have. What was given back meanwhile, and
what began after the backup and is gone with it, is not named. Where the log does not tell, as of a
passkey whose name two have had, it is named.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudgate.manager.backups.change_kinds import (
    BY_API,
    EDITS,
    HARMLESS,
    NO_RIGHTS,
    REMOVED,
    TENANT,
    USER,
    EditedThing,
    Entry,
    begins,
    changed_fields,
    is_change,
)
from cloudgate.manager.backups.pasts import BackupEnd


@dataclass(frozen=True)
class Revocation:
    """A right that somebody took away after a backup was made."""

    at: str
    account: str
    text: str
    """What was done."""
    advice: str
    """What to type for it to be so again."""

    def __str__(self) -> str:
        return f"{self.at}  {self.text}, by {self.account}.\n    Again: {self.advice}"


@dataclass(frozen=True)
class ChangesSince:
    """What the audit log has after a backup."""

    revocations: tuple[Revocation, ...]
    changes: int
    """That were made, all of them."""
    last_at: str
    """Of the last entry; empty when there is none."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Numbers of entries that are not there, from and to: what they say is not known."""
    ends_before: bool = False
    """Whether what there is ends before the backup, so that it says nothing."""
    is_of_another_past: bool = False
    """Whether all that there is goes on from an earlier backup that was restored meanwhile: what
    came after this one before that is not known."""


@dataclass
class _FieldHistory:
    """What became of a field since the backup."""

    first: Any
    """As it is in the backup."""
    last: Any
    kind: EditedThing
    entry: Entry
    """Of its last change."""


@dataclass
class _Findings:
    """What was taken away, as far as the log was read."""

    begun: set[str] = field(default_factory=set)
    """Things that are not in the backup."""
    removed: dict[str, Revocation] = field(default_factory=dict)
    edited: dict[str, dict[str, _FieldHistory]] = field(default_factory=dict)
    """By thing and field."""

    def all(self) -> tuple[Revocation, ...]:
        """The oldest first."""
        found = [*self.removed.values()]
        for fields in self.edited.values():
            found += _taken(fields)
        return tuple(sorted(found, key=lambda each: each.at))


def revocations_among(
    entries: Sequence[Entry], end: BackupEnd, apart: Iterable[Entry] = ()
) -> ChangesSince:
    """What there is to decide on after a restore.

    Args:
        entries: in which something may be missing.
        end: of the backup.
        apart: later entries, of another past; the backup has not got these either.
    """
    findings = _Findings()
    seen: set[tuple[int, str]] = set()
    changes, last_at = 0, ""
    for entry in (*entries, *apart):
        known_by = int(entry["number"]), str(entry["at"])
        if end.has(entry) or known_by in seen:  # outlets may have one twice
            continue
        seen.add(known_by)
        last_at = known_by[1]
        if is_change(entry):
            changes += 1
            _note(findings, entry)
    gaps = tuple(_gaps(entries, end.number))
    return ChangesSince(findings.all(), changes, last_at, gaps)


def _gaps(entries: Sequence[Entry], after_number: int) -> Iterator[tuple[int, int]]:
    """Also where two follow each other by number alone, as the one before was of another past."""
    hashes = {each.get("hash") for each in entries}
    before = after_number
    for entry in sorted(entries, key=lambda each: int(each["number"])):
        number, previous = int(entry["number"]), entry.get("previous")
        if number <= after_number:
            continue
        is_first = number == after_number + 1
        follows = number <= before + 1 and (is_first or previous is None or previous in hashes)
        if not follows:
            yield min(before + 1, number - 1), number - 1
        before = number


def _note(findings: _Findings, entry: Entry) -> None:
    operation, thing = str(entry["operation"]), str(entry["object_id"] or entry["object_name"])
    if begins(operation):
        findings.begun.add(thing)
    elif operation in HARMLESS or thing in findings.begun:
        return
    elif (advice := REMOVED.get(operation)) is not None:
        findings.edited.pop(thing, None)  # what was taken from it does not matter any more
        findings.removed[thing] = _of(entry, str(entry["text"]), advice)
    elif (kind := EDITS.get(operation)) is not None:
        fields = findings.edited.setdefault(thing, {})
        for name, before, after in changed_fields(operation, entry["before"], entry["after"]):
            history = fields.setdefault(name, _FieldHistory(before, after, kind, entry))
            if operation == "RemovePasskey":  # perhaps not the one of this name that was added
                history.first = before
            history.last, history.kind, history.entry = after, kind, entry
    else:  # of another release, or nothing more is to be said of it
        findings.removed[f"{thing} {operation}"] = _of(entry, str(entry["text"]), BY_API)


def _taken(fields: Mapping[str, _FieldHistory]) -> Iterator[Revocation]:
    """What was taken from a thing that stays."""
    others: dict[str, _FieldHistory] = {}
    for name, history in fields.items():
        if history.first == history.last or name in NO_RIGHTS:
            continue
        named = _FIELDS.get(name.partition(" ")[0])
        if named is None:
            others[name] = history
        elif (found := named(name.partition(" ")[2], history)) is not None:
            text, advice = found
            yield _of(history.entry, f"{_named(history)}: {text}", advice)
    if others:
        values = ", ".join(
            f"{name} from {others[name].first!r} to {others[name].last!r}"
            for name in sorted(others)
        )
        newest = max(others.values(), key=lambda each: int(each.entry["number"]))
        edit = newest.kind.edit
        yield _of(newest.entry, f"{_named(newest)}: {values}", f"{edit} …" if edit else BY_API)


def _named(history: _FieldHistory) -> str:
    return history.kind.what.format(name=history.entry["object_name"])


_Found = tuple[str, str] | None
"""What was taken away, in words, and what to type again; None where nothing was."""


def _enabled(_: str, history: _FieldHistory) -> _Found:
    edit = history.kind.edit
    return ("disabled", f"{edit} --disable" if edit else BY_API) if history.last is False else None


def _password(_: str, history: _FieldHistory) -> _Found:
    kind = history.kind
    by_edit = f"{kind.edit} --password-file FILE" if kind.edit else BY_API
    return "another password", kind.password or by_edit


def _old_password(_: str, history: _FieldHistory) -> _Found:
    if history.last is not None:
        return None
    again = {
        TENANT: "cloudgate tenant password end-old {name}",
        USER: "cloudgate tenant user password end-old TENANT {name}",
    }
    return "the old password is good no more", again.get(history.kind, BY_API)


def _role(role: str, history: _FieldHistory) -> _Found:
    return None if history.last else (f"lost the role {role}", BY_API)


_UNTIL_THEN = "whoever has it makes one anew; until then, cloudgate account password {name}"


def _passkey(passkey: str, history: _FieldHistory) -> _Found:
    if history.first is None:
        return f"its password alone was not enough, as it got the passkey {passkey}", _UNTIL_THEN
    advice = "whoever has it removes it in the console; or cloudgate account reset-factor {name}"
    return f"lost the passkey {passkey}", advice


def _second_factor(_: str, history: _FieldHistory) -> _Found:
    if history.first is None:
        return "its password alone was not enough, as it got a second factor", _UNTIL_THEN
    return "lost the second factor that it had", "cloudgate account reset-factor {name}"


def _linked(_: str, history: _FieldHistory) -> _Found:
    if not history.first:
        return None
    text = f"belongs to {history.first} no more, but to {history.last or 'nobody'}"
    subject = shlex.quote((history.entry["after"] or {}).get("Subject", "SUBJECT"))
    link = f"cloudgate account link {{name}} {_escaped(subject)}"
    return text, link if history.last else "cloudgate account unlink {name}"


def _required(_: str, history: _FieldHistory) -> _Found:
    again = "cloudgate account require-factor {name}"
    return ("its accounts need a second factor", again) if history.last else None


def _maintenance(_: str, history: _FieldHistory) -> _Found:
    return ("has begun", "cloudgate maintenance begin") if history.last else None


_FIELDS = {
    "Enabled": _enabled,
    "enabled": _enabled,
    "Password": _password,
    "OldPasswordExpirationDate": _old_password,
    "role": _role,
    "passkey": _passkey,
    "factor": _second_factor,
    "person": _linked,
    "Required": _required,
    "maintenance": _maintenance,
}
"""Those of which an operator hears in words of their own, by the first word of their names: as the
log has them, and, in small letters, what `changed_fields` makes of an entry."""


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _of(entry: Entry, text: str, advice: str) -> Revocation:
    """`advice` with `{name}` and `{id}`. Names may be such that a shell does something else."""
    account = str(entry["account"]) or "the manager itself"
    name, identifier = shlex.quote(str(entry["object_name"])), str(entry["object_id"])
    return Revocation(str(entry["at"]), account, text, advice.format(name=name, id=identifier))
