"""Machine checks: does this machine have what a gateway or a manager needs, and is it reached?"""

import asyncio
import ctypes
import email.utils
import os
import socket
import sqlite3
import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from cloudgate.diagnosis.database import look_at_server, read_only
from cloudgate.diagnosis.findings import (
    Finding,
    Verdict,
    of_authorities,
    of_certificate,
    of_clock,
    of_lines,
    of_path_mtu,
)
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.host.envoy.data_path.choice import chosen_data_path
from cloudgate.host.platform import file_watches
from cloudgate.host.platform.congestion_control import advice as congestion_advice
from cloudgate.host.platform.congestion_control import (
    congestion_control,
    system_congestion_control,
)
from cloudgate.host.saturation import machine_levels
from cloudgate.host.state.enrolment import Enrolment, load_enrolment
from cloudgate.host.state.files import read_or_backup
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.manager.security.installation import DATABASE, missing_pieces
from cloudgate.network import hostport
from cloudgate.network.happy_eyeballs import open_tls
from cloudgate.network.lookups import LOOKUPS
from cloudgate.protocol import Assignment, DirectoryChange, Gateway
from cloudgate.trust.certificate_roles import client_context, only_a_manager
from cloudgate.values.enumeration import few

if sys.platform == "linux":
    from cloudgate.host.platform.linux_sock_diag import congestion_controls
    from cloudgate.host.platform.linux_sockets import REACH_ADVICE, check_reach

ANSWER_SECONDS = 5.0
"""How long a name server, a manager or a gateway may take."""
MOST_NAMES = 50
"""Of targets, that are looked up."""
_NOT_SYNCHRONIZED = 5
"""TIME_ERROR of adjtimex(2)."""
_TIMEX_BYTES = 512
"""More than `struct timex` has on any system."""
_IP_MTU, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 14, 10, 2
"""Of ip(7)."""

_AS_ITS_USER = "Run this as the user of the service."

Kind = TypeVar("Kind", Assignment, DirectoryChange)


async def check(
    data: Path, now: datetime | None = None, database: str | None = None
) -> AsyncIterator[Finding]:
    """What is found on a machine whose data folder this is, check by check.

    Nothing is changed, and no secret is shown. `database` is the address of one of PostgreSQL,
    where the manager's is there.
    """
    now = now or datetime.now(UTC)
    for each in _resources(data):
        yield each
    yield _kernel_clock()
    yield _congestion()
    if database is not None:
        yield await asyncio.to_thread(look_at_server, database)
        yield _keys(data, but=DATABASE)
    elif (data / DATABASE).exists():
        yield await asyncio.to_thread(_database, data / DATABASE)
        yield _keys(data)
    state = data / "host"
    if not state.is_dir():
        text = f"This machine has no host service: there is no {state}."
        advice = f"On a machine that is to be a gateway: cloudgate host join … --data {data}"
        yield Finding("host service", Verdict.UNKNOWN, text, advice)
        return
    yield _watches(state)
    yield await asyncio.to_thread(_reach)
    yield _module()
    paths = state_paths(state)
    async for each in _membership(paths):
        yield each
    for each in _state_files(paths):
        yield each
    async for each in _gateway(paths, now):
        yield each


async def _membership(paths: StatePaths) -> AsyncIterator[Finding]:
    """Whether this machine has joined a manager, and finds it."""
    try:
        known = load_enrolment(paths)
    except UnavailableError as problem:
        yield Finding("host service", Verdict.UNKNOWN, problem.message, _AS_ITS_USER)
    except CloudgateError as problem:
        yield Finding(
            "host service", Verdict.PROBLEM, problem.message, "cloudgate host join --help"
        )
    else:
        async for each in _manager(known):
            yield each


