"""Report handling: what becomes of what a host says, of itself and of its gateway?"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from cloudgate import protocol
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.certificates.warnings import note_warnings
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import (
    gateway_of,
)
from cloudgate.manager.host_protocol.failed_logins import record_failed_logins
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, apply_report
from cloudgate.manager.host_protocol.old_passwords import note_old_passwords
from cloudgate.manager.host_protocol.site_document import told_of
from cloudgate.manager.registries.hosts.fact_changes import CHANGE_SECONDS
from cloudgate.manager.servers.facts import check_facts, keep_report
from cloudgate.manager.servers.managed_servers import touch_assignment, touch_site
from cloudgate.manager.servers.tenant_scope import tell_anew
from cloudgate.manager.storage.tables import ManagedServer


def update_facts(work: UnitOfWork, server: ManagedServer, facts: protocol.HostFacts) -> None:
    """Keep what a machine says of itself; a gateway may need another certificate for it.

    Raises:
        InvalidRequestError: no certificate can be made for its public key, or it changes all the
            time.
    """
    known = facts.model_dump(mode="json")
    before = server.facts
    if known == before:
        return
    check_facts(facts)
    words = {"trouble": "", "advice": ""}
    only_trouble = before is not None and {**known, **words} == {**before, **words}
    if not (only_trouble or work.hosts.fact_changes.may_change(server.id, work.now)):
        raise InvalidRequestError(
            "The machine says something else of itself all the time: its name, addresses, key or"
            f" versions. It is heard again after {CHANGE_SECONDS:g} seconds without that."
        )
    with _telling_others(work, server):
        server.facts = known
    if only_trouble:
        return
    work.once_it_holds.append(partial(work.hosts.fact_changes.record, server.id, work.now))
    server.kind = facts.platform if facts.platform in ("Linux", "Windows") else "Linux"
    _look_again(work, server)
    if before is not None and before["version"] != facts.version:
        # Of what it was told it has kept what its release before understood, and no more.
        tell_anew(work, server)


def note_addresses(work: UnitOfWork, server: ManagedServer, seen: str) -> None:
    """The machine speaks from elsewhere: its gateway needs another certificate."""
    if seen != server.seen_addresses:
        with _telling_others(work, server):
            server.seen_addresses = seen
        _look_again(work, server)


def _look_again(work: UnitOfWork, server: ManagedServer) -> None:
    gateway = gateway_of(work, server)
    if gateway is not None:
        touch_assignment(work, server)
        note_warnings(work, [gateway])


@contextmanager
def _telling_others(work: UnitOfWork, server: ManagedServer) -> Iterator[None]:
    """Should other gateways know this one differently afterwards, they are told."""
    gateway = gateway_of(work, server)
    before = told_of(work, gateway) if gateway else None
    yield
    if gateway is not None and told_of(work, gateway) != before:
        touch_site(work, server.backup_server)


def handle_report(
    work: UnitOfWork, server: ManagedServer, report: protocol.Report
) -> ReachabilityCheck | None:
    """Keep a report and act on it, unless it is about an assignment that is not the newest.

    What is returned is to be tried: see `apply_report`.

    Raises:
        InvalidRequestError: it says what this host cannot know, or what is known to be over.
    """
    _check_report(work, server, report)
    record_failed_logins(work, server, report)
    note_old_passwords(work, server, report.old_passwords)
    if report.facts is not None:
        update_facts(work, server, report.facts)
    # One that is larger than any comes from a database that is not here any more.
    is_known = report.directory_revision <= work.directory_revision()
    keep_report(server, report if is_known else report.model_copy(update={"directory_revision": 0}))
    is_newest = report.assignment_revision == server.assignment_revision
    work.timelines.reported(
        server.id,
        server.backup_server_id,
        report if is_newest else report.model_copy(update={"took": None}),
        work.now,
    )
    if not is_newest:
        return None
    return apply_report(work, server, report)


def _check_report(work: UnitOfWork, server: ManagedServer, report: protocol.Report) -> None:
    if report.assignment_revision > server.assignment_revision:
        # An older database was put back: what the host has is from a future that is gone.
        touch_assignment(work, server)
        return
    if report.assignment_revision < (server.reported_revision or 0):
        raise InvalidRequestError(
            f"The report is about revision {report.assignment_revision} of the assignment, and"
            f" one about {server.reported_revision} was heard before."
        )
    gateway = gateway_of(work, server)
    if report.gateway_id is None or report.assignment_revision != server.assignment_revision:
        return
    if gateway is None or gateway.id != report.gateway_id:
        raise InvalidRequestError(
            f"The report is about the cloud gateway {report.gateway_id}, which is not this host's."
        )
