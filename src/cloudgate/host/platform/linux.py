"""Linux: which service manager runs the host service, and what is Envoy's executable called?"""

import errno
import fcntl
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from cloudgate.atomic_files import write_public
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.host.platform import linux_launcher
from cloudgate.processes.programs import ask
from cloudgate.processes.systemd_sandbox import command_line, sandbox
from cloudgate.processes.unit_section import unit_section

UNIT = Path("/etc/systemd/system/cloudgate-host.service")
"""Where `install` puts the unit of the host service."""
PACKAGED_UNITS = (
    Path("/usr/lib/systemd/system/cloudgate-host.service"),
    Path("/lib/systemd/system/cloudgate-host.service"),
)
"""Where a package has its own, which one in /etc would take the place of."""
ENVOY = "envoy"
"""File name of Envoy's executable in its package."""
SUPPORTS_HOT_RESTART = True
"""Whether one Envoy can take over from another (Envoy: hot restart)."""
LAUNCH_SECONDS = 5.0
"""How long what starts Envoy may take for it."""
SYSTEMCTL_SECONDS = 90.0
"""How long systemd may take: as long as it gives a service to start."""
_START_TIME_FIELD = 19
"""Of ``/proc/PID/stat``, counted after the name."""


def unit(python: str, data: Path, user: str, config: Path | None = None) -> str:
    """The systemd unit of a host service (systemd.service(5)); `config`: its file with settings."""
    return unit_of([python, "-m", "cloudgate"], data, user, config)


def unit_of(program: Sequence[str], data: Path, user: str, config: Path | None = None) -> str:
    """The same, of the command line `program`.

    Only the host service itself is told to end: Envoy is its business, and outlives its restart.
    """
    words = [*program, "host", "run", *(["--config", str(config)] if config else [])]
    words += ["--data", str(data)]
    # systemd.service(5): what comes after a line that fails is not done.
    checked = [*program, "config", "check", "--for", "host", str(config)]
    check = f"ExecReload={command_line(checked)}\n" if config else ""
    # A tunnel is slowed and ended by its descriptor, which is Envoy's.
    allowed = sandbox(
        [data],
        capabilities=("CAP_NET_BIND_SERVICE", "CAP_SYS_PTRACE"),
        calls=("pidfd_open", "pidfd_getfd"),
    )
    return f"""{unit_section("Cloudgate host service")}
[Service]
Type=notify
NotifyAccess=main
WatchdogSec=60
User={user}
ExecStart={command_line(words)}
{check}ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=30
LimitNOFILE=1048576
{allowed}
[Install]
WantedBy=multi-user.target
"""


def started_at(pid: int) -> str | None:
    """When a process started, in the kernel's ticks (proc(5)); None when it is gone.

    Where there is no /proc, any running process is as good as another.

    Raises:
        UnavailableError: that cannot be seen, as when this process may open no file more.
    """
    if not _exists(pid):
        return None
    if sys.platform != "linux":
        return "unknown"
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123  each review asks
            text = file.read()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise UnavailableError(
            f"Whether Envoy, process {pid}, runs cannot be seen: {error.strerror}."
        ) from None
    state, *fields = text.rpartition(b")")[2].decode("ascii").split()
    return None if state in "ZX" else fields[_START_TIME_FIELD - 1]


def command_lines_with(word: str) -> dict[int, list[str]]:
    """The processes of this user that were started with `word` among their arguments, by id.

    There are none where there is no /proc.

    Raises:
        UnavailableError: that cannot be seen, as when this process may open no file more.
    """
    try:
        folders = [each for each in Path("/proc").iterdir() if each.name.isdigit()]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _not_seen(error) from None
    found = {}
    for folder in folders:
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "surrogateescape")
            own = folder.stat().st_uid == os.getuid()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM):
                continue  # ended meanwhile, or nobody here may look at it: then it is not ours
            raise _not_seen(error) from None
        line = words.split("\0")[:-1]
        if own and word in line:
            found[int(folder.name)] = line
    return found


def _not_seen(error: OSError) -> UnavailableError:
    return UnavailableError(f"Which programs run here cannot be seen: {error.strerror}.")


def environment_of(pid: int) -> dict[str, str]:
    """What a process of this user was started with.

    Raises:
        OSError: it has ended, or cannot be looked at.
    """
    said = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "surrogateescape")
    return dict(each.split("=", 1) for each in said.split("\0") if "=" in each)


