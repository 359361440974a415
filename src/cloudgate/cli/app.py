"""Command tree: which commands are there?"""

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, before_any_command, command
from cloudgate.cli.resources import accounts, audit, status, tasks
from cloudgate.cli.resources.cloud import (
    certificates,
    gateways,
    maintenance,
    pools,
    subtenants,
    tenant_resources,
    tenants,
    usage,
)
from cloudgate.cli.resources.infrastructure import backup_servers, repositories, servers
from cloudgate.cli.service import commands, connect

app = groups.group(
    name="cloudgate", pretty_exceptions_show_locals=False, callback=before_any_command
)
commands.register(app)
connect.register(app)
status.register(app)
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
