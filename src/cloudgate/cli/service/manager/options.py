"""Options: what does the operator decide when a manager is started?"""

from dataclasses import dataclass, field
from pathlib import Path

from cloudgate.cli.service.outgoing import DnsOptions, OutgoingOptions


@dataclass(frozen=True)
class Options:
    """What the operator decides at the start."""

    data: Path
    host: str
    port: int
    admin_password_file: Path | None
    http_port: int | None = None
    """Where the API is served without TLS; nowhere when None."""
    trusted_proxies: tuple[str, ...] = ()
    audit_log: str | None = None
    """A file, or ``syslog``; nowhere but in the database when None."""
    acme_dns_hook: Path | None = None
    """The operator's program that puts records into DNS."""
    gateway_certificate_days: int | None = None
    """How long gateways' own certificates are good; `GATEWAY_DAYS` when None."""
    connections_per_address: int | None = None
    """How many connections one address may have; `CONNECTIONS_PER_ADDRESS` when None."""
    reachable: tuple[str, ...] = ()
    """Networks that those may name who do not administer."""
    measurable_folders: tuple[str, ...] = ()
    """Folders of managed servers that they may have measured."""
    audit_days: int | None = None
    """How long entries of the audit log are kept; for ever when None."""
    metrics_listen: str | None = None
    """Where health and figures are shown; at `DEFAULT_LISTEN`, if that is free, when None."""
    metrics_token_file: Path | None = None
    """With tokens by which they are shown on the API's port, too; none when None."""
    backup_folder: Path | None = None
    """Where the manager backs itself up; nowhere when None."""
    backup_every: str = "24h"
    backup_keep: int = 14
    """How many backups are left."""
    backup_passphrase_file: Path | None = None
    """With what they are sealed with; or the next."""
    backup_key_file: Path | None = None
    database: str | None = None
    """Address of one of PostgreSQL; a file of SQLite in the data folder when None."""
    outgoing: OutgoingOptions = field(default_factory=OutgoingOptions)
    """Of mail, and of calls to programs."""
    dns: DnsOptions = field(default_factory=DnsOptions)
    """Of names that lead to gateways."""
    own_url: str | None = None
    """By which hosts and other managers reach this one; its name and port when None."""
    config: Path | None = None
    """Where settings are written down; nowhere when None."""
    in_config: frozenset[str] = frozenset()
    """Names of those that were taken from there."""
