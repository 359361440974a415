"""Unit file: with which systemd unit does the manager run for ever?"""

import getpass
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.settings import DEFAULT_PORT
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.storage.postgresql import postgresql_url
from cloudgate.processes.systemd_sandbox import sandbox, word


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
    if not has_state and options.admin_password_file is None:
        raise InvalidRequestError(
            f"The manager has never been started with the data folder {data}: the password of"
            " admin, which the first start prints, would be in systemd's journal. Start it once by"
            " hand, or give --admin-password-file."
        )
    user = data.owner() if data.exists() else getpass.getuser()
    command = [sys.executable, "-m", "cloudgate", "serve", *_arguments(options)]
    return unit(command, user, _written(options))


def unit(command: Iterable[str], user: str, written: Iterable[Path]) -> str:
    """The unit that runs a manager by a command; `written`: the files and folders it writes."""
    allowed = sandbox(written, capabilities=("CAP_NET_BIND_SERVICE",))
    return f"""[Unit]
Description=Cloudgate manager
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
TimeoutStartSec=15min
WatchdogSec=60
User={user}
ExecStart={" ".join(word(each) for each in command)}
Restart=always
RestartSec=1
TimeoutStopSec=30
LimitNOFILE=65536
PrivateTmp=yes
{allowed}
[Install]
WantedBy=multi-user.target
"""


def _written(options: Options) -> Iterator[Path]:
    yield options.data.resolve()
    if options.audit_log and options.audit_log != "syslog":
        yield (Path.cwd() / options.audit_log).parent
    if options.backup_folder is not None:
        yield options.backup_folder.resolve()


def _arguments(options: Options) -> Iterator[str]:
    """What was decided, in words that mean the same in any folder."""
    audit_log = options.audit_log
    if audit_log and audit_log != "syslog":
        audit_log = str(options.data.cwd() / audit_log)
    port = None if options.port == DEFAULT_PORT else options.port
    password_file, token_file = options.admin_password_file, options.metrics_token_file
    for name, value in (
        ("--config", options.config and options.config.resolve()),
        ("--data", options.data.resolve()),
        ("--database", options.database),
        ("--own-url", options.own_url),
        ("--host", options.host or None),
        ("--port", port),
        ("--admin-password-file", password_file and password_file.resolve()),
        ("--http-port", options.http_port),
        *(("--trusted-proxy", each) for each in options.trusted_proxies),
        ("--audit-log", audit_log),
        ("--acme-dns-hook", options.acme_dns_hook),
        ("--gateway-certificate-days", options.gateway_certificate_days),
        ("--connections-per-address", options.connections_per_address),
        *(("--reachable", each) for each in options.reachable),
        *(("--measurable-folder", each) for each in options.measurable_folders),
        ("--audit-days", options.audit_days),
        ("--metrics-listen", options.metrics_listen),
        ("--metrics-token-file", token_file and token_file.resolve()),
        ("--backup-folder", options.backup_folder and options.backup_folder.resolve()),
        *_backup_arguments(options),
    ):
        is_in_file = name.removeprefix("--").replace("-", "_") in options.in_config
        if value is not None and not is_in_file:
            yield name
            yield str(value)


def _backup_arguments(options: Options) -> Iterator[tuple[str, object]]:
    if options.backup_folder is None:
        return
    yield "--backup-every", options.backup_every
    yield "--backup-keep", options.backup_keep
    for name, file in (
        ("--backup-passphrase-file", options.backup_passphrase_file),
        ("--backup-key-file", options.backup_key_file),
    ):
        yield name, file and file.resolve()
