"""Measuring: how is one tenant's share measured? Blocks, for minutes if need be."""

import time
from collections.abc import Iterator
from uuid import UUID

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.fault_isolation import each_alone
from cloudgate.manager.probes import rules, s3, webdav
from cloudgate.manager.probes.operations import Batch, Disk, Outcome, Share
from cloudgate.manager.probes.rules import ProbeMethod
from cloudgate.manager.servers.managed_servers import is_online
from cloudgate.manager.storage.tables import ManagedServer
from cloudgate.manager.storage_services.answers import Limits, UnansweredError
from cloudgate.protocol import DirectoryProbe, DirectorySize

LOOK_SECONDS = 5.0
"""How often is looked whether a host that measures is still there."""
_GRACE_SECONDS = 60.0


def measure(manager: Manager, batch: Batch, limits: Limits | None = None) -> Iterator[Outcome]:
    """What each share of a batch holds, one after the other.

    When whoever is asked cannot say it of one tenant nor of the others, they are not asked for.
    """
    limits = limits or Limits(reachable=manager.reachable)
    wrong_for_all = batch.problem

    def one(share: Share) -> Outcome:
        nonlocal wrong_for_all
        if wrong_for_all:
            return Outcome(share, warning=wrong_for_all)
        try:
            used_bytes, disk = _measure_one(manager, batch, share, limits)
        except UnansweredError as problem:
            wrong_for_all = problem.message if problem.everyone else ""
            return Outcome(share, warning=problem.message)
        except InvalidRequestError as problem:
            return Outcome(share, warning=problem.message)
        return Outcome(share, used_bytes, disk=disk)

    return each_alone(batch.shares, one, _unforeseen)


def _unforeseen(share: Share, fault: str) -> Outcome:
    return Outcome(
        share,
        warning=f"It could not be measured, for a reason that nobody foresaw: fault {fault} in the"
        " manager's log.",
    )


def _measure_one(
    manager: Manager, batch: Batch, share: Share, limits: Limits
) -> tuple[int | None, Disk | None]:
    """How much there is of a share, and how large the whole is where that is told."""
    probe = batch.probe
    if probe.method is ProbeMethod.DIRECTORY:
        place = rules.directory_of(probe.path, share.subject)
        asked = DirectoryProbe(base=place.base, parts=place.parts, limit_seconds=limits.seconds)
        return _ask_host(manager, UUID(probe.server_id), asked)
    if probe.method is ProbeMethod.WEBDAV:
        place = rules.collection_of(probe.url, share.subject)
        used_bytes = webdav.measure(probe, batch.password, place, limits)
        is_first = share is batch.shares[0]  # it is the same for all of them
        if not is_first:
            return used_bytes, None
        known = Limits(reachable=limits.reachable)
        return used_bytes, webdav.disk(probe, batch.password, place.base, known)
    bucket, prefix = rules.objects_of(probe, share.subject)
    found = s3.measure(probe, batch.password, bucket, prefix, limits)
    if found is None and rules.is_same_for_all(probe.bucket):
        raise UnansweredError(
            f"There is no bucket {bucket} at {probe.url}: correct Bucket in the usage probe, or"
            " make the bucket.",
            everyone=True,
        )
    return found, None  # no server of S3 says how much there may be


def _ask_host(
    manager: Manager, server_id: UUID, directory: DirectoryProbe
) -> tuple[int | None, Disk | None]:
    name = _name_if_online(manager, server_id)
    question = manager.host_queries.request_disk_usage(server_id, directory)
    manager.wakeups.wake([server_id])
    deadline = time.monotonic() + directory.limit_seconds + _GRACE_SECONDS
    try:
        while (answer := manager.host_queries.resolve(question, LOOK_SECONDS)) is None:
            if time.monotonic() > deadline:
                raise UnansweredError(
                    f"The managed server {name} did not say how much is in {directory.base} within"
                    f" {directory.limit_seconds:g} seconds. See whether its disk is in order."
                )
            _name_if_online(manager, server_id)
    finally:
        manager.host_queries.discard(question)
    measured = answer.measured
    if measured is None:
        raise UnansweredError(
            f"The host service of {name} is of a release that cannot measure directories: update"
            " it.",
            everyone=True,
        )
    return _measured_by_host(name, measured)


def _measured_by_host(name: str, measured: DirectorySize) -> tuple[int | None, Disk | None]:
    if measured.reason:
        raise UnansweredError(f"The managed server {name} cannot measure {measured.reason}")
    if measured.capacity_bytes is None or measured.free_bytes is None:
        return measured.used_bytes, None
    return measured.used_bytes, Disk(measured.capacity_bytes, measured.free_bytes)


def _name_if_online(manager: Manager, server_id: UUID) -> str:
    """The name of a managed server that is there.

    Raises:
        UnansweredError: it is not.
    """
    with manager.reading() as work:
        server = work.session.get(ManagedServer, server_id)
        name = server.name if server is not None else ""
        online = server is not None and is_online(work, server)
    if not name:
        raise UnansweredError(
            "The managed server that measured it was removed: name another in the usage probe.",
            everyone=True,
        )
    if not online:
        raise UnansweredError(
            f"The managed server {name} is offline: start its host service.", everyone=True
        )
    return name
