"""Which commands are there?"""

import typer

from cloudgate.cli import connecting, services
from cloudgate.cli.commands import Call, before_any_command, command
from cloudgate.cli.resources import (
    accounts,
    audit,
    backup_servers,
    certificates,
    fleet,
    gateways,
    maintenance,
    pools,
    repositories,
    servers,
    subtenants,
    tasks,
    tenant_resources,
    tenants,
    usage,
)

app = typer.Typer(
    name="cloudgate",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    callback=before_any_command,
)
services.register(app)
connecting.register(app)
fleet.register(app)
usage.register(app)
tenants.app.add_typer(tenant_resources.app)
tenants.app.add_typer(subtenants.app)
for each in (
    backup_servers,
    servers,
    repositories,
    gateways,
    certificates,
    maintenance,
    pools,
    tenants,
    tasks,
    accounts,
    audit,
):
    app.add_typer(each.app)


@command(app, "logout")
def logout(call: Call) -> None:
    """End the logon session that the commands keep."""
    ended = call.api.log_off()
    call.screen.remark("Logged off." if ended else "Not logged on.")


def main() -> None:
    """The console script."""
    app()
