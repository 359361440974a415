"""Gateway operations: how is the role given, changed and taken away?

A change writes what is wanted and a task. What the host reports decides: it confirms the wanted
settings, or those that were in force before come back (`host_protocol/gateway_progress.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways import rules
from cloudgate.manager.gateways.lag import lag_of
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.servers import managed_servers
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.facts import facts_of, report_of
from cloudgate.manager.servers.managed_servers import (
    find_by_host_name,
    touch_assignment,
    touch_site,
)
from cloudgate.manager.servers.observed_addresses import read
from cloudgate.manager.servers.tenant_scope import review_scope
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer, Task
from cloudgate.manager.storage.tenant_rows import Named
from cloudgate.manager.tasks import operations as tasks
from cloudgate.network import hostport
from cloudgate.network.destinations import is_loopback
from cloudgate.protocol import GatewayState
from cloudgate.protocol.assignment import USUAL_DRAIN_SECONDS
from cloudgate.protocol.bounds import readable
from cloudgate.values import precis

TYPE = "CloudGateway"
CREATED = Event("CreateCloudGateway", "Cloud gateway {name} [{id}] has been created", code=24130)
EDITED = Event("EditCloudGateway", "Cloud gateway {name} [{id}] has been modified", code=24131)
DELETED = Event("DeleteCloudGateway", "Cloud gateway {name} has been deleted", WARNING, code=24140)
_CONDITIONS: dict[str, str] = {
    GatewayState.LISTENING: "Listening",
    GatewayState.DRAINING: "Draining",
    GatewayState.CLOSED: "Closed",
    GatewayState.FAILED: "Failed",
}


def list_gateways(work: UnitOfWork) -> Sequence[CloudGateway]:
    """All gateways that are there, by name; those still being made are not."""
    return work.session.scalars(
        select(CloudGateway).where(CloudGateway.confirmed.is_not(None)).order_by(CloudGateway.name)
    ).all()


def get_gateway(work: UnitOfWork, identifier: UUID) -> CloudGateway:
    """A gateway by its id.

    Raises:
        NotFoundError: there is none, or it is still being made.
    """
    gateway = work.session.get(CloudGateway, identifier)
    if gateway is None or gateway.confirmed is None:
        raise NotFoundError(f"There is no cloud gateway with the id {identifier}.")
    return gateway


def gateway_of(work: UnitOfWork, server: ManagedServer) -> CloudGateway | None:
    """The gateway role of a server."""
    return work.session.scalar(
        select(CloudGateway).where(CloudGateway.managed_server_id == server.id)
    )


def gateways_of_servers(work: UnitOfWork, servers: Collection[UUID]) -> dict[UUID, Named]:
    """What the gateways of servers are called, by these; of those that have one."""
    found = work.session.execute(
        select(CloudGateway.managed_server_id, CloudGateway.id, CloudGateway.name).where(
            CloudGateway.managed_server_id.in_(servers)
        )
    )
    return {server: Named(identifier, name) for server, identifier, name in found}


def wanted_settings(gateway: CloudGateway) -> GatewaySettings:
    """What the operator wants of a gateway."""
    return rules.from_document(gateway.wanted)


def settings_in_force(gateway: CloudGateway) -> GatewaySettings:
    """What the host last confirmed; what is wanted, before it did."""
    return rules.from_document(gateway.confirmed or gateway.wanted)


def external_ip_of(gateway: CloudGateway) -> str:
    """Where tenants find a gateway."""
    server = gateway.managed_server
    facts = facts_of(server)
    claimed = facts.addresses if facts else ()
    certain = claimed if server.local else (gateway.told_address, *read(server.seen_addresses))
    return rules.shown_external_ip(
        settings_in_force(gateway), gateway.name, claimed, [each for each in certain if each]
    )


def signed_names(work: UnitOfWork, gateway: CloudGateway) -> tuple[str, ...]:
    """The names that a gateway's certificate is for: what was said by an operator, or seen."""
    server, settings = gateway.managed_server, wanted_settings(gateway)
    seen = set(read(server.seen_addresses))
    if server.local:
        if any(is_loopback(each) for each in seen):
            seen.add("localhost")  # which is where it speaks from (RFC 6761, section 6.3)
        seen.update(each for each in work.own_addresses() if not is_loopback(each))
    if not settings.external_ip:
        seen.add(gateway.told_address)
    if name := work.dns.of_pool(gateway.pool.name if gateway.pool else ""):
        seen.add(name)
    return rules.certificate_names(settings, (gateway.name, server.name), seen)


