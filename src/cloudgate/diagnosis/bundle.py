"""Support bundle: what does whoever helps need to see, in one file that a person may send?"""

import io
import json
import os
import platform
import sqlite3
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from cloudgate import __version__
from cloudgate.atomic_files import write_private
from cloudgate.diagnosis.database import read_only
from cloudgate.diagnosis.findings import Finding
from cloudgate.diagnosis.redaction import Redaction
from cloudgate.errors import UnavailableError
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.security.installation import DATABASE
from cloudgate.monitoring.endpoint import DEFAULT_LISTEN
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
_SETTINGS = "CLOUDGATE_"
_STATE_FILES = ("membership", "assignment", "site", "directory", "drain", "usage", "roster")
_NAMES = (
    ("tenant", "cloud_tenants", ("name", "login", "description")),
    ("user", "subtenants", ("name", "login", "description")),
    ("account", "accounts", ("name",)),
    ("repository", "repositories", ("name", "endpoint", "address")),
    ("name", "former_names", ("name",)),
    ("name", "audit_events", ("account",)),
    ("target", "usage", ("target",)),
)
_NAMED = (
    "CloudTenant", "CloudTenantResource", "CloudSubtenant", "Repository", "EnterpriseAccount",
    "LogonSession",
)  # fmt: skip
"""Types of objects in the audit log whose names are a customer's."""
_NAMED_IN_LOGS = {"tenant": "tenant", "account": "account", "target": "target"}
"""Members of a log's lines that name a customer, also one that is not known here any more."""
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
) -> tuple[Path, int]:
    """Write a bundle that only its owner can read; where, and how many files are in it.

    Args:
        file: a new file, ``.tar.gz``.
        data: the data folder of the machine.
        findings: what the checks have found.
        logs: further logs, of programs whose standard error goes elsewhere.
        metrics: where metrics are to be had.

    Raises:
        UnavailableError: it cannot be written.
    """
    if file.exists():
        raise UnavailableError(f"{file} is there already. Name another file, or move it away.")
    parts = list(collect(data, findings, logs, metrics))
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
    return file, len(parts)


def collect(
    data: Path, findings: Sequence[Finding], logs: Iterable[Path], metrics: str
) -> Iterator[Part]:
    """What is in a bundle: secrets taken out, and customers under other names."""
    layout = state_paths(data / "host")
    named = (layout.access_log, layout.envoy_log, *logs)
    said = {
        path.name: found
        for log in named
        for path in (log, log.with_suffix(f"{log.suffix}.1"))
        if (found := _read(path, _last_lines)) is not None
    }
    journal = _journal()
    if journal:
        said["journal.txt"] = journal
    names = list(_names_of_manager(data / DATABASE))
    names += _names_of_host(layout.directory)
    for each in said.values():
        names += _names_of_log(each)
    redaction = Redaction(names)
    yield Part("versions.json", _json(_versions()))
    yield Part("settings.json", _json(redaction.value(_settings())))
    yield Part("checks.json", _json(redaction.value([each.document() for each in findings])))
    yield Part("files.txt", redaction.text("\n".join(_files(data))))
    for name in _STATE_FILES:
        path = getattr(layout, name)
        found = _read(path, _whole)
        if found is not None:
            yield Part(f"host/{path.name}", redaction.document(found))
    for name, text in said.items():
        yield Part(f"logs/{name}", redaction.lines(text))
    for part in _manager(data / DATABASE):
        yield Part(part.name, redaction.document(part.text))
    found = _metrics(metrics)
    if found:
        yield Part("metrics.txt", redaction.text(found))


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


def _metrics(address: str) -> str:
    try:
        answer = httpx2.get(address, timeout=5)
    except httpx2.HTTPError:
        return ""  # nobody listens there
    return answer.text if answer.is_success else ""


