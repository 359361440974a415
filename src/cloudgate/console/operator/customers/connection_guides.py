"""Connection guides: which lines does a tenant copy to back up with its program? Pure.

The commands are those of docs/clients.md, with the tenant's own values.
"""

from dataclasses import dataclass
from urllib.parse import quote

from cloudgate.console.texts import words as _

_PASSWORD = "PASSWORD"  # noqa: S105  stands for the tenant's
_GATEWAY, _STORAGE = "provider.example:6180", "vault.example:8443"


@dataclass(frozen=True)
class ConnectionGuide:
    """How one program gets in."""

    program: str
    text: str
    lines: str


def connection_guides(name: str, gateway: str, storage: list[str]) -> tuple[ConnectionGuide, ...]:
    """How each program connects.

    Args:
        name: of the tenant, as it logs in.
        gateway: host and port of a gateway; empty while there is none.
        storage: host and port of each repository that it may use.
    """
    gateway = gateway or _GATEWAY
    target = storage[0] if storage else _STORAGE
    host, _sep, port = target.rpartition(":")
    user = quote(name, safe="")
    shell = "'" + name.replace("'", "'\\''") + "'"
    proxy = f"export HTTPS_PROXY='https://{user}:{_PASSWORD}@{gateway}'"
    connector = f"cloudgate connect {gateway} --tenant {shell} --password-file password --ca ca.pem"
    restic = f"restic --cacert trusted.pem -r rest:https://{target}/{user}"
    ssh = (
        f"Host {host}\n    User {name}\n    IdentityFile id_ed25519\n"
        f"    ProxyCommand {connector} -W %h:%p\n"
    )
    return (
        ConnectionGuide(
            "restic",
            _("To a REST server. PASSWORD is the tenant's; what is no letter or digit as %XX."),
            f"{proxy}\n{restic} init\n{restic} backup home\n{restic} check --read-data\n"
            f"{restic} restore latest --target restored",
        ),
        ConnectionGuide(
            "rclone",
            _("To WebDAV."),
            f"{proxy}\nrclone --ca-cert trusted.pem --webdav-url https://{target}"
            " copy home :webdav:home",
        ),
        ConnectionGuide(
            "curl",
            _("One file, by PUT."),
            f"{proxy}\ncurl --fail --proxy-cacert ca.pem --cacert trusted.pem"
            f" --upload-file home.tar https://{target}/home.tar",
        ),
        ConnectionGuide(
            "borg",
            _("By ssh, through the connector. The first lines are the file ssh_config."),
            f"{ssh}\nexport BORG_RSH='ssh -F ssh_config'\n"
            f"borg init --encryption repokey ssh://{host}/./borg\n"
            f"borg create ssh://{host}/./borg::monday home",
        ),
        ConnectionGuide(
            "rsync",
            _("By ssh, with the same ssh_config as borg."),
            f"export RSYNC_RSH='ssh -F ssh_config'\nrsync -a home {host}:rsync",
        ),
        ConnectionGuide(
            _("all others"),
            _("By a local port, for programs that know no proxy."),
            f"{connector} -L 18443:{host}:{port}",
        ),
    )
