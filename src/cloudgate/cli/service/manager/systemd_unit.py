"""Unit file: with which systemd unit does the manager run for ever?"""

import getpass
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.typed_options import typed
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.audit.outlets import SYSLOG
from cloudgate.manager.storage.postgresql import postgresql_url
from cloudgate.processes.systemd_sandbox import command_line, sandbox
from cloudgate.processes.unit_section import unit_section


def manager_unit(options: Options) -> str:
    """The unit that runs `cloudgate serve` as it was started (systemd.service(5)).

    It runs as the owner of the data folder.

    Raises:
        InvalidRequestError: the first start would print a password, and the journal would keep it;
            or the folder may not be looked into.
    """
    data = options.data
    if options.database is not None and postgresql_url(options.database).password:
        raise InvalidRequestError(
            "The password of the database would be in the unit, for all to read. Leave it out of"
            " --database, and keep it in the password file of libpq, ~/.pgpass of the manager's"
            " user."
        )
    try:
        (data / "cloudgate.db").exists()
    except OSError as problem:
        raise InvalidRequestError(
            f"Cannot look into the data folder {data}: {problem.strerror}. Do this as root."
        ) from None
    has_state = (data / "cloudgate.db").exists() or (data / "sealing.key").exists()
    files = (options.admin_password_file, options.first_admin_password_file)
    if not has_state and not any(files):
        raise InvalidRequestError(
            f"The manager has never been started with the data folder {data}: the password of"
            " admin, which the first start prints, would be in systemd's journal. Start it once by"
            " hand, or give --first-admin-password-file."
        )
    user = data.owner() if data.exists() else getpass.getuser()
    command = [sys.executable, "-m", "cloudgate", "serve", *_arguments(options)]
    return unit(command, user, _written(options))


def unit(command: Iterable[str], user: str, written: Iterable[Path]) -> str:
    """The unit that runs a manager by a command; `written`: the files and folders it writes.

    For a file of its audit log it has /var/log/cloudgate besides, which systemd makes for its user.
    """
    allowed = sandbox(written, capabilities=("CAP_NET_BIND_SERVICE",))
    return f"""{unit_section("Cloudgate manager")}
[Service]
Type=notify
NotifyAccess=main
TimeoutStartSec=15min
WatchdogSec=60
User={user}
ExecStart={command_line(command)}
Restart=always
RestartSec=1
TimeoutStopSec=60
LimitNOFILE=65536
PrivateTmp=yes
LogsDirectory=cloudgate
LogsDirectoryMode=0700
{allowed}
[Install]
WantedBy=multi-user.target
"""


def _written(options: Options) -> Iterator[Path]:
    yield options.data.resolve()
    if options.audit_log and options.audit_log != SYSLOG:
        yield (Path.cwd() / options.audit_log).parent
    if options.backups.backup_folder is not None:
        yield options.backups.backup_folder.resolve()


def _arguments(options: Options) -> Iterator[str]:
    """What was decided, in words that mean the same in any folder."""
    if options.audit_log and options.audit_log != SYSLOG:
        options = replace(options, audit_log=str(Path.cwd() / options.audit_log))
    if options.config is not None:
        yield from ("--config", str(options.config.resolve()))
    for name, value in typed(options):
        for each in value if isinstance(value, tuple) else (value,):
            yield "--" + name.replace("_", "-")
            yield str(each.resolve() if isinstance(each, Path) else each)
