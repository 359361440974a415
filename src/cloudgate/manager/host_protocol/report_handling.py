"""Report handling: what is a machine told, and what becomes of what it reports?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from cloudgate import protocol
from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.certificates.operations import certificate_for, key_of
from cloudgate.manager.certificates.warnings import note_warnings
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import (
    drain_seconds_of,
    gateway_of,
    signed_names,
    wanted_settings,
)
from cloudgate.manager.host_protocol import tenant_feed
from cloudgate.manager.host_protocol.failed_logins import record_failed_logins
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, apply_report
from cloudgate.manager.host_protocol.old_passwords import note_old_passwords
from cloudgate.manager.host_protocol.site_document import site_document, told_of
from cloudgate.manager.registries.presence import CHANGE_SECONDS
from cloudgate.manager.security.authority import CertificateRequest
from cloudgate.manager.servers.facts import check_facts, facts_of, keep_report
from cloudgate.manager.servers.managed_servers import touch_assignment, touch_site
from cloudgate.manager.servers.tenant_scope import Scope, scope_of
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer
from cloudgate.manager.tenants import certificates as tenant_certificates
from cloudgate.trust.certificate_roles import Role


@dataclass(frozen=True)
class Pending:
    """What is new for a host; of the tenants, what has to be looked up, once for all alike."""

    scope: Scope
    directory_revision: int
    """The newest when the question was found."""
    question: tenant_feed.Question | None
    """None where the host knows that one."""
    assignment: protocol.Assignment | None = None
    site: protocol.Site | None = None


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
    if not (only_trouble or work.presence.may_change(server.id, work.now)):
        raise InvalidRequestError(
            "The machine says something else of itself all the time: its name, addresses, key or"
            f" versions. It is heard again after {CHANGE_SECONDS:g} seconds without that."
        )
    with _telling_others(work, server):
        server.facts = known
    if only_trouble:
        return
    work.once_it_holds.append(partial(work.presence.record_change, server.id, work.now))
    server.kind = facts.platform if facts.platform in ("Linux", "Windows") else "Linux"
    _look_again(work, server)


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


def pending(work: UnitOfWork, server: ManagedServer, request: protocol.PollRequest) -> Pending:
    """What is new for a host."""
    current, scope = work.directory_revision(), scope_of(server.scope, work.now)
    known, site = request.directory_revision, server.backup_server
    return Pending(
        scope,
        current,
        tenant_feed.question_of(site.id, scope, known, current),
        assignment=(
            current_assignment(work, server)
            if request.assignment_revision != server.assignment_revision
            else None
        ),
        site=site_document(work, site) if request.site_revision != site.site_revision else None,
    )


def current_assignment(work: UnitOfWork, server: ManagedServer) -> protocol.Assignment:
    """The state that a machine is wanted to be in."""
    gateway = gateway_of(work, server)
    wanted = None if gateway is None or gateway.removing else _gateway_document(work, gateway)
    found = protocol.Assignment(revision=server.assignment_revision, gateway=wanted)
    if gateway is None:
        return found
    drain = {"drain": gateway.drain, "drain_seconds": drain_seconds_of(gateway)}
    return found.model_copy(update=drain)


def _gateway_document(work: UnitOfWork, gateway: CloudGateway) -> protocol.Gateway:
    brought = certificate_for(work, gateway)
    return protocol.Gateway(
        gateway_id=gateway.id,
        pool_id=gateway.pool_id,
        certificate_chain_pem=brought.chain_pem if brought else certificate_of(work, gateway),
        private_key_pem=key_of(work, brought) if brought else None,
        client_authorities=(tenant_certificates.authority(work).pem,),
        **wanted_settings(gateway).host_fields,
    )


def certificate_of(work: UnitOfWork, gateway: CloudGateway) -> str:
    """The gateway's certificate chain; a new one when names, key or time ask for it."""
    facts = facts_of(gateway.managed_server)
    if facts is None:
        raise NotFoundError(f"{gateway.managed_server.name} has not joined yet.")
    names = signed_names(work, gateway)
    wanted = CertificateRequest(facts.public_key_pem, names, Role.GATEWAY, work.gateway_term)
    if not work.authority.is_current(gateway.certificate_pem, wanted, work.now):
        gateway.certificate_pem = work.authority.issue(wanted, work.now)
    return gateway.certificate_pem


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
