"""Service commands: which start a part of Cloudgate itself? `up`, `serve`, `host run`."""

import inspect
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cloudgate.cli import groups
from cloudgate.cli.loading import loading
from cloudgate.cli.service.failures import fail, failing_in_words
from cloudgate.cli.settings import DEFAULT_PORT, default_data_folder
from cloudgate.errors import CloudgateError

if TYPE_CHECKING:
    from cloudgate.cli.service.manager.options import Options
    from cloudgate.cli.service.settings_file import Setting

Result = TypeVar("Result")

_FROM_FILE = "cloudgate.variables"
"""Among what a command knows: variables of the environment that its file has set."""

host_commands = groups.group(help="Make this machine a managed server, and run its host service.")
config_commands = groups.group(help="Files with the settings of services.")

Data = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_DATA", metavar="FOLDER", help="Folder for all state.", show_default=False
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="CLOUDGATE_DATABASE",
        metavar="URL",
        help="postgresql://USER@HOST/DATABASE; a file of SQLite in the data folder when left out.",
        show_default=False,
    ),
]
OwnUrl = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_OWN_URL",
        metavar="URL",
        help="Where hosts and other managers on the same database reach this one: https://HOST:PORT;"
        " the machine's name when left out.",
        show_default=False,
    ),
]
Host = Annotated[
    str,
    typer.Option(
        envvar="CLOUDGATE_HOST", metavar="ADDRESS", help="Address to listen on; all when left out."
    ),
]
Port = Annotated[
    int,
    typer.Option(
        envvar="CLOUDGATE_PORT", metavar="PORT", min=1, max=65535, help="Port of the REST API."
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_ADMIN_PASSWORD_FILE",
        metavar="FILE",
        help="File with the password of the user admin; generated and printed when left out.",
        show_default=False,
    ),
]


HttpPort = Annotated[
    int | None,
    typer.Option(
        envvar="CLOUDGATE_HTTP_PORT",
        metavar="PORT",
        min=1,
        max=65535,
        help="Serve the REST API without TLS too, on this port (9399 in the original).",
        show_default=False,
    ),
]
TrustedProxies = Annotated[
    list[str] | None,
    typer.Option(
        envvar="CLOUDGATE_TRUSTED_PROXIES",
        metavar="ADDRESS",
        help="Proxy, or network of proxies, whose Forwarded headers count; may be repeated.",
        show_default=False,
    ),
]
AuditLog = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_AUDIT_LOG",
        metavar="FILE|syslog",
        help="Where the audit log goes besides the database.",
        show_default=False,
    ),
]
AcmeDnsHook = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_ACME_DNS_HOOK",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        resolve_path=True,
        help="Program that puts records into DNS: present|cleanup NAME VALUE.",
        show_default=False,
    ),
]
AuditDays = Annotated[
    int | None,
    typer.Option(
        envvar="CLOUDGATE_AUDIT_DAYS",
        metavar="DAYS",
        min=1,
        help="How long entries of the audit log are kept; for ever when left out.",
        show_default=False,
    ),
]
CertificateDays = Annotated[
    int | None,
    typer.Option(
        envvar="CLOUDGATE_GATEWAY_CERTIFICATE_DAYS",
        metavar="DAYS",
        min=2,
        max=90,
        help="How long gateways' own certificates are good, replaced every day; 14 when left out.",
        show_default=False,
    ),
]


