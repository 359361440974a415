"""Command tree: which commands are there?

Groups of modules that are not named here come behind those that are.
"""

import os
import sys
from collections.abc import Iterator

import typer

from cloudgate import modules
from cloudgate.cli import groups, resources
from cloudgate.cli.commands import Call, before_any_command, command
from cloudgate.cli.failures import carried_out
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
_OF_TENANTS = (tenant_resources, subtenants, tenant_passwords, tenant_certificates)
for each in _OF_TENANTS:
    tenants.app.add_typer(each.app)
subtenants.app.add_typer(tenant_passwords.user_app)
_PLACED = (
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
)


def _others() -> Iterator[typer.Typer]:
    """Those of modules that have no place in the help, by the modules' names."""
    for module in modules.below(resources):
        if hasattr(module, "app") and module not in (*_PLACED, *_OF_TENANTS):
            yield module.app


for group in (
    *(each.app for each in _PLACED),
    *_others(),
    backups.app,
    manager_secrets.app,
    database.app,
):
    app.add_typer(group)


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
    carried_out(app)
