"""Options: what does the operator decide when a manager is started, and how is it typed?

The only statement of each: the commands, the files with settings and the units follow from it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudgate.cli.settings import default_data_folder
from cloudgate.client.core.addresses import DEFAULT_PORT


def _option(variable: str, metavar: str, text: str, **more: Any) -> Any:
    """An option, and the variable of the environment that says the same."""
    more = {"show_default": False} | more
    return typer.Option(envvar=variable, metavar=metavar, help=text, **more)


_DATA = _option("CLOUDGATE_DATA", "FOLDER", "Folder for all state.")
_DATABASE = _option(
    "CLOUDGATE_DATABASE",
    "URL",
    "postgresql://USER@HOST/DATABASE; a file of SQLite in the data folder when left out.",
)
Data = Annotated[Path | None, _DATA]
"""As other commands have it."""
DatabaseUrl = Annotated[str | None, _DATABASE]


@dataclass(frozen=True, kw_only=True)
class OutgoingOptions:
    """Of mail, and of calls to programs."""

    smtp: Annotated[
        str | None,
        _option(
            "CLOUDGATE_SMTP",
            "URL",
            "Mail server: smtp://USER@HOST:587 (STARTTLS), or smtps://USER@HOST:465.",
        ),
    ] = None
    smtp_password_file: Annotated[
        Path | None,
        _option("CLOUDGATE_SMTP_PASSWORD_FILE", "FILE", "File with the password of its user."),
    ] = None
    smtp_ca: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_SMTP_CA",
            "FILE",
            "Authority of a private mail server; the system's when left out.",
        ),
    ] = None
    mail_from: Annotated[
        str | None, _option("CLOUDGATE_MAIL_FROM", "ADDRESS", "Address that mail is from.")
    ] = None
    mail_templates: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_MAIL_TEMPLATES",
            "FOLDER",
            "Folder with templates of mail, in place of the usual ones.",
        ),
    ] = None
    hook_network: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_HOOK_NETWORKS",
            "NETWORK",
            "Network of the provider's own that programs may be called in; may be repeated.",
        ),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class DnsOptions:
    """Of names that lead to gateways."""

    dns_name: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_DNS_NAMES",
            "NAME[=POOL]",
            "DNS name that is to lead to the gateways that are well, of a pool or of those in"
            " none; may be repeated.",
        ),
    ] = ()
    dns_server: Annotated[
        str | None,
        _option(
            "CLOUDGATE_DNS_SERVER",
            "HOST[:PORT]",
            "Name server that takes dynamic updates of it (RFC 2136).",
        ),
    ] = None
    dns_key_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_DNS_KEY_FILE",
            "FILE",
            "Key that these are signed with, as tsig-keygen writes it.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PortalOptions:
    """Of the tenants' portal."""

    portal: Annotated[
        str,
        _option(
            "CLOUDGATE_PORTAL",
            "on|off",
            "Whether tenants may see what they have, by themselves.",
            show_default=True,
        ),
    ] = "on"
    portal_name: Annotated[
        str | None,
        _option("CLOUDGATE_PORTAL_NAME", "NAME", "Name of the provider on its pages."),
    ] = None
    portal_logo: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_PORTAL_LOGO", "FILE", "Logo on its pages: PNG, JPEG or SVG, 256 KB at most."
        ),
    ] = None
    portal_color: Annotated[
        str | None,
        _option(
            "CLOUDGATE_PORTAL_COLOR",
            "#RRGGBB",
            "Colour of its links and buttons on light ground; refused where it is not readable.",
        ),
    ] = None
    portal_dark_color: Annotated[
        str | None,
        _option("CLOUDGATE_PORTAL_DARK_COLOR", "#RRGGBB", "The same on dark ground."),
    ] = None
    console_brand: Annotated[
        str,
        _option(
            "CLOUDGATE_CONSOLE_BRAND",
            "on|off",
            "Whether the console comes in that name, logo and colours, too.",
            show_default=True,
        ),
    ] = "off"


