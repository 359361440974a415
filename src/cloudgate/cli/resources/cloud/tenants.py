"""Tenant commands: what can be done with tenants?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import passwords
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.passwords import NewPassword
from cloudgate.cli.resources.cloud import quotas
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    bytes_of,
    change_of,
    group,
    networks_of,
)
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json

KIND = kinds.TENANT
COLUMNS: Columns = {
    "Name": at("Name"),
    "Enabled": at("Enabled"),
    "ExpirationDate": at("LeaseOptions", "ExpirationDate"),
    "Resources": quotas.in_short,
    "BackupServer": backup_server,
    "Description": at("Description"),
}
USAGE = {
    "BeginTime": at("BeginTime"),
    "Minutes": at("Minutes"),
    "CloudGateway": at("CloudGateway"),
    "Subtenant": at("Subtenant"),
    "Target": at("Target"),
    "Tunnels": at("Tunnels"),
    "BytesUp": at("BytesUp"),
    "BytesDown": at("BytesDown"),
}
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="File with the tenant's password.", show_default=False),
]
Generate = Annotated[
    bool, typer.Option("--generate-password", help="Make a password, and show it once.")
]
AllowedNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        metavar="CIDR",
        help="A network that it may come from; may be repeated. Takes the place of those before.",
        show_default=False,
    ),
]
AnyNetwork = Annotated[bool, typer.Option("--any-network", help="Let it come from anywhere.")]
EgressQuota = Annotated[
    int | None,
    typer.Option(
        parser=bytes_of,
        metavar="SIZE",
        help="How much it may bring back in a month, such as 500GB; 0 for no limit.",
        show_default=False,
    ),
]
HardEgress = Annotated[
    bool | None,
    typer.Option(
        "--hard-egress/--soft-egress",
        help="Once that is used up, let new tunnels send data only, or warn alone. [soft]",
        show_default=False,
    ),
]
OwnPasswords = Annotated[
    bool | None,
    typer.Option(
        "--own-passwords/--no-own-passwords",
        help="Let it and its users change their own passwords, or not. [no]",
        show_default=False,
    ),
]
OwnCertificates = Annotated[
    bool | None,
    typer.Option(
        "--own-certificates/--no-own-certificates",
        help="Let it and its users get certificates by their passwords, and renew them. [no]",
        show_default=False,
    ),
]
Portal = Annotated[
    bool | None,
    typer.Option(
        "--portal/--no-portal",
        help="Let it and its users see what they have at the portal, or not. [yes]",
        show_default=False,
    ),
]
ProtectBackups = Annotated[
    bool | None,
    typer.Option(
        "--protect-backups/--no-protect-backups",
        help="Have its repositories keep what it deletes, if all of them do, or not. [no]",
        show_default=False,
    ),
]
ProtectionDays = Annotated[
    int | None,
    typer.Option(min=1, max=99, metavar="DAYS", help="For how many days. [1]", show_default=False),
]
EndTunnels = Annotated[
    bool,
    typer.Option(
        "--end-tunnels",
        help="End the tunnels that it has, too; with networks alone, those from elsewhere.",
    ),
]
MB = 1024 * 1024
app = group(KIND, COLUMNS, "Tenants: the customers, and what they may use.")


def lease_end(text: str) -> datetime:
    """When a lease ends: a date or a time, in UTC unless it says otherwise."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2030-12-31.") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


Lease = Annotated[
    datetime | None,
    typer.Option(
        parser=lease_end,
        metavar="DATE",
        help="Date or time (UTC) at which access ends.",
        show_default=False,
    ),
]


