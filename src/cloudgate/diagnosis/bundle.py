"""Support bundle: what does whoever helps need to see, in one file that a person may send?"""

import io
import json
import os
import platform
import sys
import tarfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from cloudgate import __version__
from cloudgate.atomic_files import write_private
from cloudgate.diagnosis.customer_names import of_host, of_log, of_manager, readable_names
from cloudgate.diagnosis.database import (
    FAILURES,
    DatabaseFile,
    DatabaseServer,
    database_of,
    select,
)
from cloudgate.diagnosis.findings import Finding
from cloudgate.diagnosis.redaction import Redaction
from cloudgate.errors import UnavailableError
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.monitoring.endpoint import DEFAULT_LISTEN, RECENT
from cloudgate.processes.programs import ask

LOG_BYTES = 2 * 1024 * 1024
"""Of each log, from its end."""
STATE_BYTES = 64 * 1024 * 1024
"""Of a state file, which is told whole or not at all."""
JOURNAL_LINES = 5000
JOURNAL_SECONDS = 20.0
NEWEST_ROWS = 300
"""Of tasks, and of the audit log."""
METRICS = f"http://{DEFAULT_LISTEN}/metrics"
"""Where a manager has its metrics that was told nothing else."""
MISSING = "missing.txt"
"""What could not be had, and why."""
_SETTINGS = "CLOUDGATE_"
_STATE_FILES = ("membership", "assignment", "site", "directory", "drain", "usage", "roster")
_STATE_WITH_NAMES = ("directory", "usage")
_CHECKS_WITH_NAMES = ("target",)
"""What could name a customer."""
_TABLES = {
    "managed_servers": "name, kind, seen_at, online_since, warning, facts, report",
    "cloud_gateways": "name, wanted, confirmed, removing, reach_warning",
    "backup_servers": "name, site_revision",
    "gateway_pools": "name",
}
_NEWEST = {
    "tasks": ("number, operation, created_at, finished_at, success, message, steps", "number"),
    "audit_events": (
        "at, account, address, operation, object_type, object_name, success, message",
        "at",
    ),
}


@dataclass(frozen=True)
class Part:
    """A file of the bundle."""

    name: str
    text: str


def write(
    file: Path,
    data: Path,
    findings: Sequence[Finding],
    logs: Iterable[Path] = (),
    metrics: str = METRICS,
    *,
    database: str | None = None,
) -> Sequence[str]:
    """Write a bundle that only its owner can read; the names of the files that are in it.

    Args:
        file: a new file, ``.tar.gz``.
        data: the data folder of the machine.
        findings: what the checks have found.
        logs: further logs, of programs whose standard error goes elsewhere.
        metrics: where metrics are to be had.
        database: address of one of PostgreSQL; a file in the data folder, if any, when None.

    Raises:
        UnavailableError: it cannot be written.
    """
    if file.exists():
        raise UnavailableError(f"{file} is there already. Name another file, or move it away.")
    parts = list(collect(data, findings, logs, metrics, database=database))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as bundle:
        for part in parts:
            content = part.text.encode(errors="backslashreplace")
            entry = tarfile.TarInfo(f"cloudgate-support/{part.name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            bundle.addfile(entry, io.BytesIO(content))
    try:
        write_private(file, raw.getvalue())
    except OSError as problem:
        raise UnavailableError(f"Cannot write {file}: {problem.strerror}.") from None
    return [each.name for each in parts]


def collect(
    data: Path,
    findings: Sequence[Finding],
    logs: Iterable[Path],
    metrics: str,
    *,
    database: str | None = None,
) -> Iterator[Part]:
    """What is in a bundle: secrets taken out, and customers under other names.

    It comes about whatever is broken. Where not all names of customers can be known, what could
    name one is left out; `MISSING` says what is, and why.
    """
    missing: list[str] = []
    paths = state_paths(data / "host")
    said = _log_texts(paths, logs)
    names = [
        *readable_names(lambda: of_manager(data, database), "the manager's database", missing),
        *readable_names(lambda: of_host(paths.directory), "directory.json of the host", missing),
    ]
    for each in said.values():
        names += of_log(each)
    making = _BundleWriter(Redaction(names), missing, is_safe=not missing)
    redaction = making.redaction
    yield from making.part("versions.json", lambda: _json(_versions()), may_name=False)
    settings = partial(_redacted, redaction, _settings())
    yield from making.part("settings.json", settings, may_name=False)
    checks = [each for each in findings if making.is_safe or each.check not in _CHECKS_WITH_NAMES]
    documents = [each.document() for each in checks]
    yield from making.part("checks.json", partial(_redacted, redaction, documents), may_name=False)
    yield from making.part(
        "files.txt", lambda: redaction.text("\n".join(_files(data))), may_name=False
    )
    yield from _state(paths, making)
    for name, text in said.items():
        yield from making.part(f"logs/{name}", partial(redaction.lines, text))
    for name, rows, may_name in _manager(database_of(data, database), missing):
        yield from making.part(name, partial(_redacted, redaction, rows), may_name=may_name)
    for name, address in (
        ("metrics.txt", metrics),
        ("metrics-recent.txt", f"{metrics.rstrip('/')}/{RECENT.rpartition('/')[2]}"),
    ):
        shown = _metrics(address, missing)
        if shown:
            yield from making.part(name, partial(redaction.text, shown))
    if missing:
        yield Part(MISSING, redaction.text("\n".join(missing)) + "\n")


@dataclass(frozen=True)
class _BundleWriter:
    """A bundle that is being made."""

    redaction: Redaction
    missing: list[str]
    is_safe: bool
    """Whether all names are known that are to be replaced."""

    def part(self, name: str, make: Callable[[], str], *, may_name: bool = True) -> Iterator[Part]:
        """A file, if it can be made, and can name nobody who is not known."""
        if may_name and not self.is_safe:
            self.missing.append(f"{name} is left out: it could name a customer.")
            return
        try:
            yield Part(name, make())
        except Exception as problem:  # noqa: BLE001  one broken thing takes nothing else away
            self.missing.append(f"{name} cannot be made: {type(problem).__name__}.")


def _state(paths: StatePaths, making: _BundleWriter) -> Iterator[Part]:
    for name in _STATE_FILES:
        path = getattr(paths, name)
        found = _read(path, _whole)
        if found is not None:
            make = partial(making.redaction.document, found)
            is_of_customers = name in _STATE_WITH_NAMES
            yield from making.part(f"host/{path.name}", make, may_name=is_of_customers)


def _redacted(redaction: Redaction, value: Any) -> str:
    return redaction.document(_json(value))


def _log_texts(paths: StatePaths, logs: Iterable[Path]) -> dict[str, str]:
    """What the logs say, by their names in the bundle."""
    said: dict[str, str] = {}
    for log in (paths.access_log, paths.envoy_log, *logs):
        for path in (log, log.with_suffix(f"{log.suffix}.1")):
            found = _read(path, _last_lines)
            if found is not None:
                said[_unused(path.name, said)] = found
    journal = _journal()
    if journal:
        said["journal.txt"] = journal
    return said


def _unused(name: str, used: Container[str]) -> str:
    """A name for one more log: those of several folders may be called alike."""
    names = (name, *(f"{number}-{name}" for number in range(2, 1000)))
    return next(each for each in names if each not in used)


def _versions() -> dict[str, Any]:
    needed = (name.partition(">")[0] for name in metadata.requires("cloudgate") or ())
    versions = {}
    for each in needed:
        name = each.split(";")[0].split("=")[0].split("[")[0].strip()
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "cloudgate": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "made_at": datetime.now(UTC).isoformat(),
        "packages": versions,
    }


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}


