"""Reportable tenants: of whom may a host tell something? Of whom its gateways could let in.

What it tells of others is left out, of all members of its report: no host says anything of tenants
that it was never told of.
"""

from collections.abc import Container
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer
from cloudgate.manager.tenants import rules
from cloudgate.manager.usage.served_tenants import ever_served
from cloudgate.protocol import Report
from cloudgate.values import login_names


def named_in(report: Report) -> frozenset[UUID]:
    """The tenants that a report names by their ids."""
    counted = report.figures.tenants if report.figures is not None else ()
    return frozenset(
        {each.tenant_id for each in counted} | {each.tenant_id for each in report.old_passwords}
    )


def of_served(work: UnitOfWork, server: ManagedServer, report: Report) -> Report:
    """The report without what the host cannot know.

    An outsider whose name nobody has at this site is of no tenant, and stays.
    """
    outsiders = [(each, tenant_named(work, server, each.name)) for each in report.outsiders]
    named = {*named_in(report), *(each for _, each in outsiders if each is not None)}
    if not named:
        return report
    served = ever_served(work, server, named)
    seen = tuple(each for each, meant in outsiders if meant is None or meant in served)
    return _only_of(report, served).model_copy(update={"outsiders": seen})


def tenant_named(work: UnitOfWork, server: ManagedServer, name: str) -> UUID | None:
    """The tenant that is meant at a gateway, if its site has one of that name."""
    login = rules.login(login_names.read(name).tenant)
    return work.session.scalar(
        select(CloudTenant.id).where(
            CloudTenant.backup_server_id == server.backup_server_id, CloudTenant.login == login
        )
    )


def _only_of(report: Report, served: Container[UUID]) -> Report:
    used = tuple(each for each in report.old_passwords if each.tenant_id in served)
    figures = report.figures
    if figures is not None:
        counted = tuple(each for each in figures.tenants if each.tenant_id in served)
        figures = figures.model_copy(update={"tenants": counted})
    return report.model_copy(update={"old_passwords": used, "figures": figures})