ConnectionsPerAddress = Annotated[
    int | None,
    typer.Option(
        envvar="CLOUDGATE_CONNECTIONS_PER_ADDRESS",
        metavar="N",
        min=16,
        help="Connections that one address may have to the manager; 4096 when left out.",
        show_default=False,
    ),
]
Reachable = Annotated[
    list[str] | None,
    typer.Option(
        envvar="CLOUDGATE_REACHABLE",
        metavar="NETWORK",
        help="Network that all who see to repositories may name, and no other but administrators;"
        " may be repeated.",
        show_default=False,
    ),
]
MeasurableFolders = Annotated[
    list[str] | None,
    typer.Option(
        "--measurable-folder",
        envvar="CLOUDGATE_MEASURABLE_FOLDERS",
        metavar="FOLDER",
        help="Folder of managed servers that all who see to repositories may have measured; may be"
        " repeated.",
        show_default=False,
    ),
]
MetricsListen = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_METRICS_LISTEN",
        metavar="ADDRESS:PORT",
        help="Where /metrics, /livez and /readyz are shown, to all who reach it, or off;"
        " 127.0.0.1:9397 when left out.",
        show_default=False,
    ),
]
MetricsTokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_METRICS_TOKEN_FILE",
        metavar="FILE",
        help="File with tokens, one a line: who shows one may see /metrics on the API's port, too.",
        show_default=False,
    ),
]
BackupFolder = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_BACKUP_FOLDER",
        metavar="FOLDER",
        help="Folder that the manager backs itself up into; it does not when left out.",
        show_default=False,
    ),
]
BackupEvery = Annotated[
    str,
    typer.Option(envvar="CLOUDGATE_BACKUP_EVERY", metavar="TIME", help="How often: 30m, 24h, 7d."),
]
BackupKeep = Annotated[
    int,
    typer.Option(
        envvar="CLOUDGATE_BACKUP_KEEP", metavar="N", min=1, help="How many backups are kept."
    ),
]
BackupPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_BACKUP_PASSPHRASE_FILE",
        metavar="FILE",
        help="File with the passphrase that backups are sealed with.",
        show_default=False,
    ),
]
BackupKeyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_BACKUP_KEY_FILE",
        metavar="FILE",
        help="File of random bytes that they are sealed with instead.",
        show_default=False,
    ),
]
Smtp = Annotated[
    str | None,
    typer.Option(
        "--smtp",
        envvar="CLOUDGATE_SMTP",
        metavar="URL",
        help="Mail server: smtp://USER@HOST:587 (STARTTLS), or smtps://USER@HOST:465.",
        show_default=False,
    ),
]
SmtpPasswordFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_SMTP_PASSWORD_FILE",
        metavar="FILE",
        help="File with the password of its user.",
        show_default=False,
    ),
]
SmtpCa = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_SMTP_CA",
        metavar="FILE",
        help="Authority of a private mail server; the system's when left out.",
        show_default=False,
    ),
]
MailFrom = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_MAIL_FROM",
        metavar="ADDRESS",
        help="Address that mail is from.",
        show_default=False,
    ),
]
MailTemplates = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_MAIL_TEMPLATES",
        metavar="FOLDER",
        help="Folder with templates of mail, in place of the usual ones.",
        show_default=False,
    ),
]
HookNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--hook-network",
        envvar="CLOUDGATE_HOOK_NETWORKS",
        metavar="NETWORK",
        help="Network of the provider's own that programs may be called in; may be repeated.",
        show_default=False,
    ),
]
DnsNames = Annotated[
    list[str] | None,
    typer.Option(
        "--dns-name",
        envvar="CLOUDGATE_DNS_NAMES",
        metavar="NAME[=POOL]",
        help="DNS name that is to lead to the gateways that are well, of a pool or of those in"
        " none; may be repeated.",
        show_default=False,
    ),
]
DnsServer = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_DNS_SERVER",
        metavar="HOST[:PORT]",
        help="Name server that takes dynamic updates of it (RFC 2136).",
        show_default=False,
    ),
]
DnsKeyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_DNS_KEY_FILE",
        metavar="FILE",
        help="Key that these are signed with, as tsig-keygen writes it.",
        show_default=False,
    ),
]
HostMetricsListen = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_METRICS_LISTEN",
        metavar="ADDRESS:PORT",
        help="Where /metrics, /livez and /readyz of this host are shown, to all who reach it;"
        " nowhere when left out.",
        show_default=False,
    ),
]


