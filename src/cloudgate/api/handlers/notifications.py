"""Notifications: what does the API say of those who are told of what happens? Extensions."""

import re

from cloudgate.api.access import ADMINISTRATORS
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation
from cloudgate.api.http.router import DONE, Parameter, Route, Routes, adds, shows, shows_either
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.notifications import operations, outbox
from cloudgate.manager.notifications.operations import TYPE, ReceiverChange
from cloudgate.manager.storage import tables
from cloudgate.values.identifiers import parse
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.notifications import (
    CreateNotificationReceiverSpec,
    NotificationDeliveries,
    NotificationDelivery,
    NotificationReceiver,
    NotificationReceivers,
)

PATH = "/notifications/receivers"
USUALLY_SHOWN, MOST_SHOWN = 100, 1000
"""Of what was told."""
_MOST = re.compile("[1-9][0-9]{0,3}")

ROUTES = Routes(ADMINISTRATORS)


def _place(root: str, receiver: tables.NotificationReceiver) -> ResourceLocation:
    return ResourceLocation(root, PATH, TYPE, receiver.id, receiver.name)


def _reference(root: str, receiver: tables.NotificationReceiver) -> EntityRef:
    place = _place(root, receiver)
    return place.reference(place.to_entity())


def _entity(
    root: str, receiver: tables.NotificationReceiver, secret: str | None = None
) -> NotificationReceiver:
    place = _place(root, receiver)
    site, tenant = receiver.backup_server, receiver.tenant
    return NotificationReceiver(
        href=place.entity_href,
        type=place.type,
        links=(place.to_reference(), place.edit(), place.delete()),
        name=place.name,
        uid=place.uid,
        kind=receiver.kind,
        address=receiver.address,
        role=receiver.role or None,
        backup_server=site.name if site else None,
        cloud_tenant=tenant.name if tenant else None,
        events=tuple(receiver.events or ()),
        quiet_from=receiver.quiet_from or None,
        quiet_until=receiver.quiet_until or None,
        digest_minutes=receiver.digest_minutes,
        enabled=receiver.enabled,
        secret=secret,
    )


FORMS = Forms(
    _reference, _entity, lambda found: NotificationReceivers(notification_receivers=found)
)


@ROUTES.add(
    Route(verb="GET", path=PATH, answers=shows_either(EntityReferences, NotificationReceivers))
)
def get_receivers(call: Call) -> Answer:
    """All who are told of what happens."""
    with call.reading() as work:
        return FORMS.all(call, operations.list_receivers(work))


@ROUTES.add(
    Route(verb="GET", path=f"{PATH}/{{id}}", answers=shows_either(EntityRef, NotificationReceiver))
)
def get_receiver(call: Call) -> Answer:
    """One who is told of what happens."""
    with call.reading() as work:
        return FORMS.one(call, operations.get_receiver(work, call.identifier(TYPE)))


@ROUTES.add(
    Route(
        verb="POST",
        path=PATH,
        answers=adds(NotificationReceiver),
        bodies=(CreateNotificationReceiverSpec,),
    )
)
def post_receiver(call: Call, spec: CreateNotificationReceiverSpec) -> Answer:
    """Add somebody who is told of what happens; a program's secret is shown this once."""
    site, tenant = spec.backup_server_uid, spec.cloud_tenant_uid
    wanted = ReceiverChange(
        name=spec.name,
        kind=spec.kind or None,
        address=spec.address,
        role=spec.role or None,
        site_id=parse(site, "BackupServer") if site else None,
        tenant_id=parse(tenant, "CloudTenant") if tenant else None,
        events=spec.events,
        quiet_from=spec.quiet_from,
        quiet_until=spec.quiet_until,
        digest_minutes=spec.digest_minutes,
        authority_pem=spec.ca_file,
    )
    with call.changing() as work:
        made, secret = operations.create_receiver(work, wanted, call.manager.outgoing)
        entity = _entity(call.root, made, secret)
    headers = {"Location": f"{call.root}{PATH}/{made.id}"}
    return Answer(status=201, resource=entity, headers=headers)


@ROUTES.add(Route(verb="PUT", path=f"{PATH}/{{id}}", answers=DONE, bodies=(NotificationReceiver,)))
def put_receiver(call: Call, entity: NotificationReceiver) -> Answer:
    """Change how somebody is told, and of what."""
    change = ReceiverChange(
        address=entity.address or None,
        role=entity.role or None,
        events=entity.events,
        quiet_from=entity.quiet_from,
        quiet_until=entity.quiet_until,
        digest_minutes=entity.digest_minutes,
        enabled=entity.enabled,
    )
    with call.changing() as work:
        receiver = operations.get_receiver(work, call.identifier(TYPE))
        operations.edit_receiver(work, receiver, change, call.manager.outgoing)
    return Answer(status=204)


@ROUTES.add(Route(verb="POST", path=f"{PATH}/{{id}}", action="test", answers=DONE))
def test_receiver(call: Call) -> Answer:
    """Tell somebody right now that this is a test; 503 says why that failed."""
    problem = operations.try_out(call.manager, call.identifier(TYPE))
    if problem:
        raise UnavailableError(problem)
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path=f"{PATH}/{{id}}", answers=DONE))
def delete_receiver(call: Call) -> Answer:
    """Have somebody told no more."""
    with call.changing() as work:
        receiver = operations.get_receiver(work, call.identifier(TYPE))
        operations.delete_receiver(work, receiver)
    call.manager.warn(operations.warning_kind(receiver.id), "")
    return Answer(status=204)


@ROUTES.add(
    Route(
        verb="GET",
        path="/notifications/deliveries",
        answers=shows(NotificationDeliveries),
        query=(
            Parameter(
                name="most",
                description="How many at most; 100 when left out.",
                pattern=f"^({_MOST.pattern})?$",
            ),
        ),
    )
)
def get_deliveries(call: Call) -> Answer:
    """What was told to whom in the last 30 days, or is to be, the newest first."""
    most = _most(call.query.get("most", ""))
    with call.reading() as work:
        names = operations.receiver_names(work)
        found = outbox.list_deliveries(work, most)
        shown = tuple(_delivery(each, names.get(each.receiver_id, "")) for each in found)
    return Answer(resource=NotificationDeliveries(notification_deliveries=shown))


def _most(said: str) -> int:
    if not said:
        return USUALLY_SHOWN
    if not _MOST.fullmatch(said):
        raise InvalidRequestError(f"most: found {said[:50]!r}, expected a number from 1 to 9999.")
    return min(int(said), MOST_SHOWN)


def _delivery(found: tables.NotificationDelivery, name: str) -> NotificationDelivery:
    waits = found.finished_at is None
    return NotificationDelivery(
        receiver=name,
        state="Waiting" if waits else "Delivered" if found.success else "GivenUp",
        event=found.event["Event"],
        cleared=found.event["Cleared"],
        message=found.event["Message"],
        time=found.at,
        attempts=found.attempts,
        next_time=found.due_at if waits else None,
        end_time=found.finished_at,
        problem=found.problem or None,
    )
