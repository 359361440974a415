"""Tenant options: what do the commands that make and change tenants and users have in common?"""

from dataclasses import dataclass
from typing import Annotated

import typer

from cloudgate.cli.resources.common import bytes_of
from cloudgate.client.core.kinds import Json
from cloudgate.values.units import MB

Enabled = Annotated[
    bool | None,
    typer.Option("--enable/--disable", help="Let it in, or not.", show_default=False),
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
EndTunnels = Annotated[
    bool,
    typer.Option(
        "--end-tunnels",
        help="End the tunnels that it has, too; with networks alone, those from elsewhere.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TenantOptions:
    """How much a tenant may use, and what it may do by itself; a group of options."""

    speed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="MBPS",
            help="Megabits a second over all its tunnels; 0 for no limit.",
            show_default=False,
        ),
    ] = None
    tunnels: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Tunnels at a time over all gateways; 0 for no limit.",
            show_default=False,
        ),
    ] = None
    egress_quota: Annotated[
        int | None,
        typer.Option(
            parser=bytes_of,
            metavar="SIZE",
            help="How much it may bring back in a month, such as 500GB; 0 for no limit.",
            show_default=False,
        ),
    ] = None
    hard_egress: Annotated[
        bool | None,
        typer.Option(
            "--hard-egress/--soft-egress",
            help="Once that is used up, let new tunnels send data only, or warn alone. [soft]",
            show_default=False,
        ),
    ] = None
    own_passwords: Annotated[
        bool | None,
        typer.Option(
            "--own-passwords/--no-own-passwords",
            help="Let it and its users change their own passwords, or not. [no]",
            show_default=False,
        ),
    ] = None
    own_certificates: Annotated[
        bool | None,
        typer.Option(
            "--own-certificates/--no-own-certificates",
            help="Let it and its users get certificates by their passwords, and renew them. [no]",
            show_default=False,
        ),
    ] = None
    portal: Annotated[
        bool | None,
        typer.Option(
            "--portal/--no-portal",
            help="Let it and its users see what they have at the portal, or not. [yes]",
            show_default=False,
        ),
    ] = None
    protect_backups: Annotated[
        bool | None,
        typer.Option(
            "--protect-backups/--no-protect-backups",
            help="Have its repositories keep what it deletes, if all of them do, or not. [no]",
            show_default=False,
        ),
    ] = None
    protection_days: Annotated[
        int | None,
        typer.Option(
            min=1, max=99, metavar="DAYS", help="For how many days. [1]", show_default=False
        ),
    ] = None

    def members(self) -> Json:
        """Of the body of a request; None for what the options do not say."""
        return {
            "ThrottlingEnabled": None if self.speed is None else self.speed > 0,
            "ThrottlingSpeedLimit": self.speed or None,
            "ThrottlingSpeedUnit": "Mbps" if self.speed else None,
            "MaxConcurrentTasks": self.tunnels,
            "EgressQuotaMb": None if self.egress_quota is None else -(-self.egress_quota // MB),
            "EgressQuotaHard": self.hard_egress,
            "MayChangePassword": self.own_passwords,
            "MayGetCertificates": self.own_certificates,
            "MayUsePortal": self.portal,
            "BackupProtectionEnabled": self.protect_backups,
            "BackupProtectionPeriod": self.protection_days,
        }


def ending(path: str, change: Json, *, end_tunnels: bool) -> str:
    """The path of a change, which says the tunnels that end with it.

    Where nothing but networks is changed, these are those from elsewhere.
    """
    if not end_tunnels:
        return path
    of_networks = "AllowedNetworks" in change and not change.keys() - {"AllowedNetworks", "Enabled"}
    return f"{path}?endTunnels={'outside' if of_networks else 'true'}"