def _settings_file_option(*, of_hosts: bool) -> Any:
    """An option that names a file with settings, which is read before all others.

    `of_hosts`: whether it may say also what the host service reads from the environment alone.
    """

    def use(ctx: typer.Context, config: Path | None) -> Path | None:
        if config is None:
            return None
        from cloudgate.cli.service.settings_file import OF_HOSTS, use_file  # noqa: PLC0415

        with failing_in_words():
            ctx.meta[_FROM_FILE] = use_file(ctx, config, OF_HOSTS if of_hosts else ())
        return config

    return typer.Option(
        metavar="FILE",
        is_eager=True,
        callback=use,
        help="File with these settings, in TOML; options and environment win.",
        show_default=False,
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(_with_manager_options(up, of_hosts=True))
    app.command("serve")(_with_manager_options(serve))
    app.add_typer(host_commands, name="host")
    app.add_typer(config_commands, name="config")


def _manager_options(
    *,
    data: Data = None,
    host: Host = "",
    port: Port = DEFAULT_PORT,
    admin_password_file: PasswordFile = None,
    http_port: HttpPort = None,
    trusted_proxy: TrustedProxies = None,
    audit_log: AuditLog = None,
    acme_dns_hook: AcmeDnsHook = None,
    gateway_certificate_days: CertificateDays = None,
    connections_per_address: ConnectionsPerAddress = None,
    reachable: Reachable = None,
    measurable_folder: MeasurableFolders = None,
    audit_days: AuditDays = None,
    metrics_listen: MetricsListen = None,
    metrics_token_file: MetricsTokenFile = None,
    backup_folder: BackupFolder = None,
    backup_every: BackupEvery = "24h",
    backup_keep: BackupKeep = 14,
    backup_passphrase_file: BackupPassphraseFile = None,
    backup_key_file: BackupKeyFile = None,
    database: DatabaseUrl = None,
    smtp: Smtp = None,
    smtp_password_file: SmtpPasswordFile = None,
    smtp_ca: SmtpCa = None,
    mail_from: MailFrom = None,
    mail_templates: MailTemplates = None,
    hook_network: HookNetworks = None,
    own_url: OwnUrl = None,
    dns_name: DnsNames = None,
    dns_server: DnsServer = None,
    dns_key_file: DnsKeyFile = None,
) -> "Options":
    """What starts a manager, as it is typed; Typer reads it from here."""
    from cloudgate.cli.service.manager.options import Options  # noqa: PLC0415
    from cloudgate.cli.service.outgoing import DnsOptions, OutgoingOptions  # noqa: PLC0415

    return Options(
        data or default_data_folder(),
        host,
        port,
        admin_password_file,
        http_port,
        tuple(trusted_proxy or ()),
        audit_log,
        acme_dns_hook,
        gateway_certificate_days,
        connections_per_address,
        tuple(reachable or ()),
        tuple(measurable_folder or ()),
        audit_days,
        metrics_listen,
        metrics_token_file,
        backup_folder,
        backup_every,
        backup_keep,
        backup_passphrase_file,
        backup_key_file,
        database,
        outgoing=OutgoingOptions(
            smtp,
            smtp_password_file,
            smtp_ca,
            mail_from,
            mail_templates,
            tuple(hook_network or ()),
        ),
        own_url=own_url,
        dns=DnsOptions(tuple(dns_name or ()), dns_server, dns_key_file),
    )


def _with_manager_options(
    function: Callable[..., None], *, of_hosts: bool = False
) -> Callable[..., None]:
    """A command as Typer sees it; `of_hosts`: whether its file may say what is the host service's.

    Of ``serve(options, *, print_unit=False)`` it makes::

        run(*, ctx, config=None, data=None, host="", port=9398, ..., print_unit=False)
    """
    _, *own = inspect.signature(function).parameters.values()
    shared = inspect.signature(_manager_options).parameters
    keyword = inspect.Parameter.KEYWORD_ONLY
    ctx = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    option = Annotated[Path | None, _settings_file_option(of_hosts=of_hosts)]
    config = inspect.Parameter("config", keyword, default=None, annotation=option)

    def run(ctx: typer.Context, config: Path | None, **values: Any) -> None:
        with loading():  # what --help does not need
            from cloudgate.cli.service import launcher  # noqa: F401, PLC0415
        said = {name: values.pop(name) for name in shared}
        from_file = frozenset(name for name in shared if _is_from_file(ctx, name))
        options = replace(_manager_options(**said), config=config, in_config=from_file)
        function(options, **values)

    # What Typer reads.
    vars(run)["__signature__"] = inspect.Signature([ctx, config, *shared.values(), *own])
    run.__doc__ = function.__doc__
    return run


def _is_from_file(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "DEFAULT_MAP"


def up(options: "Options") -> None:
    """Start everything on this machine: manager, backup server, managed server."""
    from cloudgate.cli.service.launcher import run_up  # noqa: PLC0415

    _run(run_up(options))


def serve(
    options: "Options",
    *,
    print_unit: Annotated[
        bool,
        typer.Option("--print-unit", help="Print a systemd unit that starts it so; start nothing."),
    ] = False,
) -> None:
    """Start the manager alone, for managed servers on other machines."""
    if not print_unit:
        from cloudgate.cli.service.launcher import run_serve  # noqa: PLC0415

        _run(run_serve(options))
        return
    from cloudgate.cli.service.systemd_units import manager_unit  # noqa: PLC0415

    with failing_in_words():
        print(manager_unit(options), end="")


@host_commands.command("join")
def join(
    url: Annotated[str, typer.Argument(help="Address of the manager: https://host:9398.")],
    token: Annotated[
        str | None, typer.Option(help="The one-time join token.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token instead.", show_default=False)
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            help="Fingerprint of the manager's certificate authority.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="File with that authority, its ca.pem, instead.", show_default=False),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Have systemd run the host service from now on.")
    ] = False,
    data: Data = None,
) -> None:
    """Make this machine a managed server, once. `cloudgate server create` shows this command."""
    from cloudgate.host.manager_link.join import (  # noqa: PLC0415
        authority_by_fingerprint,
        join_host,
    )

    folder = (data or default_data_folder()) / "host"
    if (token is None) == (token_file is None):
        fail("Give the join token, with --token or with --token-file.")
    if (fingerprint is None) == (ca is None):
        fail("Say how to know the manager, with --fingerprint or with --ca.")
    secret = token or _text_of(token_file)

    async def join_by() -> None:
        known = _text_of(ca) if ca else await authority_by_fingerprint(url, fingerprint or "")
        await join_host(folder, url, secret, known)

    _run(join_by())
    if install:
        install_service(data)


@host_commands.command("install")
def install_service(
    data: Data = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            resolve_path=True,
            help="File with settings that it is to be run with, for host run --config.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Have systemd run the host service that has joined, as the user who joined. Needs root."""
    from cloudgate.host.platform import install  # noqa: PLC0415
    from cloudgate.host.state.enrolment import load_enrolment  # noqa: PLC0415
    from cloudgate.host.state.paths import state_paths  # noqa: PLC0415

    folder = (data or default_data_folder()).resolve()
    try:
        load_enrolment(state_paths(folder / "host"))
    except CloudgateError as problem:
        fail(
            f"{problem.message} If it joined as another user or with another folder, name that"
            f" folder: cloudgate host install --data {_folder_of_caller() or 'DIR'}"
        )
    with failing_in_words():
        print(install(folder, config))


def _folder_of_caller() -> Path | None:
    """Where the user who typed `sudo` keeps state, if there is something."""
    caller = os.environ.get("SUDO_USER")
    if not caller:
        return None
    import pwd  # noqa: PLC0415  where there is sudo, there is this

    folder = Path(pwd.getpwnam(caller).pw_dir) / ".local" / "share" / "cloudgate"
    return folder if (folder / "host").is_dir() else None


def _text_of(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as problem:
        fail(f"Cannot read {problem.filename}: {problem.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8 text.")


@host_commands.command("run")
def run(
    ctx: typer.Context,
    config: Annotated[Path | None, _settings_file_option(of_hosts=True)] = None,
    data: Data = None,
    metrics_listen: HostMetricsListen = None,
    with_parent: Annotated[int | None, typer.Option(hidden=True)] = None,
    until_input_ends: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the host service of this machine."""
    del config  # it was read before everything else
    with loading():
        from cloudgate.cli.service.logs import log_to_stderr  # noqa: PLC0415
        from cloudgate.cli.service.parent_death import end_with_parent  # noqa: PLC0415
        from cloudgate.host.service import run_host_service  # noqa: PLC0415
        from cloudgate.monitoring.systemd import Notifier  # noqa: PLC0415

    log_to_stderr()
    if with_parent is not None:
        end_with_parent(with_parent)
    until = _read_input if until_input_ends else None
    again = _run(
        run_host_service(
            (data or default_data_folder()) / "host",
            until=until,
            # The manager on this machine has that address, and shows what its host reports.
            metrics_listen=metrics_listen if with_parent is None else None,
            notifier=Notifier() if with_parent is None else Notifier({}),
        )
    )
    if again:
        # The program on disk may be a newer one, and the file may say something else by now. Envoy
        # goes on, and is adopted by what starts now.
        for name in ctx.meta.get(_FROM_FILE, ()):
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, "-m", "cloudgate", *sys.argv[1:]])  # noqa: S606


class Service(StrEnum):
    """Whose settings a file has."""

    MANAGER = "manager"
    HOST = "host"


@config_commands.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file.")],
    service: Annotated[
        Service | None,
        typer.Option(
            "--for",
            help="Whose settings they are, when the file is not called manager.toml or host.toml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look whether a file with settings is right, and say in which line it is not."""
    named = next((each for each in Service if file.name.startswith(each)), None)
    whose = service or named
    if whose is None:
        fail(f"Whose settings are in {file}? Say --for manager or --for host.")
    from cloudgate.cli.service.settings_file import read_file  # noqa: PLC0415

    with failing_in_words():
        found = read_file(file, *_known_to(whose))
    if found.problems:
        fail("\n".join(found.problems))
    print(f"{file}: {len(found.values)} settings of the {whose}, as they should be.")


def _known_to(service: Service) -> "tuple[Mapping[str, Setting], Any]":
    """What may stand in the file of a service, and the command that they are of."""
    from cloudgate.cli.service.settings_file import OF_HOSTS, settings_of  # noqa: PLC0415

    is_host = service is Service.HOST
    alone = typer.Typer(add_completion=False)
    alone.command()(run if is_host else _with_manager_options(serve))
    command: Any = typer.main.get_command(alone)
    known = settings_of(command.params, OF_HOSTS if is_host else ())
    return known, typer.Context(command)


def _read_input() -> None:
    # Not by sys.stdin, whose lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    from cloudgate.cli.service.event_loop import run as run_on_loop  # noqa: PLC0415

    try:
        return run_on_loop(work)
    except CloudgateError as problem:
        fail(problem.message)
    except OSError as problem:
        if problem.filename is None:
            raise  # of no file: nobody foresaw it
        fail(f"Cannot use {problem.filename}: {problem.strerror}.")
