"""Command tree: which commands are there?"""

import os
import sys

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, before_any_command, command
from cloudgate.cli.resources import accounts, audit, notifications, status, tasks, tokens
from cloudgate.cli.resources.cloud import (
    certificates,
    gateways,
    maintenance,
    pools,
    subtenants,
    tenant_certificates,
    tenant_passwords,
    tenant_resources,
    tenants,
    usage,
)
from cloudgate.cli.resources.infrastructure import backup_servers, repositories, servers
from cloudgate.cli.service import backups, commands, connect, database, diagnosis, manager_secrets

app = groups.group(
    name="cloudgate", pretty_exceptions_show_locals=False, callback=before_any_command
)
commands.register(app)
connect.register(app)
diagnosis.register(app)
status.register(app)
usage.register(app)
tenants.app.add_typer(tenant_resources.app)
tenants.app.add_typer(subtenants.app)
tenants.app.add_typer(tenant_passwords.app)
tenants.app.add_typer(tenant_certificates.app)
subtenants.app.add_typer(tenant_passwords.user_app)
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
    notifications,
    accounts,
    tokens,
    audit,
    backups,
    manager_secrets,
    database,
):
    app.add_typer(each.app)


@command(app, "logout")
def logout(call: Call) -> None:
    """End the logon session that the commands keep."""
    ended = call.api.log_off()
    call.screen.remark("Logged off." if ended else "Not logged on.")


def main() -> None:
    """Console script.

    Typer reads the signature of every command at each start. Of groups that the command line does
    not name, only the help of `cloudgate` itself speaks, in which their commands are not; a shell
    that completes words hands over its line elsewhere.
    """
    if not any(name.startswith("_CLOUDGATE") for name in os.environ):
        for each in app.registered_groups:
            group = each.typer_instance
            if group is not None and not {each.name, group.info.name} & {*sys.argv[1:]}:
                group.registered_commands, group.registered_groups = [], []
    app()
