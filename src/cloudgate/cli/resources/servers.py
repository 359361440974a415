"""What can be seen of managed servers? They join by themselves: `cloudgate host join`."""

from cloudgate.cli.finding import Kind
from cloudgate.cli.output import at, backup_server
from cloudgate.cli.resources.common import group

KIND = Kind(
    word="server",
    many="managed servers",
    type="ManagedServer",
    path="/managedServers",
    array="ManagedServers",
    columns={
        "Name": at("Name"),
        "ManagedServerType": at("ManagedServerType"),
        "BackupServer": backup_server,
        "Description": at("Description"),
    },
)
app = group(KIND, "Managed servers: the machines that can be gateways.")