@dataclass(frozen=True, kw_only=True)
class SigningInOptions:
    """Of operators' logons, besides by name and password."""

    console_url: Annotated[
        str | None,
        _option(
            "CLOUDGATE_CONSOLE_URL",
            "URL",
            "Where browsers reach the console: https://NAME[:PORT], without /console/; single"
            " sign-on wants it.",
        ),
    ] = None
    sso_issuer: Annotated[
        str | None,
        _option(
            "CLOUDGATE_SSO_ISSUER",
            "URL",
            "Provider of OpenID Connect that operators may sign in by; none when left out.",
        ),
    ] = None
    sso_client_id: Annotated[
        str | None,
        _option("CLOUDGATE_SSO_CLIENT_ID", "ID", "What this manager is called there."),
    ] = None
    sso_client_secret_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_SSO_CLIENT_SECRET_FILE",
            "FILE",
            "File with its secret there; a public client when left out.",
        ),
    ] = None
    sso_ca: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_SSO_CA", "FILE", "Authority of a private provider; the system's otherwise."
        ),
    ] = None
    sso_name: Annotated[
        str | None,
        _option("CLOUDGATE_SSO_NAME", "NAME", "What the button says; the provider's host name."),
    ] = None
    sso_scope: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_SSO_SCOPES",
            "SCOPE",
            "Scope to ask for besides openid, profile and email; may be repeated.",
        ),
    ] = ()
    sso_role_claim: Annotated[
        str,
        _option(
            "CLOUDGATE_SSO_ROLE_CLAIM",
            "CLAIM",
            "Claim of the ID token that says who may do what.",
            show_default=True,
        ),
    ] = "groups"
    sso_role: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_SSO_ROLES",
            "VALUE=ROLE",
            "Role that a value of the claim stands for, such as admins=PortalAdministrator; may be"
            " repeated.",
        ),
    ] = ()
    sso_accounts: Annotated[
        str,
        _option(
            "CLOUDGATE_SSO_ACCOUNTS",
            "made|known",
            "Whether who comes for the first time gets an account.",
            show_default=True,
        ),
    ] = "made"
    sso_passwords: Annotated[
        str,
        _option(
            "CLOUDGATE_SSO_PASSWORDS",
            "on|off",
            "Whether accounts that come by it may also sign in by password or passkey.",
            show_default=True,
        ),
    ] = "on"