def _names_of_host(file: Path) -> list[tuple[str, str]]:
    """The names that have to be replaced.

    Raises:
        UnavailableError: they cannot be read, and so could be anywhere in what is sent.
    """
    try:
        return list(_named_in(json.loads(file.read_text())["tenants"]))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise UnavailableError(
            f"{file} cannot be read ({problem}), which has the names of customers that are to be"
            " replaced. Bring it back, or move it away if its host is to hear all anew."
        ) from None


def _named_in(tenants: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for tenant in tenants:
        yield str(tenant.get("name", "")), "tenant"
        for user in (tenant, *tenant.get("users", ())):
            if user is not tenant:
                yield str(user.get("name", "")), "user"
            for target in user.get("targets", ()):
                for member in ("endpoint", "address"):
                    name = str(target.get(member, ""))
                    yield name, "repository"
                    yield name.rpartition(":")[0], "repository"


def _names_of_log(text: str) -> Iterator[tuple[str, str]]:
    """The names that lines of JSON say to be a customer's."""
    for line in text.split("\n"):
        if not line.startswith("{"):
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a text
        for member, kind in _NAMED_IN_LOGS.items():
            name = said.get(member)
            if isinstance(name, str):
                yield name, kind
                if kind == "target":
                    yield name.rpartition(":")[0], kind


def _names_of_manager(file: Path) -> Iterator[tuple[str, str]]:
    """The names that have to be replaced.

    Raises:
        UnavailableError: they cannot be read, and so could be anywhere in what is sent.
    """
    listed = _rows(file, _select("1 AS number", "cloud_tenants LIMIT 1", ""))
    if listed and "problem" in listed[0]:
        raise UnavailableError(
            f"{file} cannot be read ({listed[0]['problem']}), which has the names of customers that"
            " are to be replaced. Stop the manager, and try again; or see cloudgate doctor."
        )
    for kind, table, columns in _NAMES:
        for each in columns:
            for row in _rows(file, _select(f"DISTINCT {each} AS name", table)):
                name = str(row.get("name") or "")
                yield name, kind
                if kind in ("repository", "target"):
                    yield name.rpartition(":")[0], kind
    types = ", ".join(f"'{each}'" for each in _NAMED)
    named = _select("DISTINCT object_name AS name", "audit_events", f"object_type IN ({types})")
    for row in _rows(file, named):
        yield str(row.get("name") or ""), "name"


def _manager(file: Path) -> Iterator[Part]:
    """The manager's state, without what customers keep and use."""
    if not file.exists():
        return
    listed = _rows(file, _select("name", "sqlite_master", "type='table'"))
    tables = [row.get("name") for row in listed]
    counts = {
        name: next(iter(_rows(file, _select("count(*) AS n", f'"{name}"'))), {}).get("n")
        for name in tables
    }
    revision = _rows(file, _select("version_num", "alembic_version"))
    yield Part("manager/tables.json", _json({"revision": revision, "rows": counts}))
    for table, columns in _TABLES.items():
        rows = _rows(file, _select(columns, table))
        yield Part(f"manager/{table}.json", _json([_unpacked(each) for each in rows]))
    for table, (columns, order) in _NEWEST.items():
        query = f"{_select(columns, table)} ORDER BY {order} DESC LIMIT {NEWEST_ROWS}"
        rows = _rows(file, query)
        yield Part(f"manager/{table}.json", _json([_unpacked(each) for each in rows]))


def _select(columns: str, table: str, condition: str = "") -> str:
    chosen = f" WHERE {condition}" if condition else ""
    return f"SELECT {columns} FROM {table}{chosen}"  # noqa: S608  all from this file


def _rows(file: Path, query: str) -> list[dict[str, Any]]:
    """What a query finds in a database that nobody's work is changed in; nothing if it cannot."""
    if not file.exists():
        return []
    try:
        with read_only(file) as opened:
            opened.row_factory = sqlite3.Row
            return [dict(row) for row in opened.execute(query)]
    except sqlite3.Error as problem:
        return [{"problem": str(problem)}]


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