def dialled_at(gateway: CloudGateway) -> str:
    """How programs name the host at which tenants find a gateway."""
    return hostport.host_known_as(external_ip_of(gateway))


def condition_of(gateway: CloudGateway) -> str:
    """How a gateway is, in one word."""
    server = gateway.managed_server
    return state_of(
        server.reported_state,
        is_online=server.online_since is not None,
        is_done=server.reported_revision == server.assignment_revision,
    )


def state_of(reported: str, *, is_online: bool, is_done: bool) -> str:
    """How a gateway is whose host has reported this; `is_done` with its newest assignment. Pure."""
    if not is_online:
        return "Offline"
    if not is_done:
        # It has something to do, and may be about to report it.
        return "Draining" if reported == GatewayState.DRAINING else "Starting"
    return _CONDITIONS.get(reported, "Starting")


def is_wanted(gateway: CloudGateway) -> bool:
    """Whether it is to let tenants in."""
    return wanted_settings(gateway).enabled and not gateway.removing


def is_up(work: UnitOfWork, gateway: CloudGateway) -> bool:
    """Whether it lets tenants in, as far as is known: what `cloudgate_gateway_up` shows."""
    server = gateway.managed_server
    is_online = server.online_since is not None and not work.faults.is_cut_off(server.id)
    return is_online and server.reported_state == GatewayState.LISTENING


def warnings_of(work: UnitOfWork, gateway: CloudGateway) -> str:
    """What an operator should look at, at its server too; empty when nothing."""
    found = (own_warnings_of(work, gateway), managed_servers.warnings_of(gateway.managed_server))
    return readable(" ".join(filter(None, found)))


def own_warnings_of(work: UnitOfWork, gateway: CloudGateway) -> str:
    """What an operator should look at that its server's own warnings do not say."""
    failed = condition_of(gateway) == _CONDITIONS[GatewayState.FAILED]
    found = (
        report_of(gateway.managed_server).reason if failed else "",
        gateway.reach_warning,
        gateway.certificate_warning,
        lag_of(work, gateway),
    )
    return readable(" ".join(filter(None, found)))


def create_gateway(
    work: UnitOfWork,
    settings: GatewaySettings,
    *,
    server_host_name: str,
    backup_server_id_or_name: str | None = None,
    backup_server_uid: str | None = None,
) -> Task:
    """Give a managed server the gateway role; without a description, one is made.

    Raises:
        InvalidRequestError: the settings are against a rule, or the server cannot have the role.
        NotFoundError: the backup server or the managed server is unknown.
    """
    settings = rules.check(replace(settings, description=settings.description or _made_by(work)))
    _check_external_ip(work, settings)
    site = choose_backup_server(work, backup_server_id_or_name, backup_server_uid)
    server = find_by_host_name(work, site, server_host_name)
    _check_may_have_role(work, server)
    gateway = CloudGateway(
        managed_server_id=server.id,
        backup_server_id=site.id,
        name=precis.name(server_host_name),
        wanted=settings.as_document(),
    )
    work.session.add(gateway)
    work.session.flush()
    review_scope(work, server)
    touch_assignment(work, server)
    task = tasks.start_gateway_task(work, CREATED.operation, gateway)
    record_at_end(work, task, change_to(gateway, TYPE, CREATED, after=gateway.wanted))
    return task