@command(app, "create", waits=True)
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the tenant logs in with.")],
    repository: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=GB]", help="A repository to grant; may be repeated.", show_default=False
        ),
    ] = None,
    quota_gb: Annotated[list[int] | None, quotas.QuotaGb] = None,
    password_file: PasswordFile = None,
    generate_password: Generate = False,
    description: Description = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not let it in yet.")] = False,
    lease: Lease = None,
    egress_quota: EgressQuota = None,
    hard_egress: HardEgress = None,
    network: AllowedNetworks = None,
    own_passwords: OwnPasswords = None,
    own_certificates: OwnCertificates = None,
    portal: Portal = None,
    protect_backups: ProtectBackups = None,
    protection_days: ProtectionDays = None,
    backup_server: Site = None,
) -> None:
    """Add a tenant; asks for its password unless an option gives it."""
    wanted = quotas.of_options(repository or [], quota_gb or [])
    password = passwords.of_options(password_file, generate=generate_password)
    password = password or passwords.asked_for(name)
    site = uid_of_site(call, backup_server)
    specs = [quotas.spec(call, each, gigabytes, site) for each, gigabytes in wanted]
    body = body_of(
        Name=name,
        Description=description,
        Password=password.text,
        Enabled=not disabled,
        LeaseExpirationDate=_written(lease),
        Resources={"BackupResources": specs} if specs else None,
        BackupServerUid=site,
        TenantType="Standalone",
        EgressQuotaMb=None if egress_quota is None else -(-egress_quota // MB),
        EgressQuotaHard=hard_egress,
        AllowedNetworks=networks_of(network),
        MayChangePassword=own_passwords,
        MayGetCertificates=own_certificates,
        MayUsePortal=portal,
        BackupProtectionEnabled=protect_backups,
        BackupProtectionPeriod=protection_days,
    )
    accepted = call.api.post(KIND.path, body)
    tell(name, password)
    call.show_result(accepted)


@command(app, "edit", waits=True)
def edit(
    call: Call,
    name: Thing,
    enabled: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Let it in, or not.", show_default=False),
    ] = None,
    password_file: PasswordFile = None,
    generate_password: Generate = False,
    lease: Lease = None,
    no_lease: Annotated[bool, typer.Option("--no-lease", help="Access without an end.")] = False,
    description: Description = None,
    speed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="MBPS",
            help="Megabits a second over all its tunnels; 0 for no limit.",
            show_default=False,
        ),
    ] = None,
    tunnels: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Tunnels at a time over all gateways; 0 for no limit.",
            show_default=False,
        ),
    ] = None,
    egress_quota: EgressQuota = None,
    hard_egress: HardEgress = None,
    network: AllowedNetworks = None,
    any_network: AnyNetwork = False,
    own_passwords: OwnPasswords = None,
    own_certificates: OwnCertificates = None,
    portal: Portal = None,
    protect_backups: ProtectBackups = None,
    protection_days: ProtectionDays = None,
    end_tunnels: EndTunnels = False,
) -> None:
    """Change a tenant; a disabled one loses its tunnels."""
    password = passwords.of_options(password_file, generate=generate_password)
    change = change_of(
        Password=password.text if password else None,
        Description=description,
        LeaseOptions=_lease_options(lease, endless=no_lease),
        ThrottlingEnabled=None if speed is None else speed > 0,
        ThrottlingSpeedLimit=speed or None,
        ThrottlingSpeedUnit="Mbps" if speed else None,
        MaxConcurrentTasks=tunnels,
        EgressQuotaMb=None if egress_quota is None else -(-egress_quota // MB),
        EgressQuotaHard=hard_egress,
        AllowedNetworks=networks_of(network, none=any_network),
        MayChangePassword=own_passwords,
        MayGetCertificates=own_certificates,
        MayUsePortal=portal,
        BackupProtectionEnabled=protect_backups,
        BackupProtectionPeriod=protection_days,
        Enabled=enabled if enabled is not None or not end_tunnels else _is_enabled(call, name),
    )
    found = find(call.api, KIND, name)
    accepted = call.api.put(ending(found.path, change, end_tunnels=end_tunnels), change)
    tell(name, password)
    call.show_result(accepted, found.entity)


@command(app, "usage")
def usage(
    call: Call,
    name: Thing,
    days: Annotated[int, typer.Option(min=1, max=999, help="How far to look back.")] = 31,
) -> None:
    """Show what a tenant used of the gateways: by minutes, then hours, then days."""
    answer = call.api.get(f"{find(call.api, KIND, name).path}/usage?days={days}")
    call.screen.listing(answer, answer.body.get("CloudTenantUsages") or [], USAGE)


def _is_enabled(call: Call, name: str) -> bool:
    """As it is: what says that nothing else is to change."""
    return bool(call.api.get(find(call.api, KIND, name).entity).body.get("Enabled"))


def ending(path: str, change: Json, *, end_tunnels: bool) -> str:
    """The path of a change, which says the tunnels that end with it.

    Where nothing but networks is changed, these are those from elsewhere.
    """
    if not end_tunnels:
        return path
    of_networks = "AllowedNetworks" in change and not change.keys() - {"AllowedNetworks", "Enabled"}
    return f"{path}?endTunnels={'outside' if of_networks else 'true'}"


def _lease_options(end: datetime | None, *, endless: bool) -> Json | None:
    if endless and end is not None:
        raise typer.BadParameter("Give --lease or --no-lease, not both.")
    if endless:
        return {"Enabled": False}
    return {"Enabled": True, "ExpirationDate": _written(end)} if end else None


def _written(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None


def tell(name: str, password: NewPassword | None) -> None:
    """Show a password that nobody knows yet; not among the results."""
    if password is not None and password.generated:
        typer.echo(f"The password of {name}, shown this once: {password.text}", err=True)


add_delete(app, KIND, "Remove a tenant; what it has stored stays.", by_task=True)