def _resources(data: Path) -> Iterator[Finding]:
    """The folder; disk, memory and files, one line for all that have room."""
    folder = data if data.is_dir() else data.parent
    if folder != data:
        text = f"There is no {data}: nothing of this machine's services is looked at."
        advice = "Name the folder that they were started with: cloudgate doctor --data DIR."
        yield Finding("data folder", Verdict.WARNING, text, advice)
    full = [each for each in machine_levels(folder, {}) if each.part >= each.full]
    for each in full:
        yield Finding("room", Verdict.PROBLEM, each.words)
    if not full:
        yield Finding("room", Verdict.OK, "Disk, memory and files have room.")


def _kernel_clock() -> Finding:
    """Whether the kernel was told that its clock is right; adjtimex(2)."""
    name, advice = "clock set", "Have it set by NTP: apt install chrony, or systemd-timesyncd."
    if sys.platform != "linux":
        return Finding(name, Verdict.UNKNOWN, "This system does not say whether its clock is set.")
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if answer == _NOT_SYNCHRONIZED:
        text = "Nobody has told the kernel that this machine's clock is right."
        return Finding(name, Verdict.WARNING, text, advice)
    if answer < 0:
        return Finding(name, Verdict.UNKNOWN, "The kernel does not say whether its clock is set.")
    return Finding(name, Verdict.OK, "The kernel's clock is set by a time service.")


def _congestion() -> Finding:
    """Whether BBR is to be had; what a gateway's connections have is another question."""
    name, advice = "long lines", congestion_advice()
    if advice:
        _, _, command = advice.partition(" As root: ")
        usual = system_congestion_control() or "another"
        text = (
            f"Programs of this user may not have BBR, and get {usual}: over long lines that lose"
            " packets BBR is many times faster."
        )
        return Finding(name, Verdict.WARNING, text, f"As root: {command}")
    if not congestion_control():
        text = "This system does not say what connections use."
        return Finding(name, Verdict.UNKNOWN, text)
    return Finding(name, Verdict.OK, "Programs of this user may have BBR.")


def _watches(state: Path) -> Finding:
    """Whether one more Envoy may watch its files: the next release's, or after a crash.

    It runs as the host service does, whose the state folder is.
    """
    name = "file watches"
    try:
        said = file_watches.shortage(state.stat().st_uid)
    except UnavailableError as problem:
        return Finding(name, Verdict.UNKNOWN, problem.message, "sudo cloudgate doctor")
    text, _, command = said.partition(" As root: ")
    if text:
        return Finding(name, Verdict.PROBLEM, text, f"As root: {command}")
    return Finding(name, Verdict.OK, "One more Envoy may watch its files.")


def _reach() -> Finding:
    """Whether programs of this user may reach into sockets of one another, as of Envoy's."""
    name = "reach"
    if sys.platform != "linux":
        return Finding(name, Verdict.UNKNOWN, "This system does not say whether it may.")
    try:
        check_reach()
    except UnavailableError as problem:
        text, refused, _ = problem.message.partition(f" {REACH_ADVICE}")
        if not refused:
            return Finding(name, Verdict.UNKNOWN, text)
        text += " So no tunnel of a tenant that is disabled ends, and no speed limit holds."
        return Finding(name, Verdict.PROBLEM, text, REACH_ADVICE)
    return Finding(name, Verdict.OK, "Programs of this user may end and slow single tunnels.")


def _module() -> Finding:
    """Whether this installation has the module for Envoy; a host service may be told otherwise."""
    name = "module"
    try:
        found = chosen_data_path()
    except CloudgateError as problem:
        return Finding(name, Verdict.PROBLEM, problem.message)
    if found.reason:
        text = "Tunnels go without the module for Envoy, which costs twice the memory."
        return Finding(name, Verdict.WARNING, text, found.reason)
    way = "by the module for Envoy" if found.module else "by Envoy's HTTP, as they are to"
    return Finding(name, Verdict.OK, f"Tunnels go {way}.")


def _lines(port: int) -> Finding | None:
    """What connections use that a gateway has accepted; there is one at least, of ours."""
    if sys.platform != "linux":
        return None
    try:
        used = congestion_controls(port)
    except UnavailableError as problem:
        return Finding("long lines", Verdict.UNKNOWN, problem.message)
    return of_lines(port, used, may_have_bbr=bool(congestion_control()))