def _made_by(work: UnitOfWork) -> str:
    return f"Created by {work.author} at {work.now:%m/%d/%Y %I:%M %p}."


def _check_may_have_role(work: UnitOfWork, server: ManagedServer) -> None:
    if server.kind not in rules.GATEWAY_KINDS:
        raise InvalidRequestError(
            f"The server {server.name} is of the kind {server.kind}; only a Windows or Linux"
            " server can be a cloud gateway."
        )
    existing = gateway_of(work, server)
    if existing is not None:
        ending = ", which is being removed" if existing.removing else ""
        raise InvalidRequestError(
            f"The server {server.name} is a cloud gateway already ({existing.name}{ending})."
        )


def edit_gateway(
    work: UnitOfWork,
    gateway: CloudGateway,
    change: Mapping[str, Any],
    drain_seconds: int | None = None,
) -> Task:
    """Change a gateway; it goes on with its old settings should the host not take the new ones.

    Args:
        work: the change that this is part of.
        gateway: which.
        change: what is to be otherwise, by the names of the fields of `GatewaySettings`.
        drain_seconds: how long tunnels may go on that have no place any more; None for the usual.

    Raises:
        InvalidRequestError: the settings are against a rule, or the gateway is being removed.
    """
    if gateway.removing:
        raise InvalidRequestError(f"The cloud gateway {gateway.name} is being removed.")
    wanted = wanted_settings(gateway)
    settings = rules.check(rules.changed(wanted, change, external_ip_of(gateway)))
    if settings.external_ip != wanted.external_ip:
        _check_external_ip(work, settings)
    before, gateway.wanted = gateway.wanted, settings.as_document()
    if not settings.enabled and (before["enabled"] or drain_seconds is not None):
        _begin_drain(gateway, drain_seconds)
    touch_assignment(work, gateway.managed_server)
    task = tasks.start_gateway_task(work, EDITED.operation, gateway)
    record_at_end(
        work,
        task,
        change_to(gateway, TYPE, EDITED, before=before, after=gateway.wanted),
    )
    return task


def _check_external_ip(work: UnitOfWork, settings: GatewaySettings) -> None:
    """See whether who is asking may have the manager dial there: it looks if tenants get in."""
    if settings.external_ip:
        work.reachable.check_advertised(
            settings.external_ip, "ExternalIP", administers=work.administers
        )


def _begin_drain(gateway: CloudGateway, drain_seconds: int | None) -> None:
    gateway.drain, gateway.drain_seconds = uuid4().hex, drain_seconds


def drain_seconds_of(gateway: CloudGateway) -> float:
    """How long tunnels may go on once the gateway is closed."""
    return USUAL_DRAIN_SECONDS if gateway.drain_seconds is None else gateway.drain_seconds


def delete_gateway(
    work: UnitOfWork, gateway: CloudGateway, drain_seconds: int | None = None
) -> Task:
    """Take the role away. The machine stays a managed server.

    `drain_seconds`: how long live tunnels may go on; None for the usual time.
    """
    gateway.removing = True
    _begin_drain(gateway, drain_seconds)
    review_scope(work, gateway.managed_server)
    touch_assignment(work, gateway.managed_server)
    touch_site(work, gateway.backup_server)
    task = tasks.start_gateway_task(work, DELETED.operation, gateway)
    record_at_end(work, task, change_to(gateway, TYPE, DELETED, before=gateway.wanted))
    if gateway.managed_server.credential_hash is None:
        # Nobody will ever report: this is how a machine that is lost is taken out.
        work.session.delete(gateway)
        review_scope(work, gateway.managed_server)
        message = (
            "Ok. The server was revoked, so that it was not told: if its gateway still runs,"
            " tenants still get in there."
        )
        tasks.finish(work, task, success=True, message=message)
    return task
