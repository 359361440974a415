"""Is a file of the host service that cannot be read for a moment taken for lost?"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.loopback_endpoints import LoopbackEndpoints
from cloudgate.host.envoy.process import ProcessRecord
from cloudgate.host.envoy.process_set import (
    EnvoyProcesses,
    ProcessSet,
    keep_process_set,
    read_process_set,
)
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.platform import started_at
from cloudgate.host.state.enrolment import Enrolment, load_enrolment, save_enrolment
from cloudgate.host.state.files import backup_path, damaged_files, read_or_backup, write_mirrored
from cloudgate.host.state.host_credentials import former_credentials, keep_credential
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.private_key import public_key_pem
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import DirectoryChange
from tests.support.machine.disks import make_unreadable
from tests.support.machine.open_files import no_file_left

ENROLMENT = Enrolment(
    url="https://manager:9398", server_id=UUID(int=9), credential="the first", ca_pem="a PEM"
)


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    """What a host service leaves behind."""
    made = state_paths(tmp_path / "state")
    made.make_folders()
    save_enrolment(made, ENROLMENT)
    keep_credential(made, "the second")
    TenantDirectory(made.directory).apply(DirectoryChange(from_revision=0, revision=3, tenants=()))
    ours = ProcessRecord(pid=os.getpid(), started=started_at(os.getpid()) or "")
    keep_process_set(made, ProcessSet(current=ours))
    tracker(made).checkpoint()
    made.access_log.write_text("a line\n")
    return made


def tracker(paths: StatePaths) -> TunnelTracker:
    envoys = EnvoyProcesses(paths, UnixEndpoints(paths))
    return TunnelTracker(paths, envoys, slots=TunnelSlots(), closer=TunnelCloser(envoys))


@contextmanager
def broken_disk(path: Path) -> Iterator[None]:
    """Neither the file nor what is beside it can be read."""
    files = [each for each in (path, backup_path(path)) if each.exists()]
    whole = {each: each.read_bytes() for each in files}
    for each in files:
        make_unreadable(each)
    yield
    for each, data in whole.items():
        assert each.is_symlink(), "it was written anew"
        each.unlink()
        each.write_bytes(data)


KEPT: dict[str, tuple[Callable[[StatePaths], Path], Callable[[StatePaths], object]]] = {
    "private key": (lambda paths: paths.private_key, public_key_pem),
    "membership": (lambda paths: paths.membership, load_enrolment),
    "credential": (lambda paths: paths.credential, load_enrolment),
    "former credentials": (lambda paths: paths.former_credentials, former_credentials),
    "local identity": (
        lambda paths: paths.local_identity,
        lambda paths: LoopbackEndpoints(paths).authorizer_endpoint(),
    ),
    "processes": (lambda paths: paths.roster, read_process_set),
    "usage": (lambda paths: paths.usage, lambda paths: tracker(paths).is_certain),
    "directory": (
        lambda paths: paths.directory,
        lambda paths: TenantDirectory(paths.directory).revision,
    ),
}


@pytest.mark.parametrize("kept", KEPT)
def test_what_cannot_be_read_is_unknown_and_stays_what_it_is(paths: StatePaths, kept: str) -> None:
    file, ask = KEPT[kept]
    known = ask(paths)
    assert known
    with broken_disk(file(paths)), pytest.raises(UnavailableError) as said:
        ask(paths)
    assert str(said.value) == (
        f"{file(paths)} cannot be read: Input/output error. Look after its disk."
    )
    assert ask(paths) == known
    with no_file_left(), pytest.raises(UnavailableError, match="Too many open files"):
        ask(paths)
    assert ask(paths) == known


def test_a_place_of_the_disk_that_is_broken_costs_nothing_where_its_copy_is_whole(
    paths: StatePaths,
) -> None:
    known = public_key_pem(paths)
    make_unreadable(paths.private_key)
    assert public_key_pem(paths) == known
    assert paths.private_key.name in damaged_files()


def test_a_file_that_may_not_be_read_is_not_taken_for_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_mirrored(path, "before")
    path.unlink()
    path.mkdir()  # to read it is EISDIR: root, who may run the tests, may read all
    with pytest.raises(UnavailableError, match="cannot be read: Is a directory"):
        read_or_backup(path, str)


def test_no_credential_of_before_is_lost_because_it_could_not_be_read(paths: StatePaths) -> None:
    with broken_disk(paths.former_credentials), pytest.raises(UnavailableError):
        keep_credential(paths, "the third")
    assert load_enrolment(paths).credential == "the second"
    keep_credential(paths, "the third")
    assert former_credentials(paths) == ("the second", "the first")