def _files(data: Path) -> Iterator[str]:
    """Which files there are, how large, whose, and when they were written; none is opened."""
    for path in sorted(data.rglob("*")):
        try:
            found = path.lstat()
        except OSError:  # ENOENT: gone meanwhile
            continue
        written = datetime.fromtimestamp(found.st_mtime, UTC)
        yield (
            f"{found.st_mode:o} {found.st_uid} {found.st_size:>10} {written:%Y-%m-%d %H:%M:%S}"
            f" {path.relative_to(data)}"
        )


def _read(path: Path, part: Callable[[BinaryIO], bytes]) -> str | None:
    """A part of a file, or why it could not be read; None where there is none."""
    try:
        with path.open("rb") as file:
            return part(file).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as problem:
        return f"It cannot be read: {problem.strerror}."


def _whole(file: BinaryIO) -> bytes:
    return file.read(STATE_BYTES)


def _last_lines(file: BinaryIO) -> bytes:
    left_out = max(0, file.seek(0, os.SEEK_END) - LOG_BYTES)
    file.seek(left_out)
    end = file.read(LOG_BYTES)
    # Of a line that is cut, nobody can tell a name or a secret by what stands before it.
    return end.partition(b"\n")[2] if left_out else end


def _journal() -> str:
    """What the services said last, where systemd runs them."""
    command = ["journalctl", "-u", "cloudgate*", "-o", "cat", "--no-pager", "-n"]
    try:
        said = ask([*command, str(JOURNAL_LINES)], seconds=JOURNAL_SECONDS)
    except (OSError, UnavailableError):  # ENOENT: no systemd here
        return ""
    return said.output if said.is_well else ""


def _metrics(address: str, missing: list[str]) -> str:
    try:
        answer = httpx2.get(address, timeout=5, trust_env=False).raise_for_status()
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        reason = str(problem) or type(problem).__name__
        missing.append(f"There are no metrics at {address}: {reason}.")
        return ""
    return answer.text


def _manager(
    opened: DatabaseFile | DatabaseServer | None, missing: list[str]
) -> Iterator[tuple[str, Any, bool]]:
    """The manager's state, without what customers keep and use: name, rows, may name a customer."""
    if opened is None:
        return
    yield "manager/tables.json", _tables(opened, missing), False
    queries = {table: select(columns, table) for table, columns in _TABLES.items()} | {
        table: f"{select(columns, table)} ORDER BY {order} DESC LIMIT {NEWEST_ROWS}"
        for table, (columns, order) in _NEWEST.items()
    }
    for table, query in queries.items():
        name = f"manager/{table}.json"
        rows: list[dict[str, Any]] = []
        try:
            rows += (_unpacked(each) for each in opened.rows(query))
        except FAILURES as problem:
            missing.append(f"{name} is not whole: {problem}.")
        yield name, rows, True


def _tables(opened: DatabaseFile | DatabaseServer, missing: list[str]) -> dict[str, Any]:
    """At which revision the database is, and how many rows each table has; None for unknown."""

    def asked(query: str) -> list[dict[str, Any]] | None:
        try:
            return list(opened.rows(query))
        except FAILURES as problem:
            missing.append(f"The database does not answer a question: {problem}.")
            return None

    listed = asked(opened.tables) or ()
    counts = {}
    for name in (row["name"] for row in listed):
        counted = asked(select("count(*) AS n", f'"{name}"'))
        counts[name] = counted[0]["n"] if counted else None
    return {"revision": asked(select("version_num", "alembic_version")), "rows": counts}


def _unpacked(row: dict[str, Any]) -> dict[str, Any]:
    """Columns that hold JSON as what they say."""
    found = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and value[:1] in "{[":
            with suppress(ValueError):
                found[name] = json.loads(value)
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
