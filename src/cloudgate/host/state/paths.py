"""State paths: where does the host service keep things?

Everything lies in one state folder that only its owner may read. Unix sockets lie in it too, as
long as their paths fit into the 108 bytes that the kernel allows; else in a folder under the
temporary directory whose name follows from the state folder's, so that a later host service
finds the sockets of an Envoy that is still running.
"""

import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cloudgate.errors import UnavailableError
from cloudgate.host.platform import is_owned_by_us, restrict_to_owner

SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket that the kernel takes (unix(7))."""
_LONGEST_NAME = "h_udp_parent_999999999"


@dataclass(frozen=True)
class StatePaths:
    """The paths of all that one host service keeps."""

    state: Path
    run: Path
    """Folder of the Unix sockets."""

    @property
    def membership(self) -> Path:
        """Where the manager is, and who this host is to it."""
        return self.state / "membership.json"

    @property
    def credential(self) -> Path:
        """What this host proves itself with to the manager."""
        return self.state / "credential"

    @property
    def former_credentials(self) -> Path:
        """What it proved itself with before, for a manager that has forgotten the newest."""
        return self.state / "former-credentials.json"

    @property
    def manager_ca(self) -> Path:
        """The only certificate authority that the manager's certificate may come from."""
        return self.state / "manager-ca.pem"

    @property
    def private_key(self) -> Path:
        """The key of the gateway's certificate."""
        return self.state / "gateway-key.pem"

    @property
    def assignment(self) -> Path:
        """The state that this host was last told to be in."""
        return self.state / "assignment.json"

    @property
    def established(self) -> Path:
        """Where the gateway has listened last."""
        return self.state / "established.json"

    @property
    def directory(self) -> Path:
        """The tenants, as last heard."""
        return self.state / "directory.json"

    @property
    def site(self) -> Path:
        """The site, as last heard."""
        return self.state / "site.json"

    @property
    def drain(self) -> Path:
        """Since when the gateway takes no new tunnels, and how many there were."""
        return self.state / "drain.json"

    @property
    def usage(self) -> Path:
        """How far the access log has been read, and what was counted."""
        return self.state / "usage.json"

    @property
    def reputation(self) -> Path:
        """From where tenants have come, and where wrong passwords came from."""
        return self.state / "reputation.json"

    @property
    def reserve(self) -> Path:
        """Room for when the disk is full."""
        return self.state / "reserve"

    @property
    def withdrawals(self) -> Path:
        """What was taken away while the disk took nothing; its room is taken from the start."""
        return self.state / "withdrawals"

    @property
    def lock(self) -> Path:
        """Held by the one host service that may use this folder."""
        return self.state / "lock"

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.state / "envoy" / "bootstrap.json"

    @property
    def xds(self) -> Path:
        """Folder that Envoy watches; each file is replaced by renaming."""
        return self.state / "envoy" / "xds"

    @property
    def roster(self) -> Path:
        """Which processes are Envoy."""
        return self.state / "envoy" / "process.json"

    def retired_xds(self, mark: str) -> Path:
        """Where the folder of an Envoy is moved to, so that it hears nothing new any more."""
        return self.state / "envoy" / f"retired-{mark}"

    @property
    def succession_socket(self) -> Path:
        """What the names of the sockets begin with by which an Envoy takes over from another."""
        return self.run / "h"

    @property
    def envoy_log(self) -> Path:
        """Envoy's own words."""
        return self.state / "logs" / "envoy.log"

    @property
    def access_log(self) -> Path:
        """One line of JSON for each beginning and end of a tunnel, and for each refusal."""
        return self.state / "logs" / "access.log"

    def admin_socket(self, mark: str) -> Path:
        """The administration of the Envoy with that mark; of an earlier release's without one."""
        return self.run / (f"admin-{mark[:8]}.sock" if mark else "admin.sock")

    @property
    def authorizer_socket(self) -> Path:
        """Where Envoy asks whether a tenant may open a tunnel."""
        return self.run / "authorizer.sock"

    @property
    def authorizer_port(self) -> Path:
        """Which port that is, where there are no Unix sockets."""
        return self.state / "authorizer-port"

    def admin_address(self, mark: str) -> Path:
        """Where an Envoy writes what address its administration has, where there are none."""
        return self.run / f"admin-{mark[:8]}.address"

    @property
    def local_identity(self) -> Path:
        """By what host service and Envoy know each other, where there are none."""
        return self.state / "local-identity.pem"

    def make_folders(self) -> None:
        """Make all folders, each for its owner only.

        Raises:
            UnavailableError: A folder belongs to somebody else.
        """
        for folder in (self.state, self.run, self.xds, self.envoy_log.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.state, self.run):
            _claim(folder)


def state_paths(state_folder: Path) -> StatePaths:
    """The layout under `state_folder`, the same for the same folder each time."""
    state = state_folder.resolve()
    inside = state / "run"
    if sys.platform == "win32" or len(os.fsencode(inside / _LONGEST_NAME)) <= SOCKET_PATH_BYTES:
        return StatePaths(state, inside)
    mark = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    return StatePaths(state, Path(tempfile.gettempdir()) / f"cloudgate-{mark}")


def _claim(folder: Path) -> None:
    if not stat.S_ISDIR(folder.lstat().st_mode) or not is_owned_by_us(folder):
        raise UnavailableError(
            f"{folder} is not a folder of this user. Move it away or start as its owner."
        )
    restrict_to_owner(folder)