def _database(file: Path) -> Finding:
    """Whether it can be read, and is whole; nothing is written, whoever else is at work in it."""
    name = "database"
    advice = "Bring the data folder back from a backup; save this one first."
    try:
        with read_only(file) as opened:
            said = [row[0] for row in opened.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as problem:
        return Finding(name, Verdict.UNKNOWN, f"{file} cannot be looked at: {problem}.")
    except sqlite3.DatabaseError as problem:
        return Finding(name, Verdict.PROBLEM, f"{file} is damaged: {problem}.", advice)
    if said != ["ok"]:
        return Finding(name, Verdict.PROBLEM, f"{file} is damaged: {'; '.join(said)}.", advice)
    return Finding(name, Verdict.OK, "It is whole.")


def _keys(data: Path, but: str = "") -> Finding:
    missing = [each for each in missing_pieces(data) if each != but]
    if missing:
        text = f"Missing below {data}: {', '.join(missing)}."
        advice = "Bring them back from a backup: new ones would lock out all hosts and tenants."
        return Finding("keys", Verdict.PROBLEM, text, advice)
    return Finding("keys", Verdict.OK, "The manager's keys are there.")


async def _manager(known: Enrolment) -> AsyncIterator[Finding]:
    """Whether the manager is found, reached and trusted, and agrees about the time."""
    parts = urlsplit(known.url)
    host, port = parts.hostname or "", parts.port or 443
    yield await _name("manager's name", host, port)
    several = of_authorities(known.ca_pem)
    if several is not None:
        yield several
    try:
        judge = only_a_manager if known.manager_says_role else _anybody
        context = client_context(judge, pem=known.ca_pem)
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await open_tls(host, port, context)
    except (ssl.SSLError, ssl.CertificateError) as problem:
        text = f"{known.url} shows a certificate that this host does not trust: {problem}."
        advice = "Does another program listen there? Did the manager get another authority?"
        yield Finding("manager", Verdict.PROBLEM, text, advice)
        return
    except OSError as problem:  # TimeoutError is one, too
        why = _why(problem)
        text = f"{known.url} cannot be reached: {why}."
        advice = f"From here, try: nc -vz {host} {port}. The gateway goes on without it."
        yield Finding("manager", Verdict.PROBLEM, text, advice)
        return
    try:
        yield Finding("manager", Verdict.OK, f"{known.url} is reached and trusted.")
        offset_seconds = await _clock_offset(reader, writer, host)
        if offset_seconds is not None:
            yield of_clock(offset_seconds)
        mtu_bytes = _path_mtu(writer.get_extra_info("peername")[0], port)
        if mtu_bytes:
            yield of_path_mtu("the manager", mtu_bytes)
    finally:
        writer.transport.abort()


def _why(problem: OSError) -> str:
    if problem.errno and problem.errno > 0:
        return os.strerror(problem.errno)
    return problem.strerror or "it does not answer"


def _anybody(_: object) -> str:
    return ""


async def _clock_offset(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
) -> float | None:
    """How far this machine's clock is ahead, by the header Date of an answer; None for unknown."""
    writer.write(f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None  # ECONNRESET, ETIMEDOUT, or no end of headers: not known
    here = datetime.now(UTC)
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "date":
            there = email.utils.parsedate_to_datetime(value.strip())
            return (here - there).total_seconds()
    return None


def _path_mtu(address: str, port: int) -> int:
    """The largest packet that the kernel would send there; 0 where it does not say."""
    if sys.platform != "linux" or ":" in address:
        return 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
            line.connect((address, port))
            return line.getsockopt(socket.IPPROTO_IP, _IP_MTU)
        except OSError:  # ENETUNREACH: there is no way there, which others say
            return 0


async def _name(check_name: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await LOOKUPS.look_up(host, port)
    except TimeoutError:
        text = f"No name server has answered for {host} within {ANSWER_SECONDS:.0f} seconds."
        return Finding(check_name, Verdict.PROBLEM, text, "See /etc/resolv.conf and its servers.")
    except OSError as problem:  # socket.gaierror
        text = f"{host} has no address: {problem.strerror or problem}."
        advice = f"Try: getent ahosts {host}."
        return Finding(check_name, Verdict.PROBLEM, text, advice)
    return Finding(check_name, Verdict.OK, f"{host} is {few(dict.fromkeys(found))}.")


def _state_files(paths: StatePaths) -> Iterator[Finding]:
    """Whether what the manager said last can be read, in the file itself and not its copy."""
    kinds: dict[Path, type[Assignment | DirectoryChange]] = {
        paths.assignment: Assignment, paths.directory: DirectoryChange,
    }  # fmt: skip
    for file, kind in kinds.items():
        try:
            kind.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            continue  # nothing was said yet
        except OSError as problem:
            text = f"{file} cannot be read: {problem.strerror}."
            yield Finding("state", Verdict.UNKNOWN, text, _AS_ITS_USER)
        except ValidationError:
            text = (
                f"{file} is damaged: the state before it counts, until the manager sends it anew."
            )
            advice = "Look at the disk. The host service, started anew, asks the manager for all."
            yield Finding("state", Verdict.PROBLEM, text, advice)


async def _gateway(paths: StatePaths, now: datetime) -> AsyncIterator[Finding]:
    """Whether this machine's gateway listens, with what it was told to show, and finds targets."""
    try:
        assignment = _kept(paths.assignment, Assignment)
    except UnavailableError as problem:
        yield Finding("gateway", Verdict.UNKNOWN, problem.message, _AS_ITS_USER)
        return
    gateway = assignment.gateway if assignment else None
    if gateway is None:
        text = "This machine is no gateway, as far as it was told."
        yield Finding("gateway", Verdict.OK, text)
        return
    if not gateway.accepting:
        yield Finding("gateway", Verdict.OK, "It is disabled: its port is closed.")
        return
    async for each in _ports(gateway):
        yield each
    yield of_certificate(gateway.certificate_chain_pem, now)
    directory = None
    with suppress(UnavailableError):  # which is a finding of its own
        directory = _kept(paths.directory, DirectoryChange)
    hosts = _hosts(directory) if directory else []
    for each in await asyncio.gather(*(_name("target", *host) for host in hosts[:MOST_NAMES])):
        if each.verdict is not Verdict.OK:
            yield each


async def _ports(gateway: Gateway) -> AsyncIterator[Finding]:
    seen: Finding | None = None
    for address in gateway.addresses or ("127.0.0.1",):
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(address, gateway.port)
        except OSError as problem:  # ECONNREFUSED; a TimeoutError is one, too
            text = f"Nobody listens at {address} port {gateway.port}: {_why(problem)}."
            advice = "See whether the host service runs, and what cloudgate status says of it."
            yield Finding("gateway", Verdict.PROBLEM, text, advice)
        else:
            yield Finding("gateway", Verdict.OK, f"It listens at {address} port {gateway.port}.")
            if seen is None:
                seen = await asyncio.to_thread(_lines, gateway.port)
            writer.transport.abort()
    if seen is not None:
        yield seen


def _hosts(directory: DirectoryChange) -> list[tuple[str, int]]:
    """The names that tenants' targets are dialled by; addresses need no look."""
    found: dict[tuple[str, int], None] = {}
    for address in _addresses(directory):
        with suppress(ValueError):  # it has no port, and no gateway dials it
            host, port = hostport.split(address)
            if not hostport.is_address(host):
                found[host, port] = None
    return list(found)


def _addresses(directory: DirectoryChange) -> Iterable[str]:
    for tenant in directory.tenants:
        yield from (target.address for target in tenant.targets)
        for user in tenant.users:
            yield from (target.address for target in user.targets)


def _kept(file: Path, kind: type[Kind]) -> Kind | None:
    try:
        return read_or_backup(file, kind.model_validate_json)
    except ValidationError:
        return None