@dataclass(frozen=True, kw_only=True)
class BackupOptions:
    """Of the backups that a manager makes of itself."""

    backup_folder: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_BACKUP_FOLDER",
            "FOLDER",
            "Folder that the manager backs itself up into; it does not when left out.",
        ),
    ] = None
    backup_every: Annotated[
        str,
        _option("CLOUDGATE_BACKUP_EVERY", "TIME", "How often: 30m, 24h, 7d.", show_default=True),
    ] = "24h"
    backup_keep: Annotated[
        int,
        _option(
            "CLOUDGATE_BACKUP_KEEP", "N", "How many backups are kept.", min=1, show_default=True
        ),
    ] = 14
    backup_passphrase_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_BACKUP_PASSPHRASE_FILE",
            "FILE",
            "File with the passphrase that backups are sealed with.",
        ),
    ] = None
    backup_key_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_BACKUP_KEY_FILE",
            "FILE",
            "File of random bytes that they are sealed with instead.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the operator decides at the start."""

    data: Annotated[Path, _DATA] = field(default_factory=default_data_folder)
    host: Annotated[
        str,
        _option(
            "CLOUDGATE_HOST",
            "ADDRESS",
            "Address to listen on; all when left out.",
            show_default=True,
        ),
    ] = ""
    port: Annotated[
        int,
        _option(
            "CLOUDGATE_PORT", "PORT", "Port of the REST API.", min=1, max=65535, show_default=True
        ),
    ] = DEFAULT_PORT
    admin_password_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_ADMIN_PASSWORD_FILE",
            "FILE",
            "File with the password of the user admin, who has it from each start on, whatever was"
            " set since; generated once and printed when left out.",
        ),
    ] = None
    first_admin_password_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_FIRST_ADMIN_PASSWORD_FILE",
            "FILE",
            "File with the first password of the user admin; read until he has one, and not needed"
            " afterwards.",
        ),
    ] = None
    http_port: Annotated[
        int | None,
        _option(
            "CLOUDGATE_HTTP_PORT",
            "PORT",
            "Serve the REST API without TLS too, on this port (9399 in the original).",
            min=1,
            max=65535,
        ),
    ] = None
    trusted_proxy: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_TRUSTED_PROXIES",
            "ADDRESS",
            "Proxy, or network of proxies, whose Forwarded headers count; may be repeated.",
        ),
    ] = ()
    audit_log: Annotated[
        str | None,
        _option(
            "CLOUDGATE_AUDIT_LOG", "FILE|syslog", "Where the audit log goes besides the database."
        ),
    ] = None
    acme_dns_hook: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_ACME_DNS_HOOK",
            "FILE",
            "Program that puts records into DNS: present|cleanup NAME VALUE.",
            exists=True,
            dir_okay=False,
            resolve_path=True,
        ),
    ] = None
    protection_hook: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_PROTECTION_HOOK",
            "FILE",
            "Program that says what snapshots of a repository there are: snapshots NAME.",
            exists=True,
            dir_okay=False,
            resolve_path=True,
        ),
    ] = None
    gateway_certificate_days: Annotated[
        int | None,
        _option(
            "CLOUDGATE_GATEWAY_CERTIFICATE_DAYS",
            "DAYS",
            "How long gateways' own certificates are good, replaced every day; 14 when left out.",
            min=2,
            max=90,
        ),
    ] = None
    connections_per_address: Annotated[
        int | None,
        _option(
            "CLOUDGATE_CONNECTIONS_PER_ADDRESS",
            "N",
            "Connections that one address may have to the manager; 4096 when left out.",
            min=16,
        ),
    ] = None
    reachable: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_REACHABLE",
            "NETWORK",
            "Network that all who see to repositories may name, and no other but administrators;"
            " may be repeated.",
        ),
    ] = ()
    measurable_folder: Annotated[
        tuple[str, ...],
        _option(
            "CLOUDGATE_MEASURABLE_FOLDERS",
            "FOLDER",
            "Folder of managed servers that all who see to repositories may have measured; may be"
            " repeated.",
        ),
    ] = ()
    audit_days: Annotated[
        int | None,
        _option(
            "CLOUDGATE_AUDIT_DAYS",
            "DAYS",
            "How long entries of the audit log are kept; for ever when left out.",
            min=1,
        ),
    ] = None
    metrics_listen: Annotated[
        str | None,
        _option(
            "CLOUDGATE_METRICS_LISTEN",
            "ADDRESS:PORT",
            "Where /metrics, /livez and /readyz are shown, to all who reach it, or off;"
            " 127.0.0.1:9397 when left out.",
        ),
    ] = None
    metrics_token_file: Annotated[
        Path | None,
        _option(
            "CLOUDGATE_METRICS_TOKEN_FILE",
            "FILE",
            "File with tokens, one a line: who shows one may see /metrics on the API's port, too.",
        ),
    ] = None
    backups: BackupOptions = field(default_factory=BackupOptions)
    database: DatabaseUrl = None
    outgoing: OutgoingOptions = field(default_factory=OutgoingOptions)
    own_url: Annotated[
        str | None,
        _option(
            "CLOUDGATE_OWN_URL",
            "URL",
            "Where hosts and other managers on the same database reach this one:"
            " https://HOST:PORT; the machine's name when left out.",
        ),
    ] = None
    dns: DnsOptions = field(default_factory=DnsOptions)
    portal_of: PortalOptions = field(default_factory=PortalOptions)
    signing_in: SigningInOptions = field(default_factory=SigningInOptions)
    config: Path | None = None
    """Where settings are written down; nowhere when None."""
    typed: frozenset[str] = frozenset()
    """Names of those that were said otherwise, by option or environment."""