def program_of(pid: int) -> Path:
    """What a process runs, also where the file was taken away since."""
    return Path(f"/proc/{pid}/exe")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def ask_to_end(pid: int) -> None:
    """Have a process end itself in order."""
    os.kill(pid, signal.SIGTERM)


def end(pid: int) -> None:
    """End a process now."""
    os.kill(pid, signal.SIGKILL)


def reopen_logs(pid: int) -> None:
    """Have an Envoy write to a new file, after its log was moved away."""
    os.kill(pid, signal.SIGUSR1)


def is_owned_by_us(folder: Path) -> bool:
    """Whether it belongs to the user of this process."""
    return folder.lstat().st_uid == os.getuid()


def restrict_to_owner(folder: Path) -> None:
    """Let nobody else in."""
    folder.chmod(0o700)


def lock_file(lock: IO[str]) -> None:
    """Hold an open file until it is closed, or this process ends.

    Raises:
        BlockingIOError: another process holds it.
        OSError: this file system, or the machine, cannot have it held.
    """
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def start_detached(
    command: Sequence[str],
    log: BinaryIO,
    folder: Path,
    environment: Mapping[str, str],
    *,
    passed: Sequence[int] = (),
) -> int:
    """Start a program that goes on when this process ends; its process id.

    Args:
        command: an executable's path, and its arguments.
        log: where it writes what it has to say.
        folder: its working directory.
        environment: its environment.
        passed: descriptors that it gets, by the same numbers.

    Raises:
        UnavailableError: it cannot be started.
    """
    with subprocess.Popen(
        [sys.executable, "-I", "-S", linux_launcher.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=folder,
        env=environment,
        pass_fds=passed,
    ) as launcher:
        try:
            said = _first_line(launcher, LAUNCH_SECONDS)
            if launcher.wait(LAUNCH_SECONDS) != 0 or not said or not launcher.stdin:
                raise UnavailableError(f"{command[0]} cannot be started.")
        except subprocess.TimeoutExpired:
            # What it has forked hears nothing more, and does not start the program either.
            launcher.kill()
            raise UnavailableError(
                f"{command[0]} was not started within {LAUNCH_SECONDS:g} seconds."
            ) from None
        launcher.stdin.write(b"\n")
    return int(said)


def _first_line(program: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """What it says first.

    Raises:
        subprocess.TimeoutExpired: it says nothing.
    """
    if program.stdout is None:
        return b""
    if not select.select([program.stdout], [], [], seconds)[0]:
        raise subprocess.TimeoutExpired(program.args, seconds)
    return program.stdout.readline()


def check_installable() -> None:
    """See that a unit of ours would take the place of no other.

    Raises:
        InvalidRequestError: a package has one, for a user and a folder of its own.
    """
    packaged = next((each for each in PACKAGED_UNITS if each.exists()), None)
    if packaged is not None:
        raise InvalidRequestError(
            f"The package has a unit for the host service, {packaged}, which another would take the"
            " place of. Let the machine join in the folder of that one, then start it:"
            " runuser -u cloudgate-host -- cloudgate host join … --data /var/lib/cloudgate-host,"
            f" and systemctl enable --now {UNIT.stem}"
        )


def install(data: Path, config: Path | None = None) -> str:
    """Have systemd run the host service of `data` from now on; what an operator should know.

    It runs as the owner of that folder.

    Raises:
        UnavailableError: systemd is not there, or does not take it.
    """
    try:
        write_public(UNIT, unit(sys.executable, data, data.owner(), config))
    except OSError as error:
        command = [sys.executable, "-m", "cloudgate", "host", "install", "--data", str(data)]
        command += ["--config", str(config)] if config else []
        raise UnavailableError(
            f"Cannot write {UNIT}: {error.strerror}. Run this as root: {shlex.join(command)}"
        ) from None
    for command in (["daemon-reload"], ["enable", "--now", UNIT.name]):
        told = f"systemctl {' '.join(command)}"
        try:
            done = ask(["systemctl", *command], seconds=SYSTEMCTL_SECONDS)
        except UnavailableError as error:
            raise UnavailableError(
                f"{UNIT} is written. {told} failed: {error.message} Start `cloudgate host run` with"
                " what this system has instead, or try again."
            ) from None
        if not done.is_well:
            raise UnavailableError(f"{told} failed: {done.complaint}. {UNIT} is written.")
    return (
        f"The host service runs. `systemctl reload {UNIT.stem}` starts it anew without ending a"
        f" tunnel; `systemctl stop {UNIT.stem}` ends them all."
    )
